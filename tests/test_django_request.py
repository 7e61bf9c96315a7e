"""What a Django view is told about its request: as under Django's own WSGIHandler."""
import json

import pytest

from harness import django

SITE = ("django_request", "request_site.settings")


@pytest.fixture(scope="module")
def server(serve_module):
    return serve_module(django.location(*SITE))


def test_the_parts_of_the_address(server):
    seen = server.get("/some/page/?q=1&q=2&empty=").json()
    assert seen["path"] == "/some/page/"
    assert seen["path_info"] == "/some/page/"
    assert seen["full_path"] == "/some/page/?q=1&q=2&empty="
    assert seen["rest"] == "some/page/"
    assert seen["GET"] == {"q": ["1", "2"], "empty": [""]}
    assert seen["host"] == f"127.0.0.1:{server.port}"
    assert seen["port"] == str(server.port)
    assert seen["scheme"] == "http" and seen["is_secure"] is False
    assert seen["absolute"] == f"http://127.0.0.1:{server.port}/some/page/?q=1&q=2&empty="
    assert seen["absolute of x"] == f"http://127.0.0.1:{server.port}/some/page/x"
    assert seen["reverse"] == "/named/a%20b/"


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/caf%C3%A9/", "/café/"),
        ("/caf\xc3\xa9/", "/café/"),
        ("/a%20b+c/", "/a b+c/"),
        ("/%E6%97%A5%E6%9C%AC/", "/日本/"),
        ("//double//slash/", "//double//slash/"),
        ("/encoded%2Fslash/", "/encoded/slash/"),
        ("/question%3Fmark/", "/question?mark/"),
        ("/semi;colon=1/", "/semi;colon=1/"),
        ("/percent%2525/", "/percent%25/"),
    ],
)
def test_paths_are_decoded_once(server, target, path):
    with server.connect() as connection:
        connection.send(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode("latin-1"))
        seen = json.loads(connection.response().body)
    assert seen["path"] == seen["path_info"] == path


def test_a_path_that_is_not_utf_8_is_quoted_as_django_does(server):
    with server.connect() as connection:
        seen = json.loads(connection.get("/%ff%fe/").body)
    assert seen["path"] == "/%FF%FE/"


def test_query_strings_are_utf_8(server):
    seen = server.get("/?caf%C3%A9=%E6%97%A5&plus=a+b").json()
    assert seen["GET"] == {"café": ["日"], "plus": ["a b"]}


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "REPORT"])
def test_methods(server, method):
    assert server.client.request(method, "/").json()["method"] == method


def test_meta_has_every_key_a_wsgi_application_has(serve):
    server = serve(
        django.location(*SITE, at="/native")
        + 'WSGIScriptAlias /wsgi "@apps@/environ/app.py"\nSetEnv FROM_THE_SERVER yes\n'
    )
    headers = {"Content-Type": "text/x", "X-Custom": "v", "Authorization": "Basic eDp5", "Cookie": "a=b"}
    native = server.post("/native/x?q=1", content=b"12345", headers=headers).json()["META"]
    wsgi = server.post("/wsgi/x?q=1", content=b"12345", headers=headers).json()
    expected = {key for key in wsgi if not key.startswith(("test.", "mod_wsgi.")) and not key.startswith("SCRIPT_")}
    assert expected - set(native) <= {"DOCUMENT_ROOT", "PATH_TRANSLATED"}
    differing = {"PATH_INFO", "SCRIPT_NAME", "REQUEST_URI", "REMOTE_PORT", "UNIQUE_ID"}
    for key in expected - differing:
        if key.isupper():
            assert native.get(key) == wsgi[key], key


def test_meta(server):
    headers = [("X-Two", "a"), ("X-Two", "b"), ("Accept-Language", "de"), ("X_Under_Score", "forged")]
    with server.connect() as connection:
        answer = connection.get("/x?q", headers=[f"{name}: {value}" for name, value in [*headers, ("Proxy", "forged")]])
    seen = json.loads(answer.body)
    meta = seen["META"]
    assert meta["REMOTE_ADDR"] == "127.0.0.1"
    assert meta["REQUEST_METHOD"] == "GET"
    assert meta["QUERY_STRING"] == "q"
    assert meta["SCRIPT_NAME"] == ""
    assert meta["PATH_INFO"] == "/x"
    assert meta["SERVER_PROTOCOL"] == "HTTP/1.1"
    assert meta["HTTP_X_TWO"] in {"a,b", "a, b"}
    assert seen["accept"] == "de"
    assert "forged" not in answer.body.decode()
    assert "REMOTE_USER" not in meta or meta["REMOTE_USER"] == ""


def test_cookies(server):
    seen = server.get("/", headers=[("Cookie", 'a=1; b="zwei"; c=d=e'), ("Cookie", "f=g")]).json()
    assert seen["COOKIES"] == {"a": "1", "b": "zwei", "c": "d=e", "f": "g"}


def test_post_fields(server):
    seen = server.post("/?in=query", data={"name": "Zoë", "many": ["1", "2"]}).json()
    assert seen["POST"] == {"name": ["Zoë"], "many": ["1", "2"]}
    assert seen["GET"] == {"in": ["query"]}
    assert seen["content_type"] == "application/x-www-form-urlencoded"


def test_post_files(server):
    files = [("file", ("naïve 日本.txt", b"content", "text/plain")), ("file", ("two", b"", "x/y"))]
    seen = server.post("/", data={"field": "value"}, files=files).json()
    assert seen["POST"] == {"field": ["value"]}
    assert seen["FILES"]["file"][0] == {"name": "naïve 日本.txt", "size": 7, "type": "text/plain"}


def test_a_chunked_form(server):
    def pieces():
        yield b"name=a"
        yield b"&other=b"

    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    seen = server.post("/", content=pieces(), headers=headers).json()
    assert seen["POST"] == {"name": ["a"], "other": ["b"]}


@pytest.mark.parametrize("way", ["body", "read", "lines"])
def test_the_raw_body(server, way):
    pieces = server.post(f"/body/?way={way}", content=b"one\ntwo\nthree").json()["pieces"]
    expected = {"body": ["one\ntwo\nthree"], "read": ["one", "\ntwo\nthree"], "lines": ["one\n", "two\n", "three"]}
    assert pieces == expected[way]


def test_the_encoding_of_a_form(server):
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=iso-8859-1"}
    response = server.post("/", content=b"name=caf%E9", headers=headers)
    # Django 5 refuses forms in anything but UTF-8; Django 4.2 decodes them.
    assert response.status_code == 400 or response.json()["POST"] == {"name": ["café"]}


def test_a_host_that_is_not_allowed(server):
    with server.connect() as connection:
        assert connection.get("/", host="bad_host!").status == 400


def test_https_is_what_the_server_says(server):
    seen = server.get("/", headers={"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil"}).json()
    assert seen["is_secure"] is False
    assert seen["host"] == f"127.0.0.1:{server.port}"


def test_the_first_request_runs_in_the_main_thread(serve):
    assert serve(django.location(*SITE)).get("/main-thread/").text == "True"


def test_utf8_mode_whatever_the_locale(serve):
    server = serve(django.location(*SITE), env={"LANG": "C", "LC_ALL": "C"})
    assert server.get("/%C3%A9/").json()["path"] == "/é/"


def test_django_itself_is_untouched(server):
    assert server.get("/").status_code == 200
    assert not (server.venv.django_folder / "core/handlers/modpython.py").exists()
