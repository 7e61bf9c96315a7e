"""What is passed on, by Alula and by Debian's apache2, with the same directives: the back end sees the same, and so does the client.

Each case is a virtual host; `@back@` is the back end's URL, `@other@` a URL at which nobody listens.
"""
import json
import shutil

import pytest

from harness import apache
from harness.back_end import BackEnd
from harness.server import free_port

CASES = [
    ("ProxyPass / @back@/", ["/", "/a/b", "/a%20b", "/%7Ea", "/a//b", "/a/../b", "/a?q=1", "/a?", "/a?q=%20+%2F", "/%C3%A4", "/a%3Fb%23c%25d",
                             "/a%2Fb", "/a;b=c", "/a+b", "/!$&'()*,=:@", "/a%00b", "HEAD /a", "DELETE /a", "OPTIONS /a"]),
    ("ProxyPass /app @back@/x", ["/app", "/app/", "/app/a", "/apple", "/app?q", "/APP/a"]),
    ("ProxyPass /app/ @back@/", ["/app", "/app/", "/app/a", "//app/a"]),
    ("ProxyPass /app @back@", ["/app/a", "/app"]),
    ("ProxyPass /app/no !\nProxyPass /app @back@/x", ["/app/a", "/app/no", "/app/no/x", "/app/nope"]),
    ("ProxyPass /a @back@/first\nProxyPass /a/b @back@/second", ["/a/b", "/a/c"]),
    ("ProxyPass /main-more !\nProxyPass /own @back@/own", ["/main/x", "/own", "/main-more"]),
    ("ProxyPass /main @back@/own", ["/main/x"]),
    ("ProxyPassMatch ^/u/([^/]+)/(.*)$ @back@/$2/$1", ["/u/me/a", "/u/me/a%20b?q=1", "/u/me"]),
    ("ProxyPassMatch \\.gif$ @back@", ["/a.gif", "/x/a.gif?q", "/a.png"]),
    ("ProxyPassMatch ^/no !\nProxyPassMatch ^(/.*)$ @back@$1", ["/a", "/no", "/a%20b"]),
    ("AllowEncodedSlashes NoDecode\nProxyPass /a @back@/a nocanon", ["/a/x%2Fy", "/a/%7Eb", "/a/b%20c?d"]),
    ("AllowEncodedSlashes NoDecode\nProxyPass /a @back@/a", ["/a/x%2Fy", "/a/%7Eb"]),
    ("AllowEncodedSlashes On\nProxyPass /a @back@/a", ["/a/x%2Fy"]),
    ("<Location /loc>\nProxyPass @back@/l\n</Location>", ["/loc", "/loc/a", "/location"]),
    ("<Location /loc/>\nProxyPass @back@/l/\n</Location>\n<Location /loc/no>\nProxyPass !\n</Location>", ["/loc/a", "/loc/no", "/loc/nope"]),
    ("ProxyPass /loc @back@/server\n<Location /loc/in>\nProxyPass @back@/section\n</Location>", ["/loc/a", "/loc/in", "/loc/in/x"]),
    ("<LocationMatch ^/m/(.*)$>\nProxyPass @back@/matched/$1\n</LocationMatch>", ["/m/a", "/m/a%20b?q"]),
    ("Redirect /r http://x.example/\nAlias /r/alias /tmp\nProxyPass /r/p @back@/p", ["/r/p/a", "/r/x"]),
    ("ProxyPass /r @back@/r\n<Location /r/gone>\nRedirect gone\n</Location>", ["/r/a", "/r/gone"]),
    # Fields.
    ("ProxyPass / @back@/\nProxyPreserveHost On", ["/"]),
    ("ProxyPass / @back@/", [("/", ["X-Forwarded-For: 192.0.2.1", "X-Forwarded-Host: other", "X-Mine: 1"]),
                             ("/", ["X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 192.0.2.2"]),
                             ("/", ["Connection: X-Mine, close", "X-Mine: 1", "Keep-Alive: 5"]),
                             ("/", ["Upgrade: websocket", "Connection: upgrade"]), ("/", ["Via: 1.0 other"]),
                             ("/", ["Cookie: a=1", "Authorization: Basic eDp5"])]),
    ("ProxyPass / @back@/\nProxyAddHeaders Off", [("/", ["X-Forwarded-For: 192.0.2.1"])]),
    ("ProxyPass / @back@/\nProxyVia On", ["/", ("/", ["Via: 1.0 other"])]),
    ("ProxyPass / @back@/\nProxyVia Block", [("/", ["Via: 1.0 other"])]),
    ("ProxyPass / @back@/\nRequestHeader set X-Forwarded-Proto https\nHeader set X-Extra yes\nHeader unset X-Theirs", [("/", ["X-Forwarded-Proto: http"])]),
    # What comes back.
    ("ProxyPass /app/ @back@/in/\nProxyPassReverse /app/ @back@/in/", [
        ("/app/", [f"X-Location: {location}"]) for location in (
            "@back@/in/a?b", "@back@/out", "@back@/in/", "http://elsewhere.example/in/", "/in/a", "in/a")]),
    ("ProxyPass /app/ @back@/in/\nProxyPassReverse /app/ /in/", [
        ("/app/", [f"X-Location: {location}"]) for location in ("@back@/in/a?b", "/in/a", "/out")]),
    ("<Location /app/>\nProxyPass @back@/in/\nProxyPassReverse @back@/in/\n</Location>", [("/app/", ["X-Location: @back@/in/a"])]),
    ("ProxyPass / @back@/\nProxyPassReverse /a @back@/a\nProxyPassReverse / @back@/", [("/", ["X-Location: @back@/a/b"])]),
    ("ProxyPass / @back@/\nProxyPassReverseCookiePath /in /out\nProxyPassReverseCookieDomain in.example out.example", [
        ("/", [f"X-Cookie: {cookie}"]) for cookie in (
            "a=b; path=/in/x", "a=b; Path=/in; Domain=in.example; Secure", "a=b; path=/inner", "a=b; domain=.in.example", "a=b", "a=b; path=/x")]),
    ("ProxyPass / @back@/\nProxyErrorOverride On", [("/", ["X-Status: 404 Not"]), ("/", ["X-Status: 503 No"]), ("/", ["X-Status: 302 Found"])]),
    ("ProxyPass / @back@/\nProxyErrorOverride On 404", [("/", ["X-Status: 404 Not"]), ("/", ["X-Status: 503 No"])]),
    ("ProxyPass / @back@/", [("/", ["X-Status: 404 Not"]), ("/", ["X-Status: 299 Odd"]), ("/", ["X-Status: 204 None"])]),
    ("ProxyPass / @other@/", ["/", "/again"]),
    # Who may.
    ("ProxyPass / @back@/\n<Proxy @back@/no>\nRequire all denied\n</Proxy>", ["/", "/no", "/nope"]),
    ("ProxyPass / @back@/\n<Proxy *>\nOrder deny,allow\nDeny from all\n</Proxy>\n<Location /yes>\nAllow from all\n</Location>", ["/", "/yes"]),
    ("ProxyPass / @back@/\n<ProxyMatch /n.$>\nRequire all denied\n</ProxyMatch>", ["/", "/no", "/none"]),
    ("ProxyPass / @back@/\n<Location /no>\nRequire all denied\n</Location>", ["/no", "/yes"]),
    # Rules.
    ("RewriteEngine On\nRewriteRule ^/a/(.*)$ @back@/b/$1 [P]", ["/a/x", "/a/x?q=1", "/a/x%20y", "/a/%3F", "/b"]),
    ("RewriteEngine On\nRewriteRule ^/a/(.*)$ @back@/b/$1?x=1 [P,QSA]", ["/a/x?q=1", "/a/x"]),
    ("RewriteEngine On\nRewriteRule ^/a/(.*)$ @back@/b?x=$1 [P]", ["/a/y?q=1"]),
    ("RewriteEngine On\nRewriteRule ^/a/(.*)$ /main/$1 [PT]", ["/a/x?q=1"]),
    ("RewriteEngine On\nRewriteRule ^/a/(.*)$ @back@/b/$1 [P]\nRewriteRule ^ - [F]", ["/a/x", "/b"]),
    ("<Location /a>\nRewriteEngine On\nRewriteRule (.*)/x$ @back@/ruled [P]\n</Location>", ["/a/x?q", "/a/y"]),
]


