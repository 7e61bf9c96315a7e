"""Which requests are passed on to back ends and where to, beside all else that a configuration says."""
import json
import subprocess

from harness import http2, venvs, waiting
from harness.back_end import seen

HELLO = 'WSGIScriptAlias / "@apps@/hello/app.py"\n'


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


def test_explain(serve, back_end):
    server = serve("ProxyPass /app http://localhost:8001/inner\n", start=False)
    said = subprocess.run([venvs.BINARY, "explain", "-f", server.config, f"http://localhost:{server.port}/app/x"], capture_output=True,
                          text=True, env=server.environment, check=True).stdout
    assert "the back end, asked for http://localhost:8001/inner/x" in said
