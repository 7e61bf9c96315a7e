"""A streamed response arrives as it is made, and a client may leave in the middle."""
import pytest

from harness import waiting


@pytest.fixture
def server(serve):
    server = serve('SetEnv TEST_FOLDER "@tmp@"\nWSGIScriptAlias /fast "@apps@/hello/app.py"\n'
                   'WSGIScriptAlias / "@apps@/stream/app.py"')
    server.gate = waiting.Gate(server.tmp / "gate")
    return server


def test_each_piece_arrives_before_the_next_is_made(server):
    with server.connect() as connection:
        connection.request("/")
        connection.read_until(b"\r\n\r\n")
        pieces = connection.chunks()
        for number in range(3):
            assert next(pieces) == f"piece {number}\n".encode()
            server.gate.open()
        assert list(pieces) == []


def test_http_1_0_gets_pieces_as_they_are_made(server):
    with server.connect() as connection:
        connection.send("GET / HTTP/1.0\r\nHost: x\r\n\r\n")
        connection.read_until(b"\r\n\r\n")
        for number in range(3):
            assert connection.read_until(b"\n") == f"piece {number}\n".encode()
            server.gate.open()
        assert connection.read_to_end() == b""


def test_others_are_served_while_a_response_streams(server):
    with server.connect() as connection:
        connection.request("/")
        connection.read_until(b"piece 0\n")
        for _ in range(20):
            assert server.get("/fast").text == "Hello, world\n"
        server.gate.open(3)
        assert connection.read_until(b"0\r\n\r\n").endswith(b"piece 2\n\r\n0\r\n\r\n")


def test_the_client_leaves_and_the_server_goes_on(server):
    for _ in range(5):
        connection = server.connect()
        connection.request("/")
        connection.read_until(b"piece 0\n")
        connection.close()
        server.gate.open(3)
    assert server.get("/fast").text == "Hello, world\n"
    assert "Traceback" not in server.log()
