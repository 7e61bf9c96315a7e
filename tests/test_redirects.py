"""Redirect and its kin, and AliasMatch: where a URL leads instead."""
import pytest

CONFIG = r"""
DocumentRoot "@tmp@/site"
Alias /static "@tmp@/site/files"
AliasMatch "^/v(\d+)/(.*)$" "@tmp@/site/files/$2"
AliasMatch "^/climb/(.*)x(.*)$" "@tmp@/site/files/.$1./secret.txt"
Redirect /r http://other.example/new
Redirect permanent /permanent https://other.example/
Redirect seeother /see /here
Redirect 307 /slash http://other.example/
Redirect gone /gone
Redirect 404 /static/hidden
RedirectMatch 301 "^/blog/(\d+)/(.*)$" "/posts/$1?page=$2"
RedirectMatch "^/to/(.*)$" "$1"
RedirectPermanent /p /q
RedirectTemp /t /u
Redirect /r/never http://never.example/
<Location "/locked">
    Require all denied
</Location>
Redirect /locked/but /open
<Location "/section">
    Redirect permanent https://section.example/exactly
</Location>
<Location "/denied-section">
    Require all denied
    Redirect /denied-section /elsewhere
</Location>
<Directory "@tmp@/site/files">
    RedirectMatch "\.old$" /files/new.txt
</Directory>
WSGIScriptAlias /app "@apps@/hello/app.py"
<Location "/app">
    RedirectMatch "^/app/old$" /app/new
</Location>
<VirtualHost *:@port@>
    ServerName main.example
</VirtualHost>
<VirtualHost *:@port@>
    ServerName own.example
    Redirect /r http://own.example/mine
</VirtualHost>
"""


@pytest.fixture(scope="module")
def server(serve_module):
    server = serve_module(CONFIG, start=False)
    (server.tmp / "site/files").mkdir(parents=True)
    (server.tmp / "site/secret.txt").write_text("secret")
    for name in ("a.txt", "hidden", "x.old"):
        (server.tmp / "site/files" / name).write_text(name)
    return server.start()


def ask(server, path, host="main.example"):
    response = server.get(path, headers={"Host": host})
    return response.status_code, response.headers.get("location")


@pytest.mark.parametrize(
    ("path", "status", "location"),
    [
        ("/r", 302, "http://other.example/new"),
        ("/r/a%20b", 302, "http://other.example/new/a%20b"),
        ("/r?q=1&r=%20", 302, "http://other.example/new?q=1&r=%20"),
        ("/r/never", 302, "http://other.example/new/never"),
        ("/permanent/x", 301, "https://other.example//x"),
        ("/see", 303, "http://main.example/here"),
        ("/slash/q", 307, "http://other.example//q"),
        ("/gone/for/good", 410, None),
        ("/blog/7/a%0d%0ab", 301, "http://main.example/posts/7?page=a%0D%0Ab"),
        ("/blog/7/x?q", 301, "http://main.example/posts/7?page=x"),
        ("/to/https:%2F%2Fx", 404, None),
        ("/to/neither", 500, None),
        ("/p", 301, "http://main.example/q"),
        ("/t", 302, "http://main.example/u"),
        # A redirect comes before aliases, and outside sections before access control.
        ("/static/hidden", 404, None),
        ("/locked/but/not", 302, "http://main.example/open/not"),
        ("/locked/x", 403, None),
        ("/section/any/thing?q", 301, "https://section.example/exactly?q"),
        ("/denied-section", 403, None),
        ("/static/x.old", 302, "http://main.example/files/new.txt"),
        ("/app/old", 302, "http://main.example/app/new"),
        ("/rr", 404, None),
    ],
)
def test_where_to(server, path, status, location):
    assert ask(server, path) == (status, location)


def test_the_port_is_the_one_asked_for(server):
    assert ask(server, "/see", "main.example:8080") == (303, "http://main.example:8080/here")
    assert ask(server, "/see", "main.example:80") == (303, "http://main.example/here")


def test_a_virtual_host_s_own_come_first(server):
    assert ask(server, "/r", "own.example") == (302, "http://own.example/mine")
    assert ask(server, "/see", "own.example") == (303, "http://own.example/here")


def test_without_a_host_it_is_the_server_s_name(server):
    with server.connect() as connection:
        connection.send("GET /see HTTP/1.0\r\n\r\n")
        assert f"\r\nlocation: http://main.example:{server.port}/here\r\n".encode() in connection.read_to_end().lower()


def test_content_of_a_redirected_request_is_not_taken_for_the_next(server):
    response = server.post("/r", content=b"GET /gone HTTP/1.1\r\n\r\n", headers={"Host": "main.example"})
    assert (response.status_code, response.headers["connection"]) == (302, "close")


def test_alias_match(server):
    assert server.get("/v12/a.txt").text == "a.txt"
    assert server.get("/static/a.txt").text == "a.txt"
    assert server.get("/v/a.txt").status_code == 404


def test_alias_match_cannot_leave_its_directory(server):
    # `/climb/x` makes `site/files/../secret.txt`.
    assert server.get("/climb/x").status_code == 403
