"""HTTP/1.1 connections: keep-alive, pipelining, chunked bodies, Expect, and what a connection may not carry."""
import pytest

HELLO = b"Hello, world\n"


@pytest.fixture(scope="module")
def server(serve_module):
    return serve_module(
        """
        KeepAlive On
        KeepAliveTimeout 30
        MaxKeepAliveRequests 0
        WSGIScriptAlias /hello "@apps@/hello/app.py"
        WSGIScriptAlias /hash "@apps@/hash/app.py"
        WSGIScriptAlias /body "@apps@/body/app.py"
        """
    )


def test_a_connection_serves_many_requests(server):
    with server.connect() as connection:
        for _ in range(300):
            assert connection.get("/hello").body == HELLO


def test_connection_close_is_obeyed(server):
    with server.connect() as connection:
        response = connection.get("/hello", headers=["Connection: close"])
        assert response.body == HELLO
        assert response.one("Connection").lower() == "close"
        assert connection.read_to_end() == b""


def test_http_1_0_closes_unless_asked_to_stay(server):
    with server.connect() as connection:
        connection.send("GET /hello HTTP/1.0\r\nHost: x\r\n\r\n")
        assert connection.read_to_end().endswith(HELLO)
    with server.connect() as connection:
        for _ in range(2):
            connection.send("GET /hello HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n")
            response = connection.response()
            assert response.body == HELLO
            assert response.one("Connection").lower() == "keep-alive"


def test_http_1_0_gets_no_chunks(server):
    with server.connect() as connection:
        connection.send("GET /hash?3 HTTP/1.0\r\nHost: x\r\n\r\n")
        head = connection.read_until(b"\r\n\r\n")
        assert b"chunked" not in head.lower()
        assert len(connection.read_to_end()) == 3 * 65536


def test_pipelined_requests_are_answered_in_order(server):
    with server.connect() as connection:
        count = 20
        for number in range(count):
            body = b"a" * number
            connection.send(f"POST /hash HTTP/1.1\r\nHost: x\r\nContent-Length: {number}\r\n\r\n".encode() + body)
        for number in range(count):
            assert connection.response().body.startswith(f"{number} ".encode())


def test_pipelined_requests_in_one_packet(server):
    with server.connect() as connection:
        connection.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
        for _ in range(50):
            assert connection.response().body == HELLO


def test_a_request_may_arrive_byte_by_byte(server):
    with server.connect() as connection:
        for byte in b"POST /hash HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc":
            connection.send(bytes([byte]))
        assert connection.response().body.startswith(b"3 ")


def test_empty_lines_before_a_request_are_skipped(server):
    with server.connect() as connection:
        connection.send("\r\n\r\nGET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.response().body == HELLO


def test_expect_100_continue(server):
    with server.connect() as connection:
        connection.send("POST /hash HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert connection.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
        connection.send("12345")
        assert connection.response().body.startswith(b"5 ")
        assert connection.get("/hello").body == HELLO


def test_an_expectation_nobody_knows_is_417(server):
    with server.connect() as connection:
        connection.send("POST /hash HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: miracles\r\n\r\n")
        assert connection.response().status == 417


@pytest.mark.parametrize("chunks", [[b""], [b"abc"], [b"a", b"bc"], [b"x" * 70_000, b"y"]])
def test_chunked_requests(server, chunks):
    with server.connect() as connection:
        connection.send("POST /hash HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for chunk in filter(None, chunks):
            connection.send(b"%X\r\n%s\r\n" % (len(chunk), chunk))
        connection.send("0\r\n\r\n")
        size = sum(map(len, chunks))
        assert connection.response().body.startswith(f"{size} ".encode())
        assert connection.get("/hello").body == HELLO


def test_a_long_response_is_chunked_and_the_connection_stays(server):
    with server.connect() as connection:
        response = connection.get("/hash?40")
        assert len(response.body) == 40 * 65536
        assert response.one("Content-Length") or response.one("Transfer-Encoding") == "chunked"
        assert connection.get("/hello").body == HELLO


def test_keep_alive_ends_after_its_timeout(serve):
    server = serve('KeepAliveTimeout 1\nWSGIScriptAlias / "@apps@/hello/app.py"')
    with server.connect() as connection:
        assert connection.get("/").body == HELLO
        assert connection.read_to_end() == b""


def test_keep_alive_off(serve):
    server = serve('KeepAlive Off\nWSGIScriptAlias / "@apps@/hello/app.py"')
    with server.connect() as connection:
        response = connection.get("/")
        assert response.one("Connection").lower() == "close"
        assert connection.read_to_end() == b""


def test_max_keep_alive_requests(serve):
    server = serve('MaxKeepAliveRequests 3\nWSGIScriptAlias / "@apps@/hello/app.py"')
    with server.connect() as connection:
        endings = [connection.get("/").one("Connection") for _ in range(3)]
        assert (endings[0] or "").lower() != "close"
        assert endings[2].lower() == "close"
        assert connection.read_to_end() == b""
