"""Static files: types, validators, ranges, and nothing outside the folder that was given."""
import os

import pytest

CONTENT = b"0123456789" * 1000
NAMES = {
    "page.html": "text/html",
    "style.css": "text/css",
    "script.js": ("text/javascript", "application/javascript"),
    "data.json": "application/json",
    "image.png": "image/png",
    "photo.JPG": "image/jpeg",
    "drawing.svg": "image/svg+xml",
    "font.woff2": "font/woff2",
    "notes.txt": "text/plain",
    "archive.tar.gz": ("application/gzip", "application/x-gzip", "application/x-tar"),
    "document.pdf": "application/pdf",
}
CONFIG = """
DocumentRoot "@tmp@/root"
Alias /static/ "@tmp@/static/"
Alias /plain "@tmp@/static"
Alias /one "@tmp@/static/page.html"
Alias /broken/ "@tmp@/does-not-exist/"
WSGIScriptAlias /app "@apps@/hello/app.py"
"""


@pytest.fixture(scope="module")
def server(serve_module, tmp_path_factory):
    server = serve_module(CONFIG, start=False)
    (server.tmp / "root/folder").mkdir(parents=True)
    (server.tmp / "root/in-root.txt").write_bytes(b"in the root")
    (server.tmp / "static").mkdir()
    (server.tmp / "secret.txt").write_bytes(b"secret")
    for name in [*NAMES, "no-ending", "näme with blanks+%.txt", "file.txt"]:
        (server.tmp / "static" / name).write_bytes(CONTENT)
    (server.tmp / "static/empty.txt").write_bytes(b"")
    os.utime(server.tmp / "static/file.txt", (1_700_000_000, 1_700_000_000))
    return server.start()


@pytest.mark.parametrize("name", NAMES)
def test_types(server, name):
    response = server.get(f"/static/{name}")
    assert (response.status_code, response.content) == (200, CONTENT)
    expected = NAMES[name]
    kinds = expected if isinstance(expected, tuple) else (expected,)
    assert response.headers["content-type"].split(";")[0] in kinds


def test_a_file_whose_type_nobody_knows_is_not_called_text(server):
    response = server.get("/static/no-ending")
    assert response.content == CONTENT
    assert response.headers.get("content-type", "application/octet-stream") == "application/octet-stream"


@pytest.mark.parametrize("path", ["/in-root.txt", "/one", "/plain/page.html", "/static/empty.txt"])
def test_addresses(server, path):
    response = server.get(path)
    assert response.status_code == 200
    assert response.headers["content-length"] == str(len(response.content))
    assert response.headers["accept-ranges"] == "bytes"


def test_names_are_decoded(server):
    with server.connect() as connection:
        response = connection.get("/static/n%C3%A4me%20with%20blanks+%25.txt")
    assert (response.status, response.body) == (200, CONTENT)


@pytest.mark.parametrize("path", ["/missing.txt", "/static/missing", "/static/file.txt/more", "/broken/x", "/plainly"])
def test_not_found(server, path):
    assert server.get(path).status_code == 404


def test_head(server):
    with server.connect() as connection:
        head = connection.get("/static/file.txt", method="HEAD")
        full = connection.get("/static/file.txt")
    assert full.body == CONTENT
    for name in ("Content-Length", "Content-Type", "ETag", "Last-Modified"):
        assert head.one(name) == full.one(name)


def test_last_modified_is_the_files(server):
    assert server.get("/static/file.txt").headers["last-modified"] == "Tue, 14 Nov 2023 22:13:20 GMT"


def test_etag_changes_with_the_file(server):
    path = server.tmp / "static/changing.txt"
    path.write_bytes(b"one")
    first = server.get("/static/changing.txt")
    path.write_bytes(b"other")
    second = server.get("/static/changing.txt")
    assert (first.content, second.content) == (b"one", b"other")
    assert first.headers["etag"] != second.headers["etag"]


