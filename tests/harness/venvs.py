"""The Pythons and virtualenvs applications are run in, as `cargo xtask test` prepared them under target/venvs."""
import functools
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BINARY = Path(os.environ.get("ALULA_TEST_BINARY", ROOT / "target/release/alula"))
FOLDER = Path(os.environ.get("ALULA_TEST_VENVS", ROOT / "target/venvs"))
NAME = re.compile(r"django-(?P<django>[\d.]+)-python-(?P<python>[\d.]+)$")


@dataclass(frozen=True)
class Venv:
    """One virtualenv with one Django in it; `str()` is the name a test shows."""

    path: Path
    django: tuple
    version: tuple

    def __str__(self):
        return self.path.name

    @property
    def python(self):
        return self.path / "bin/python"

    def run(self, *arguments, **options):
        """Runs this Python and returns what it printed; raises with its stderr when it fails."""
        done = subprocess.run([self.python, *arguments], capture_output=True, text=True, timeout=120, **options)
        if done.returncode:
            raise RuntimeError(f"{self} {arguments}: {done.stderr}")
        return done.stdout.strip()

    @functools.cached_property
    def django_folder(self):
        return Path(self.run("-c", "import django; print(django.__path__[0])"))


def everything():
    """Every virtualenv, oldest Django and Python first."""
    found = []
    for path in FOLDER.glob("django-*"):
        match = NAME.match(path.name)
        if match and (path / "bin/python").exists():
            found.append(Venv(path, numbers(match["django"]), numbers(match["python"])))
    return sorted(found, key=lambda venv: (venv.django, venv.version))


def newest():
    """The virtualenv the tests run in unless they say otherwise."""
    found = everything()
    if not found:
        raise RuntimeError(f"no virtualenvs in {FOLDER}: run `cargo xtask venvs` once")
    return found[-1]


def numbers(text):
    return tuple(int(part) for part in text.split("."))
