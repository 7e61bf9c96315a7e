"""Files beside Django: `SetHandler None` gives a part of the site back to the file system."""
import pytest

from harness import django

SITE = ("django_request", "request_site.settings")
FILES = """
DocumentRoot "@tmp@/htdocs"
Alias /aliased/ "@tmp@/aliased/"
<Location "/media">
    SetHandler None
</Location>
<Location "/aliased">
    SetHandler None
</Location>
<LocationMatch "\\.(jpg|gif|png)$">
    SetHandler None
</LocationMatch>
"""


@pytest.fixture(scope="module")
def server(serve_module):
    server = serve_module(django.location(*SITE) + FILES, start=False)
    for path in ("htdocs/media/file.txt", "htdocs/deep/picture.png", "aliased/style.css", "htdocs/notes.txt"):
        file = server.tmp / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"file {path}")
    return server.start()


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("/media/file.txt", "htdocs/media/file.txt"),
        ("/deep/picture.png", "htdocs/deep/picture.png"),
        ("/aliased/style.css", "aliased/style.css"),
    ],
)
def test_files(server, path, file):
    response = server.get(path)
    assert (response.status_code, response.text) == (200, f"file {file}")


@pytest.mark.parametrize("path", ["/", "/notes.txt", "/deep/", "/mediaeval", "/picture.png/x", "/png"])
def test_everything_else_is_djangos(server, path):
    assert server.get(path).json()["path"] == path


@pytest.mark.parametrize("path", ["/media/missing.txt", "/missing.gif", "/aliased/missing"])
def test_a_missing_file_is_not_asked_of_django(server, path):
    response = server.get(path)
    assert response.status_code == 404
    assert "path_info" not in response.text


def test_an_alias_inside_the_python_location_stays_djangos_without_set_handler_none(serve):
    # Location wins over Alias, as under Apache: the handler decides, not the file.
    server = serve(django.location(*SITE) + 'Alias /aliased/ "@tmp@/"')
    assert server.get("/aliased/httpd.conf").json()["path"] == "/aliased/httpd.conf"
