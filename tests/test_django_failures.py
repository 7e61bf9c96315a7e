"""Django that fails: the server stays up, the visitor gets a short page, the log one readable traceback."""
import pytest

from harness import django

SITE = ("django_failures", "failures_site.settings")
TRACEBACK = "Traceback (most recent call last)"


def site(**environment):
    settings = "".join(f'SetEnv {name} "{value}"\n' for name, value in environment.items() if name != "debug")
    return settings + django.location(*SITE, extra=f"PythonDebug {environment.get('debug', 'Off')}")


FILE = 'Alias /file "@tmp@/httpd.conf"\n<Location "/file">\n    SetHandler None\n</Location>\n'
SETUP = {
    "settings": ({"FAIL": "import"}, "the-settings-do-not-import"),
    "middleware": ({"MIDDLEWARE": "failures_site.middleware.CannotBeBuilt"}, "the-middleware-cannot-be-built"),
    "middleware that is missing": ({"MIDDLEWARE": "no.such.Middleware"}, "No module named 'no'"),
    "an app that is missing": ({"APPS": "no_such_app"}, "No module named 'no_such_app'"),
}


@pytest.mark.parametrize("debug", ["On", "Off"])
@pytest.mark.parametrize("case", SETUP)
def test_a_django_that_cannot_be_set_up(serve, case, debug):
    environment, message = SETUP[case]
    server = serve(site(**environment, debug=debug) + FILE)
    for _ in range(3):
        response = server.get("/fine/")
        assert response.status_code == 500
        assert (message in response.text) == (debug == "On")
        assert (TRACEBACK in response.text) == (debug == "On")
        assert debug == "On" or len(response.content) < 1000
    server.wait_for_log(message)
    assert server.process.poll() is None
    assert server.get("/file").status_code == 200, "the rest of the site works"
    # Once, whole, however many asked.
    assert sum(line.endswith(message) for line in server.log().splitlines()) == 1


def test_a_settings_module_that_does_not_exist(serve):
    server = serve(site().replace("failures_site.settings", "no_such.settings"))
    assert server.get("/fine/").status_code == 500
    server.wait_for_log("No module named 'no_such'")


def test_no_settings_module_at_all(serve):
    text = site()
    line = next(line for line in text.splitlines() if "DJANGO_SETTINGS_MODULE" in line)
    server = serve(text.replace(line, ""), start=False)
    server.launch()
    # Refused with the configuration, or a 500 that says so in the log.
    server.wait_for_log("DJANGO_SETTINGS_MODULE")


def test_a_setup_that_fails_with_several_workers_is_logged_once(serve):
    server = serve(site(FAIL="import"), workers=3)
    for _ in range(10):
        with server.new_client() as client:
            assert client.get("/fine/").status_code == 500
    server.wait_for_log("RuntimeError: the-settings-do-not-import")
    assert server.log().count("RuntimeError: the-settings-do-not-import") == 1


@pytest.mark.parametrize("django_debug", ["0", "1"])
def test_a_view_that_raises(serve, django_debug):
    server = serve(site(DEBUG=django_debug))
    response = server.get("/raises/")
    assert response.status_code == 500
    assert ("the-view-raised" in response.text) == (django_debug == "1")
    assert server.get("/fine/").text == "fine"
    server.wait_for_log("RuntimeError: the-view-raised")
    log = server.log()
    assert log.count(TRACEBACK) == 1
    assert "/raises/" in log


@pytest.mark.parametrize("debug", ["On", "Off"])
def test_an_exception_django_lets_through(serve, debug):
    server = serve(site(PROPAGATE="1", debug=debug))
    response = server.get("/raises/")
    assert response.status_code == 500
    assert ("RuntimeError: the-view-raised" in response.text) == (debug == "On")
    server.wait_for_log("RuntimeError: the-view-raised")
    assert server.log().count(TRACEBACK) == 1
    assert server.get("/fine/").text == "fine"


def test_a_view_that_returns_nothing(serve):
    server = serve(site())
    assert server.get("/nothing/").status_code == 500
    assert server.get("/fine/").text == "fine"


def test_a_missing_page_is_djangos_and_no_error(serve):
    server = serve(site())
    assert server.get("/missing/").status_code == 404
    assert server.get("/no-such-address/").status_code == 404
    assert TRACEBACK not in server.log()


def test_a_urlconf_that_does_not_import(serve):
    server = serve(site(URLCONF="failures_site.no_such_urls"))
    for _ in range(2):
        assert server.get("/fine/").status_code == 500
    server.wait_for_log("No module named 'failures_site.no_such_urls'")


def test_a_stream_that_breaks_off(serve):
    server = serve(site())
    with server.connect() as connection:
        connection.request("/breaks-off/")
        data = connection.read_to_end()
    assert not data.endswith(b"0\r\n\r\n")
    server.wait_for_log("RuntimeError: raised-while-streaming")
    assert server.log().count(TRACEBACK) == 1
    assert server.get("/fine/").text == "fine"


def test_a_view_that_prints(serve):
    server = serve(site())
    with server.connect() as connection:
        response = connection.get("/prints/")
        assert (response.status, response.body) == (200, b"quiet")
    server.wait_for_log("printed-by-the-view")
    server.wait_for_log("stderr-of-the-view")