def conditional(server, **headers):
    etag = server.get("/static/file.txt").headers["etag"]
    sent = [f"{name.replace('_', '-')}: {value.replace('ETAG', etag)}" for name, value in headers.items()]
    with server.connect() as connection:
        response = connection.get("/static/file.txt", headers=sent)
        assert connection.get("/one").status == 200, "the connection is out of step"
    return response


DATE = "Tue, 14 Nov 2023 22:13:20 GMT"
EARLIER = "Tue, 14 Nov 2023 22:13:19 GMT"
LATER = "Tue, 14 Nov 2023 22:13:21 GMT"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If_None_Match": "ETAG"}, 304),
        ({"If_None_Match": '"other", ETAG'}, 304),
        ({"If_None_Match": "W/ETAG"}, 304),
        ({"If_None_Match": "*"}, 304),
        ({"If_None_Match": '"other"'}, 200),
        ({"If_Modified_Since": DATE}, 304),
        ({"If_Modified_Since": LATER}, 304),
        ({"If_Modified_Since": EARLIER}, 200),
        ({"If_Modified_Since": "nonsense"}, 200),
        ({"If_None_Match": '"other"', "If_Modified_Since": DATE}, 200),
        ({"If_Match": "ETAG"}, 200),
        ({"If_Match": '"other"'}, 412),
        ({"If_Unmodified_Since": EARLIER}, 412),
        ({"If_Unmodified_Since": DATE}, 200),
    ],
)
def test_conditional_requests(server, headers, status):
    response = conditional(server, **headers)
    assert response.status == status
    if status == 304:
        assert response.body == b""
        assert response.one("ETag") and response.one("Content-Length") in {None, "10000"}


@pytest.mark.parametrize(
    ("value", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=0-99", 0, 99),
        ("bytes=9990-", 9990, 9999),
        ("bytes=-10", 9990, 9999),
        ("bytes=9990-20000", 9990, 9999),
        ("bytes=-20000", 0, 9999),
        ("bytes=1234-5678", 1234, 5678),
    ],
)
def test_single_ranges(server, value, first, last):
    response = conditional(server, Range=value)
    assert response.status == 206
    assert response.one("Content-Range") == f"bytes {first}-{last}/10000"
    assert response.body == CONTENT[first : last + 1]


@pytest.mark.parametrize("value", ["bytes=10000-", "bytes=20000-30000", "bytes=-0"])
def test_ranges_beyond_the_end(server, value):
    response = conditional(server, Range=value)
    assert response.status == 416
    assert response.one("Content-Range") == "bytes */10000"


@pytest.mark.parametrize("value", ["bytes=5-2", "bytes=a-b", "lines=0-1", "bytes", "bytes=--5"])
def test_ranges_that_mean_nothing_are_ignored(server, value):
    response = conditional(server, Range=value)
    assert (response.status, response.body) == (200, CONTENT)


@pytest.mark.parametrize(
    ("condition", "status"), [("ETAG", 206), (DATE, 206), ('"other"', 200), ("W/ETAG", 200), (EARLIER, 200)]
)
def test_if_range(server, condition, status):
    assert conditional(server, Range="bytes=0-9", If_Range=condition).status == status


def test_a_range_of_head_is_ignored_or_answered_without_body(server):
    with server.connect() as connection:
        response = connection.get("/static/file.txt", method="HEAD", headers=["Range: bytes=0-9"])
        assert response.status in {200, 206}
        assert connection.get("/one").status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/static/../../secret.txt",
        "/static/../secret.txt",
        "/static/%2e%2e/secret.txt",
        "/static/..%2fsecret.txt",
        "/static/%2e%2e%2fsecret.txt",
        "/static/..%5csecret.txt",
        "/static/.%2e/secret.txt",
        "/static//../secret.txt",
        "/static/%252e%252e/secret.txt",
        "/plain../secret.txt",
        "/static/....//secret.txt",
        "/folder/../../secret.txt",
        "/static/x/..%2f..%2fsecret.txt",
        "/static/page.html%00.txt",
        "//etc/passwd",
        "/static//etc/passwd",
        "/%2fetc/passwd",
    ],
)
def test_nothing_outside_the_folder(server, path):
    with server.connect() as connection:
        response = connection.get(path)
    assert response.status in {400, 403, 404}
    assert b"secret" != response.body and b"root:" not in response.body


