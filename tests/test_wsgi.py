"""PEP 3333: what an application is given, and that wsgiref's validator finds nothing to complain about."""
import concurrent.futures
import json

import pytest

ENVIRON = """
WSGIScriptAlias /app "@apps@/environ/app.py"
WSGIScriptAlias /validate "@apps@/validate/app.py"
WSGIScriptAlias /hello "@apps@/hello/app.py"
SetEnv FROM_THE_SERVER "a value"
"""


@pytest.fixture(scope="module")
def server(serve_module):
    return serve_module(ENVIRON)


def environ(server, path="/app/", **options):
    response = server.get(path, **options)
    assert response.status_code == 200, response.text
    return response.json()


def test_hello(server):
    response = server.get("/hello")
    assert (response.status_code, response.text) == (200, "Hello, world\n")
    assert response.headers["content-type"] == "text/plain"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND"])
def test_wsgiref_validator_accepts_the_server(server, method):
    response = server.client.request(method, "/validate/x?y=z", content=b"12345" if method in {"POST", "PUT"} else None)
    assert response.status_code == 200, server.log()
    assert response.headers["x-read"] == ("5" if method in {"POST", "PUT"} else "0")


def test_required_keys(server):
    seen = environ(server, "/app/x?a=b&c")
    assert seen["REQUEST_METHOD"] == "GET"
    assert seen["QUERY_STRING"] == "a=b&c"
    assert seen["SERVER_NAME"] == "127.0.0.1"
    assert seen["SERVER_PORT"] == str(server.port)
    assert seen["SERVER_PROTOCOL"] == "HTTP/1.1"
    assert seen["REMOTE_ADDR"] == "127.0.0.1"
    assert seen["REQUEST_URI"] == "/app/x?a=b&c"
    assert seen["SERVER_SOFTWARE"].startswith("Alula")
    assert seen["wsgi.version"] == "(1, 0)"
    assert seen["wsgi.url_scheme"] == "http"
    assert seen["wsgi.run_once"] is False
    assert seen["wsgi.input_terminated"] is True
    assert "wsgi.file_wrapper" in seen and "wsgi.errors" in seen
    assert {type(seen[key]) for key in ("wsgi.multithread", "wsgi.multiprocess")} == {bool}


def test_setenv_reaches_the_environ(server):
    assert environ(server)["FROM_THE_SERVER"] == "a value"


def test_headers_become_keys(server):
    headers = [("X-One", "1"), ("Cookie", "a=1"), ("Cookie", "b=2"), ("X-Two", "x"), ("X-Two", "y")]
    seen = environ(server, headers=headers)
    assert seen["HTTP_X_ONE"] == "1"
    assert seen["HTTP_COOKIE"] == "a=1; b=2"
    assert seen["HTTP_X_TWO"] in {"x,y", "x, y"}
    assert seen["HTTP_HOST"] == f"127.0.0.1:{server.port}"


def test_content_headers_have_their_own_keys(server):
    response = server.post("/app/", content=b"123", headers={"Content-Type": "text/x"})
    seen = response.json()
    assert (seen["CONTENT_TYPE"], seen["CONTENT_LENGTH"]) == ("text/x", "3")
    assert "HTTP_CONTENT_TYPE" not in seen and "HTTP_CONTENT_LENGTH" not in seen


@pytest.mark.parametrize(
    ("path", "script_name", "path_info"),
    [
        ("/app", "/app", ""),
        ("/app/", "/app", "/"),
        ("/app/a/b", "/app", "/a/b"),
        ("/app/a%20b%3F", "/app", "/a b?"),
        ("/app/caf%C3%A9", "/app", "/caf\xc3\xa9"),
        ("/app/%ff", "/app", "/\xff"),
        ("/app/a;b=c", "/app", "/a;b=c"),
        ("/app/./x/../y", "/app", "/y"),
    ],
)
def test_where_the_script_ends_and_the_path_begins(server, path, script_name, path_info):
    with server.connect() as connection:
        answer = connection.get(path)
    seen = json.loads(answer.body)
    assert (seen["SCRIPT_NAME"], seen["PATH_INFO"]) == (script_name, path_info)
    assert seen["REQUEST_URI"] == path


def test_a_prefix_ends_at_a_segment(server):
    assert server.get("/application").status_code == 404


def test_an_alias_at_the_root_and_a_longer_one_before_it(serve):
    server = serve('WSGIScriptAlias /hello "@apps@/hello/app.py"\nWSGIScriptAlias / "@apps@/environ/app.py"')
    assert server.get("/hello").text == "Hello, world\n"
    seen = environ(server, "/anything/else")
    assert (seen["SCRIPT_NAME"], seen["PATH_INFO"]) == ("", "/anything/else")


def test_the_first_alias_that_fits_wins(serve):
    server = serve('WSGIScriptAlias / "@apps@/hello/app.py"\nWSGIScriptAlias /app "@apps@/environ/app.py"')
    assert server.get("/app").text == "Hello, world\n"


def test_http_1_0_without_host(server):
    with server.connect() as connection:
        connection.send("GET /hello HTTP/1.0\r\n\r\n")
        assert connection.read_to_end().endswith(b"\r\n\r\nHello, world\n")


def test_utf8_mode_whatever_the_locale(serve):
    server = serve('WSGIScriptAlias / "@apps@/environ/app.py"', env={"LANG": "C", "LC_ALL": "C"})
    assert environ(server, "/")["test.utf8_mode"] == 1


def test_a_script_is_loaded_once_by_requests_that_come_together(serve):
    folder = "@apps@/slow_import"
    server = serve(f'DocumentRoot "{folder}"\nAddHandler wsgi-script .wsgi\n<Directory "{folder}">\nOptions +ExecCGI\n</Directory>\n')
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: server.get("/slow.wsgi").text, range(4)))
    assert answers == ["whole"] * 4
