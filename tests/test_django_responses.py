"""How Django's responses reach the client: cookies, streams, files, async views, and clients that leave."""
import hashlib
import json
import os

import pytest

from harness import django, waiting

SITE = ("django_responses", "responses_site.settings")


@pytest.fixture(scope="module")
def server(serve_module):
    server = serve_module(django.location(*SITE))
    server.gate = waiting.Gate(server.tmp / "gate")
    (server.tmp / "content.bin").write_bytes(os.urandom(1 << 16) * 800)
    return server


def test_plain(server):
    with server.connect() as connection:
        response = connection.get("/plain/")
        assert (response.status, response.reason, response.body) == (200, "OK", b"plain text")
        assert response.one("Content-Type") == "text/plain"
        # Django adds the length only with CommonMiddleware, which this site does not have.
        assert response.one("Content-Length") == "10"


def test_cookies_and_headers(server):
    with server.connect() as connection:
        response = connection.get("/cookies/")
    cookies = response.all("Set-Cookie")
    assert len(cookies) == 3
    assert any(cookie.startswith("one=1;") and "HttpOnly" in cookie and "Max-Age=60" in cookie for cookie in cookies)
    assert any(cookie.startswith("two=zwei;") and "SameSite=Lax" in cookie for cookie in cookies)
    assert any(cookie.startswith('three="";') for cookie in cookies)
    assert response.one("X-Header") == "value"


@pytest.mark.parametrize("code", [200, 201, 204, 304, 400, 403, 404, 410, 418, 500, 503])
def test_statuses(server, code):
    with server.connect() as connection:
        response = connection.get(f"/status/{code}/")
        assert (response.status, response.reason) == (code, "Its Own Reason")
        assert response.body == (b"" if code in {204, 304} else b"body")
        assert connection.get("/plain/").body == b"plain text"


@pytest.mark.parametrize("path", ["/plain/", "/file/", "/async/", "/status/404/"])
def test_head(server, path):
    with server.connect() as connection:
        head = connection.get(path, method="HEAD")
        full = connection.get(path)
        assert head.status == full.status
        assert head.one("Content-Length") == full.one("Content-Length")
        assert head.one("Content-Type") == full.one("Content-Type")


def test_a_stream_arrives_as_it_is_made_and_is_closed_once(server):
    before = server.get("/state/").json()["closed"]
    with server.connect() as connection:
        connection.request("/streaming/")
        connection.read_until(b"\r\n\r\n")
        pieces = connection.chunks()
        for number in range(3):
            assert next(pieces) == f"piece {number}\n".encode()
            server.gate.open()
        assert list(pieces) == []
    waiting.until(lambda: server.get("/state/").json()["closed"] == before + 1, "the stream to be closed")


def test_a_stream_whose_client_leaves_is_closed(server):
    before = server.get("/state/").json()["endless left"]
    connection = server.connect()
    connection.request("/endless/")
    connection.read_exactly(300_000)
    connection.close()
    waiting.until(lambda: server.get("/state/").json()["endless left"] == before + 1, "the stream to be closed")


@pytest.mark.parametrize("path", ["/file/", "/download/"])
def test_downloads_arrive_whole(server, path):
    digest = hashlib.sha256()
    with server.client.stream("GET", path) as response:
        for piece in response.iter_raw():
            digest.update(piece)
    assert digest.hexdigest() == hashlib.sha256((server.tmp / "content.bin").read_bytes()).hexdigest()


def test_file_response_headers(server):
    with server.client.stream("GET", "/file/") as response:
        assert response.headers["content-length"] == str(800 << 16)
        assert response.headers["content-disposition"] == "attachment; filename*=utf-8''na%C3%AFve.bin"
        response.read()


def test_file_response_from_memory(server):
    response = server.get("/file-from-memory/")
    assert (response.content, response.headers["content-type"]) == (b"from memory", "text/x-memory")


def test_a_file_whose_client_leaves_is_closed(server):
    for _ in range(5):
        connection = server.connect()
        connection.request("/file/")
        connection.read_exactly(100_000)
        connection.close()
    pids = [pid for pid in os.listdir("/proc") if pid.isdigit()]

    def still_open():
        for pid in pids:
            folder = f"/proc/{pid}/fd"
            try:
                for descriptor in os.listdir(folder):
                    if os.readlink(f"{folder}/{descriptor}") == str(server.tmp / "content.bin"):
                        return True
            except OSError:
                continue
        return False

    waiting.until(lambda: not still_open(), "the file to be closed")


def test_async_views(server):
    assert server.get("/async/").text.startswith("async ")
    assert server.get("/async-together/").json() == list(range(10))


def test_an_async_stream(server):
    response = server.get("/async-streaming/")
    assert response.text == "async piece 0\nasync piece 1\nasync piece 2\n"


def test_a_header_with_a_line_break_is_not_sent(server):
    with server.connect() as connection:
        response = connection.get("/split/")
    assert response.one("X-Injected") is None
    assert response.status == 500


def test_keep_alive_through_every_kind_of_response(server):
    with server.connect() as connection:
        for path in ("/plain/", "/status/204/", "/file-from-memory/", "/async/", "/async-streaming/", "/cookies/"):
            assert connection.get(path).status in {200, 204}
        assert json.loads(connection.get("/state/").body)
