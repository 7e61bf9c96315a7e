"""ErrorDocument: what is sent with an error of the server."""
import pytest

CONFIG = r"""
DocumentRoot "@tmp@/root"
ErrorDocument 404 /errors/404.html
ErrorDocument 403 "<p>Not for you</p>"
ErrorDocument 405 /errors/404.html
ErrorDocument 413 https://other.example/large
ErrorDocument 500 /environ/page?q=1
<Location "/locked">
    Require all denied
</Location>
<Location "/default">
    ErrorDocument 404 default
</Location>
<Location "/loop">
    ErrorDocument 404 /loop/missing
</Location>
<Location "/hidden">
    ErrorDocument 404 /locked/page.html
</Location>
<Location "/small">
    LimitRequestBody 3
</Location>
WSGIScriptAlias /app "@apps@/response/app.py"
WSGIScriptAlias /small "@apps@/response/app.py"
WSGIScriptAlias /environ "@apps@/environ/app.py"
<Location "/app">
    ErrorDocument 503 /errors/404.html
</Location>
"""


@pytest.fixture(scope="module")
def server(serve_module):
    server = serve_module(CONFIG, start=False)
    (server.tmp / "root/errors").mkdir(parents=True)
    (server.tmp / "root/errors/404.html").write_text("my 404")
    (server.tmp / "root/locked").mkdir()
    (server.tmp / "root/locked/page.html").write_text("locked")
    return server.start()


def test_a_path_keeps_the_status(server):
    response = server.get("/missing")
    assert (response.status_code, response.text) == (404, "my 404")
    assert response.headers["content-type"].startswith("text/html")


def test_conditions_of_the_request_do_not_concern_its_page(server):
    tag = server.get("/errors/404.html").headers["etag"]
    for headers in ({"If-None-Match": tag}, {"Range": "bytes=0-1"}, {"If-Match": '"x"'}):
        response = server.get("/missing", headers=headers)
        assert (response.status_code, response.text) == (404, "my 404")


def test_head(server):
    response = server.client.head("/missing")
    assert (response.status_code, response.content, response.headers["content-length"]) == (404, b"", "6")


def test_another_method_gets_the_page_and_what_is_allowed(server):
    response = server.post("/errors/404.html", content=b"x")
    assert (response.status_code, response.text, response.headers["allow"]) == (405, "my 404", "GET, HEAD, OPTIONS")


def test_a_text(server):
    response = server.get("/locked/page.html")
    assert (response.status_code, response.text) == (403, "<p>Not for you</p>")


def test_a_url(server):
    response = server.post("/small", content=b"much too large")
    assert (response.status_code, response.headers["location"]) == (302, "https://other.example/large")


@pytest.mark.parametrize("path", ["/default/missing", "/loop/missing", "/hidden/missing"])
def test_without_a_page_of_its_own_the_short_one_is_sent(server, path):
    response = server.get(path)
    assert response.status_code == 404
    assert "<h1>Not Found</h1>" in response.text


def test_an_application_may_make_the_page(server):
    response = server.get("/app/never?original")
    assert response.status_code == 500
    seen = response.json()
    assert (seen["PATH_INFO"], seen["QUERY_STRING"], seen["REQUEST_METHOD"]) == ("/page", "q=1", "GET")


def test_what_an_application_answers_stays_as_it_is(server):
    response = server.get("/app/replaced")
    assert (response.status_code, response.text) == (503, "replaced")
