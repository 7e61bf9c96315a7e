"""Where everything of a benchmark run lies: sources beside this file, everything made under target/bench."""

from pathlib import Path

BENCHES = Path(__file__).resolve().parent
PROJECT = BENCHES.parent
APPS = BENCHES / "apps"
SITE = BENCHES / "site"
WRK_SCRIPT = BENCHES / "wrk.lua"

MADE = PROJECT / "target" / "bench"
VENV = MADE / "venv"
FILES = MADE / "files"
DATABASE = MADE / "bench.sqlite3"  # named in site/benchsite/settings.py too
RUNS = MADE / "runs"

PUBLISHED_REPORT = PROJECT / "docs" / "benchmarks.md"
LOCAL_REPORT = MADE / "benchmarks.md"
