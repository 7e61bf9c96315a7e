"""One running Alula: its configuration, its process, its logs.

A test gives the directives it is about; the address, the logs and the Python come from here, so that the same
directives work in every virtualenv and several servers can run side by side.
"""
import contextlib
import os
import re
import resource
import signal
import socket
import subprocess
from pathlib import Path

import httpx

from harness import raw, venvs, waiting

APPS = Path(__file__).resolve().parent.parent / "apps"
STOP_SECONDS = 10
# `On`: every server of the run answers behind fronts. No application and no client may notice, so every test holds.
ISOLATION = os.environ.get("ALULA_TEST_ISOLATION")
# For each process of the server: what leaks without end must fail its own test, not the machine.
ADDRESS_SPACE_BYTES_MAX = 4 << 30

PRELUDE = """\
ServerRoot "@tmp@"
ServerName localhost
Listen 127.0.0.1:@port@
ErrorLog "@tmp@/error.log"
LogLevel info
CustomLog "@tmp@/access.log" combined
PidFile "@tmp@/alula.pid"
"""


class Server:
    """Starts on construction; `stop()` ends it and everything it started."""

    def __init__(self, tmp, config, *, venv=None, env=None, workers=1, python_home=True):
        self.tmp = Path(tmp)
        self.venv = venv or venvs.newest()
        self.port = free_port()
        self.second_port = free_port()
        self.error_log = self.tmp / "error.log"
        self.access_log = self.tmp / "access.log"
        self.output = self.tmp / "output.log"
        self.config = self.tmp / "httpd.conf"
        lines = PRELUDE + f"StartServers {workers}\n"
        if ISOLATION and "PythonIsolation" not in config:
            lines += f"PythonIsolation {ISOLATION}\n"
        if python_home:
            lines += 'PythonHome "@venv@"\n'
        self.config.write_text(self.fill(lines + config), encoding="utf-8")
        self.environment = environment(env)
        self.process = None
        self.used = True
        self._client = None

    def fill(self, text):
        """Puts this server's places into a text of directives."""
        places = {"tmp": self.tmp, "port": self.port, "second_port": self.second_port, "venv": self.venv.path, "apps": APPS}
        if "@django@" in text:
            places["django"] = self.venv.django_folder
        for name, place in places.items():
            text = text.replace(f"@{name}@", str(place))
        return text

    def start(self):
        """Starts the program and waits until it accepts connections."""
        self.launch()
        waiting.until(self._accepts, "the server to accept connections")
        return self

    def launch(self):
        """Starts the program and does not wait."""
        with open(self.output, "ab") as output:
            self.process = subprocess.Popen(
                [venvs.BINARY, "run", "-f", self.config],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self.environment,
                cwd=self.tmp,
                start_new_session=True,
                preexec_fn=limit_memory,
            )

    def _accepts(self):
        if self.process.poll() is not None:
            raise AssertionError(f"alula ended with {self.process.returncode}\n{self.report()}")
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def stop(self):
        """Asks the supervisor to end; kills what is left. Returns its exit code."""
        if self._client:
            self._client.close()
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.terminate()
        try:
            code = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            code = None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        return code

    # Talking to it.

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def client(self):
        """One keep-alive client with no cookies; tests that log in make their own with `new_client`."""
        self.used = True
        if self._client is None:
            self._client = self.new_client()
        return self._client

    def new_client(self, host=None, **options):
        self.used = True
        headers = {"Host": host} if host else None
        return httpx.Client(base_url=self.url, timeout=30, headers=headers, trust_env=False, **options)

    def get(self, path, **options):
        return self.client.get(path, **options)

    def post(self, path, **options):
        return self.client.post(path, **options)

    def connect(self):
        self.used = True
        return raw.Connection(self.port)

    # Looking at it.

    def log(self):
        """What the server and its applications have written so far: the error log, and stdout and stderr."""
        return read(self.error_log) + read(self.output)

    def wait_for_log(self, pattern, times=1):
        """Waits until the log holds a match of `pattern` at least so many times; returns the log."""
        found = re.compile(pattern)
        waiting.until(lambda: len(found.findall(self.log())) >= times, f"{pattern!r} in the log")
        return self.log()

    def report(self):
        log = f"--- httpd.conf\n{read(self.config)}\n--- error.log\n{read(self.error_log)}"
        return f"{log}\n--- stdout and stderr\n{read(self.output)}"


def limit_memory():
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES_MAX, ADDRESS_SPACE_BYTES_MAX))


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def environment(extra):
    """A plain environment, so that a developer's shell does not decide how a test ends."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "RUST_BACKTRACE") if name in os.environ}
    return {**kept, "LANG": "C.UTF-8", **(extra or {})}


def read(path):
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
