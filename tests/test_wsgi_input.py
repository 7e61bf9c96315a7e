"""`wsgi.input`: every way to read it gives the whole body once, framed by length or by chunks."""
import hashlib
import json

import pytest

BODY = b"first\nsecond\r\n\nlast without end"
WAYS = {
    "whole": [BODY],
    "sized": [BODY[at : at + 3] for at in range(0, len(BODY), 3)],
    "minus_one": [BODY],
    "nothing": [b"", BODY],
    "lines": [b"first\n", b"second\r\n", b"\n", b"last without end"],
    "all_lines": [b"first\n", b"second\r\n", b"\n", b"last without end"],
    "iterate": [b"first\n", b"second\r\n", b"\n", b"last without end"],
    "mixed": [b"f", b"irst\n", b"se", b"cond\r\n\nlast without end"],
    "past_the_end": [BODY, b"", b"", b""],
}


@pytest.fixture(scope="module")
def server(serve_module):
    return serve_module('WSGIScriptAlias /body "@apps@/body/app.py"\nWSGIScriptAlias /hash "@apps@/hash/app.py"')


def pieces(connection, way, framing):
    head = f"POST /body?{way} HTTP/1.1\r\nHost: x\r\n"
    if framing == "length":
        connection.send(f"{head}Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY)
    else:
        chunks = b"".join(b"%x;extension=1\r\n%s\r\n" % (len(part), part) for part in (BODY[:4], BODY[4:7], BODY[7:]))
        connection.send(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunks + b"0\r\nX-Trailer: 1\r\n\r\n")
    response = connection.response()
    assert response.status == 200, response
    answer = json.loads(response.body)
    assert answer["length"] == str(len(BODY))
    return [piece.encode("latin-1") for piece in answer["pieces"]]


@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize("way", sorted(WAYS))
def test_reading(server, way, framing):
    with server.connect() as connection:
        assert pieces(connection, way, framing) == WAYS[way]
        # The connection is still in step: the next request is understood.
        assert pieces(connection, "whole", framing) == [BODY]


def test_a_size_limits_a_line(server):
    with server.connect() as connection:
        lines = pieces(connection, "short_lines", "length")
    assert b"".join(lines) == BODY
    assert max(map(len, lines)) == 2
    assert lines[:3] == [b"fi", b"rs", b"t\n"]


def test_a_hint_limits_the_lines(server):
    with server.connect() as connection:
        first, rest = pieces(connection, "some_lines", "length")
    assert first == b"first\n"
    assert BODY.endswith(rest)


def test_no_body_reads_as_nothing(server):
    assert server.post("/body?past_the_end").json()["pieces"] == ["", "", "", ""]
    assert server.get("/body?whole").json()["pieces"] == [""]


def test_a_body_the_application_ignores_does_not_disturb_the_next_request(server):
    with server.connect() as connection:
        for _ in range(3):
            connection.request("/hash?1", method="GET", body=b"z" * 300_000)
            assert connection.response().status == 200


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 1_000_000, 5_000_000])
def test_bodies_of_many_sizes(server, size):
    body = bytes(range(256)) * (size // 256) + b"r" * (size % 256)
    for content in (body, iter([body])):
        answer = server.post("/hash", content=content)
        assert answer.text == f"{size} {hashlib.sha256(body).hexdigest()}"


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_large_bodies_that_arrive_together_with_their_head(server, framing):
    # The server's read buffer grows with use, so a head may come in the same read as much of its body.
    body = b"x" * 3_000_000
    length = f"Content-Length: {len(body)}\r\n\r\n".encode() + body
    chunks = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    with server.connect() as connection:
        for _ in range(10):
            connection.send(b"POST /hash HTTP/1.1\r\nHost: x\r\n" + (length if framing == "length" else chunks))
            response = connection.response()
            assert (response.status, response.body[:8]) == (200, b"3000000 ")
