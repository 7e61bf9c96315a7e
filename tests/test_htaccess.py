"""`.htaccess` files: where they are looked for, what they change, and when a change of one is seen."""
import os

import pytest

from harness import waiting

CONFIG = """
DocumentRoot "@tmp@/tree"
Alias /aliased "@tmp@/tree/open"
WSGIScriptAlias /app "@apps@/hello/app.py"
<Directory "@tmp@/tree">
    AllowOverride None
    Header set X-From server
</Directory>
<Directory "@tmp@/tree/open">
    AllowOverride All
</Directory>
<Directory "@tmp@/tree/open/deep/fixed">
    Header set X-From fixed
</Directory>
<Directory "@tmp@/tree/some">
    AllowOverride Indexes
</Directory>
<Location /open/located>
    Header set X-From location
</Location>
"""

FILES = {
    "closed/.htaccess": "This is not read",
    "closed/a.html": "",
    "open/.htaccess": "Header set X-From open\nOptions +Indexes\n<Files secret*>\nRequire all denied\n</Files>",
    "open/a.html": "a",
    "open/secret.html": "",
    "open/deep/.htaccess": "Header set X-From deep\nErrorDocument 404 deep\nDirectoryIndex b.html",
    "open/deep/b.html": "b",
    "open/deep/er/c.html": "c",
    "open/deep/fixed/d.html": "d",
    "open/located/.htaccess": "Header set X-From here",
    "open/located/e.html": "e",
    "open/denied/.htaccess": "Require all denied",
    "open/denied/index.html": "",
    "open/old/.htaccess": "Order deny,allow\nDeny from all",
    "open/old/f.html": "",
    "open/moved/.htaccess": "Redirect 301 /open/moved https://example.org/new",
    "open/types/.htaccess": "AddType text/x-own .own\nAddDefaultCharset utf-8",
    "open/types/a.own": "",
    "open/list/x": "",
    "open/list/hidden/.htaccess": "Require all denied",
    "open/broken/.htaccess": "# one\nNonsense On",
    "open/broken/g.html": "",
    "some/.htaccess": "DirectoryIndex h.html",
    "some/h.html": "h",
    "some/wrong/.htaccess": "AddType text/x-own .own",
    "some/wrong/i.html": "",
}


@pytest.fixture(scope="module")
def server(serve_module):
    server = serve_module(CONFIG, start=False)
    for name, content in FILES.items():
        path = server.tmp / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return server.start()


@pytest.mark.parametrize(
    ("path", "status", "origin"),
    [
        ("/closed/a.html", 200, "server"),
        ("/open/a.html", 200, "open"),
        ("/aliased/a.html", 200, "open"),
        ("/open/deep/b.html", 200, "deep"),
        ("/open/deep/", 200, "deep"),
        ("/open/deep/er/c.html", 200, "deep"),
        ("/open/deep/fixed/d.html", 200, "fixed"),
        ("/open/located/e.html", 200, "location"),
        ("/open/secret.html", 403, None),
        ("/open/denied/", 403, None),
        ("/open/denied", 403, None),
        ("/open/denied/index.html", 403, None),
        ("/open/old/f.html", 403, None),
        ("/some/", 200, "server"),
    ],
)
def test_what_a_file_says_counts_below_it(server, path, status, origin):
    response = server.get(path)
    assert response.status_code == status
    assert origin is None or response.headers["x-from"] == origin


def test_other_directives(server):
    assert server.get("/open/deep/none").text == "deep"
    moved = server.get("/open/moved/x?q=1")
    assert (moved.status_code, moved.headers["location"]) == (301, "https://example.org/new/x?q=1")
    assert server.get("/open/types/a.own").headers["content-type"] == "text/x-own"


def test_a_listing_leaves_out_what_a_file_closes(server):
    assert [part.split('"')[0] for part in server.get("/open/list/").text.split('href="')[1:]] == ["../", "x"]


@pytest.mark.parametrize(
    ("path", "fact"),
    [
        ("/open/broken/g.html", r"open/broken/\.htaccess:2:1: invalid command \"Nonsense\""),
        ("/some/wrong/i.html", r"some/wrong/\.htaccess:1:1: AddType not allowed here"),
    ],
)
def test_a_mistake_is_a_500_and_a_line_in_the_log(server, path, fact):
    assert server.get(path).status_code == 500
    server.wait_for_log(fact)
    assert server.get("/open/a.html").status_code == 200


def test_a_change_is_seen(server):
    folder = server.tmp / "tree/open/changing"
    folder.mkdir()
    (folder / "j.html").write_text("j")
    origin = lambda: server.get("/open/changing/j.html").headers["x-from"]  # noqa: E731
    assert origin() == "open"
    for number in range(3):
        (folder / ".htaccess").write_text(f"Header set X-From {number}")
        waiting.until(lambda: origin() == str(number), "the change to be seen")
    os.remove(folder / ".htaccess")
    waiting.until(lambda: origin() == "open", "the file's absence to be seen")


def test_who_may_is_asked_of_a_file(serve):
    server = serve("""
        DocumentRoot "@tmp@/tree"
        AccessFileName .settings
        <Directory "@tmp@/tree">
            AllowOverride AuthConfig
        </Directory>
    """, start=False)
    (server.tmp / "tree").mkdir()
    (server.tmp / "tree/a.txt").write_text("a")
    (server.tmp / "users").write_text("me:{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=\n")  # "test"
    lines = f'AuthType Basic\nAuthName here\nAuthUserFile "{server.tmp}/users"\nRequire valid-user\n'
    (server.tmp / "tree/.settings").write_text(lines)
    server.start()
    assert server.get("/a.txt").status_code == 401
    assert server.get("/a.txt", auth=("me", "test")).text == "a"
