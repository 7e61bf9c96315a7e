"""Puts in place what a run needs: packages of the distribution, a virtualenv with the peers, database, files.

Nothing of a peer lies in this repository. Only what is missing is installed, and a peer that cannot be installed is
left out of the run, not fatal. Debian would start nginx at once; a policy file keeps it from doing so.
"""

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys

import loads
import places
import servers

# Each tool with the package that brings it. apache2-bin is httpd without its service; bjoern builds on libev.
PACKAGES = {
    "wrk": ("wrk",),
    "nginx": ("nginx-light",),
    "apache2": ("apache2-bin",),
    "apxs": ("apache2-dev",),
}
LIBEV_HEADER = pathlib.Path("/usr/include/ev.h")
PEERS = ("granian", "bjoern", "uwsgi", "gunicorn", "mod_wsgi")
POLICY = pathlib.Path("/usr/sbin/policy-rc.d")


def prepare(install=True):
    """Makes everything ready; gives the reasons why some servers cannot run, by server name."""
    places.MADE.mkdir(parents=True, exist_ok=True)
    if install:
        _install_packages()
        _install_peers()
    if not shutil.which("wrk"):
        raise SystemExit("error: wrk is not there and could not be installed")
    _make_database()
    _make_files()
    return _reasons_to_skip()


def _say(text):
    print(f"prepare: {text}", file=sys.stderr, flush=True)


def _install_packages():
    missing = [name for tool, names in PACKAGES.items() if not shutil.which(tool) for name in names]
    if not LIBEV_HEADER.exists():
        missing.append("libev-dev")
    if not missing:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        _say(f"not installed, and only root can on Debian: {' '.join(missing)}")
        return
    _say(f"installing {' '.join(missing)}")
    with _services_stay_down():
        _apt("update", "-qq")
        _apt("install", "-y", "-qq", "--no-install-recommends", *missing)


def _apt(*words):
    command = ["apt-get", "-o", "DPkg::Lock::Timeout=300", *words]
    done = subprocess.run(
        command, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )
    if done.returncode != 0:
        _say(f"{' '.join(command)} failed:\n{_last_lines(done.stdout)}")


@contextlib.contextmanager
def _services_stay_down():
    """Debian asks this file before it starts a service; 101 forbids it. One that is already there is left alone."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


def _install_peers():
    python = places.VENV / "bin" / "python"
    if not python.exists():
        _say("making the virtualenv")
        subprocess.run([sys.executable, "-m", "venv", str(places.VENV)], check=True)
    have = _installed(python)
    if "django" not in have:
        _pip_install("django", needed=True)
    for peer in PEERS:
        if peer not in have:
            _pip_install(peer)
    if "mod_wsgi" not in _installed(python):
        _install_distribution_mod_wsgi()


def _pip_install(package, needed=False):
    _say(f"installing {package} into the virtualenv")
    command = [servers.venv_tool("python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", package]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        _say(f"{package} cannot be installed:\n{_last_lines(done.stdout)}")
        if needed:
            raise SystemExit(f"error: no benchmark without {package}")


def _install_distribution_mod_wsgi():
    """The distribution's mod_wsgi is built for one Python only; another's packages would not load in it."""
    if os.geteuid() == 0 and shutil.which("apt-get") and _distribution_python_is_ours():
        with _services_stay_down():
            _apt("install", "-y", "-qq", "--no-install-recommends", "libapache2-mod-wsgi-py3")


def _distribution_python_is_ours():
    ask = "import sys; print(*sys.version_info[:2])"
    answers = set()
    for python in ("/usr/bin/python3", servers.venv_tool("python")):
        with contextlib.suppress(OSError):
            answers.add(subprocess.run([python, "-c", ask], stdout=subprocess.PIPE, text=True).stdout)
    return len(answers) == 1


def _installed(python):
    """The virtualenv's packages with their versions; names in lower case, with underscores."""
    ask = "from importlib import metadata\nfor d in metadata.distributions(): print(d.metadata['Name'], d.version)"
    answer = subprocess.run([str(python), "-c", ask], stdout=subprocess.PIPE, text=True, check=True).stdout
    return dict(line.lower().replace("-", "_").split() for line in answer.splitlines())


def versions():
    """The versions of the virtualenv's packages, for the report."""
    return _installed(servers.venv_tool("python"))


def _make_database():
    command = [servers.venv_tool("python"), str(places.SITE / "make_database.py")]
    subprocess.run(command, env=servers.application_environment(), check=True)


def _make_files():
    places.FILES.mkdir(exist_ok=True)
    for size in loads.FILE_SIZES:
        path = places.FILES / f"{size}.bin"
        if not path.exists() or path.stat().st_size != size:
            path.write_bytes(os.urandom(size))


def _reasons_to_skip():
    have = versions()
    reasons = {}
    for server in servers.SERVERS:
        package = server.partition("-")[0]
        if package in PEERS and package != "mod_wsgi" and package not in have:
            reasons[server] = f"{package} is not in the virtualenv"
    for server in ("mod_wsgi-daemon", "mod_wsgi-embedded"):
        if not shutil.which("apache2"):
            reasons[server] = "apache2 is not installed"
        elif not servers.mod_wsgi_library().exists():
            reasons[server] = "no mod_wsgi for this Python: it needs apache2-dev, or the distribution's Python"
        elif "mod_wsgi" not in have and not _distribution_python_is_ours():
            reasons[server] = "the distribution's mod_wsgi is for another Python than the virtualenv's"
    if not shutil.which("nginx"):
        reasons["nginx"] = "nginx is not installed"
    return reasons


def _last_lines(text, count=8):
    return "\n".join(text.strip().splitlines()[-count:])
