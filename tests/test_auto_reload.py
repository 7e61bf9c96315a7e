"""`PythonAutoReload On`: an edit is served without a restart by hand, and code that does not import changes nothing."""
import os

import pytest

from harness import waiting

APPLICATION = """
import views_of_it

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [views_of_it.TEXT.encode()]
"""

DIRECTIVES = """
PythonAutoReload {}
<Location "/">
    SetHandler python-program
    PythonHandler alula.handlers.wsgi
    PythonOption wsgi.application edited:application
    PythonPath "['@tmp@/project'] + sys.path"
</Location>
"""


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "edited.py").write_text(APPLICATION)
    (folder / "views_of_it.py").write_text("TEXT = 'first'\n")
    return folder


def replace(path, text):
    """As editors do: a new file takes the old one's place."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.rename(path)


def answers(server, text):
    waiting.until(lambda: server.get("/").text == text, f"the answer {text!r}")


def test_an_edit_is_served(serve, project):
    server = serve(DIRECTIVES.format("On"), workers=2)
    assert server.get("/").text == "first"
    replace(project / "views_of_it.py", "TEXT = 'second'\n")
    answers(server, "second")
    # Written in place this time; and the new template watches as well.
    (project / "views_of_it.py").write_text("TEXT = 'third'\n")
    answers(server, "third")
    assert "views_of_it.py has changed" in server.log()


def test_code_that_does_not_import_leaves_the_old_code_in_place_until_it_is_mended(serve, project):
    server = serve(DIRECTIVES.format("On"), workers=1)
    assert server.get("/").text == "first"
    replace(project / "views_of_it.py", "TEXT = = 'second'\n")
    server.wait_for_log("SyntaxError")
    server.wait_for_log("the old workers go on")
    assert server.get("/").text == "first"
    replace(project / "views_of_it.py", "TEXT = 'mended'\n")
    answers(server, "mended")


def test_an_application_that_never_loaded_is_loaded_once_it_is_mended(serve, project):
    replace(project / "views_of_it.py", "raise RuntimeError('not yet')\n")
    server = serve(DIRECTIVES.format("On"), workers=1)
    assert server.get("/").status_code == 500
    replace(project / "views_of_it.py", "TEXT = 'now'\n")
    answers(server, "now")


def test_a_module_that_only_a_request_imports_counts_too(serve, project):
    replace(project / "edited.py", APPLICATION.replace("import views_of_it\n", "").replace(
        "    start_response", "    import views_of_it\n    start_response", 1))
    server = serve(DIRECTIVES.format("On"), workers=1)
    assert server.get("/").text == "first"
    replace(project / "views_of_it.py", "TEXT = 'second'\n")
    answers(server, "second")


SETTINGS = """
import pathlib
SECRET_KEY = "a test's"
DEBUG = True
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "urls_of_it"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [pathlib.Path(__file__).parent / "pages"]}]
"""
URLS = """
from django.shortcuts import render
from django.urls import path
urlpatterns = [path("", lambda request: render(request, "page.html"))]
"""


def test_a_template_of_django_counts_with_debug(serve, project):
    (project / "settings_of_it.py").write_text(SETTINGS)
    (project / "urls_of_it.py").write_text(URLS)
    (project / "pages").mkdir()
    (project / "pages" / "page.html").write_text("first")
    server = serve("""
        <Location "/">
            SetHandler python-program
            PythonHandler django.core.handlers.modpython
            SetEnv DJANGO_SETTINGS_MODULE settings_of_it
            PythonPath "['@tmp@/project'] + sys.path"
            PythonAutoReload On
        </Location>""", workers=1)
    assert server.get("/").text == "first"
    replace(project / "pages" / "page.html", "second")
    answers(server, "second")


@pytest.mark.parametrize("setting, expected", [("On", True), ("Off", False)])
def test_nothing_watches_when_it_is_off(serve, project, setting, expected):
    server = serve(DIRECTIVES.format(setting), workers=1)
    assert server.get("/").status_code == 200
    assert watches(server.process.pid) == expected


def watches(supervisor):
    """Whether a child of the supervisor has an inotify descriptor."""
    with open(f"/proc/{supervisor}/task/{supervisor}/children") as children:
        pids = children.read().split()
    links = [os.path.join(f"/proc/{pid}/fd", fd) for pid in pids for fd in os.listdir(f"/proc/{pid}/fd")]
    return any("inotify" in os.readlink(link) for link in links if os.path.islink(link))
