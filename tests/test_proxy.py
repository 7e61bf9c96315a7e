"""Requests passed on to back ends: where to, with which fields, and what becomes of content on the way."""
import base64
import hashlib
import json
import os
import socket
import subprocess
import threading

import h2.events
import pytest

from harness import http2, raw, tls, venvs, waiting
from harness.back_end import BackEnd, echo
from harness.server import free_port

HELLO = 'WSGIScriptAlias / "@apps@/hello/app.py"\n'


@pytest.fixture
def back_end():
    """Makes back ends, and stops them."""
    made = []

    def make(answer=echo, **options):
        made.append(BackEnd(answer, **options))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def seen(response):
    """What the back end saw, where it echoes; a dictionary of its fields in lower case."""
    shown = json.loads(response.body if isinstance(response, raw.Response) else response.content)
    fields = {}
    for name, value in shown["headers"]:
        fields.setdefault(name.lower(), []).append(value)
    return shown, fields


def test_a_request_and_its_response(serve, back_end):
    end = back_end()
    server = serve(f"ProxyPass /app/ {end.url}/inner/\n" + HELLO)
    with server.connect() as connection:
        response = connection.get("/app/a%20b/%C3%A4?q=1&r=%20", headers=["X-Mine: 1", "Accept: text/html"])
    shown, fields = seen(response)
    assert (response.status, response.one("Content-Type")) == (200, "application/json")
    assert (shown["method"], shown["target"]) == ("GET", "/inner/a%20b/%C3%A4?q=1&r=%20")
    assert fields["host"] == [f"127.0.0.1:{end.port}"]
    assert (fields["x-mine"], fields["accept"]) == (["1"], ["text/html"])
    assert fields["x-forwarded-for"] == ["127.0.0.1"]
    assert (fields["x-forwarded-host"], fields["x-forwarded-server"]) == (["localhost"], ["localhost"])
    # Everything else is Python's.
    assert server.get("/app").text == "Hello, world\n"


def test_connections_are_kept(serve, back_end):
    end = back_end()
    server = serve(f"ProxyPass / {end.url}/\n")
    for number in range(5):
        assert seen(server.get(f"/{number}"))[0]["target"] == f"/{number}"
        assert seen(server.post(f"/{number}", content=b"x" * 1000))[0]["body"] == "x" * 1000
    assert end.connections == 1


def test_connections_are_not_kept(serve, back_end):
    end = back_end()
    server = serve(f"ProxyPass /a {end.url}/ disablereuse=On\nProxyPass /b {end.url}/\n"
                   "<Location /b>\nSetEnv proxy-nokeepalive 1\n</Location>\n")
    for path in ("/a", "/b", "/a", "/b"):
        assert seen(server.get(path))[1]["connection"] == ["close"]
    assert end.connections == 4


def test_fields_of_a_connection_stay_with_it(serve, back_end):
    def answer(exchange):
        exchange.respond("x", headers=["Connection: X-Theirs, keep-alive", "X-Theirs: 1", "Keep-Alive: timeout=5", "X-Kept: 1",
                                       "Proxy-Authenticate: Basic", "Upgrade: h2c"])

    end = back_end(answer)
    server = serve(f"ProxyPass / {end.url}/\n")
    with server.connect() as connection:
        response = connection.get("/", headers=[
            "Connection: X-Mine, Host, Content-Length, keep-alive", "X-Mine: 1", "Keep-Alive: timeout=5", "TE: trailers", "Trailer: X-T",
            "Upgrade: h2c", "Proxy-Authorization: Basic x", "Proxy-Connection: keep-alive", "X-Other: 1"], method="POST", body=b"abc")
    request = end.requests[0]
    for name in ("X-Mine", "Keep-Alive", "TE", "Trailer", "Upgrade", "Proxy-Authorization", "Proxy-Connection", "Connection"):
        assert request.one(name) is None, name
    assert (request.one("X-Other"), request.one("Content-Length")) == ("1", "3")
    assert request.one("Host") == f"127.0.0.1:{end.port}"
    for name in ("X-Theirs", "Keep-Alive", "Proxy-Authenticate", "Upgrade", "Connection"):
        assert response.one(name) is None, name
    assert response.one("X-Kept") == "1"


@pytest.mark.parametrize(("value", "expected"), [("inside", "inside"), ("expr=%{REQUEST_METHOD}", "GET")])
def test_a_client_cannot_take_out_what_the_configuration_says(serve, back_end, value, expected):
    end = back_end()
    server = serve(f'ProxyPass / {end.url}/\nRequestHeader set X-Zone "{value}"\n')
    with server.connect() as connection:
        _, fields = seen(connection.get("/", headers=["Connection: X-Zone, X-Own", "X-Own: 1", "X-Zone: outside"]))
    assert fields["x-zone"] == [expected] and "x-own" not in fields


