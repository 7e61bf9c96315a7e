"""Measures Alula beside its peers in one go: `python3 benches/run.py`, or `cargo xtask bench`.

Needs nothing but the standard library; prepare.py fetches the rest. Only a full run that measured Alula replaces the
published page docs/benchmarks.md; any smaller one writes target/bench/benchmarks.md.
"""

import argparse
import dataclasses
import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import lifecycle
import loads
import measure
import places
import prepare
import report
import servers

# A measurement that neighbours disturbed is repeated this often, while the run is younger than this: on a machine that
# is never quiet the whole still ends in about 25 minutes.
DISTURBED_REPEATS_MAX = 2
REPEATS_UNTIL_SECONDS = 15 * 60


def main():
    # An ended terminal or `kill` must not leave servers behind: turn it into an exception that unwinds.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = _options()
    problems = prepare.prepare(install=not options.no_install)
    alula = _find_alula(options.alula)
    if alula is None:
        problems[servers.ALULA] = "no binary: build it with `cargo build --profile dist` or give --alula PATH"
    for server, reason in problems.items():
        if server in options.servers:
            _say(f"skipped {server}: {reason}")
    results = _run(options, alula, problems)
    text = report.markdown(results, {k: v for k, v in problems.items() if _wanted(k, options)}, options, alula)
    print(text)
    path = places.PUBLISHED_REPORT if _is_full(options, results) else places.LOCAL_REPORT
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    _say(f"written to {path.relative_to(places.PROJECT)}")
    if options.json:
        options.json.write_text(json.dumps(_plain(results), indent=1) + "\n")


def _options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", type=_names(loads.LOADS), default=list(loads.LOADS), metavar="LOAD,LOAD")
    parser.add_argument("--servers", type=_names(servers.SERVERS), default=list(servers.SERVERS), metavar="NAME,NAME")
    parser.add_argument("--workers", type=_numbers, metavar="1,2", help="default: 1,2 and 4 for memory")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2, help="of one measurement (default: 2)")
    parser.add_argument("--warm-up", type=int, default=1, metavar="SECONDS")
    parser.add_argument("--quick", action="store_true", help="one round of one second: tries, no figures")
    parser.add_argument("--json", type=Path, metavar="FILE", help="every measurement of every round")
    parser.add_argument("--alula", type=Path, metavar="PATH", help="default: target/dist or target/release")
    parser.add_argument("--no-install", action="store_true", help="use only what is there")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 1, 1
    return options


def _names(known):
    def parse(text):
        names = text.split(",")
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"no {name!r}; known: {', '.join(known)}")
        return names

    return parse


def _numbers(text):
    return [int(number) for number in text.split(",")]


def _find_alula(given):
    target = Path(os.environ.get("CARGO_TARGET_DIR", places.PROJECT / "target"))
    for path in [given] if given else [target / "dist" / "alula", target / "release" / "alula"]:
        if path.exists():
            return path.resolve()
    return None


def _run(options, alula, problems):
    """Round by round and within a round server by server, so that a slow minute hits all servers alike."""
    results = {}
    shutil.rmtree(places.RUNS, ignore_errors=True)
    cases = [case for case in _cases(options) if case[2].name not in problems]
    began = time.monotonic()
    repeats_end = began + REPEATS_UNTIL_SECONDS
    for number in range(1, options.rounds + 1):
        for load, workers, server in cases:
            key = (load.name, workers, server.name)
            if key in problems:
                continue
            try:
                figures = _measure_quietly(load, workers, server, alula, options, repeats_end)
            except (lifecycle.StartFailed, RuntimeError) as error:
                problems[key] = str(error)
                _say(f"skipped {server.name} on {load.name}, {workers} workers: {error}")
                continue
            results.setdefault(key, []).append(figures)
            _progress(number, key, figures)
    _say(f"{len(cases)} cases, {options.rounds} rounds, {time.monotonic() - began:.0f} s")
    return {key: results[key] for key in ((load.name, n, server.name) for load, n, server in cases) if key in results}


def _cases(options):
    for name in options.only:
        load = loads.LOADS[name]
        for workers in load.workers:
            if options.workers and workers not in options.workers:
                continue
            for server_name in options.servers:
                server = servers.SERVERS[server_name]
                if load.app in server.serves and workers in server.workers:
                    yield load, workers, server


def _measure_quietly(load, workers, server, alula, options, repeats_end):
    """Measures again when the neighbours were busy, and keeps the quietest."""
    best = _measure_once(load, workers, server, alula, options)
    for _ in range(DISTURBED_REPEATS_MAX):
        if not best.disturbed or time.monotonic() > repeats_end:
            break
        again = _measure_once(load, workers, server, alula, options)
        best = min(best, again, key=lambda figures: figures.foreign_cpu_percent)
    return best


def _measure_once(load, workers, server, alula, options):
    folder = places.RUNS / f"{load.name}-{workers}-{server.name}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    port = lifecycle.free_port()
    command = server.command(servers.Start(load, workers, port, folder, alula))
    with lifecycle.running(command, server.environment(), folder, port, load) as tree:
        return measure.measure(tree, f"http://127.0.0.1:{port}{load.path}", load, options.warm_up, options.seconds)


def _progress(number, key, figures):
    load, workers, server = key
    _say(
        f"round {number} {load:12} {workers} {server:18} {figures.requests_per_second:9,.0f} req/s "
        f"{figures.cpu_us_per_request:8,.1f} µs  p99 {figures.p99_us / 1000:7.2f} ms  "
        f"{figures.pss_bytes / 1e6:6.1f} MB  foreign {figures.foreign_cpu_percent:.0f} %"
        + (f"  failed {figures.failed}" if figures.failed else "")
    )


def _wanted(problem, options):
    return (problem if isinstance(problem, str) else problem[2]) in options.servers


def _is_full(options, results):
    everything = len(options.only) == len(loads.LOADS) and len(options.servers) == len(servers.SERVERS)
    long_enough = options.rounds >= 3 and options.seconds >= 2 and not options.workers
    return everything and long_enough and any(key[2] == servers.ALULA for key in results)


def _plain(results):
    return [
        {"load": load, "workers": workers, "server": server, "rounds": [dataclasses.asdict(one) for one in figures]}
        for (load, workers, server), figures in results.items()
    ]


def _say(text):
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
