"""mod_python content handlers: how they are called, how they end, what they see, what they send."""
import base64
import hashlib
import json
import os
import re

import pytest

from harness import venvs, waiting

BOTH = pytest.mark.parametrize("isolation", ["Off", "On"])
PATH = "PythonPath \"['@apps@/modpython_handlers', '@apps@/modpython_state'] + sys.path\"\n"


def at(path, handlers, extra=""):
    return f"""
<Location "{path}">
    SetHandler mod_python
    PythonHandler {handlers}
    {extra}
</Location>
"""


def places(*names):
    return PATH + "".join(at(f"/{name}", f"handlers::{name}") for name in names)


@pytest.fixture(scope="module", params=["Off", "On"], ids=["alone", "behind fronts"])
def server(request, serve_module):
    names = (
        "answers declines redirects redirects_late goes_on writes_much uploads reads shows cleans_up conditions limits_methods"
    ).split()
    config = (
        f"PythonIsolation {request.param}\nDocumentRoot \"@tmp@\"\nPythonOption from_the_server yes\nSetEnv COLOUR red\n"
        + places(*names)
        + at("/hello", "handlers")
        + at("/greet", "handlers::Greeter.greet")
        + at("/chain", "handlers::first handlers::second")
        + at("/repeated", "handlers::first\nPythonHandler handlers::second")
        + at("/adds", "handlers::adds_another")
        + at("/stops", "handlers::answers handlers::second")
        + at("/by_file", "@apps@/modpython_handlers/handlers.py::handler")
        + at("/options", "handlers::shows", "PythonOption mine 1\nPythonOption from_the_server\nPythonDebug On")
        + at("/debug", "handlers::answers", "PythonDebug On")
        + at("/remembers", "handlers::remembers")
        + at("/broken", "no_such_module")
    )
    server = serve_module(config)
    return server


def test_a_bare_handler(server):
    response = server.get("/hello")
    assert (response.status_code, response.text) == (200, "Hello, world\n")
    assert response.headers["content-type"] == "text/plain"
    assert response.headers["content-length"] == "13"


def test_a_handler_named_by_its_file(server):
    assert server.get("/by_file").text == "Hello, world\n"


def test_a_method_of_a_class(server):
    assert server.get("/greet?you").text == "Hello, you"


@pytest.mark.parametrize("path", ["/chain", "/repeated"])
def test_handlers_are_called_in_turn(server, path):
    assert server.get(path).text == "first second first"


def test_a_handler_adds_another(server):
    assert server.get("/adds").text == "adds_another third"


def test_only_ok_goes_on_to_the_next(server):
    assert server.get(f"/stops?{-2}").text == ""
    assert server.get("/stops?404").status_code == 404
    assert server.get("/stops?0").status_code == 500


@pytest.mark.parametrize("status", [400, 403, 404, 410, 418, 500, 503])
@pytest.mark.parametrize("form", ["{}", "raise={}"])
def test_a_status_is_the_servers_page(server, status, form):
    response = server.get(f"/answers?{form.format(status)}")
    assert response.status_code == status
    assert "<h1>" in response.text
    if form == "{}":
        assert response.headers["x-error"] == "stays"
        assert "x-plain" not in response.headers


def test_server_return_with_a_status(server):
    response = server.get("/answers?pair=402")
    assert (response.status_code, response.text) == (402, "with a status")


def test_what_was_written_gives_way_to_the_error(server):
    response = server.get("/answers?written")
    assert response.status_code == 410
    assert "never seen" not in response.text


@pytest.mark.parametrize("query", ["none", "true"])
def test_a_result_that_is_no_number(server, query):
    assert server.get(f"/answers?{query}").status_code == 500
    server.wait_for_log("handlers::answers.*returned (None|True): a handler returns apache.OK")


def test_an_exception_is_a_500_and_one_record(server):
    response = server.get("/answers?raise")
    assert response.status_code == 500
    assert "ValueError" not in response.text
    log = server.wait_for_log(r"ValueError: <in the page & the log>")
    assert re.search(r"GET /answers\?raise: PythonHandler handlers::answers raised", log)


def test_python_debug_shows_the_traceback(server):
    response = server.get("/debug?raise")
    assert response.status_code == 500
    assert "ValueError: &lt;in the page &amp; the log&gt;" in response.text
    assert "handlers.py" in response.text


def test_a_module_that_is_not_there(server):
    assert server.get("/broken").status_code == 500
    server.wait_for_log("No module named 'no_such_module'")


