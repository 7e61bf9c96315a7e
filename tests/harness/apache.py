"""Debian's apache2 on a free loopback port, to ask what it does with the same configuration.

A test gives directives as it gives them to Alula, with `@site@` for a folder that both servers can read. Where there is
no apache2 and none can be installed, such tests are skipped and say so.
"""
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from harness.peer import Peer

MODULES = Path("/usr/lib/apache2/modules")
LOADED = """
    mpm_prefork access_compat alias allowmethods auth_basic authn_core authn_file authz_core authz_groupfile authz_host
    authz_user autoindex deflate dir env expires filter headers mime negotiation proxy proxy_http proxy_wstunnel remoteip
    reqtimeout rewrite setenvif
    status wsgi
""".split()

PRELUDE = """\
ServerRoot "@tmp@"
ServerName localhost
Listen 127.0.0.1:@port@
PidFile "@tmp@/apache2.pid"
ErrorLog "@tmp@/error.log"
LogLevel info
LogFormat "%h %l %u %t \\"%r\\" %>s %b" common
CustomLog "@tmp@/access.log" common
TypesConfig /etc/mime.types
DocumentRoot "@site@"
<Directory "@site@">
    Require all granted
</Directory>
"""


def program():
    """The program, installed where that can be done; skips the test where not."""
    found = shutil.which("apache2", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not found and os.geteuid() == 0 and shutil.which("apt-get"):
        # Run level 1: the package starts no server of its own.
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        subprocess.run(["apt-get", "install", "-y", "apache2"], env=environment, capture_output=True, check=False)
        found = shutil.which("apache2", path="/usr/sbin")
    if not found:
        pytest.skip("needs Debian's apache2, which is not there and cannot be installed")
    return found


def has(module):
    return (MODULES / f"mod_{module}.so").exists()


class Apache(Peer):
    """Starts on construction; `stop()` ends it. Its folder is readable by the user its workers run as."""

    def __init__(self, config, site):
        super().__init__("apache2", "httpd.conf")
        self.site = Path(site)
        lines = [f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in LOADED if has(name)]
        if os.geteuid() == 0:
            lines += ["User nobody", "Group nogroup"]
        self.config.write_text("\n".join(lines) + "\n" + self.fill(PRELUDE + config), encoding="utf-8")
        self.start([program(), "-f", self.config, "-DFOREGROUND"])

    def fill(self, text):
        for name, place in {"tmp": self.tmp, "site": self.site, "port": self.port}.items():
            text = text.replace(f"@{name}@", str(place))
        return text


def site_folder():
    """An empty folder that every user can read; whoever makes it removes it."""
    folder = Path(tempfile.mkdtemp(prefix="alula-site-"))
    folder.chmod(0o755)
    return folder
