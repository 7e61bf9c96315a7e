"""Debian's nginx on a free loopback port, to ask what it does with the same files.

A test gives the directives of a `server` block, with `@site@` for a folder that both servers can read. Where there is no
nginx and none can be installed, such tests are skipped and say so.
"""
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.peer import Peer

POLICY = Path("/usr/sbin/policy-rc.d")

CONFIG = """\
worker_processes 1;
daemon off;
@user@
pid @tmp@/nginx.pid;
error_log @tmp@/error.log notice;
events { worker_connections 256; }
http {
    access_log off;
    include /etc/nginx/mime.types;
    sendfile on;
    server_tokens off;
    client_body_temp_path @tmp@/body;
    proxy_temp_path @tmp@/proxy;
    fastcgi_temp_path @tmp@/fastcgi;
    uwsgi_temp_path @tmp@/uwsgi;
    scgi_temp_path @tmp@/scgi;
    server {
        listen 127.0.0.1:@port@;
        root @site@;
        @server@
    }
}
"""


def program():
    """The program, installed where that can be done; skips the test where not."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    found = shutil.which("nginx", path=path)
    if not found and os.geteuid() == 0 and shutil.which("apt-get"):
        # The package would start a server on port 80; a policy forbids that.
        forbidden = not POLICY.exists()
        if forbidden:
            POLICY.write_text("#!/bin/sh\nexit 101\n")
            POLICY.chmod(0o755)
        try:
            environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            command = ["apt-get", "install", "-y", "nginx-light"]
            subprocess.run(command, env=environment, capture_output=True, check=False)
        finally:
            if forbidden:
                POLICY.unlink()
        found = shutil.which("nginx", path=path)
    if not found:
        pytest.skip("needs Debian's nginx, which is not there and cannot be installed")
    return found


class Nginx(Peer):
    """Starts on construction; `stop()` ends it. Its folder is readable by the user its worker runs as."""

    def __init__(self, directives, site):
        super().__init__("nginx", "nginx.conf")
        places = {
            "server": directives,
            "tmp": self.tmp,
            "site": site,
            "port": self.port,
            "user": "user nobody nogroup;" if os.geteuid() == 0 else "",
        }
        text = CONFIG
        for name, value in places.items():
            text = text.replace(f"@{name}@", str(value))
        self.config.write_text(text, encoding="utf-8")
        self.start([program(), "-p", self.tmp, "-e", self.tmp / "error.log", "-c", self.config])
