"""Header and RequestHeader: what is added to, taken from and changed in messages."""
import re

import pytest

CONFIG = r"""
DocumentRoot "@tmp@/root"
Header set X-Everywhere yes
Header always set X-Always "a, b"
Header unset ETag
<Location "/app">
    SetEnv MODE test
    Header append Content-Type "; x=1"
    Header edit Set-Cookie "^(a=.*)$" "$1; Secure"
    Header set X-Mode "%{MODE}e"
    Header set X-Time "%t %D"
    Header set X-Set 1 env=MODE
    Header set X-Unset 1 env=!MODE
    Header always set Set-Cookie always=1
</Location>
<Location "/environ">
    RequestHeader set X-Added "by the server"
    RequestHeader append X-Sent 2
    RequestHeader unset X-Gone
    RequestHeader edit X-Path ^/old /new
    RequestHeader set X-Start %t
</Location>
<Location "/locked">
    Require all denied
    Header set X-Never 1
</Location>
Redirect /away /elsewhere
WSGIScriptAlias /app "@apps@/response/app.py"
WSGIScriptAlias /environ "@apps@/environ/app.py"
"""


@pytest.fixture(scope="module")
def server(serve_module):
    server = serve_module(CONFIG, start=False)
    (server.tmp / "root").mkdir()
    (server.tmp / "root/file.txt").write_text("file")
    return server.start()


def test_a_file_s_headers(server):
    headers = server.get("/file.txt").headers
    assert (headers["x-everywhere"], headers["x-always"]) == ("yes", "a, b")
    assert "etag" not in headers


def test_an_application_s_headers(server):
    with server.connect() as connection:
        response = connection.get("/app/custom")
    assert response.all("Set-Cookie") == ["a=1; Secure", "b=2", "always=1"]
    assert response.one("Content-Type") == "text/plain, ; x=1"
    assert response.one("X-Mode") == "test"
    assert re.fullmatch(r"t=\d{16} D=\d{1,8}", response.one("X-Time"))
    assert response.one("X-Set") == "1"
    assert response.all("X-Unset") == []


@pytest.mark.parametrize(
    ("path", "status", "everywhere"),
    [
        # The server's own errors and redirects carry `always` only; an application's errors are its own.
        ("/missing.txt", 404, None),
        ("/locked", 403, None),
        ("/away", 302, None),
        ("/%zz", 400, None),
        ("/app/never", 500, None),
        ("/app/replaced", 503, "yes"),
    ],
)
def test_errors(server, path, status, everywhere):
    with server.connect() as connection:
        response = connection.get(path)
    assert (response.status, response.all("X-Everywhere")) == (status, [everywhere] if everywhere else [])
    assert response.all("X-Always") == ["a, b"]
    assert response.all("X-Never") == []


def test_not_modified_is_no_error(server):
    since = server.get("/file.txt").headers["last-modified"]
    response = server.get("/file.txt", headers={"If-Modified-Since": since})
    assert (response.status_code, response.headers["x-everywhere"], response.headers["x-always"]) == (304, "yes", "a, b")


def test_a_request_s_headers(server):
    sent = {"X-Added": "by the client", "X-Sent": "1", "X-Gone": "1", "X-Path": "/old/path"}
    seen = server.get("/environ", headers=sent).json()
    assert seen["HTTP_X_ADDED"] == "by the server"
    assert seen["HTTP_X_SENT"] == "1, 2"
    assert "HTTP_X_GONE" not in seen
    assert seen["HTTP_X_PATH"] == "/new/path"
    assert re.fullmatch(r"t=\d{16}", seen["HTTP_X_START"])
