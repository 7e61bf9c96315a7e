"""Directives and databases for the Django projects under tests/apps."""
from harness.server import APPS


def location(app, settings, *, at="/", root=None, extra=""):
    """The how-to's `<Location>` for one project; `root` is the value of django.root."""
    option = f"PythonOption django.root {root}" if root else ""
    return f"""
SetEnv TEST_FOLDER "@tmp@"
<Location "{at}">
    SetHandler python-program
    PythonHandler django.core.handlers.modpython
    SetEnv DJANGO_SETTINGS_MODULE {settings}
    {option}
    PythonPath "['@apps@/{app}'] + sys.path"
    {extra}
</Location>
"""


def manage(venv, folder, app, settings, *words, variables=None):
    """Runs one of Django's commands for a project under tests/apps."""
    environment = {"DJANGO_SETTINGS_MODULE": settings, "TEST_FOLDER": str(folder), "PYTHONPATH": str(APPS / app)}
    environment |= variables or {}
    environment |= {"PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}
    return venv.run("-m", "django", *words, env=environment)
