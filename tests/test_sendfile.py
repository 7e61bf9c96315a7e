"""Files that an application names and the server sends (X-Sendfile, X-Accel-Redirect, open files)."""
import os
import urllib.parse

import pytest

CONFIG = """
WSGIScriptAlias /app "@apps@/sendfile/app.py"
WSGIScriptAlias /off "@apps@/sendfile/app.py"
Alias /protected "@tmp@/media"
<Location /protected>
    Require all denied
</Location>
<Location /app>
    XSendFile On
    XSendFilePath "@tmp@/media"
</Location>
"""
CONTENT = b"0123456789" * 100


@pytest.fixture(scope="module")
def server(serve_module):
    server = serve_module(CONFIG, start=False)
    (server.tmp / "media").mkdir()
    for name in ("media/a.bin", "media/b c.txt", "outside.txt"):
        (server.tmp / name).write_bytes(CONTENT)
        os.utime(server.tmp / name, (1_700_000_000, 1_700_000_000))
    return server.start()


def get(server, path, query, **options):
    query = {name: server.fill(value) for name, value in query.items()}
    with server.connect() as connection:
        return connection.get(f"{path}?{urllib.parse.urlencode(query)}", **options)


NAMED = [
    {"X-Sendfile": "@tmp@/media/a.bin"},
    {"X-Sendfile": "a.bin"},
    {"X-Sendfile": "@tmp@/media/b%20c.txt"},
    {"X-Accel-Redirect": "/protected/b%20c.txt"},
    {"open": "@tmp@/media/a.bin"},
]


@pytest.mark.parametrize("query", NAMED)
def test_a_named_file_is_sent(server, query):
    response = get(server, "/app", query)
    assert (response.status, response.body) == (200, CONTENT)
    assert response.one("Content-Length") == "1000"
    assert (response.one("Content-Type"), response.all("Set-Cookie")) == ("text/x-app", ["a=1", "b=2"])
    assert (response.one("X-Sendfile"), response.one("X-Accel-Redirect")) == (None, None)
    part = get(server, "/app", query, headers=["Range: bytes=10-12"])
    assert (part.status, part.body, part.one("Content-Range")) == (206, b"012", "bytes 10-12/1000")
    again = get(server, "/app", query, headers=[f"If-None-Match: {response.one('ETag')}"])
    assert (again.status, again.body) == (304, b"")
    assert get(server, "/app", query, method="HEAD").one("Content-Length") == "1000"
    assert get(server, "/app", query, method="POST", body=b"x").body == CONTENT


@pytest.mark.parametrize(
    "query",
    [
        {"X-Sendfile": "@tmp@/outside.txt"},
        {"X-Sendfile": "@tmp@/media/../outside.txt"},
        {"X-Sendfile": "../outside.txt"},
        {"X-Sendfile": "@tmp@/media/%2e%2e/outside.txt"},
        {"X-Sendfile": "@tmp@/media/none"},
        {"X-Accel-Redirect": "/elsewhere/a.bin"},
        {"X-Accel-Redirect": "/app"},
    ],
)
def test_what_lies_elsewhere_is_not_sent(server, query):
    response = get(server, "/app", query)
    assert (response.status, CONTENT in response.body) == (404, False)
    server.wait_for_log("is in no XSendFilePath|mapped to no file")


def test_an_open_file_elsewhere_is_the_applications_own(server):
    response = get(server, "/app", {"open": "@tmp@/outside.txt"}, headers=["Range: bytes=0-1"])
    assert (response.status, response.body) == (200, CONTENT)


def test_switched_off_the_header_is_only_a_header(server):
    response = get(server, "/off", {"X-Sendfile": "@tmp@/media/a.bin"})
    assert (response.status, response.body) == (200, b"")
