"""Reads what a server costs, from /proc, and drives it with wrk.

The main figure is CPU time per request of the server's whole process tree. Requests per second depend most on what
else the machine does (the load generator shares its cores), but CPU per request is not above it: beside a busy
neighbour bjoern measured 4.5 µs instead of 6.4 (more requests wait in each poll) and Granian 19 instead of 12. So each
measurement also says how busy the neighbours were, and run.py repeats a disturbed one.
"""

import dataclasses
import json
import os
import pathlib
import re
import resource
import subprocess

import loads
import places

FOREIGN_PERCENT_NOISY = 10
TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")


class ProcessTree:
    """The process we started, its descendants, and all others of its session (a daemon's children change parents)."""

    def __init__(self, leader):
        self.leader = leader

    def members(self):
        parents, sessions = {}, {}
        for entry in os.scandir("/proc"):
            if entry.name.isdigit() and (fields := _stat_fields(int(entry.name))):
                parents[int(entry.name)] = int(fields[1])
                sessions[int(entry.name)] = int(fields[3])
        return sorted(pid for pid in parents if sessions[pid] == self.leader or self._descends(pid, parents))

    def _descends(self, pid, parents):
        while pid in parents:
            if pid == self.leader:
                return True
            pid = parents[pid]
        return False

    def cpu_seconds(self):
        """User and system time, with that of children already reaped: a replaced worker's work stays counted."""
        ticks = 0
        for pid in self.members():
            if fields := _stat_fields(pid):
                ticks += sum(int(field) for field in fields[11:15])
        return ticks * TICK_SECONDS

    def pss_bytes(self):
        """Proportional set size: a page shared by four workers counts a quarter for each, so the sum is honest."""
        total = 0
        for pid in self.members():
            try:
                rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
            except OSError:
                continue  # it ended meanwhile
            if found := re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE):
                total += int(found[1]) * 1024
        return total


def _stat_fields(pid):
    """The fields of /proc/PID/stat from the third on (state); the second, the name, may hold spaces and brackets."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return text.rpartition(")")[2].split()


@dataclasses.dataclass(frozen=True)
class Figures:
    """One measurement of one server."""

    requests_per_second: float
    cpu_us_per_request: float
    p50_us: float
    p99_us: float
    pss_bytes: int
    failed: int
    slow_per_second: float
    foreign_cpu_percent: float  # of all cores: used by neither the server nor wrk, so the run's noise

    @property
    def disturbed(self):
        return self.foreign_cpu_percent > FOREIGN_PERCENT_NOISY


def measure(tree, url, load, warm_up_seconds, seconds):
    slow = None
    if load.slow_path:
        slow_url = url.removesuffix(load.path) + load.slow_path
        slow = _start_wrk(slow_url, loads.SLOW_CONNECTIONS, warm_up_seconds + seconds)
    _run_wrk(url, load, warm_up_seconds)
    server, machine, generator = tree.cpu_seconds(), _machine_cpu(), _children_cpu()
    seen = _run_wrk(url, load, seconds)
    server = tree.cpu_seconds() - server
    generator = _children_cpu() - generator
    busy, whole = (after - before for after, before in zip(_machine_cpu(), machine))
    pss = tree.pss_bytes()
    slow_seen = _read_wrk(slow) if slow else None
    requests = _completed(seen, load)
    return Figures(
        requests_per_second=requests / seen["seconds"],
        cpu_us_per_request=server * 1e6 / max(requests, 1),
        p50_us=seen["p50_us"],
        p99_us=seen["p99_us"],
        pss_bytes=pss,
        failed=seen["bad_status"] + seen["socket_errors"],
        slow_per_second=slow_seen["requests"] / slow_seen["seconds"] if slow_seen else 0.0,
        foreign_cpu_percent=max(0.0, 100 * (busy - server - generator) / whole),
    )


def _completed(seen, load):
    """Requests done. Of large files so few fit that those under way at the end count too, by their bytes."""
    if load.app == "files" and load.length > 1_000_000:
        return seen["bytes"] / load.length
    return seen["requests"]


def _start_wrk(url, connections, seconds, body_bytes=0):
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s"]
    command += ["-s", str(places.WRK_SCRIPT), url, "--"] + ([str(body_bytes)] if body_bytes else [])
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _run_wrk(url, load, seconds):
    return _read_wrk(_start_wrk(url, loads.CONNECTIONS, seconds, load.body_bytes))


def _read_wrk(process):
    try:
        output, _ = process.communicate()
    finally:
        if process.poll() is None:
            process.kill()
    for line in reversed(output.splitlines()):
        if line.startswith("{"):
            return json.loads(line)
    raise RuntimeError(f"wrk gave no figures: {output.strip()}")


def _children_cpu():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _machine_cpu():
    """Busy and whole CPU seconds of the machine. Time that the hypervisor took away (steal) counts as busy."""
    line = pathlib.Path("/proc/stat").read_text().splitlines()[0]
    user, nice, system, idle, iowait, irq, softirq, steal = map(int, line.split()[1:9])
    busy = user + nice + system + irq + softirq + steal
    return busy * TICK_SECONDS, (busy + idle + iowait) * TICK_SECONDS