def test_a_decline_in_a_location_is_not_found(server):
    response = server.get("/declines")
    assert response.status_code == 404


def test_redirect(server):
    response = server.get("/redirects")
    assert response.status_code == 302
    assert response.headers["location"] == "/elsewhere?x=1%C3%A9"
    assert server.get("/redirects?permanent").status_code == 301


def test_a_redirect_drops_what_has_not_left(server):
    response = server.get("/redirects_late?file")
    assert (response.status_code, response.headers["location"], response.text) == (302, "/elsewhere", "moved")


def test_no_redirect_after_the_header_has_left(server):
    response = server.get("/redirects_late?flushed")
    assert (response.status_code, response.text) == (200, "Cannot redirect after headers have already been sent.")
    assert "location" not in response.headers


def test_internal_redirect(server):
    assert server.get("/goes_on?/greet?again").text == "Hello, again"
    assert server.post("/goes_on?/hello", content=b"x").text == "Hello, world\n"
    assert server.get("/goes_on?/nowhere").status_code == 404
    assert server.get("/goes_on?/goes_on?/goes_on?/hello").text == "Hello, world\n"


def test_an_internal_redirect_to_itself_ends(server):
    assert server.get("/goes_on?/goes_on?" + "/goes_on?" * 30).status_code == 500


def test_much_content_arrives_whole(server):
    assert server.get("/writes_much").content == b"x" * 1_000_000


def test_head_has_no_content(server):
    with server.connect() as connection:
        response = connection.get("/hello", method="HEAD")
        assert response.one("Content-Length") == "13"
        assert connection.get("/hello").body == b"Hello, world\n"


def test_fields_of_a_form(server):
    response = server.post("/uploads?q=%C3%BC&empty=", data={"name": "Zoë", "text": ["a", "b"]})
    assert response.json() == [
        ["q", "ü", True], ["empty", "", True], ["name", "Zoë", True], ["text", "a", True], ["text", "b", True],
    ]


@pytest.mark.parametrize("size", [0, 1, 65_367, 65_368, 65_369, 3_000_000])
def test_an_upload_arrives_whole(server, size):
    content = (b"line\r\n--not the boundary\r\n\r" * (size // 20 + 1))[:size]
    files = {"file": ("日本.txt", content, "text/x-test"), "other": ("b", b"\r\n\r\n")}
    fields = server.post("/uploads", data={"name": "Zoë\r\n"}, files=files).json()
    assert fields == [
        ["name", "Zoë\r\n", True],
        ["file", "日本.txt", "text/x-test", size, hashlib.sha256(content).hexdigest()],
        ["other", "b", "application/octet-stream", 4, hashlib.sha256(b"\r\n\r\n").hexdigest()],
    ]


def test_forms_that_are_none(server):
    headers = {"Content-Type": "application/json"}
    assert server.post("/uploads", content=b"{}", headers=headers).status_code == 501
    headers = {"Content-Type": "multipart/form-data"}
    assert server.post("/uploads", content=b"--", headers=headers).status_code == 400
    with server.connect() as connection:
        connection.send("POST /uploads HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.response().status == 411


def test_reading_in_all_ways(server):
    shown = server.post("/reads", content=b"one\ntwo three\nfour").json()
    assert shown == ["one\n", "two", " three\n", "four", "", 0]


def test_what_a_request_knows(server):
    credentials = base64.b64encode("Zoë:s3:cret".encode()).decode()
    headers = {"Authorization": f"Basic {credentials}", "X-Some-Thing": "a value"}
    shown = server.get("/shows/a%20b//c?x=%20y", headers=headers).json()
    assert shown["type"] == "mp_request"
    assert shown["method"] == "GET"
    assert shown["uri"] == "/shows/a b//c"
    assert shown["unparsed_uri"] == "/shows/a%20b//c?x=%20y"
    assert shown["args"] == "x=%20y"
    assert shown["the_request"] == "GET /shows/a%20b//c?x=%20y HTTP/1.1"
    assert shown["parsed_uri"][6:] == ["/shows/a%20b//c", "x=%20y", None]
    assert shown["hostname"] == "127.0.0.1"
    assert shown["filename"] == f"{server.tmp}/shows"
    assert shown["path_info"] == "/a b//c"
    assert shown["headers_in"]["X-Some-Thing"] == "a value"
    assert shown["remote"] == ["127.0.0.1"] * 3
    assert shown["server"] == ["localhost", False, "localhost"]
    assert (shown["user"], shown["password"], shown["user_after"]) == (None, "s3:cret", "Zoë")
    assert shown["root"] == str(server.tmp)
    assert shown["url"] == f"http://127.0.0.1:{server.port}/x"
    env = shown["env"]
    assert env["COLOUR"] == "red" and env["REMOTE_ADDR"] == "127.0.0.1" and env["HTTP_X_SOME_THING"] == "a value"
    assert env["PATH_INFO"] == "/a b//c" and env["SCRIPT_NAME"] == "/shows"
    assert "HTTP_AUTHORIZATION" not in env


def test_options_and_flags(server):
    options = server.get("/shows").json()
    assert options["options"] == {"from_the_server": "yes"}
    assert "PythonDebug" not in options["config"] or options["config"]["PythonDebug"] == "0"
    options = server.get("/options").json()
    assert options["options"] == {"mine": "1"}
    assert options["config"]["PythonDebug"] == "1"


def test_the_servers_table_is_the_process_s(server):
    assert server.get("/remembers").text == "1 yes"
    assert server.get("/remembers").text == "2 yes"


def test_cleanups_run_and_a_failing_one_stops_none(server):
    assert server.get("/cleans_up").status_code == 200
    log = server.wait_for_log("cleaned up last")
    assert log.index("cleaned up 0") < log.index("cleaned up 1") < log.index("ZeroDivisionError") < log.index("cleaned up last")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"If-None-Match": '"v1"'}, 304),
        ({"If-None-Match": 'W/"v0", W/"v1"'}, 304),
        ({"If-None-Match": '"v2"'}, 200),
        ({"If-Match": '"v2"'}, 412),
        ({"If-Modified-Since": "Sun, 09 Sep 2001 01:46:40 GMT"}, 304),
        ({"If-Modified-Since": "Sun, 09 Sep 2001 01:46:39 GMT"}, 200),
        ({"If-Unmodified-Since": "Sun, 09 Sep 2001 01:46:39 GMT"}, 412),
        ({"If-Modified-Since": "nonsense"}, 200),
    ],
)
def test_conditions(server, headers, status):
    response = server.get("/conditions", headers=headers)
    assert response.status_code == status
    if status != 412:
        assert response.headers["etag"] == '"v1"'


