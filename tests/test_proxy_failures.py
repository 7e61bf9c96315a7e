"""Back ends and clients that fail, leave, keep silent or are too many."""
import threading

import h2.events
import pytest

from harness import http2, waiting
from harness.back_end import echo
from harness.server import free_port


def test_a_back_end_that_cannot_be_reached(serve, back_end):
    ports = [free_port(), free_port()]
    server = serve("".join(f"ProxyPass /{retry} http://127.0.0.1:{port}/ retry={retry}\n" for retry, port in zip((0, 60), ports)))
    assert [server.get(path).status_code for path in ("/0", "/60")] == [503, 503]
    server.wait_for_log("proxy.*127.0.0.1:.*refused", times=2)
    for port in ports:
        back_end(port=port)
    # It is tried at once, or left alone for a while.
    assert [server.get(path).status_code for path in ("/0", "/60")] == [200, 503]


@pytest.mark.parametrize("answer", ["", "nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\nHead", "HTTP/1.1 200 OK\r\nBad Name: x\r\n\r\n",
                                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
                                    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx"])
def test_what_is_no_response(serve, back_end, answer):
    def answers(exchange):
        exchange.send(answer)
        return True

    end = back_end(answers)
    server = serve(f"ProxyPass / {end.url}/\n")
    assert server.get("/").status_code == 502
    server.wait_for_log(r"proxy.*127\.0\.0\.1")


def test_a_silent_back_end(serve, back_end):
    def answer(exchange):
        if exchange.target == "/late":
            exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nstart")
        assert exchange.reader.read() == b""
        return True

    end = back_end(answer)
    server = serve(f"ProxyPass / {end.url}/ timeout=1\n")
    assert server.get("/").status_code == 504
    with server.connect() as connection:
        with pytest.raises(EOFError):
            connection.get("/late")


@pytest.mark.parametrize("start", ["Content-Length: 10\r\n\r\nstart", "Transfer-Encoding: chunked\r\n\r\n5\r\nstart\r\n"])
def test_a_response_that_ends_early_is_seen_to(serve, back_end, start):
    def answer(exchange):
        exchange.send(f"HTTP/1.1 200 OK\r\n{start}")
        return True

    end = back_end(answer)
    server = serve(f"ProxyPass / {end.url}/\n")
    with server.connect() as connection:
        with pytest.raises(EOFError):
            connection.get("/")


def test_a_kept_connection_that_the_back_end_has_closed(serve, back_end):
    """It closes the moment the second request arrives: nobody knows whether it was done."""
    served = set()

    def answer(exchange):
        if exchange.socket in served:
            return True
        served.add(exchange.socket)
        echo(exchange)

    end = back_end(answer)
    server = serve(f"ProxyPass / {end.url}/\n")
    assert [server.get("/").status_code for _ in range(4)] == [200] * 4
    assert end.connections == 4
    # What is not the same twice is not sent twice.
    assert server.post("/", content=b"x").status_code == 502
    assert len([request for request in end.requests if request.method == "POST"]) == 1


def test_a_back_end_is_restarted(serve, back_end):
    end = back_end()
    server = serve(f"ProxyPass / {end.url}/\n")
    assert server.get("/").status_code == 200
    end.stop()
    again = back_end(port=end.port)
    assert server.post("/", content=b"x").status_code == 200
    assert again.connections == 1


def test_the_client_leaves(serve, back_end):
    ended = threading.Event()

    def answer(exchange):
        exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        try:
            while True:
                exchange.send(b"x" * 10000)
        except OSError:
            ended.set()
            raise

    end = back_end(answer)
    server = serve(f"ProxyPass / {end.url}/\n")
    with server.connect() as connection:
        connection.request("/")
        connection.read_exactly(100_000)
    assert ended.wait(20)


def test_both_lengths_of_a_back_end(serve, back_end):
    def answer(exchange):
        exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n")
        return True

    end = back_end(answer)
    server = serve(f"ProxyPass / {end.url}/\n")
    with server.connect() as connection:
        response = connection.get("/")
    assert (response.body, response.one("Content-Length")) == (b"abcde", None)


def test_error_pages(serve, back_end):
    def answer(exchange):
        exchange.respond("theirs", exchange.target[1:].replace("/", " "), ["WWW-Authenticate: Basic realm=x"])

    end = back_end(answer)
    server = serve(f"""
ProxyPass /page !
ProxyPass / {end.url}/
DocumentRoot "@tmp@"
<Directory "@tmp@">
    Require all granted
</Directory>
ProxyErrorOverride On 404 401 503
ErrorDocument 404 /page.html
ErrorDocument 503 "not now"
""")
    (server.tmp / "page.html").write_text("ours")
    with server.connect() as connection:
        answers = [connection.get(target) for target in ("/404/Not", "/500/Error", "/200/OK", "/401/No", "/503/X")]
    assert [answer.status for answer in answers] == [404, 500, 200, 401, 503]
    assert answers[0].body == server.get("/404/Not").content
    assert (answers[1].body, answers[2].body, answers[4].body) == (b"theirs", b"theirs", b"not now")
    assert answers[3].one("WWW-Authenticate") == "Basic realm=x" and b"theirs" not in answers[3].body


def test_max_connections(serve, back_end):
    go = threading.Event()

    def answer(exchange):
        assert go.wait(20)
        exchange.respond("x")

    end = back_end(answer)
    server = serve(f"ProxyPass / {end.url}/ max=2 acquire=100\n")
    waiting_ones = [server.connect() for _ in range(2)]
    for connection in waiting_ones:
        connection.request("/")
    waiting.until(lambda: len(end.requests) == 2, "two requests")
    assert server.get("/").status_code == 503
    go.set()
    for connection in waiting_ones:
        assert connection.response().status == 200
        connection.close()
    assert server.get("/").status_code == 200
    assert end.connections == 2


def test_http_2_sees_a_response_end_early(serve, back_end):
    def answer(exchange):
        exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nstart")
        return True

    end = back_end(answer)
    server = serve(f"Protocols h2c http/1.1\nProxyPass / {end.url}/\n")
    with http2.Connection(server.port) as connection:
        stream = connection.request("/")
        assert connection.wait(h2.events.StreamReset, stream)


def test_a_request_with_both_lengths_goes_nowhere(serve, back_end):
    end = back_end()
    server = serve(f"ProxyPass / {end.url}/\n")
    with server.connect() as connection:
        connection.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
        assert connection.response().status == 400
    assert end.requests == []


def test_the_client_leaves_before_the_response(serve, back_end):
    ended = threading.Event()

    def answer(exchange):
        assert exchange.reader.read() == b""
        ended.set()
        return True

    end = back_end(answer)
    server = serve(f"ProxyPass / {end.url}/\n")
    with server.connect() as connection:
        connection.request("/")
        waiting.until(lambda: end.requests, "the request")
    assert ended.wait(20)


def test_the_client_leaves_in_the_middle_of_its_content(serve, back_end):
    ended = threading.Event()

    def answer(exchange):
        assert exchange.reader.read() == b"start"
        ended.set()
        return True

    end = back_end(answer)
    server = serve(f"ProxyPass / {end.url}/\n")
    with server.connect() as connection:
        connection.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nstart")
        waiting.until(lambda: end.requests, "the request")
    assert ended.wait(20)
