"""What is too long is refused with its own status, before any application sees it: 414, 431, 413, 408."""
import pytest

from harness import raw

LIMITS = """
LimitRequestLine 1000
LimitRequestFieldSize 500
LimitRequestFields 20
WSGIScriptAlias /hash "@apps@/hash/app.py"
WSGIScriptAlias / "@apps@/hello/app.py"
<Location "/hash">
    LimitRequestBody 10000
</Location>
"""


@pytest.fixture(scope="module")
def server(serve_module):
    return serve_module(LIMITS)


def status(server, data, method="GET"):
    """The status of the answer; the server must then have closed."""
    with server.connect() as connection:
        connection.send(data)
        response = connection.response(method)
        connection.read_to_end()
    return response.status


def test_what_fits_is_answered(server):
    with server.connect() as connection:
        fields = [f"X-{number}: {'v' * 400}" for number in range(18)]
        assert connection.get("/" + "p" * 900, headers=fields).status == 200


def test_request_line(server):
    assert status(server, f"GET /{'p' * 1000} HTTP/1.1\r\nHost: x\r\n\r\n") == 414


def test_request_line_that_never_ends(server):
    with server.connect() as connection:
        connection.send("GET /" + "p" * 5000)
        assert connection.response().status == 414


def test_default_request_line_is_httpds(serve):
    server = serve('WSGIScriptAlias / "@apps@/hello/app.py"')
    with server.connect() as connection:
        assert connection.get("/" + "p" * 8000).status == 200
    assert status(server, f"GET /{'p' * 8200} HTTP/1.1\r\nHost: x\r\n\r\n") == 414


def test_field_size(server):
    assert status(server, f"GET / HTTP/1.1\r\nHost: x\r\nX-Long: {'v' * 600}\r\n\r\n") == 431


def test_field_size_that_never_ends(server):
    with server.connect() as connection:
        connection.send(f"GET / HTTP/1.1\r\nHost: x\r\nX-Long: {'v' * 20000}")
        assert connection.response().status == 431


def test_number_of_fields(server):
    fields = "".join(f"X-{number}: v\r\n" for number in range(25))
    assert status(server, f"GET / HTTP/1.1\r\nHost: x\r\n{fields}\r\n") == 431


def test_body_by_length(server):
    with server.connect() as connection:
        connection.send("POST /hash HTTP/1.1\r\nHost: x\r\nContent-Length: 10001\r\n\r\n")
        assert connection.response().status == 413
    assert server.post("/hash", content=b"x" * 10000).status_code == 200


def test_body_by_length_before_100_continue(server):
    with server.connect() as connection:
        connection.send("POST /hash HTTP/1.1\r\nHost: x\r\nContent-Length: 10001\r\nExpect: 100-continue\r\n\r\n")
        assert connection.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 413 ")


def test_body_by_chunks(server):
    chunk = b"fa0\r\n" + b"x" * 4000 + b"\r\n"
    with server.connect() as connection:
        connection.send("POST /hash HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.send(chunk * 3)
        assert connection.response().status == 413


def test_a_body_limit_holds_only_in_its_location(server):
    assert server.post("/", content=b"x" * 20000).status_code == 200


@pytest.mark.parametrize(
    "start",
    ["", "GET / HTT", "GET / HTTP/1.1\r\nHost: x\r\nX-Part", "POST /hash HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n12"],
    ids=["nothing", "request-line", "fields", "body"],
)
def test_a_request_that_stops_arriving(serve, start):
    server = serve(f"Timeout 1\n{LIMITS}")
    with server.connect() as connection:
        connection.send(start)
        data = connection.read_to_end()
    # A client that said nothing is told nothing.
    assert raw.statuses(data) == ([408] if start else [])
