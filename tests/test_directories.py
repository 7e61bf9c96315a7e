"""A directory's URL: its index, its fallback, its listing (mod_dir and mod_autoindex)."""
import os

import pytest

CONFIG = """
DocumentRoot "@tmp@/tree"
DirectoryIndex index.html index.txt
Alias /aliased "@tmp@/tree/other"
<Files "secret*">
    Require all denied
</Files>
<Directory "@tmp@/tree/headers">
    <Files index.html>
        Header set X-Index yes
    </Files>
</Directory>
<Directory "@tmp@/tree/closed">
    DirectoryIndex secret.html
</Directory>
<Directory "@tmp@/tree/absolute">
    DirectoryIndex none.html /other/index.txt
</Directory>
<Directory "@tmp@/tree/redirected">
    DirectoryIndexRedirect seeother
</Directory>
<Directory "@tmp@/tree/disabled">
    DirectoryIndex disabled
</Directory>
<Directory "@tmp@/tree/noslash">
    DirectorySlash NotFound
</Directory>
<Directory "@tmp@/tree/fallback">
    FallbackResource /app/fallback
</Directory>
<Directory "@tmp@/tree/circle">
    DirectoryIndex /circle/deeper/
</Directory>
<Directory "@tmp@/tree/circle/deeper">
    DirectoryIndex /circle/
</Directory>
<Directory "@tmp@/tree/list">
    Options +Indexes
    DirectoryIndex disabled
    IndexIgnore *.bak
    HeaderName HEADER.html
    ReadmeName README
</Directory>
<Directory "@tmp@/tree/list/fancy">
    IndexOptions FancyIndexing FoldersFirst
    HeaderName none
    ReadmeName none
    AddDescription "the text" *.txt
</Directory>
WSGIScriptAlias /app "@apps@/environ/app.py"
"""

FILES = [
    "index.html",
    "headers/index.html",
    "other/index.txt",
    "closed/secret.html",
    "absolute/x",
    "redirected/index.html",
    "disabled/index.html",
    "noslash/index.html",
    "fallback/there.txt",
    "fallback/with/index.html",
    "circle/deeper/x",
    "empty/x",
    "list/a b&c.txt",
    "list/b.bak",
    "list/.hidden",
    "list/secret.txt",
    "list/folder/x",
    "list/HEADER.html",
    "list/README",
    "list/fancy/big.txt",
    "list/fancy/small.css",
    "list/fancy/d/x",
]


@pytest.fixture(scope="module")
def server(serve_module):
    server = serve_module(CONFIG, start=False)
    for name in FILES:
        path = server.tmp / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"<p>{name}</p>")
    (server.tmp / "tree/list/fancy/big.txt").write_bytes(b"x" * 5000)
    os.mkfifo(server.tmp / "tree/list/fifo")
    return server.start()


@pytest.mark.parametrize(
    ("path", "status", "content"),
    [
        ("/", 200, "<p>index.html</p>"),
        ("/other/", 200, "<p>other/index.txt</p>"),
        ("/aliased/", 200, "<p>other/index.txt</p>"),
        ("/absolute/", 200, "<p>other/index.txt</p>"),
        ("/disabled/", 403, None),
        ("/closed/", 403, None),
        ("/empty/", 403, None),
        ("/none/", 404, None),
        ("/noslash", 404, None),
        ("/noslash/", 200, "<p>noslash/index.html</p>"),
        ("/circle/", 500, None),
    ],
)
def test_index(server, path, status, content):
    response = server.get(path)
    assert response.status_code == status
    assert content is None or response.text == content


def test_an_index_has_the_settings_of_its_own_name(server):
    assert server.get("/headers/").headers["x-index"] == "yes"
    assert server.get("/headers/index.html").headers["x-index"] == "yes"


def test_an_index_may_be_a_redirect(server):
    response = server.get("/redirected/?q=1")
    assert (response.status_code, response.headers["location"]) == (303, "/redirected/index.html")


def test_a_fallback_answers_for_what_is_missing(server):
    environ = server.get("/fallback/none/at/all?q=1").json()
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/app", "/fallback")
    assert (environ["REQUEST_URI"], environ["QUERY_STRING"]) == ("/fallback/none/at/all?q=1", "q=1")
    assert server.get("/fallback/").json()["PATH_INFO"] == "/fallback"
    assert server.get("/fallback/there.txt").text == "<p>fallback/there.txt</p>"
    assert server.get("/fallback/with/").text == "<p>fallback/with/index.html</p>"
    assert server.post("/fallback/none", content=b"body").json()["CONTENT_LENGTH"] == "4"


def links(html):
    return [part.split('"')[0] for part in html.split('href="')[1:]]


def test_listing(server):
    response = server.get("/list/")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html;charset=UTF-8"
    assert links(response.text) == ["../", "HEADER.html", "README", "a%20b&amp;c.txt", "fancy/", "folder/"]
    assert "<p>list/HEADER.html</p>" in response.text
    assert "<pre>&lt;p&gt;list/README&lt;/p&gt;</pre>" in response.text
    assert "a b&amp;c.txt" in response.text
    with server.connect() as connection:
        head = connection.get("/list/", method="HEAD")
        assert head.one("Content-Length") == str(len(response.content))
        assert connection.get("/list/", method="POST").status == 405


def test_a_fancy_listing_is_sorted_as_the_client_wants(server):
    def order(query):
        return [link for link in links(server.get(f"/list/fancy/{query}").text) if link[0] not in "?."]

    assert order("") == ["d/", "big.txt", "small.css"]
    assert order("?C=S;O=A") == ["d/", "small.css", "big.txt"]
    assert order("?C=S;O=D") == ["d/", "big.txt", "small.css"]
    assert order("?C=N&O=D") == ["d/", "small.css", "big.txt"]
    assert order("?P=*.css") == ["small.css"]
    html = server.get("/list/fancy/").text
    assert "<td>4.9K</td><td>the text</td>" in html
    assert 'href="?C=N;O=D"' in html and 'href="?C=M;O=A"' in html