def answer(exchange):
    shown = {"method": exchange.method, "target": exchange.target, "headers": sorted(exchange.headers), "body": exchange.body().decode()}
    headers = ["Content-Type: application/json", "X-Theirs: 1"]
    if location := exchange.one("X-Location"):
        headers.append(f"Location: {location}")
    if cookie := exchange.one("X-Cookie"):
        headers.append(f"Set-Cookie: {cookie}")
    status = exchange.one("X-Status") or ("302 Found" if location else "200 OK")
    if status.startswith("204"):
        exchange.send(f"HTTP/1.1 {status}\r\n\r\n")
    else:
        exchange.respond("" if exchange.method == "HEAD" else json.dumps(shown), status, headers)


@pytest.fixture(scope="module")
def both(serve_module):
    apache.program()
    site = apache.site_folder()
    (site / "index.html").write_text("the site\n")
    end = BackEnd(answer)
    config = "ProxyPass /main @back@/main\n"
    for number, (directives, _) in enumerate(CASES):
        config += f"<VirtualHost *:@port@>\nServerName case{number}.example\n{directives}\n</VirtualHost>\n"
    fill = {"@back@": end.url, "@other@": f"http://127.0.0.1:{free_port()}"}
    for name, value in fill.items():
        config = config.replace(name, value)
    theirs = apache.Apache(config, site)
    ours = serve_module(('DocumentRoot "@site@"\n<Directory "@site@">\nRequire all granted\n</Directory>\n' + config).replace("@site@", str(site)))
    yield ours, theirs, end
    theirs.stop()
    end.stop()
    shutil.rmtree(site)


def ask(server, end, number, question):
    target, headers = question if isinstance(question, tuple) else (question, [])
    method = "GET"
    if " " in target:
        method, target = target.split(" ", 1)
    host = f"case{number}.example"
    with server.connect() as connection:
        response = connection.get(target, method=method, headers=[header.replace("@back@", end.url) for header in headers], host=host)
    port = str(server.port)
    location = (response.one("Location") or "").replace(f"http://{host}:{port}", "").replace(f"http://{host}", "")
    shown = {"status": response.status, "location": location, "cookies": response.all("Set-Cookie"),
             "extra": response.one("X-Extra"), "theirs": response.one("X-Theirs"), "via": (response.one("Via") or "").replace(port, "PORT")}
    if response.one("Content-Type") == "application/json" and response.body:
        seen = json.loads(response.body)
        # Connections are kept or not as each server thinks best.
        fields = {name.lower(): value.replace(port, "PORT") for name, value in seen["headers"] if name.lower() != "connection"}
        shown["seen"] = (seen["method"], seen["target"], fields)
    return shown


@pytest.mark.parametrize("number", range(len(CASES)), ids=[case[0].replace("\n", " ")[:60] for case in CASES])
def test_the_same_is_passed_on(both, number):
    ours, theirs, end = both
    directives, questions = CASES[number]
    for question in questions:
        expected, found = ask(theirs, end, number, question), ask(ours, end, number, question)
        assert found == expected, f"{question} with\n{directives}"
