"""SetEnvIf, <If>, expressions and rewrite rules, as an application and the log see them.

What these rules mean is compared with httpd's own answers in test_as_apache.py; here is what only Alula can be asked.
"""
import pytest

from harness import waiting

CONFIG = r"""
DocumentRoot "@tmp@/site"
SetEnvIf X-Forwarded-Proto ^https$ HTTPS=on
SetEnvIf X-Tag "(.+)" tag=$1
SetEnv fixed static
SetEnvIf X-Tag . fixed=dynamic HTTP_X_FAKE=no
RequestHeader set X-Seen "%{tag}e" env=tag
LogFormat "%m %U %{tag}e" tags
CustomLog "@tmp@/tagged.log" tags env=tag
CustomLog "@tmp@/failed.log" "%>s %U" "expr=%{REQUEST_STATUS} -ge 400"
RewriteEngine On
RewriteRule ^/plain/(.*)$ /app.wsgi/$1 [QSA,PT,L]
RewriteRule ^/named/(\w+)$ /app.wsgi/$1?name=$1 [PT,E=NAMED:$1]
RewriteRule ^/split(.*)$ /y$1 [R,NE]
WSGIScriptAlias /app.wsgi "@apps@/environ/app.py"
<Directory "@tmp@/site">
    RewriteRule ^inner/(.*)$ /app.wsgi/$1?inner=yes [QSA,E=way:inner]
</Directory>
<Location /secret>
    <If "%{QUERY_STRING} != 'open'">
        Require all denied
    </If>
</Location>
<Location /user>
    AuthType Basic
    AuthName "here"
    AuthUserFile "@tmp@/users"
    Require expr "%{REMOTE_USER} =~ /^(ann|bob)$/"
</Location>
<Location /app.wsgi/if>
    <If "%{HTTP:X-Tag} == 'set'">
        SetEnv from_if yes
    </If>
    <Else>
        SetEnv from_else yes
    </Else>
</Location>
ErrorDocument 404 /app.wsgi/missing
"""


@pytest.fixture(scope="module")
def server(serve_module):
    server = serve_module(CONFIG, start=False)
    (server.tmp / "site").mkdir()
    (server.tmp / "site/user.txt").write_text("user")
    (server.tmp / "site/secret").write_text("secret")
    # htpasswd -s: the password is "pw".
    (server.tmp / "users").write_text("".join(f"{name}:{{SHA}}GpHWL3ymc5liWkNopqtdSjuqYHM=\n" for name in ["ann", "carl"]))
    return server.start()


def environ(server, path, **headers):
    response = server.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    assert response.status_code == 200, response.text
    return response.json()


def test_variables_reach_the_application(server):
    seen = environ(server, "/app.wsgi/x", X_Tag="a")
    assert seen["tag"] == "a"
    assert "tag" not in environ(server, "/app.wsgi/x")


def test_a_variable_cannot_pass_for_a_header_or_replace_setenv(server):
    seen = environ(server, "/app.wsgi/x", X_Tag="a", X_Fake="yes")
    assert seen["HTTP_X_FAKE"] == "yes"
    assert seen["fixed"] == "static"


def test_https_behind_a_proxy(server):
    assert environ(server, "/app.wsgi/x")["wsgi.url_scheme"] == "http"
    seen = environ(server, "/app.wsgi/x", X_Forwarded_Proto="https")
    assert (seen["wsgi.url_scheme"], seen["HTTPS"]) == ("https", "on")


def test_a_request_header_from_a_variable(server):
    assert environ(server, "/app.wsgi/x", X_Tag="a")["HTTP_X_SEEN"] == "a"
    assert "HTTP_X_SEEN" not in environ(server, "/app.wsgi/x")


def test_a_rule_leads_to_an_application(server):
    seen = environ(server, "/plain/a/b%20c?q=1")
    assert seen["SCRIPT_NAME"] == "/app.wsgi"
    assert seen["PATH_INFO"] == "/a/b c"
    assert seen["QUERY_STRING"] == "q=1"
    assert seen["REQUEST_URI"] == "/plain/a/b%20c?q=1"
    assert seen["SCRIPT_URL"] == "/plain/a/b c"


def test_a_rule_gives_variables_and_a_query(server):
    seen = environ(server, "/named/x?gone")
    assert (seen["NAMED"], seen["QUERY_STRING"], seen["PATH_INFO"]) == ("x", "name=x", "/x")


def test_a_rule_of_a_directory_starts_again(server):
    seen = environ(server, "/inner/page?q=1", X_Tag="a")
    assert (seen["PATH_INFO"], seen["QUERY_STRING"]) == ("/page", "inner=yes&q=1")
    assert seen["REDIRECT_way"] == "inner"
    assert (seen["REDIRECT_URL"], seen["REDIRECT_QUERY_STRING"]) == ("/inner/page", "q=1")
    assert seen["tag"] == "a"


def test_conditions_choose_settings(server):
    assert "from_if" in environ(server, "/app.wsgi/if", X_Tag="set")
    assert "from_else" in environ(server, "/app.wsgi/if", X_Tag="other")
    assert server.get("/secret").status_code == 403
    assert server.get("/secret?open").status_code == 200


def test_an_expression_about_the_user_asks_for_one(server):
    assert server.get("/user.txt").status_code == 200
    assert server.get("/user").status_code == 401
    assert server.get("/user", auth=("carl", "pw")).status_code == 401
    assert server.get("/user", auth=("ann", "pw")).status_code == 404


def test_an_error_page_knows_what_failed(server):
    response = server.get("/none?q=1")
    assert response.status_code == 404
    seen = response.json()
    assert (seen["REDIRECT_STATUS"], seen["REDIRECT_URL"], seen["REDIRECT_QUERY_STRING"]) == ("404", "/none", "q=1")


def test_a_line_feed_in_a_path_does_not_end_a_header(server):
    with server.connect() as connection:
        response = connection.get("/split%0d%0aX-Evil:1")
    assert response.status == 302
    assert response.one("X-Evil") is None
    assert response.one("Location").endswith("/y%0D%0AX-Evil:1")


def test_logs_choose_requests(server):
    server.get("/app.wsgi/logged", headers={"X-Tag": "here"})
    server.get("/app.wsgi/unlogged")
    server.get("/secret?closed")
    tagged = server.tmp / "tagged.log"
    failed = server.tmp / "failed.log"
    waiting.until(lambda: "GET /app.wsgi/logged here" in tagged.read_text(), "the tagged line")
    waiting.until(lambda: "403 /secret" in failed.read_text(), "the failed line")
    assert "unlogged" not in tagged.read_text()
    assert "/app.wsgi" not in failed.read_text()
