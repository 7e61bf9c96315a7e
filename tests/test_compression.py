"""Compression on the fly, and files that lie packed beside their originals."""
import gzip
import os
import shutil
import subprocess
import urllib.parse
import zlib

import pytest

CONFIG = """
DocumentRoot "@tmp@/tree"
AddType text/x-big .big
AddOutputFilterByType BROTLI_COMPRESS;ZSTD;DEFLATE text/html text/css text/x-big
AddOutputFilter DEFLATE .log
WSGIScriptAlias /app "@apps@/packing/app.py"
<Location /app/off>
    SetEnv no-gzip 1
</Location>
<Location /app/everything>
    SetOutputFilter DEFLATE
</Location>
<Directory "@tmp@/tree/packed">
    PrecompressedFiles On
</Directory>
"""
CSS = b"body { color: black }\n" * 100
BIG = bytes(range(256)) * 4000
OLD, NEW = 1_600_000_000, 1_700_000_000


@pytest.fixture(scope="module")
def server(serve_module):
    server = serve_module(CONFIG, start=False)
    tree = server.tmp / "tree"
    (tree / "packed").mkdir(parents=True)
    files = {
        "a.css": CSS,
        "tiny.css": b"x" * 199,
        "a.big": BIG,
        "a.png": CSS,
        "a.log": CSS,
        "packed/a.css": CSS,
        "packed/a.css.gz": gzip.compress(CSS),
        "packed/a.css.br": b"brotli",
        "packed/stale.css": CSS,
        "packed/stale.css.gz": b"stale",
        "packed/b.txt.gz": b"only packed",
        "packed/b.txt": b"b",
    }
    for name, content in files.items():
        (tree / name).write_bytes(content)
        os.utime(tree / name, (NEW, NEW))
    os.utime(tree / "packed/stale.css.gz", (OLD, OLD))
    return server.start()


def get(server, path, accept=None, **options):
    headers = [f"Accept-Encoding: {accept}"] if accept is not None else []
    with server.connect() as connection:
        return connection.get(path, headers=[*headers, *options.pop("headers", [])], **options)


def unpack(response):
    coding = response.one("Content-Encoding")
    if coding == "gzip":
        return gzip.decompress(response.body)
    tool = shutil.which({"br": "brotli", "zstd": "zstd"}[coding])
    if tool is None:
        return None
    return subprocess.run([tool, "-dc"], input=response.body, capture_output=True, check=True).stdout


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        ("gzip", "gzip"),
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, zstd", "zstd"),
        ("br;q=0.1, gzip;q=0.9", "gzip"),
        ("br;q=0, *", "zstd"),
        ("identity", None),
        ("", None),
        (None, None),
    ],
)
def test_the_client_chooses(server, accept, coding):
    for path in ("/a.css", "/app/x"):
        response = get(server, path, accept)
        assert (response.status, response.one("Content-Encoding")) == (200, coding)
        assert response.all("Vary") == ["Accept-Encoding"]
        if coding:
            assert int(response.one("Content-Length")) == len(response.body) < 1000
            content = unpack(response)
            assert content is None or content == get(server, path).body


@pytest.mark.parametrize(
    "query",
    [
        {"type": "image/png"},
        {"length": "199"},
        {"Content-Encoding": "gzip"},
        {"Cache-Control": "private, no-transform"},
        {"Content-Range": "bytes 0-4999/6000", "status": "206 Partial Content"},
    ],
)
def test_what_stays_as_it_is(server, query):
    path = "/app/x?" + urllib.parse.urlencode(query)
    response, plain = get(server, path, "gzip"), get(server, path)
    assert (response.one("Content-Encoding"), response.body) == (query.get("Content-Encoding"), plain.body)
    assert response.one("Vary") is None


