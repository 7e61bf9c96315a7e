"""`User` and `Group`: started by the superuser, requests are answered by somebody without power."""
import grp
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from harness import venvs

PYTHON = Path("/usr/bin/python3")
CODE = """
import os
def application(environ, start_response):
    start_response("200 OK", [])
    return [f"{os.getuid()} {os.getgid()} {os.getgroups()} {os.environ.get('HOME')}".encode()]
"""


def nobody_can(*paths):
    command = ["test", "-r", str(paths[0]), *(word for path in paths[1:] for word in ("-a", "-r", str(path)))]
    return subprocess.run(command, user="nobody", group="nogroup", extra_groups=[]).returncode == 0


def reason_to_skip():
    if os.geteuid() != 0:
        return "only the superuser can become somebody else"
    if not PYTHON.exists() or subprocess.run([PYTHON, "-c", "import sys; sys.exit(sys.version_info < (3, 9))"]).returncode:
        return "no system Python from 3.9 up"
    if not nobody_can(venvs.BINARY, venvs.ROOT / "python/alula/__init__.py"):
        return "this checkout lies where nobody else may read"
    return None


@pytest.fixture
def folder():
    path = Path(tempfile.mkdtemp(prefix="alula-"))
    path.chmod(0o755)
    (path / "script.py").write_text(CODE)
    yield path
    shutil.rmtree(path)


@pytest.mark.skipif(reason_to_skip() is not None, reason=str(reason_to_skip()))
def test_workers_run_as_the_configured_user(serve, folder):
    server = serve(
        f'PythonHome /usr\nUser nobody\nGroup nogroup\nWSGIScriptAlias / "{folder}/script.py"', python_home=False
    )
    user, group = pwd.getpwnam("nobody").pw_uid, grp.getgrnam("nogroup").gr_gid
    uid, gid, rest = server.get("/").text.split(" ", 2)
    assert (int(uid), int(gid)) == (user, group)
    assert rest.startswith(f"[{group}]") or rest.startswith("[]")


@pytest.mark.skipif(reason_to_skip() is not None, reason=str(reason_to_skip()))
def test_a_user_that_does_not_exist_is_refused(serve):
    server = serve('User no-such-user\nWSGIScriptAlias / "@apps@/hello/app.py"', start=False)
    server.launch()
    assert server.process.wait(20) == 1
    assert "no-such-user" in server.log()
