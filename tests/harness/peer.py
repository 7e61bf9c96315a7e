"""Another web server on a free loopback port, to ask what it does with the same configuration or files.

What `apache.py` and `nginx.py` have in common. A test asks by a raw connection, and is shown the configuration and the
logs where the server does not start.
"""
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from harness import raw, waiting
from harness.server import free_port, read

STOP_SECONDS = 10


class Peer:
    """Has a folder and a port from its construction on; `start()` starts the server, `stop()` ends it. The folder is
    readable by the user its workers run as."""

    def __init__(self, name, config):
        self.name = name
        self.tmp = Path(tempfile.mkdtemp(prefix=f"alula-{name}-"))
        self.tmp.chmod(0o755)
        self.port = free_port()
        self.config = self.tmp / config

    def start(self, command):
        """Starts it and waits until it accepts connections."""
        with open(self.tmp / "output.log", "ab") as output:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.tmp,
                # apache2 ends its whole process group when it ends.
                start_new_session=True,
            )
        waiting.until(self._accepts, f"{self.name} to accept connections")

    def _accepts(self):
        if self.process.poll() is not None:
            raise AssertionError(f"{self.name} ended with {self.process.returncode}\n{self.report()}")
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def connect(self):
        return raw.Connection(self.port)

    def report(self):
        logs = "\n".join(read(self.tmp / name)[-4000:] for name in ("output.log", "error.log"))
        return f"--- {self.config.name}\n{read(self.config)}\n--- logs\n{logs}"

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.tmp, ignore_errors=True)
