"""An application that fails: a short 500, the traceback once in the error log and, only with PythonDebug, in the answer."""
import pytest

TRACEBACK = "Traceback (most recent call last)"
BROKEN = '<Location "/">\n    PythonDebug {}\n</Location>\nWSGIScriptAlias / "@apps@/broken/app.py"'


@pytest.mark.parametrize("debug", ["On", "Off"])
def test_raising_before_the_head(serve, debug):
    server = serve(BROKEN.format(debug))
    response = server.get("/early")
    assert response.status_code == 500
    assert ("raised-before-the-head" in response.text) == (debug == "On")
    assert (TRACEBACK in response.text) == (debug == "On")
    server.wait_for_log("raised-before-the-head")
    assert server.get("/").text == "fine"
    log = server.log()
    assert log.count(TRACEBACK) == 1
    assert log.count("RuntimeError: raised-before-the-head") == 1


@pytest.mark.parametrize("debug", ["On", "Off"])
def test_raising_in_the_middle(serve, debug):
    server = serve(BROKEN.format(debug))
    with server.connect() as connection:
        connection.request("/iteration")
        data = connection.read_to_end()
    assert b"raised-in-the-middle" not in data
    assert not data.endswith(b"0\r\n\r\n"), "a response that broke off must not look complete"
    server.wait_for_log("raised-in-the-middle")
    assert server.get("/").text == "fine"
    assert server.log().count(TRACEBACK) == 1


def test_a_traceback_in_a_page_is_text(serve):
    response = serve(BROKEN.format("On")).get("/markup")
    assert response.status_code == 500
    assert "raised-with" in response.text
    assert "<script>" not in response.text or response.headers["content-type"].startswith("text/plain")


def test_the_record_names_the_request(serve):
    server = serve(BROKEN.format("Off"))
    server.get("/early?which=this")
    assert "/early" in server.wait_for_log("raised-before-the-head")


SCRIPTS = {
    "syntax error": ("def application(:\n", "SyntaxError"),
    "import error": ("import no_such_module\n", "No module named 'no_such_module'"),
    "no application": ("something = 1\n", "application"),
    "exit at import": ("raise SystemExit(1)\n", "SystemExit"),
}


@pytest.mark.parametrize("case", SCRIPTS)
def test_a_script_that_does_not_load(serve, tmp_path, case):
    text, message = SCRIPTS[case]
    (tmp_path / "script.py").write_text(text)
    server = serve('WSGIScriptAlias /good "@apps@/hello/app.py"\nWSGIScriptAlias / "@tmp@/script.py"')
    for _ in range(2):
        response = server.get("/")
        assert response.status_code == 500
        assert TRACEBACK not in response.text
    assert message in server.wait_for_log(message)
    assert server.get("/good").text == "Hello, world\n"