def test_allow_methods(server):
    assert server.get("/limits_methods").status_code == 200
    response = server.post("/limits_methods", content=b"x")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD")


@BOTH
def test_a_flushed_piece_arrives_before_the_next_is_made(serve, isolation):
    server = serve(f"PythonIsolation {isolation}\nPythonOption folder @tmp@\n" + places("streams"))
    gate = waiting.Gate(server.tmp / "gate")
    with server.connect() as connection:
        connection.request("/streams")
        connection.read_until(b"\r\n\r\n")
        pieces = connection.chunks()
        for number in range(3):
            assert next(pieces) == f"piece {number}\n".encode()
            gate.open()
        assert list(pieces) == []


def test_a_client_that_leaves_is_no_error(serve):
    server = serve("PythonOption folder @tmp@\n" + places("streams") + at("/hello", "handlers"))
    gate = waiting.Gate(server.tmp / "gate")
    for _ in range(3):
        connection = server.connect()
        connection.request("/streams")
        connection.read_until(b"piece 0\n")
        connection.close()
        gate.open(3)
    assert server.get("/hello").text == "Hello, world\n"
    assert "Traceback" not in server.log()


@BOTH
def test_sendfile(serve, isolation, tmp_path):
    content = os.urandom(200_000)
    (tmp_path / "data").write_bytes(content)
    server = serve(f"PythonIsolation {isolation}\nPythonOption file @tmp@/data\n" + places("sends_file"))
    response = server.get("/sends_file")
    assert response.content == content
    assert response.headers["content-length"] == "200000"
    assert server.get("/sends_file?part").content == content[5:15]
    assert server.get("/sends_file?between").content == b"before " + content[:5] + b" after"
    server.wait_for_log("sent 200000")


