"""Turns the measurements into Markdown: a table per load with absolute figures and ratios to the best peer.

The best peer is chosen for each column by itself (one may have the most requests per second, another the least CPU),
among the servers with the same number of workers; Alula is never its own measure.
"""

import platform
import shutil
import statistics
import subprocess
from pathlib import Path

import loads
import measure
import prepare
import servers


def markdown(results, problems, options, alula):
    """results: {(load, workers, server): [Figures, ...]}; problems: {server or a result's key: text}."""
    parts = ["# Benchmarks", _how(options), _machine(alula)]
    for load in loads.LOADS.values():
        keys = [key for key in results if key[0] == load.name]
        if keys:
            parts += [f"## {load.name}", load.what, _table(load, {key: results[key] for key in keys})]
    parts += ["## Servers", _server_list(results)]
    if problems:
        parts += ["## Not measured", _problem_list(problems)]
    return "\n\n".join(parts) + "\n"


def _how(options):
    return (
        f"Made by `cargo xtask bench` (see `benches/`). {loads.CONNECTIONS} connections, {options.rounds} rounds of "
        f"{options.seconds} s after {options.warm_up} s of warm-up, every server started afresh in each round and only "
        "the measured one running; figures are medians of the rounds. CPU is user and system time of the server's "
        "whole process tree for one request, with the lowest and highest round in brackets: it is the figure to "
        "compare, since requests/s and latencies depend on the load generator that shares the cores. PSS is the "
        "tree's memory after the load. A number in brackets with × is the ratio to the best peer of that column with "
        "as many workers. A row marked ~ had other work beside it that took more than "
        f"{measure.FOREIGN_PERCENT_NOISY} % of the machine, in most rounds."
    )


def _machine(alula):
    have = prepare.versions()
    python = _first_line([servers.venv_tool("python"), "--version"])
    peers = [f"{name} {have[name]}" for name in (*prepare.PEERS, "django") if name in have]
    tools = [_first_line(["nginx", "-v"]), _first_line(["apache2", "-v"]), _first_line(["wrk", "-v"]).split(" Copy")[0]]
    lines = [
        f"- CPU: {_cpu_model()}, {_cores()} cores; {_memory_gb():.1f} GB of memory",
        f"- Kernel: {platform.system()} {platform.release()}",
        f"- Alula: {_first_line([str(alula), '--version']) if alula else 'not measured'}",
        f"- {python}; {', '.join(peers)}",
        f"- {'; '.join(tool for tool in tools if tool)}",
    ]
    return "\n".join(lines)


def _first_line(command):
    if not shutil.which(command[0]):
        return ""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return (done.stdout.splitlines() or [""])[0].strip()


def _cpu_model():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _cores():
    return sum(line.startswith("processor") for line in Path("/proc/cpuinfo").read_text().splitlines())


def _memory_gb():
    return int(Path("/proc/meminfo").read_text().split()[1]) / 1024 / 1024


def _table(load, results):
    heads = ["server", "workers", "requests/s", "CPU µs/request", "p50 ms", "p99 ms", "PSS MB"]
    if load.slow_path:
        heads.append("slow/s")
    heads.append("failed")
    lines = ["| " + " | ".join(heads) + " |", "|---|" + "---:|" * (len(heads) - 1)]
    for workers in sorted({key[1] for key in results}):
        rows = [Row(key[2], figures) for key, figures in results.items() if key[1] == workers]
        peers = [row for row in rows if row.server != servers.ALULA]
        for row in rows:
            lines.append("| " + " | ".join(row.cells(load, workers, peers)) + " |")
    return "\n".join(lines)


class Row:
    """The medians of one server's rounds, and how they are written."""

    def __init__(self, server, figures):
        def median(field):
            return statistics.median(getattr(one, field) for one in figures)

        self.server = server
        self.rounds = len(figures)
        self.requests = median("requests_per_second")
        self.cpu = median("cpu_us_per_request")
        self.cpu_least = min(one.cpu_us_per_request for one in figures)
        self.cpu_most = max(one.cpu_us_per_request for one in figures)
        self.p50 = median("p50_us")
        self.p99 = median("p99_us")
        self.pss = median("pss_bytes")
        self.slow = median("slow_per_second")
        self.failed = sum(one.failed for one in figures)
        self.noisy = median("foreign_cpu_percent") > measure.FOREIGN_PERCENT_NOISY

    def cells(self, load, workers, peers):
        spread = f" [{_short(self.cpu_least)}–{_short(self.cpu_most)}]" if self.rounds > 1 else ""
        cells = [
            self.server + (" ~" if self.noisy else ""),
            str(workers),
            f"{self.requests:,.0f}" + _ratio(self.requests, (peer.requests for peer in peers), max),
            _short(self.cpu) + spread + _ratio(self.cpu, (peer.cpu for peer in peers), min),
            f"{self.p50 / 1000:.2f}" + _ratio(self.p50, (peer.p50 for peer in peers), min),
            f"{self.p99 / 1000:.2f}" + _ratio(self.p99, (peer.p99 for peer in peers), min),
            f"{self.pss / 1e6:.1f}" + _ratio(self.pss, (peer.pss for peer in peers), min),
        ]
        if load.slow_path:
            cells.append(f"{self.slow:.0f}")
        return [*cells, str(self.failed)]


def _ratio(value, others, best):
    others = [other for other in others if other > 0]
    return f" ({value / best(others):.2f}×)" if others else ""


def _short(number):
    return f"{number:,.0f}" if number >= 100 else f"{number:.1f}"


def _server_list(results):
    measured = {key[2] for key in results}
    return "\n".join(f"- {one.name}: {one.how}" for one in servers.SERVERS.values() if one.name in measured)


def _problem_list(problems):
    lines = []
    for key, text in problems.items():
        what = key if isinstance(key, str) else f"{key[2]} on {key[0]} with {key[1]} worker{'s' if key[1] > 1 else ''}"
        lines.append(f"- {what}: {text.splitlines()[0]}")
    return "\n".join(lines)
