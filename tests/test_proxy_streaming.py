"""Content on its way through to a back end and from it, and the connections it goes over."""
import os
import threading

import pytest

from harness.back_end import seen


def test_connections_are_kept(serve, back_end):
    end = back_end()
    server = serve(f"ProxyPass / {end.url}/\n")
    for number in range(5):
        assert seen(server.get(f"/{number}"))[0]["target"] == f"/{number}"
        assert seen(server.post(f"/{number}", content=b"x" * 1000))[0]["body"] == "x" * 1000
    assert end.connections == 1


def test_connections_are_not_kept(serve, back_end):
    end = back_end()
    server = serve(f"ProxyPass /a {end.url}/ disablereuse=On\nProxyPass /b {end.url}/\n"
                   "<Location /b>\nSetEnv proxy-nokeepalive 1\n</Location>\n")
    for path in ("/a", "/b", "/a", "/b"):
        assert seen(server.get(path))[1]["connection"] == ["close"]
    assert end.connections == 4


def test_a_request_s_content_goes_on_as_it_comes(serve, back_end):
    arrived = threading.Semaphore(0)
    pieces = []

    def answer(exchange):
        while piece := exchange.chunk():
            pieces.append(piece)
            arrived.release()
        exchange.respond("done")

    end = back_end(answer)
    server = serve(f"ProxyPass / {end.url}/\n")
    with server.connect() as connection:
        connection.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(3):
            connection.send(f"5\r\nabcd{number}\r\n")
            assert arrived.acquire(timeout=20)
        connection.send("0\r\n\r\n")
        assert connection.response().body == b"done"
        assert pieces == [b"abcd0", b"abcd1", b"abcd2"]
        # The connection goes on.
        connection.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n")
        assert connection.response().body == b"done"


def test_a_response_comes_as_it_is_made(serve, back_end):
    go = threading.Semaphore(0)

    def answer(exchange):
        exchange.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(3):
            exchange.send(f"2\r\n{number}\n\r\n")
            assert go.acquire(timeout=20)
        exchange.send("0\r\n\r\n")

    end = back_end(answer)
    server = serve(f"ProxyPass / {end.url}/\n")
    with server.connect() as connection:
        connection.request("/")
        connection.read_until(b"\r\n\r\n")
        chunks = connection.chunks()
        for number in range(3):
            assert next(chunks) == f"{number}\n".encode()
            go.release()
        assert list(chunks) == []


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_large_content_in_both_directions(serve, back_end, framing):
    content = os.urandom(1 << 16) * 200

    def answer(exchange):
        exchange.respond(exchange.body())

    end = back_end(answer)
    server = serve(f"ProxyPass / {end.url}/\n")
    parts = (content[at:at + 100_000] for at in range(0, len(content), 100_000))
    response = server.post("/", content=content if framing == "length" else parts)
    assert response.content == content
    assert end.requests[0].one("Content-Length") == (str(len(content)) if framing == "length" else None)


def test_content_over_the_limit(serve, back_end):
    def answer(exchange):
        exchange.body()
        exchange.respond("x")

    end = back_end(answer)
    server = serve(f"ProxyPass / {end.url}/\nLimitRequestBody 1000\n")
    assert server.post("/", content=b"x" * 1000).status_code == 200
    assert server.post("/", content=b"x" * 1001).status_code == 413
    with server.connect() as connection:
        connection.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + "100\r\n" + "x" * 256 + "\r\n")
        for _ in range(4):
            connection.send("100\r\n" + "x" * 256 + "\r\n")
        response = connection.response()
    assert (response.status, response.one("Connection")) == (413, "close")