def test_the_back_end_is_told_by_rules(serve, back_end):
    end = back_end()
    server = serve(f"""
ProxyVia On
ProxyPass / {end.url}/
<Location />
    RequestHeader set X-Forwarded-Proto https
    RequestHeader unset X-Secret
    Header set X-Added yes
</Location>
<Location /host>
    ProxyPreserveHost On
</Location>
<Location /quiet>
    ProxyAddHeaders Off
</Location>
""")
    with server.connect() as connection:
        response = connection.get("/", headers=["X-Secret: 1", "X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 192.0.2.2", "Via: 1.0 other"])
        shown, fields = seen(response)
        assert fields["x-forwarded-for"] == ["192.0.2.1, 192.0.2.2, 127.0.0.1"]
        assert fields["via"] == ["1.0 other, 1.1 localhost"]
        assert response.one("Via") == "1.1 localhost"
        assert (fields["x-forwarded-proto"], "x-secret" in fields, response.one("X-Added")) == (["https"], False, "yes")
        assert seen(connection.get("/host", host="site.example:8000"))[1]["host"] == ["site.example:8000"]
        assert "x-forwarded-for" not in seen(connection.get("/quiet"))[1]


def test_where_a_path_leads(serve, back_end):
    end = back_end()
    server = serve(f"""
DocumentRoot "@tmp@"
<Directory "@tmp@">
    Require all granted
</Directory>
Alias /aliased "@tmp@/"
Redirect /moved /elsewhere
ProxyPass /app/static !
ProxyPass /app {end.url}/x
ProxyPass /aliased/app {end.url}/aliased
ProxyPass /moved/app {end.url}/moved
ProxyPassMatch ^/u/([^/]+)/(.*)$ {end.url}/$2/of/$1
ProxyPassMatch \\.gif$ {end.url}
ProxyPass /raw {end.url}/raw nocanon
ProxyPass /bare {end.url}/bare noquery
<Location /loc/>
    ProxyPass {end.url}/loc/
</Location>
<Location /loc/here>
    ProxyPass !
</Location>
<LocationMatch "^/m/(.*)$">
    ProxyPass {end.url}/matched/$1
</LocationMatch>
""")
    (server.tmp / "page.txt").write_text("a page\n")

    def check(path, target):
        response = server.get(path)
        assert (response.status_code, seen(response)[0]["target"]) == (200, target), path

    with server.connect() as connection:
        assert seen(connection.get("/raw/a%7Eb%2Bc//d"))[0]["target"] == "/raw/a%7Eb%2Bc//d"
        # What could mean another path to somebody else is not passed on as it is.
        assert seen(connection.get("/raw/a/../b"))[0]["target"] == "/raw/b"
        assert connection.get("/raw/%2e%2e/app/../page.txt").body == b"a page\n"
    check("/app", "/x")
    check("/app/a//b", "/x/a/b")
    check("/app/%7Ea%3F%23%25", "/x/~a%3F%23%25")
    check("/aliased/app/1", "/aliased/1")
    check("/moved/app", "/moved")
    check("/u/me/a%20b", "/a%20b/of/me")
    check("/some/where.gif?x", "/some/where.gif?x")
    check("/bare/a?q=1", "/bare/a")
    check("/loc/a", "/loc/a")
    check("/m/1", "/matched/1")
    assert server.get("/aliased/page.txt").text == "a page\n"
    assert server.get("/moved/x").status_code == 302
    for path in ("/app/static/x", "/apple", "/loc/here", "/loc"):
        assert server.get(path).status_code == 404, path
    assert len([request for request in end.requests if "static" in request.target]) == 0


def test_a_virtual_host_has_the_main_server_s_lines_too(serve, back_end):
    end = back_end()
    server = serve(f"""
ProxyPass /main {end.url}/main
<VirtualHost *:@port@>
    ServerName one.example
    ProxyPass /own {end.url}/own
</VirtualHost>
<VirtualHost *:@port@>
    ServerName two.example
    ProxyPassInherit Off
    ProxyPass /own {end.url}/own
</VirtualHost>
""")
    statuses = {}
    for host in ("one.example", "two.example"):
        with server.connect() as connection:
            statuses[host] = [connection.get(path, host=host).status for path in ("/main", "/own", "/x")]
    assert statuses == {"one.example": [200, 200, 404], "two.example": [404, 200, 404]}