def test_files_that_stay_as_they_are(server):
    for path in ("/tiny.css", "/a.png"):
        assert get(server, path, "gzip").one("Content-Encoding") is None
    assert get(server, "/a.log", "gzip, br").one("Content-Encoding") == "gzip"
    part = get(server, "/a.css", "gzip", headers=["Range: bytes=0-499"])
    assert (part.status, part.one("Content-Encoding"), part.body) == (206, None, CSS[:500])


def test_switched_off_and_on(server):
    assert get(server, "/app/off", "gzip").one("Content-Encoding") is None
    assert get(server, "/app/everything?type=image/png", "gzip, br").one("Content-Encoding") == "gzip"


def test_a_large_file_is_compressed_as_it_goes(server):
    response = get(server, "/a.big", "gzip")
    assert response.one("Transfer-Encoding") == "chunked"
    assert gzip.decompress(response.body) == BIG


def test_head_says_what_get_would(server):
    head = get(server, "/a.css", "gzip", method="HEAD")
    full = get(server, "/a.css", "gzip")
    assert (head.status, head.one("Content-Length"), head.body) == (200, None, b"")
    for name in ("Content-Encoding", "Vary", "ETag", "Content-Type", "Last-Modified"):
        assert head.one(name) == full.one(name)


def test_a_compressed_response_has_a_tag_of_its_own(server):
    plain = get(server, "/a.css").one("ETag")
    packed = get(server, "/a.css", "gzip").one("ETag")
    assert packed == plain[:-1] + '-gzip"'
    again = get(server, "/a.css", "gzip", headers=[f"If-None-Match: {packed}"])
    assert (again.status, again.one("ETag"), again.one("Vary")) == (304, packed, "Accept-Encoding")
    assert get(server, "/a.css", headers=[f"If-None-Match: {plain}"]).one("ETag") == plain
    path = "/app/x?" + urllib.parse.urlencode({"ETag": 'W/"t"'})
    assert get(server, path, "br").one("ETag") == 'W/"t-br"'
    again = get(server, path, "br", headers=['If-None-Match: W/"t-br"'])
    assert (again.status, again.one("ETag")) == (304, 'W/"t-br"')


def test_a_stream_is_not_held_back(server):
    with server.connect() as connection:
        connection.request("/app/x?stream=1", headers=["Accept-Encoding: gzip"])
        while b"\r\n\r\n" not in connection.buffer:
            connection._more("the head")
        connection.buffer = connection.buffer.split(b"\r\n\r\n", 1)[1]
        unpacker, seen = zlib.decompressobj(31), b""
        for chunk in connection.chunks():
            seen += unpacker.decompress(chunk)
            if seen.startswith(b"first more more"):
                break


def test_packed_files(server):
    response = get(server, "/packed/a.css", "gzip")
    assert gzip.decompress(response.body) == CSS
    described = [response.one(name) for name in ("Content-Encoding", "Content-Type", "Vary", "Content-Length")]
    assert described == ["gzip", "text/css", "Accept-Encoding", str(len(response.body))]
    assert response.one("ETag") != get(server, "/packed/a.css").one("ETag")
    again = get(server, "/packed/a.css", "gzip", headers=[f"If-None-Match: {response.one('ETag')}"])
    assert (again.status, again.one("Vary")) == (304, "Accept-Encoding")
    assert get(server, "/packed/a.css", "gzip, br").body == b"brotli"
    assert get(server, "/packed/a.css", "gzip, br;q=0.5").one("Content-Encoding") == "gzip"
    plain = get(server, "/packed/a.css")
    assert (plain.one("Content-Encoding"), plain.body, plain.one("Vary")) == (None, CSS, "Accept-Encoding")
    part = get(server, "/packed/a.css", "br", headers=["Range: bytes=1-2"])
    assert (part.status, part.body, part.one("Content-Range")) == (206, b"ro", "bytes 1-2/6")
    assert gzip.decompress(get(server, "/packed/stale.css", "gzip").body) == CSS
    assert get(server, "/packed/a.css.gz", "gzip").one("Content-Encoding") is None
