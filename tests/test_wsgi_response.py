"""The ways a WSGI application may answer, and what the client receives for each."""
import pytest

from harness import waiting


@pytest.fixture(scope="module")
def server(serve_module):
    return serve_module('SetEnv TEST_FOLDER "@tmp@"\nWSGIScriptAlias /file "@apps@/file/app.py"\n'
                        'WSGIScriptAlias / "@apps@/response/app.py"')


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/write", 200, b"written twice and returned"),
        ("/only_write", 200, b"only written"),
        ("/generator", 202, b"one two"),
        ("/replaced", 503, b"replaced"),
        ("/length", 200, b"12345"),
        ("/empty", 200, b""),
        ("/custom", 299, b"custom"),
    ],
)
def test_answers(server, path, status, body):
    with server.connect() as connection:
        for _ in range(2):
            response = connection.get(path)
            assert (response.status, response.body) == (status, body)


def test_reason_and_headers_pass_unchanged(server):
    with server.connect() as connection:
        response = connection.get("/custom")
    assert response.reason == "A Reason Of Its Own"
    assert response.all("Set-Cookie") == ["a=1", "b=2"]
    assert response.one("X-Latin") == "caf\xe9"


def test_exc_info_replaces_a_head_that_was_not_sent(server):
    assert server.get("/replaced").headers["x-replaced"] == "yes"


def test_exc_info_after_the_head_raises_again_and_ends_the_connection(server):
    with server.connect() as connection:
        connection.request("/too_late")
        data = connection.read_to_end()
    assert data.count(b"HTTP/1.1 ") == 1
    assert not data.endswith(b"0\r\n\r\n"), "the client must be able to tell that the response broke off"
    server.wait_for_log("ValueError: after the head was sent")


@pytest.mark.parametrize("path", ["/twice", "/never", "/not_bytes", "/split"])
def test_a_broken_application_is_a_500(server, path):
    response = server.get(path)
    assert response.status_code == 500
    assert "x-injected" not in response.headers
    assert server.get("/length").status_code == 200


@pytest.mark.parametrize(("path", "status"), [("/no_content", 204), ("/not_modified", 304)])
def test_statuses_without_a_body(server, path, status):
    with server.connect() as connection:
        response = connection.get(path)
        assert response.status == status
        assert response.one("Content-Length") in {None, "0"}
        assert response.one("Transfer-Encoding") is None
        assert connection.get("/length").body == b"12345"
        assert connection.buffer == b""


def test_content_length_is_added_where_it_is_known(server):
    with server.connect() as connection:
        assert connection.get("/custom").one("Content-Length") == "6"
        assert connection.get("/empty").one("Content-Length") == "0"
        assert connection.get("/length").one("Content-Length") == "5"


def test_head_has_the_headers_and_no_body(server):
    with server.connect() as connection:
        response = connection.get("/length", method="HEAD")
        assert response.one("Content-Length") == "5"
        assert connection.get("/length").body == b"12345"
        assert connection.buffer == b""


def test_more_than_content_length_is_cut(server):
    with server.connect() as connection:
        assert connection.get("/too_long").body == b"12345"
        connection.request("/length", headers=["Connection: close"])
        assert b"more than was said" not in connection.read_to_end()


def test_less_than_content_length_ends_the_connection(server):
    with server.connect() as connection:
        connection.request("/too_short")
        with pytest.raises((EOFError, ConnectionResetError)):
            connection.response()


def test_hop_by_hop_headers_stay_with_the_application(server):
    with server.connect() as connection:
        response = connection.get("/hop_by_hop")
    assert "x-made-up" not in (response.one("Connection") or "")
    assert response.one("X-Kept") == "yes"


def test_date_and_server_are_sent_once(server):
    with server.connect() as connection:
        response = connection.get("/length")
    assert response.one("Date") and response.one("Server")


CONTENT = bytes(range(256)) * 2000


@pytest.fixture(scope="module")
def content(server):
    (server.tmp / "content.bin").write_bytes(CONTENT)
    return CONTENT


def test_file_wrapper_sends_a_file(server, content):
    assert server.get("/file/plain").content == content


def test_file_wrapper_starts_where_the_file_stands(server, content):
    assert server.get("/file/offset").content == content[1000:]


def test_file_wrapper_honours_content_length(server, content):
    with server.connect() as connection:
        assert connection.get("/file/length").body == content[:10]


def test_file_wrapper_takes_anything_with_read(server, content):
    assert server.get("/file/memory").content == b"from memory " * 1000


def test_file_wrapper_can_be_iterated_by_middleware(server, content):
    assert server.get("/file/iterated").content == content


def test_file_wrapper_closes_what_it_was_given_once(server, content):
    assert server.get("/file/noted").content == content
    note = server.tmp / "file-closed"
    waiting.until(note.exists, "close() of the file")
    assert server.get("/file/plain").status_code == 200
    assert note.read_bytes() == b"x"