@BOTH
def test_a_handler_that_declines_leaves_the_file_to_the_server(serve, isolation, tmp_path):
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "page.html").write_text("<p>a file</p>")
    server = serve(
        f"""
        PythonIsolation {isolation}
        DocumentRoot "@tmp@/root"
        {PATH}
        <Directory "@tmp@/root">
            Require all granted
            SetHandler mod_python
            PythonHandler handlers::declines
        </Directory>
        """
    )
    response = server.get("/page.html")
    assert (response.status_code, response.text) == (200, "<p>a file</p>")
    assert response.headers["content-type"] == "text/html"
    assert response.headers["x-declined"] == "yes"
    assert server.get("/page.html", headers={"Range": "bytes=3-3"}).text == "a"
    assert server.get("/missing.html").status_code == 404
    assert server.get("/sub/").status_code in (403, 404)


def test_handlers_for_extensions(serve, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    for name in ("a.txt", "b.tar.gz", "c.html"):
        (root / name).write_text(name)
    server = serve(
        f"""
        DocumentRoot "@tmp@/root"
        {PATH}
        <Directory "@tmp@/root">
            Require all granted
            SetHandler mod_python
            PythonHandler handlers::by_extension | .txt .tar.gz
            PythonHandler handlers::declines
        </Directory>
        """
    )
    assert server.get("/a.txt").text == "for .txt"
    assert server.get("/b.tar.gz").text == "for .tar.gz"
    assert server.get("/c.html").text == "c.html"


DIRECTORY = """
DocumentRoot "@tmp@/root"
<Directory "@tmp@/root">
    Require all granted
    SetHandler mod_python
    PythonHandler edited
    {}
</Directory>
"""
EDITED = "from mod_python import apache\nimport {0} as helper\ndef handler(req):\n    req.write('{0}')\n    return apache.OK\n"


def test_an_edited_handler_is_loaded_anew(serve, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "edited.py").write_text(EDITED.format("json"))
    server = serve(DIRECTORY.format("PythonAutoReload On"))
    assert server.get("/x").text == "json"
    # As long as before, and maybe within the same second.
    (root / "edited.py").write_text(EDITED.format("stat"))
    assert server.get("/x").text == "stat"
    (root / "edited.py").write_text("def handler(req):\n    oops oops\n")
    assert server.get("/x").text == "stat"
    server.wait_for_log("SyntaxError")
    (root / "edited.py").write_text(EDITED.format("math"))
    assert server.get("/x").text == "math"


def test_without_auto_reload_a_site_keeps_the_handler(serve, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "edited.py").write_text(EDITED.format("json"))
    server = serve(DIRECTORY.format(""))
    assert server.get("/x").text == "json"
    (root / "edited.py").write_text(EDITED.format("stat"))
    assert server.get("/x").text == "json"


def test_a_broken_handler_is_tried_again(serve, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "edited.py").write_text("oops oops\n")
    server = serve(DIRECTORY.format("PythonAutoReload On"))
    assert server.get("/x").status_code == 500
    (root / "edited.py").write_text(EDITED.format("json"))
    assert server.get("/x").text == "json"


@pytest.mark.parametrize("venv", venvs.everything(), ids=str)
def test_on_every_python(serve, venv):
    server = serve(places("python_version") + at("/hello", "handlers"), venv=venv)
    assert server.get("/hello").text == "Hello, world\n"
    text = server.post("/python_version", files={"name": (None, "Zoë")}).text
    assert text == "{}.{} Zoë".format(*venv.version)


def test_the_test_handler(serve):
    server = serve(at("/mpinfo", "mod_python.testhandler"))
    page = server.get("/mpinfo", headers={"Cookie": "a=secret"}).text
    assert "Python" in page and "secret" not in page and "sys.path" in page


def test_a_cgi_script(serve, tmp_path):
    server = serve(
        """
        Alias /cgi "@apps@/modpython_cgi"
        <Directory "@apps@/modpython_cgi">
            Require all granted
            SetHandler mod_python
            PythonHandler mod_python.cgihandler
        </Directory>
        """
    )
    for _ in range(2):
        response = server.post("/cgi/script.py?a=b", content=b"content")
        assert (response.status_code, response.reason_phrase) == (202, "Taken")
        assert response.headers["x-from"] == "the script"
        assert response.text == "POST a=b content modpython_cgi\n"
    assert server.get("/cgi/missing.py").status_code == 404


def test_a_wsgi_application_below_its_location(serve):
    server = serve(
        """
        PythonPath "['@apps@/environ'] + sys.path"
        <Location "/wsgi">
            SetHandler mod_python
            PythonHandler mod_python.wsgi
            PythonOption mod_python.wsgi.application app::application
        </Location>
        """
    )
    environ = json.loads(server.get("/wsgi/a/b").text)
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/wsgi", "/a/b")
