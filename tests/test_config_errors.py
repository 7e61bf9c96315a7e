"""A wrong configuration is refused before anything starts: file, line and column, what is wrong, exit code 1."""
import re
import subprocess

import pytest

from harness import venvs

LOCATION = '<Location "/mysite">\nSetHandler python-program\nPythonHandler django.core.handlers.modpython\n{}\n</Location>\n'
DJANGO = "SetEnv DJANGO_SETTINGS_MODULE mysite.settings\n"

WRONG = {
    "an unknown directive": ("PythonHandlr x\n", 1, ["PythonHandlr", "PythonHandler"]),
    "an unknown directive further down": ("# one\n\nTimeout 5\nTimeoutt 5\n", 4, ["Timeoutt", "Timeout"]),
    "a section that is not closed": ('<Location "/x">\nSetHandler None\n', 1, ["Location"]),
    "a section closed twice": ('<Location "/x">\n</Location>\n</Location>\n', 3, ["Location"]),
    "the wrong closing line": ('<Location "/x">\n</Directory>\n', 2, ["Location", "Directory"]),
    "an argument missing": ("Timeout\n", 1, ["Timeout"]),
    "an argument too many": ("Timeout 1 2\n", 1, ["Timeout"]),
    "no number": ("Timeout soon\n", 1, ["soon"]),
    "neither On nor Off": ('<Location "/x">\nPythonDebug Maybe\n</Location>\n', 2, ["On", "Off"]),
    "a directive in the wrong place": ('<Location "/x">\nListen 1\n</Location>\n', 2, ["Listen", "Location"]),
    "a handler nobody knows": ('<Location "/x">\nSetHandler php-script\n</Location>\n', 2, ["php-script"]),
    "a pattern that is no pattern": ('<LocationMatch "(">\n</LocationMatch>\n', 1, ["LocationMatch"]),
    "a file to include that is missing": ("Include missing.conf\n", 1, ["missing.conf"]),
    "django.root with a slash at its end": (
        LOCATION.format(f"{DJANGO}PythonOption django.root /mysite/"),
        5,
        ["django.root", "/mysite"],
    ),
}


def check(tmp_path, text, command=("run",)):
    path = tmp_path / "httpd.conf"
    path.write_text(f"Listen 127.0.0.1:1\n{text}")
    return subprocess.run(
        [venvs.BINARY, *command, "-f", path], capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL
    )


@pytest.mark.parametrize("case", WRONG)
def test_refused(tmp_path, case):
    text, line, words = WRONG[case]
    done = check(tmp_path, text)
    assert done.returncode == 1, done
    assert re.search(rf"httpd\.conf:{line + 1}:\d+", done.stderr), done.stderr
    for word in words:
        assert word in done.stderr
    assert "panicked" not in done.stderr and done.stdout == ""


def test_a_missing_file(tmp_path):
    done = subprocess.run([venvs.BINARY, "run", "-f", tmp_path / "no.conf"], capture_output=True, text=True, timeout=20)
    assert done.returncode == 1
    assert "no.conf" in done.stderr and "panicked" not in done.stderr


def test_a_right_configuration_on_a_machine_without_the_project(tmp_path):
    text = LOCATION.format(f"{DJANGO}PythonOption django.root /mysite")
    done = check(tmp_path, text, ["-t"])
    assert done.returncode == 0, done.stderr
    done = check(tmp_path, text, ["check"])
    assert done.returncode == 2 and "DJANGO_SETTINGS_MODULE mysite.settings: " in done.stderr, done.stderr


def test_check_refuses_what_run_would(tmp_path):
    done = check(tmp_path, "Timeoutt 5\n", ["check"])
    assert done.returncode == 1
    assert "httpd.conf:2:1" in done.stderr


def test_an_error_in_an_included_file_names_that_file(tmp_path):
    (tmp_path / "part.conf").write_text("Timeout 5\nNonsense\n")
    done = check(tmp_path, f'Include "{tmp_path}/part.conf"\n')
    assert done.returncode == 1
    assert re.search(r"part\.conf:2:1", done.stderr)


def test_a_port_that_is_taken(serve, tmp_path):
    server = serve('WSGIScriptAlias / "@apps@/hello/app.py"')
    path = tmp_path / "second.conf"
    path.write_text(f"Listen 127.0.0.1:{server.port}\nPidFile {tmp_path}/second.pid\n")
    done = subprocess.run([venvs.BINARY, "run", "-f", path], capture_output=True, text=True, timeout=20)
    assert done.returncode == 1
    assert str(server.port) in done.stderr and "panicked" not in done.stderr
    assert server.get("/").status_code == 200
