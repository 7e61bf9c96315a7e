"""`alula check` imports the applications, in a process that ends right after."""
import subprocess

from harness import venvs


def check(server):
    return subprocess.run([venvs.BINARY, "check", "-f", server.config], capture_output=True, text=True, env=server.environment, check=False)


def test_an_application_that_does_not_import_is_named_with_its_line(serve, tmp_path):
    (tmp_path / "broken.wsgi").write_text("import no_such_module_anywhere\n")
    server = serve('WSGIScriptAlias / "@tmp@/broken.wsgi"\n', start=False)
    found = check(server)
    assert found.returncode == 2, found.stderr
    line = server.config.read_text().splitlines().index(f'WSGIScriptAlias / "{tmp_path}/broken.wsgi"') + 1
    assert f"{server.config}:{line}:1: WSGIScriptAlias: ModuleNotFoundError: No module named 'no_such_module_anywhere'" in found.stderr


def test_settings_that_are_not_there(serve):
    server = serve(
        """
        <Location />
            SetHandler python-program
            PythonHandler django.core.handlers.modpython
            SetEnv DJANGO_SETTINGS_MODULE nowhere.settings
        </Location>
        """,
        start=False,
    )
    found = check(server)
    assert (found.returncode, "DJANGO_SETTINGS_MODULE nowhere.settings: ModuleNotFoundError" in found.stderr) == (2, True), found.stderr


def test_an_application_that_imports(serve):
    server = serve('WSGIScriptAlias / "@apps@/hello/app.py"\n', start=False)
    found = check(server)
    assert (found.returncode, found.stderr.endswith("Syntax OK\n")) == (0, True), found.stderr
