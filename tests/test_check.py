"""`alula check` imports the applications, in a process that ends right after."""
import subprocess

from harness import venvs


def check(server, *options):
    return subprocess.run([venvs.BINARY, "check", *options, "-f", server.config], capture_output=True, text=True, env=server.environment, check=False)


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


def test_handlers_outside_sections_and_access_scripts_are_imported_too(serve, tmp_path):
    (tmp_path / "gate.wsgi").write_text("import no_such_gate\n")
    server = serve(
        """
        SetHandler python-program
        PythonHandler no_such_handler
        <Location />
            WSGIAccessScript "@tmp@/gate.wsgi"
        </Location>
        """,
        start=False,
    )
    found = check(server)
    assert found.returncode == 2, found.stderr
    assert "PythonHandler no_such_handler: ModuleNotFoundError" in found.stderr
    assert "WSGIAccessScript: ModuleNotFoundError: No module named 'no_such_gate'" in found.stderr


def test_an_import_that_does_not_end_is_named(serve, tmp_path):
    (tmp_path / "endless.wsgi").write_text("while True:\n    pass\n")
    server = serve('WSGIScriptAlias / "@tmp@/endless.wsgi"\n', start=False)
    found = check(server, "--import-timeout", "1")
    assert found.returncode == 2, found.stderr
    assert "WSGIScriptAlias: TimeoutError: takes longer than 1 s" in found.stderr