def test_the_back_end_is_asked_before_the_client_sends(serve, back_end):
    def answer(exchange):
        assert exchange.one("Expect") == "100-continue"
        if exchange.target == "/refused":
            exchange.respond("", "401 Unauthorized", ["Connection: close"])
            return True
        exchange.send("HTTP/1.1 100 Continue\r\n\r\n")
        exchange.respond(exchange.body())

    end = back_end(answer)
    server = serve(f"ProxyPass / {end.url}/\n")
    with server.connect() as connection:
        connection.send("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        assert connection.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
        connection.send("abc")
        assert connection.response().body == b"abc"
        connection.send("POST /refused HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        assert connection.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 401 ")


def test_a_back_end_that_says_nothing_of_it_gets_the_content(serve, back_end):
    end = back_end(lambda exchange: exchange.respond(exchange.body()))
    server = serve(f"ProxyPass / {end.url}/\n<Location /own>\nProxy100Continue Off\n</Location>\n")
    for path, expect in (("/", "100-continue"), ("/own", None)):
        with server.connect() as connection:
            connection.send(f"POST {path} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
            assert connection.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
            connection.send("abc")
            assert connection.response().body == b"abc"
        assert end.requests[-1].one("Expect") == expect


def test_a_response_before_the_content_is_complete(serve, back_end):
    def answer(exchange):
        exchange.respond("enough", "413 Payload Too Large")

    end = back_end(answer)
    server = serve(f"ProxyPass / {end.url}/\n")
    with server.connect() as connection:
        connection.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nstart")
        response = connection.response()
        assert (response.status, response.body, response.one("Connection")) == (413, b"enough", "close")
    # That connection is not used again.
    assert server.get("/").status_code == 413
    assert end.connections == 2


def test_responses_without_content(serve, back_end):
    def answer(exchange):
        if exchange.method == "HEAD":
            length = "Content-Length: 5\r\n" if exchange.target == "/known" else "Transfer-Encoding: chunked\r\n"
            exchange.send(f"HTTP/1.1 200 OK\r\n{length}\r\n")
        else:
            exchange.send(f"HTTP/1.1 {exchange.target[1:]} Some reason\r\nETag: \"x\"\r\n\r\n")

    end = back_end(answer)
    server = serve(f"ProxyPass / {end.url}/\n")
    with server.connect() as connection:
        assert connection.get("/known", method="HEAD").one("Content-Length") == "5"
        assert connection.get("/unknown", method="HEAD").one("Content-Length") is None
        for status in (204, 304):
            response = connection.get(f"/{status}")
            assert (response.status, response.reason, response.one("ETag")) == (status, "Some reason", '"x"')
    assert end.connections == 1


def test_pipelined_requests(serve, back_end):
    end = back_end()
    server = serve(f"ProxyPass / {end.url}/\n")
    with server.connect() as connection:
        connection.send("POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
                        "GET /2 HTTP/1.1\r\nHost: x\r\n\r\n"
                        "POST /3 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ndef\r\n0\r\n\r\n"
                        "GET /4 HTTP/1.1\r\nHost: x\r\n\r\n")
        shown = [seen(connection.response())[0] for _ in range(4)]
    assert [one["target"] for one in shown] == ["/1", "/2", "/3", "/4"]
    assert [one["body"] for one in shown] == ["abc", "", "def", ""]


def test_compression(serve, back_end):
    def answer(exchange):
        packed = exchange.target == "/packed"
        exchange.respond("x" * 5000, headers=["Content-Type: text/html"] + ["Content-Encoding: br"] * packed)

    end = back_end(answer)
    server = serve(f"ProxyPass / {end.url}/\nAddOutputFilterByType DEFLATE text/html\n")
    response = server.get("/", headers={"Accept-Encoding": "gzip"})
    assert (response.headers["content-encoding"], response.text) == ("gzip", "x" * 5000)
    with server.connect() as connection:
        response = connection.get("/packed", headers=["Accept-Encoding: gzip"])
    assert (response.one("Content-Encoding"), response.body) == ("br", b"x" * 5000)


def test_early_hints_and_an_old_back_end(serve, back_end):
    def answer(exchange):
        if exchange.target == "/hints":
            exchange.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
            exchange.respond("after")
            return False
        exchange.send("HTTP/1.0 200 OK\r\n\r\nup to the end")
        return True

    end = back_end(answer)
    server = serve(f"ProxyPass / {end.url}/\n")
    assert server.get("/hints").text == "after"
    with server.connect() as connection:
        for _ in range(2):
            response = connection.get("/old")
            assert (response.head.startswith(b"HTTP/1.1 200 "), response.body) == (True, b"up to the end")