def test_access_rules(serve, back_end):
    end = back_end()
    server = serve(f"""
ProxyPass / {end.url}/
<Proxy *>
    Order deny,allow
    Deny from all
    Allow from 127.0.0.1
</Proxy>
<Proxy {end.url}/secret>
    Deny from 127.0.0.1
    Order allow,deny
</Proxy>
<Location /closed>
    Require all denied
</Location>
<If "%{{QUERY_STRING}} == 'no'">
    Require all denied
</If>
""")
    statuses = [server.get(path).status_code for path in ("/", "/secret/x", "/closed", "/a?no", "/a?yes")]
    assert statuses == [200, 403, 403, 403, 200]
    assert len(end.requests) == 2


def test_redirects_and_cookies_of_a_back_end_lead_here(serve, back_end):
    def answer(exchange):
        exchange.respond("", "302 Found", [f"Location: {exchange.one('X-Location')}", "Set-Cookie: a=1; Path=/inner/x; Domain=inner.example",
                                           "Set-Cookie: path=/inner/"])

    end = back_end(answer)
    server = serve(f"""
ProxyPass /app/ {end.url}/inner/
ProxyPassReverse /app/ {end.url}/inner/
ProxyPassReverseCookiePath /inner/ /app/
ProxyPassReverseCookieDomain inner.example example.org
""")

    def location(written):
        response = server.get("/app/", headers={"X-Location": written})
        assert response.headers.get_list("set-cookie") == ["a=1; Path=/app/; Domain=example.org", "path=/inner/"]
        return response.headers["location"]

    assert location(f"{end.url}/inner/a?b=1") == "/app/a?b=1"
    assert location(f"{end.url}/inner//evil.example") == "/app//evil.example"
    assert location(f"{end.url}/other") == f"{end.url}/other"
    assert location("https://elsewhere.example/") == "https://elsewhere.example/"


def test_a_request_s_content_goes_on_as_it_comes(serve, back_end):
    arrived = threading.Semaphore(0)
    pieces = []

    def answer(exchange):
        while piece := exchange.chunk():
            pieces.append(piece)
            arrived.release()
        exchange.respond("done")

    end = back_end(answer)
    server = serve(f"ProxyPass / {end.url}/\n")
    with server.connect() as connection:
        connection.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(3):
            connection.send(f"5\r\nabcd{number}\r\n")
            assert arrived.acquire(timeout=20)
        connection.send("0\r\n\r\n")
        assert connection.response().body == b"done"
        assert pieces == [b"abcd0", b"abcd1", b"abcd2"]
        # The connection goes on.
        connection.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n")
        assert connection.response().body == b"done"


def test_a_response_comes_as_it_is_made(serve, back_end):
    go = threading.Semaphore(0)

    def answer(exchange):
        exchange.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(3):
            exchange.send(f"2\r\n{number}\n\r\n")
            assert go.acquire(timeout=20)
        exchange.send("0\r\n\r\n")

    end = back_end(answer)
    server = serve(f"ProxyPass / {end.url}/\n")
    with server.connect() as connection:
        connection.request("/")
        connection.read_until(b"\r\n\r\n")
        chunks = connection.chunks()
        for number in range(3):
            assert next(chunks) == f"{number}\n".encode()
            go.release()
        assert list(chunks) == []


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_large_content_in_both_directions(serve, back_end, framing):
    content = os.urandom(1 << 16) * 200

    def answer(exchange):
        exchange.respond(exchange.body())

    end = back_end(answer)
    server = serve(f"ProxyPass / {end.url}/\n")
    parts = (content[at:at + 100_000] for at in range(0, len(content), 100_000))
    response = server.post("/", content=content if framing == "length" else parts)
    assert response.content == content
    assert end.requests[0].one("Content-Length") == (str(len(content)) if framing == "length" else None)


def test_content_over_the_limit(serve, back_end):
    def answer(exchange):
        exchange.body()
        exchange.respond("x")

    end = back_end(answer)
    server = serve(f"ProxyPass / {end.url}/\nLimitRequestBody 1000\n")
    assert server.post("/", content=b"x" * 1000).status_code == 200
    assert server.post("/", content=b"x" * 1001).status_code == 413
    with server.connect() as connection:
        connection.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + "100\r\n" + "x" * 256 + "\r\n")
        for _ in range(4):
            connection.send("100\r\n" + "x" * 256 + "\r\n")
        response = connection.response()
    assert (response.status, response.one("Connection")) == (413, "close")


