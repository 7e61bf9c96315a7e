"""A thousand clients that stay connected, and clients that are slow, hold nobody up."""
import contextlib

from harness import raw, waiting

CONNECTIONS = 1000


def test_a_thousand_keep_alive_connections(serve):
    server = serve('KeepAliveTimeout 60\nWSGIScriptAlias / "@apps@/hello/app.py"', workers=2)
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(server.connect()) for _ in range(CONNECTIONS)]
        for _ in range(3):
            for connection in connections:
                connection.request("/")
            for connection in connections:
                assert connection.response().body == b"Hello, world\n"


def test_clients_that_send_slowly_hold_no_python(serve):
    server = serve('SetEnv TEST_FOLDER "@tmp@"\nWSGIScriptAlias / "@apps@/gate/app.py"')
    gate = waiting.Gate(server.tmp / "gate")
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(server.connect()) for _ in range(50)]
        for connection in slow:
            connection.send("POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n12")
        # Bodies are read before Python starts, so none of the fifty has started yet and this one is answered.
        assert server.get("/state").json()["started"] == 0
        gate.open(len(slow))
        for connection in slow:
            connection.send("34")
        for connection in slow:
            assert connection.response().status == 200


def test_clients_that_read_slowly_hold_no_python(serve):
    server = serve('WSGIScriptAlias /hello "@apps@/hello/app.py"\nWSGIScriptAlias /hash "@apps@/hash/app.py"')
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(server.connect()) for _ in range(50)]
        for connection in slow:
            connection.request("/hash?64")
        for _ in range(20):
            assert server.get("/hello").text == "Hello, world\n"
        for connection in slow:
            assert len(connection.response().body) == 64 * 65536


# The server's temporary file for one response holds 256 MiB (RESPONSE_FILE_BYTES_MAX); the rest is memory and sockets.
RESPONSE_BYTES_HELD_MAX = (256 + 32) << 20


def test_an_endless_response_waits_for_its_reader(serve):
    server = serve('SetEnv TEST_FOLDER "@tmp@"\nWSGIScriptAlias / "@apps@/endless/app.py"')

    def made():
        note = server.tmp / "made"
        return note.stat().st_size * 65536 if note.exists() else -1

    with server.connect() as connection:
        connection.request("/endless")
        # Nobody reads: what is made must stay within what the server, the kernel and the socket hold.
        assert 0 < waiting.settled(made, "the response") < RESPONSE_BYTES_HELD_MAX
        assert server.get("/").text == "fine"
        # Reading lets it go on.
        before = made()
        connection.read_exactly(before + (1 << 20))
        assert made() > before


def test_connections_that_say_nothing_cost_nobody_anything(serve):
    server = serve('WSGIScriptAlias / "@apps@/hello/app.py"')
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(contextlib.closing(raw.Connection(server.port)))
        assert server.get("/").text == "Hello, world\n"