@pytest.mark.parametrize("path", ["/static/", "/plain/", "/folder/", "/"])
def test_directories_are_not_listed(server, path):
    response = server.get(path)
    assert response.status_code in {403, 404}
    assert "page.html" not in response.text


def test_a_directory_without_its_slash(server):
    response = server.get("/folder")
    assert response.status_code in {301, 403, 404}
    if response.status_code == 301:
        assert response.headers["location"].endswith("/folder/")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_files_are_not_written(server, method):
    response = server.client.request(method, "/static/file.txt", content=b"x")
    assert response.status_code == 405
    assert "GET" in response.headers["allow"]
    assert (server.tmp / "static/file.txt").read_bytes() == CONTENT


def test_a_device_or_pipe_is_not_served(server):
    os.mkfifo(server.tmp / "static/pipe.txt")
    assert server.get("/static/pipe.txt").status_code in {403, 404}


def test_an_unreadable_file_is_403(server):
    path = server.tmp / "static/unreadable.txt"
    path.write_bytes(b"x")
    path.chmod(0)
    # The superuser reads everything; everyone else is refused.
    assert server.get("/static/unreadable.txt").status_code == (200 if os.geteuid() == 0 else 403)


def test_a_large_file(server):
    data = os.urandom(1 << 16) * 160
    (server.tmp / "static/large.bin").write_bytes(data)
    response = server.get("/static/large.bin")
    assert response.content == data
    assert response.headers["content-length"] == str(len(data))


def test_without_any_python_in_the_configuration(serve):
    server = serve('DocumentRoot "@tmp@/root"', start=False, python_home=False)
    (server.tmp / "root").mkdir()
    (server.tmp / "root/file.txt").write_text("just files")
    server.start()
    assert server.get("/file.txt").text == "just files"


@pytest.fixture(scope="module")
def large(server):
    path = server.tmp / "static/large.bin"
    content = os.urandom(5_000_011)
    path.write_bytes(content)
    return path, content


def test_a_large_file_by_the_kernel(server, large):
    _, content = large
    with server.connect() as connection:
        # On one connection: what is left over of one response would be in the next.
        for _ in range(3):
            assert connection.get("/static/large.bin").body == content
            part = connection.get("/static/large.bin", headers=["Range: bytes=1000001-4000000"])
            assert (part.status, part.body == content[1_000_001:4_000_001]) == (206, True)
            assert connection.get("/static/file.txt").body == CONTENT
            parts = connection.get("/static/large.bin", headers=["Range: bytes=0-999999,2000000-2999999"])
            assert content[2_000_000:3_000_000] in parts.body


def test_large_files_in_a_pipeline(server, large):
    _, content = large
    with server.connect() as connection:
        for path in ("/static/large.bin", "/static/file.txt", "/static/large.bin"):
            connection.request(path)
        bodies = [connection.response().body for _ in range(3)]
    assert bodies[0] == bodies[2] == content and bodies[1] == CONTENT


def test_a_slow_reader_of_a_large_file(server, large):
    _, content = large
    with server.connect() as connection:
        connection.request("/static/large.bin")
        assert server.get("/static/file.txt").status_code == 200
        assert connection.response().body == content


def test_a_file_that_becomes_shorter_ends_the_connection(server, large):
    path = server.tmp / "static/shrinking.bin"
    # More than a socket takes by itself.
    path.write_bytes(b"x" * 64_000_000)
    with server.connect() as connection:
        connection.request("/static/shrinking.bin")
        connection.read_until(b"\r\n\r\n")
        os.truncate(path, 100)
        received = connection.read_to_end()
    assert len(received) < 64_000_000
    server.wait_for_log("became shorter while it was sent")
    assert server.get("/static/file.txt").status_code == 200