def test_the_back_end_is_asked_before_the_client_sends(serve, back_end):
    def answer(exchange):
        assert exchange.one("Expect") == "100-continue"
        if exchange.target == "/refused":
            exchange.respond("", "401 Unauthorized", ["Connection: close"])
            return True
        exchange.send("HTTP/1.1 100 Continue\r\n\r\n")
        exchange.respond(exchange.body())

    end = back_end(answer)
    server = serve(f"ProxyPass / {end.url}/\n")
    with server.connect() as connection:
        connection.send("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        assert connection.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
        connection.send("abc")
        assert connection.response().body == b"abc"
        connection.send("POST /refused HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        assert connection.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 401 ")


def test_a_back_end_that_says_nothing_of_it_gets_the_content(serve, back_end):
    end = back_end(lambda exchange: exchange.respond(exchange.body()))
    server = serve(f"ProxyPass / {end.url}/\n<Location /own>\nProxy100Continue Off\n</Location>\n")
    for path, expect in (("/", "100-continue"), ("/own", None)):
        with server.connect() as connection:
            connection.send(f"POST {path} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
            assert connection.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
            connection.send("abc")
            assert connection.response().body == b"abc"
        assert end.requests[-1].one("Expect") == expect


def test_a_response_before_the_content_is_complete(serve, back_end):
    def answer(exchange):
        exchange.respond("enough", "413 Payload Too Large")

    end = back_end(answer)
    server = serve(f"ProxyPass / {end.url}/\n")
    with server.connect() as connection:
        connection.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nstart")
        response = connection.response()
        assert (response.status, response.body, response.one("Connection")) == (413, b"enough", "close")
    # That connection is not used again.
    assert server.get("/").status_code == 413
    assert end.connections == 2


def test_a_back_end_that_cannot_be_reached(serve, back_end):
    ports = [free_port(), free_port()]
    server = serve("".join(f"ProxyPass /{retry} http://127.0.0.1:{port}/ retry={retry}\n" for retry, port in zip((0, 60), ports)))
    assert [server.get(path).status_code for path in ("/0", "/60")] == [503, 503]
    server.wait_for_log("proxy.*127.0.0.1:.*refused", times=2)
    for port in ports:
        back_end(port=port)
    # It is tried at once, or left alone for a while.
    assert [server.get(path).status_code for path in ("/0", "/60")] == [200, 503]


@pytest.mark.parametrize("answer", ["", "nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\nHead", "HTTP/1.1 200 OK\r\nBad Name: x\r\n\r\n",
                                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
                                    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx"])
def test_what_is_no_response(serve, back_end, answer):
    def answers(exchange):
        exchange.send(answer)
        return True

    end = back_end(answers)
    server = serve(f"ProxyPass / {end.url}/\n")
    assert server.get("/").status_code == 502
    server.wait_for_log(r"proxy.*127\.0\.0\.1")


def test_a_silent_back_end(serve, back_end):
    def answer(exchange):
        if exchange.target == "/late":
            exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nstart")
        assert exchange.reader.read() == b""
        return True

    end = back_end(answer)
    server = serve(f"ProxyPass / {end.url}/ timeout=1\n")
    assert server.get("/").status_code == 504
    with server.connect() as connection:
        with pytest.raises(EOFError):
            connection.get("/late")


@pytest.mark.parametrize("start", ["Content-Length: 10\r\n\r\nstart", "Transfer-Encoding: chunked\r\n\r\n5\r\nstart\r\n"])
def test_a_response_that_ends_early_is_seen_to(serve, back_end, start):
    def answer(exchange):
        exchange.send(f"HTTP/1.1 200 OK\r\n{start}")
        return True

    end = back_end(answer)
    server = serve(f"ProxyPass / {end.url}/\n")
    with server.connect() as connection:
        with pytest.raises(EOFError):
            connection.get("/")


def test_a_kept_connection_that_the_back_end_has_closed(serve, back_end):
    """It closes the moment the second request arrives: nobody knows whether it was done."""
    served = set()

    def answer(exchange):
        if exchange.socket in served:
            return True
        served.add(exchange.socket)
        echo(exchange)

    end = back_end(answer)
    server = serve(f"ProxyPass / {end.url}/\n")
    assert [server.get("/").status_code for _ in range(4)] == [200] * 4
    assert end.connections == 4
    # What is not the same twice is not sent twice.
    assert server.post("/", content=b"x").status_code == 502
    assert len([request for request in end.requests if request.method == "POST"]) == 1


def test_a_back_end_is_restarted(serve, back_end):
    end = back_end()
    server = serve(f"ProxyPass / {end.url}/\n")
    assert server.get("/").status_code == 200
    end.stop()
    again = back_end(port=end.port)
    assert server.post("/", content=b"x").status_code == 200
    assert again.connections == 1


def test_the_client_leaves(serve, back_end):
    ended = threading.Event()

    def answer(exchange):
        exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        try:
            while True:
                exchange.send(b"x" * 10000)
        except OSError:
            ended.set()
            raise

    end = back_end(answer)
    server = serve(f"ProxyPass / {end.url}/\n")
    with server.connect() as connection:
        connection.request("/")
        connection.read_exactly(100_000)
    assert ended.wait(20)


def test_responses_without_content(serve, back_end):
    def answer(exchange):
        if exchange.method == "HEAD":
            length = "Content-Length: 5\r\n" if exchange.target == "/known" else "Transfer-Encoding: chunked\r\n"
            exchange.send(f"HTTP/1.1 200 OK\r\n{length}\r\n")
        else:
            exchange.send(f"HTTP/1.1 {exchange.target[1:]} Some reason\r\nETag: \"x\"\r\n\r\n")

    end = back_end(answer)
    server = serve(f"ProxyPass / {end.url}/\n")
    with server.connect() as connection:
        assert connection.get("/known", method="HEAD").one("Content-Length") == "5"
        assert connection.get("/unknown", method="HEAD").one("Content-Length") is None
        for status in (204, 304):
            response = connection.get(f"/{status}")
            assert (response.status, response.reason, response.one("ETag")) == (status, "Some reason", '"x"')
    assert end.connections == 1


def test_both_lengths_of_a_back_end(serve, back_end):
    def answer(exchange):
        exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n")
        return True

    end = back_end(answer)
    server = serve(f"ProxyPass / {end.url}/\n")
    with server.connect() as connection:
        response = connection.get("/")
    assert (response.body, response.one("Content-Length")) == (b"abcde", None)


def test_error_pages(serve, back_end):
    def answer(exchange):
        exchange.respond("theirs", exchange.target[1:].replace("/", " "), ["WWW-Authenticate: Basic realm=x"])

    end = back_end(answer)
    server = serve(f"""
ProxyPass /page !
ProxyPass / {end.url}/
DocumentRoot "@tmp@"
<Directory "@tmp@">
    Require all granted
</Directory>
ProxyErrorOverride On 404 401 503
ErrorDocument 404 /page.html
ErrorDocument 503 "not now"
""")
    (server.tmp / "page.html").write_text("ours")
    with server.connect() as connection:
        answers = [connection.get(target) for target in ("/404/Not", "/500/Error", "/200/OK", "/401/No", "/503/X")]
    assert [answer.status for answer in answers] == [404, 500, 200, 401, 503]
    assert answers[0].body == server.get("/404/Not").content
    assert (answers[1].body, answers[2].body, answers[4].body) == (b"theirs", b"theirs", b"not now")
    assert answers[3].one("WWW-Authenticate") == "Basic realm=x" and b"theirs" not in answers[3].body


def test_unix_sockets(serve, back_end, tmp_path):
    end = back_end(path=tmp_path / "app.sock")
    server = serve(f'ProxyPass / "unix:{tmp_path}/app.sock|http://app.example/in/"\nProxyPassReverse / http://app.example/in/\n')
    shown, fields = seen(server.get("/a?b"))
    assert (shown["target"], fields["host"]) == ("/in/a?b", ["app.example"])
    assert end.connections == 1


def test_rewrite_rules(serve, back_end):
    end = back_end()
    server = serve(f"""
DocumentRoot "@tmp@"
<Directory "@tmp@">
    Require all granted
    RewriteEngine On
    RewriteCond %{{REQUEST_FILENAME}} !-f
    RewriteRule ^dir/(.*)$ {end.url}/from-directory/$1 [P]
</Directory>
RewriteEngine On
RewriteRule ^/api/(.*)$ {end.url}/v1/$1?added=1 [P,QSA]
RewriteRule ^/plain/(.*) {end.url}/p/$1 [P,L]
RewriteRule ^/pt/(.*) /app/$1 [PT]
RewriteRule ^/wrong/(.*) http://$1/ [P]
ProxyPass /app {end.url}/app
<Location /plain/closed>
    Require all denied
</Location>
""")
    (server.tmp / "dir").mkdir()
    (server.tmp / "dir/file.txt").write_text("a file\n")

    def check(path, target):
        response = server.get(path)
        assert (response.status_code, seen(response)[0]["target"]) == (200, target), path

    check("/api/a%20b?q=1", "/v1/a%20b?added=1&q=1")
    check("/plain/a?q=%20", "/p/a?q=%20")
    check("/pt/a", "/app/a")
    check("/dir/none?q", "/from-directory/none?q")
    assert server.get("/dir/file.txt").text == "a file\n"
    assert server.get("/plain/closed").status_code == 403
    assert server.get("/wrong/user@host").status_code == 400
    assert server.post("/api/x", content=b"posted").json()["body"] == "posted"


def test_an_htaccess_file(serve, back_end):
    end = back_end()
    server = serve('DocumentRoot "@tmp@/site"\n<Directory "@tmp@/site">\nRequire all granted\nAllowOverride All\n</Directory>\n', start=False)
    (server.tmp / "site").mkdir()
    (server.tmp / "site/.htaccess").write_text(f"RewriteEngine On\nRewriteRule ^app/(.*)$ {end.url}/$1 [P]\n")
    server.start()
    assert seen(server.get("/app/x?y"))[0]["target"] == "/x?y"


def test_the_access_log(serve, back_end):
    end = back_end(lambda exchange: exchange.respond("12345", headers=["X-Theirs: t"]))
    server = serve(f'ProxyPass / {end.url}/\nLogFormat "%>s %B %R %{{X-Theirs}}o %f" proxied\nCustomLog "@tmp@/proxied.log" proxied\n')
    server.get("/a")
    log = server.tmp / "proxied.log"
    waiting.until(lambda: log.exists() and log.read_text(), "the line")
    assert log.read_text() == f"200 5 proxy-server t proxy:{end.url}/a\n"


def test_max_connections(serve, back_end):
    go = threading.Event()

    def answer(exchange):
        assert go.wait(20)
        exchange.respond("x")

    end = back_end(answer)
    server = serve(f"ProxyPass / {end.url}/ max=2 acquire=100\n")
    waiting_ones = [server.connect() for _ in range(2)]
    for connection in waiting_ones:
        connection.request("/")
    waiting.until(lambda: len(end.requests) == 2, "two requests")
    assert server.get("/").status_code == 503
    go.set()
    for connection in waiting_ones:
        assert connection.response().status == 200
        connection.close()
    assert server.get("/").status_code == 200
    assert end.connections == 2


# WebSockets and other upgrades.

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = base64.b64encode(hashlib.sha1((KEY + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
ASK = ["Connection: keep-alive, Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {KEY}"]


def frame(text, masked=True):
    data = text.encode()
    assert len(data) < 126
    if not masked:
        return bytes([0x81, len(data)]) + data
    mask = b"\x01\x02\x03\x04"
    return bytes([0x81, 0x80 | len(data)]) + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))


def websocket_echo(exchange):
    """Answers each text with the same in upper case, and ends when the client does."""
    if (exchange.one("Upgrade") or "").lower() != "websocket":
        exchange.respond("no websocket")
        return False
    assert exchange.one("Connection") == "Upgrade"
    accept = base64.b64encode(hashlib.sha1((exchange.one("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
    exchange.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  f"Sec-WebSocket-Accept: {accept}\r\n\r\n" + frame("hello", masked=False).decode("latin-1"))
    while head := exchange.reader.read(2):
        mask = exchange.reader.read(4)
        data = exchange.reader.read(head[1] & 0x7F)
        text = bytes(byte ^ mask[at % 4] for at, byte in enumerate(data)).decode()
        exchange.send(frame(text.upper(), masked=False))
    exchange.send(frame("bye", masked=False))
    return True


def converse(connection, texts=("one", "two")):
    connection.request("/ws/chat", headers=ASK)
    head = connection.read_until(b"\r\n\r\n")
    status, _, fields = raw.parse_head(head)
    fields = {name.lower(): value for name, value in fields}
    assert (status, fields["upgrade"].lower(), fields["connection"].lower()) == (101, "websocket", "upgrade")
    assert fields["sec-websocket-accept"] == ACCEPT
    assert connection.read_exactly(7) == frame("hello", masked=False)
    for text in texts:
        connection.send(frame(text))
        assert connection.read_exactly(2 + len(text)) == frame(text.upper(), masked=False)


@pytest.mark.parametrize("how", ["ProxyPass /ws/ ws://127.0.0.1:{port}/ws/\n", "ProxyPass /ws/ http://127.0.0.1:{port}/ws/ upgrade=websocket\n",
                                 "ProxyPass /ws/ http://127.0.0.1:{port}/ws/ upgrade=ANY\n",
                                 "RewriteEngine On\nRewriteCond %{{HTTP:Upgrade}} =websocket [NC]\nRewriteRule ^/ws/(.*) ws://127.0.0.1:{port}/ws/$1 [P]\n"
                                 "ProxyPass /ws/ http://127.0.0.1:{port}/ws/\n"])
def test_a_websocket(serve, back_end, how):
    end = back_end(websocket_echo)
    server = serve(how.format(port=end.port))
    with server.connect() as connection:
        converse(connection)
        # Both directions end on their own.
        connection.socket.shutdown(socket.SHUT_WR)
        assert connection.read_to_end() == frame("bye", masked=False)
    assert server.get("/ws/plain").text == "no websocket"


def test_a_websocket_over_tls(serve, back_end, tmp_path):
    authority = tls.Authority(tmp_path / "authority")
    authority.issue("local", "localhost")
    end = back_end(websocket_echo)
    folder = authority.folder
    server = serve(f'SSLEngine On\nSSLCertificateFile "{folder}/local.crt"\nSSLCertificateKeyFile "{folder}/local.key"\n'
                   f"ProxyPass /ws/ ws://127.0.0.1:{end.port}/ws/\n")
    with tls.Connection(server.port, authority.context()) as connection:
        converse(connection)
    waiting.until(lambda: not end.open, "the back end's connection to end")


def test_an_upgrade_that_no_rule_allows(serve, back_end):
    end = back_end(websocket_echo)
    server = serve(f"ProxyPass / {end.url}/\n")
    with server.connect() as connection:
        response = connection.get("/ws/chat", headers=ASK)
    assert (response.status, response.body) == (200, b"no websocket")


def test_a_back_end_that_wants_no_upgrade(serve, back_end):
    end = back_end(lambda exchange: exchange.respond("no", "400 Bad Request"))
    server = serve(f"ProxyPass / {end.url}/ upgrade=websocket\n")
    with server.connect() as connection:
        assert connection.get("/", headers=ASK).status == 400
        assert connection.get("/").status == 400


def test_websockets_last(serve, back_end):
    """`KeepAliveTimeout` and `Timeout` are for HTTP; `ProxyTimeout` is for them where it is written."""
    end = back_end(websocket_echo)
    server = serve(f"KeepAliveTimeout 1\nTimeout 1\nProxyPass /ws/ ws://127.0.0.1:{end.port}/ws/\n"
                   f"<VirtualHost *:@port@>\nServerName short.example\nProxyTimeout 1\nProxyPass /ws/ ws://127.0.0.1:{end.port}/ws/\n</VirtualHost>\n"
                   "<VirtualHost *:@port@>\nServerName localhost\n</VirtualHost>\n")
    with server.connect() as connection, server.connect() as other:
        converse(connection)
        other.request("/ws/chat", headers=ASK, host="short.example")
        other.read_until(b"hello")
        # This one ends for its silence, and the one that is as silent does not.
        assert other.read_to_end() in (b"", frame("bye", masked=False))
        connection.send(frame("still"))
        assert connection.read_exactly(7) == frame("STILL", masked=False)


def test_a_websocket_holds_no_python(serve, back_end):
    end = back_end(websocket_echo)
    server = serve(f"ProxyPass /ws/ ws://127.0.0.1:{end.port}/ws/\n" + HELLO)
    connections = [server.connect() for _ in range(20)]
    for connection in connections:
        converse(connection)
    assert server.get("/").text == "Hello, world\n"
    for connection in connections:
        connection.close()
    waiting.until(lambda: not end.open, "the back end's connections to end")


# HTTP/2 in front.

def test_http_2_in_front(serve, back_end):
    end = back_end()
    server = serve(f"Protocols h2c http/1.1\nProxyPass / {end.url}/\n")
    with http2.Connection(server.port) as connection:
        status, _, body = connection.get("/a?b", headers=[("cookie", "a=1"), ("cookie", "b=2"), ("te", "trailers")])
        shown = json.loads(body)
        fields = {name.lower(): value for name, value in shown["headers"]}
        assert (status, shown["target"], fields["cookie"]) == (200, "/a?b", "a=1; b=2")
        assert (fields["x-forwarded-host"], "te" in fields) == ("localhost", False)
        streams = [connection.request(f"/{number}", method="POST", body=b"x" * 5000) for number in range(10)]
        for number, stream in enumerate(streams):
            shown = json.loads(connection.response(stream)[2])
            assert (shown["target"], shown["body"]) == (f"/{number}", "x" * 5000)


def test_http_2_sees_a_response_end_early(serve, back_end):
    def answer(exchange):
        exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nstart")
        return True

    end = back_end(answer)
    server = serve(f"Protocols h2c http/1.1\nProxyPass / {end.url}/\n")
    with http2.Connection(server.port) as connection:
        stream = connection.request("/")
        assert connection.wait(h2.events.StreamReset, stream)


# With Python beside it.

def test_python_beside_it(serve, back_end):
    end = back_end()
    server = serve(f"""
ProxyPass /node/ {end.url}/
<Location /node/>
    SetHandler python-program
    PythonHandler handlers::first
    PythonPath "['@apps@/modpython_handlers'] + sys.path"
</Location>
{HELLO}
""")
    assert seen(server.get("/node/x"))[0]["target"] == "/x"
    assert server.get("/other").text == "Hello, world\n"


def test_a_back_end_that_is_alula(serve):
    inner = serve(HELLO + 'WSGIScriptAlias /body "@apps@/body/app.py"\n')
    outer = serve(f"ProxyPass / {inner.url}/\n")
    for _ in range(3):
        assert outer.get("/").text == "Hello, world\n"


# What happens at the edges.

def test_pipelined_requests(serve, back_end):
    end = back_end()
    server = serve(f"ProxyPass / {end.url}/\n")
    with server.connect() as connection:
        connection.send("POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
                        "GET /2 HTTP/1.1\r\nHost: x\r\n\r\n"
                        "POST /3 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ndef\r\n0\r\n\r\n"
                        "GET /4 HTTP/1.1\r\nHost: x\r\n\r\n")
        shown = [seen(connection.response())[0] for _ in range(4)]
    assert [one["target"] for one in shown] == ["/1", "/2", "/3", "/4"]
    assert [one["body"] for one in shown] == ["abc", "", "def", ""]


def test_a_request_with_both_lengths_goes_nowhere(serve, back_end):
    end = back_end()
    server = serve(f"ProxyPass / {end.url}/\n")
    with server.connect() as connection:
        connection.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
        assert connection.response().status == 400
    assert end.requests == []


def test_the_client_leaves_before_the_response(serve, back_end):
    ended = threading.Event()

    def answer(exchange):
        assert exchange.reader.read() == b""
        ended.set()
        return True

    end = back_end(answer)
    server = serve(f"ProxyPass / {end.url}/\n")
    with server.connect() as connection:
        connection.request("/")
        waiting.until(lambda: end.requests, "the request")
    assert ended.wait(20)


def test_the_client_leaves_in_the_middle_of_its_content(serve, back_end):
    ended = threading.Event()

    def answer(exchange):
        assert exchange.reader.read() == b"start"
        ended.set()
        return True

    end = back_end(answer)
    server = serve(f"ProxyPass / {end.url}/\n")
    with server.connect() as connection:
        connection.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nstart")
        waiting.until(lambda: end.requests, "the request")
    assert ended.wait(20)


def test_compression(serve, back_end):
    def answer(exchange):
        packed = exchange.target == "/packed"
        exchange.respond("x" * 5000, headers=["Content-Type: text/html"] + ["Content-Encoding: br"] * packed)

    end = back_end(answer)
    server = serve(f"ProxyPass / {end.url}/\nAddOutputFilterByType DEFLATE text/html\n")
    response = server.get("/", headers={"Accept-Encoding": "gzip"})
    assert (response.headers["content-encoding"], response.text) == ("gzip", "x" * 5000)
    with server.connect() as connection:
        response = connection.get("/packed", headers=["Accept-Encoding: gzip"])
    assert (response.one("Content-Encoding"), response.body) == ("br", b"x" * 5000)


def test_a_websocket_outlives_a_graceful_restart(serve, back_end):
    end = back_end(websocket_echo)
    server = serve(f"ProxyPass /ws/ ws://127.0.0.1:{end.port}/ws/\n" + HELLO)
    with server.connect() as connection:
        converse(connection)
        subprocess.run([venvs.BINARY, "-f", server.config, "-k", "graceful"], check=True, env=server.environment)
        with server.connect() as other:
            converse(other)
        connection.send(frame("still"))
        assert connection.read_exactly(7) == frame("STILL", masked=False)


def test_early_hints_and_an_old_back_end(serve, back_end):
    def answer(exchange):
        if exchange.target == "/hints":
            exchange.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
            exchange.respond("after")
            return False
        exchange.send("HTTP/1.0 200 OK\r\n\r\nup to the end")
        return True

    end = back_end(answer)
    server = serve(f"ProxyPass / {end.url}/\n")
    assert server.get("/hints").text == "after"
    with server.connect() as connection:
        for _ in range(2):
            response = connection.get("/old")
            assert (response.head.startswith(b"HTTP/1.1 200 "), response.body) == (True, b"up to the end")


def test_explain(serve, back_end):
    server = serve("ProxyPass /app http://localhost:8001/inner\n", start=False)
    said = subprocess.run([venvs.BINARY, "explain", "-f", server.config, f"http://localhost:{server.port}/app/x"], capture_output=True,
                          text=True, env=server.environment, check=True).stdout
    assert "the back end, asked for http://localhost:8001/inner/x" in said
