"""One line for each request, in the format asked for, and nothing a client can break it with."""
import re

import pytest

from harness import waiting


@pytest.fixture(scope="module")
def server(serve_module):
    return serve_module(
        r"""
        LogFormat "%m %U %q %s %b %D \"%{X-Tag}i\" %{Content-Type}o" own
        CustomLog "@tmp@/own.log" own
        WSGIScriptAlias /hello "@apps@/hello/app.py"
        """
    )


def line(path, mark):
    """The line about the request that carries a mark."""

    def found():
        text = path.read_text(errors="replace") if path.exists() else ""
        return next((line for line in text.splitlines() if mark in line), None)

    return waiting.until(found, f"{mark} in {path.name}")


def test_combined(server):
    server.get("/hello?one", headers={"Referer": "http://r/", "User-Agent": "agent"})
    logged = line(server.access_log, "/hello?one")
    stamp = r"\[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]"
    expected = rf'127\.0\.0\.1 - - {stamp} "GET /hello\?one HTTP/1\.1" 200 13 "http://r/" "agent"'
    assert re.fullmatch(expected, logged)


def test_a_format_of_ones_own(server):
    server.get("/hello?two", headers={"X-Tag": "t"})
    assert re.fullmatch(r'GET /hello \?two 200 13 \d+ "t" text/plain', line(server.tmp / "own.log", "?two"))


def test_a_refused_request_is_logged(server):
    with server.connect() as connection:
        connection.send("GET /refused HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n")
        assert connection.response().status == 400
    assert " 400 " in line(server.access_log, "/refused")


@pytest.mark.parametrize("value", ['quote" x', "back\\slash x", "t\tab x", "\xe9ight x"])
def test_a_client_cannot_break_a_line(server, value):
    mark = f"/hello?{abs(hash(value))}"
    with server.connect() as connection:
        connection.send(f"GET {mark} HTTP/1.1\r\nHost: x\r\nUser-Agent: {value}\r\n\r\n")
        assert connection.response().status == 200
    logged = line(server.access_log, mark)
    assert logged.endswith(' x"')
    assert re.search(r'" 200 13 "-" "(?:[^"\\\x00-\x1f\x7f-\xff]|\\.)*"$', logged), logged
