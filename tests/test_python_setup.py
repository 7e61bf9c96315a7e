"""Which Python runs, what its environment and sys.path are, and what is said when it cannot run."""
import os
import shutil

import pytest

from harness import venvs

ENVIRON = 'WSGIScriptAlias / "@apps@/environ/app.py"'


def environ(server):
    response = server.get("/")
    assert response.status_code == 200, server.log()
    return response.json()


def test_python_home_is_a_virtualenv(serve, venv):
    seen = environ(serve(ENVIRON))
    assert seen["test.prefix"] == str(venv.path)
    assert tuple(seen["test.version"]) == venv.version


def test_virtual_env_without_python_home(serve, venv):
    server = serve(ENVIRON, python_home=False, env={"VIRTUAL_ENV": str(venv.path)})
    assert environ(server)["test.prefix"] == str(venv.path)


def test_python3_of_path_without_either(serve, venv):
    path = f"{venv.path / 'bin'}:{os.environ['PATH']}"
    assert environ(serve(ENVIRON, python_home=False, env={"PATH": path}))["test.prefix"] == str(venv.path)


def test_environment_is_set_before_python_starts(serve):
    server = serve(
        f"""
        PassEnv PASSED
        SetEnv FOR_EVERYONE "1"
        SetEnv PYTHONDONTWRITEBYTECODE 1
        {ENVIRON}
        """,
        env={"PASSED": "on"},
    )
    seen = environ(server)
    assert seen["test.os_environ"]["FOR_EVERYONE"] == "1"
    assert seen["test.os_environ"]["PASSED"] == "on"
    assert seen["PASSED"] == "on"


def test_python_path_is_an_expression(serve):
    server = serve(f"""PythonPath "['@tmp@/a', '@tmp@/b'] + [p for p in sys.path if p]"\n{ENVIRON}""")
    path = environ(server)["test.sys_path"]
    assert path[:2] == [f"{server.tmp}/a", f"{server.tmp}/b"]
    assert any("site-packages" in folder for folder in path)


def test_python_path_is_evaluated_once(serve):
    count = "__import__('os').write(__import__('os').open('@tmp@/evaluated', 1089, 0o600), b'x')"
    server = serve(f'PythonPath "sys.path + [str({count})]"\n{ENVIRON}', workers=3)
    environ(server)
    assert (server.tmp / "evaluated").read_bytes() == b"x"


def test_python_path_that_python_refuses(serve):
    server = serve(f'PythonPath "sys.path + nonsense"\n{ENVIRON}', start=False)
    server.launch()
    log = server.wait_for_log("nonsense")
    assert "NameError" in log
    assert "httpd.conf:" in log


def refused(serve, config, **options):
    """Starts a server that cannot start; returns the one line it says (below it may stand the place in the file)."""
    server = serve(config, start=False, python_home=False, **options)
    server.launch()
    assert server.process.wait(20) == 1, server.report()
    lines = [line for line in server.log().splitlines() if line.strip() and not line.startswith(" ")]
    assert len(lines) == 1, server.report()
    assert "panicked" not in lines[0] and "Traceback" not in lines[0]
    return lines[0]


def test_python_home_that_does_not_exist(serve):
    assert "/no/such/place" in refused(serve, f'PythonHome "/no/such/place"\n{ENVIRON}')


def test_python_home_without_a_python(serve, tmp_path):
    (tmp_path / "empty").mkdir()
    assert str(tmp_path / "empty") in refused(serve, f'PythonHome "@tmp@/empty"\n{ENVIRON}')


def test_a_virtualenv_whose_python_is_gone(serve, tmp_path):
    (tmp_path / "broken/bin").mkdir(parents=True)
    (tmp_path / "broken/bin/python3").symlink_to("/no/such/python3")
    assert str(tmp_path / "broken") in refused(serve, f'PythonHome "@tmp@/broken"\n{ENVIRON}')


def test_something_that_is_no_python(serve, tmp_path):
    fake(tmp_path / "fake", "echo nonsense")
    assert str(tmp_path / "fake") in refused(serve, f'PythonHome "@tmp@/fake"\n{ENVIRON}')


def test_no_python_at_all(serve, tmp_path):
    line = refused(serve, ENVIRON, env={"PATH": str(tmp_path)})
    assert "python3" in line and "PythonHome" in line


def old_python():
    names = ["python3.8", "python3.7", "python3.6"]
    found = [shutil.which(name) for name in names]
    pyenv = venvs.Path(os.environ.get("HOME", "/")) / ".pyenv/versions"
    found += [str(path / "bin/python3") for path in sorted(pyenv.glob("3.[678].*"))]
    return next((path for path in found if path and "shims" not in path), None)


@pytest.mark.skipif(old_python() is None, reason="no Python older than 3.9 on this machine")
def test_a_python_that_is_too_old(serve, tmp_path):
    home = tmp_path / "old"
    (home / "bin").mkdir(parents=True)
    (home / "bin/python3").symlink_to(old_python())
    line = refused(serve, f'PythonHome "@tmp@/old"\n{ENVIRON}')
    assert "3.9" in line


def fake(home, script):
    (home / "bin").mkdir(parents=True)
    program = home / "bin/python3"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_wsgi_handler_takes_module_and_callable(serve):
    server = serve(
        """
        PythonPath "['@apps@/callable'] + sys.path"
        <Location "/one">
            SetHandler python-program
            PythonHandler alula.handlers.wsgi
            PythonOption wsgi.application callables:application
        </Location>
        <Location "/two">
            SetHandler python-program
            PythonHandler alula.handlers.wsgi
            PythonOption wsgi.application callables:other
        </Location>
        """
    )
    assert server.get("/one").text == "the usual one"
    assert server.get("/two").text == "the other one"
    assert server.get("/three").status_code == 404
