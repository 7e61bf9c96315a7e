"""`close()` of a response is called exactly once, however the response ends."""
import pytest

from harness import waiting


@pytest.fixture
def server(serve):
    return serve('SetEnv TEST_FOLDER "@tmp@"\nWSGIScriptAlias / "@apps@/close/app.py"')


def closed(server, name):
    note = server.tmp / f"closed-{name}"
    waiting.until(note.exists, f"close() of the {name} response")
    # A request later any second call would have happened too.
    assert server.get("/complete").status_code == 200
    return note.read_bytes()


def test_after_a_complete_response(server):
    assert server.get("/complete").content == b"onetwo"
    waiting.until((server.tmp / "closed-complete").exists, "close()")
    assert (server.tmp / "closed-complete").read_bytes() == b"x"


def test_after_an_empty_response(server):
    assert server.get("/empty").content == b""
    assert closed(server, "empty") == b"x"


def test_after_a_head_request(server):
    assert server.client.head("/large").content == b""
    assert closed(server, "large") == b"x"


def test_after_an_exception_in_the_middle(server):
    with server.connect() as connection:
        connection.request("/fails")
        data = connection.read_to_end()
    assert not data.endswith(b"0\r\n\r\n")
    assert closed(server, "fails") == b"x"


@pytest.mark.parametrize("path", ["/endless", "/large"])
def test_when_the_client_leaves_in_the_middle(server, path):
    connection = server.connect()
    connection.request(path)
    connection.read_exactly(200_000)
    connection.close()
    assert closed(server, path.strip("/")) == b"x"


def test_when_the_client_leaves_before_it_reads_anything(server):
    connection = server.connect()
    connection.request("/endless")
    connection.close()
    assert closed(server, "endless") == b"x"
