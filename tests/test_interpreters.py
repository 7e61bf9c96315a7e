"""Several interpreters in one configuration: worlds of their own behind common listeners."""
import os
import signal

import pytest

from harness import raw, venvs, waiting

HOSTS = """
NameVirtualHost *

<VirtualHost *>
    ServerName www.example.com
    SetEnv DJANGO_SETTINGS_MODULE first_settings
</VirtualHost>

<VirtualHost *>
    ServerName www2.example.com
    SetEnv DJANGO_SETTINGS_MODULE second_settings
</VirtualHost>
SetHandler python-program
PythonHandler django.core.handlers.modpython
PythonPath "['@apps@/two_projects'] + sys.path"
"""

LOCATIONS = """
PythonPath "['@apps@/two_projects'] + sys.path"
<VirtualHost *>
    ServerName www.example.com
    <Location "/something">
        SetHandler python-program
        PythonHandler django.core.handlers.modpython
        SetEnv DJANGO_SETTINGS_MODULE first_settings
        PythonInterpreter mysite
    </Location>

    <Location "/otherthing">
        SetHandler python-program
        PythonHandler django.core.handlers.modpython
        SetEnv DJANGO_SETTINGS_MODULE second_settings
        PythonInterpreter othersite
    </Location>
</VirtualHost>
"""


def asked(server, target, host="www.example.com"):
    with server.connect() as connection:
        response = connection.get(target, host=host)
        assert response.status == 200, response
        return response


def test_two_virtual_hosts_have_projects_of_their_own(serve):
    """The how-to's first case."""
    server = serve(HOSTS)
    with server.new_client("www.example.com") as first, server.new_client("www2.example.com") as second:
        one, two = first.get("/").json(), second.get("/").json()
    assert (one["project"], two["project"]) == ("first", "second")
    assert (one["settings"], two["settings"]) == ("first_settings", "second_settings")
    assert one["pid"] != two["pid"]


def test_two_installations_on_one_virtual_host(serve):
    """The how-to's second case."""
    server = serve(LOCATIONS)
    with server.new_client("www.example.com") as client:
        one, two = client.get("/something/").json(), client.get("/otherthing/").json()
    assert (one["project"], two["project"]) == ("first", "second")
    assert one["pid"] != two["pid"]


def test_the_same_name_is_the_same_world(serve):
    server = serve(
        """
WSGIScriptAlias /one "@apps@/environ/app.py"
<Location "/two">
    PythonInterpreter other
</Location>
WSGIScriptAlias /two "@apps@/environ/app.py"
<VirtualHost *>
    ServerName h.test
    PythonInterpreter other
    WSGIScriptAlias /three "@apps@/environ/app.py"
</VirtualHost>
<VirtualHost *>
    ServerName main.test
</VirtualHost>
"""
    )
    with server.new_client("main.test") as client, server.new_client("h.test") as other:
        pids = {name: client.get(f"/{name}").json()["test.pid"] for name in ("one", "two")}
        pids["three"] = other.get("/three").json()["test.pid"]
    assert pids["two"] == pids["three"] != pids["one"]


def test_a_variable_with_two_values_reaches_requests_only(serve):
    server = serve(
        """
SetEnv SAME yes
<Location "/one">
    SetEnv FLAVOUR sweet
</Location>
<Location "/two">
    SetEnv FLAVOUR sour
</Location>
WSGIScriptAlias /one "@apps@/environ/app.py"
WSGIScriptAlias /two "@apps@/environ/app.py"
"""
    )
    assert "FLAVOUR" in server.log()
    for target, flavour in (("/one", "sweet"), ("/two", "sour")):
        shown = server.get(target).json()
        assert shown["FLAVOUR"] == flavour
        assert shown["test.os_environ"]["SAME"] == "yes"
        assert "FLAVOUR" not in shown["test.os_environ"]


def test_each_interpreter_has_its_own_python(serve):
    homes = [venv for venv in venvs.everything() if venv.version != venvs.newest().version]
    if not homes:
        pytest.skip("there is one Python only")
    server = serve(
        f"""
WSGIScriptAlias /new "@apps@/environ/app.py"
<Location "/old">
    PythonInterpreter old
    PythonHome "{homes[0].path}"
</Location>
WSGIScriptAlias /old "@apps@/environ/app.py"
"""
    )
    assert tuple(server.get("/new").json()["test.version"]) == venvs.newest().version
    assert tuple(server.get("/old").json()["test.version"]) == homes[0].version


def test_one_that_cannot_be_imported_does_not_touch_the_other(serve, tmp_path):
    (tmp_path / "broken.py").write_text("raise RuntimeError('no such luck')\n")
    server = serve(
        """
WSGIScriptAlias /good "@apps@/hello/app.py"
<Location "/broken">
    PythonInterpreter broken
</Location>
WSGIScriptAlias /broken "@tmp@/broken.py"
"""
    )
    assert server.get("/good").status_code == 200
    assert server.get("/broken").status_code == 500
    assert "no such luck" in server.log()


def test_one_that_cannot_start_does_not_touch_the_other(serve, tmp_path):
    (tmp_path / "deadly.py").write_text("import os\nos._exit(7)\n")
    server = serve(
        """
WSGIScriptAlias /good "@apps@/hello/app.py"
<Location "/deadly">
    PythonInterpreter deadly
</Location>
WSGIScriptAlias /deadly "@tmp@/deadly.py"
"""
    )
    assert server.get("/good").status_code == 200
    refused = server.get("/deadly")
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert server.get("/good").status_code == 200


def test_files_and_errors_need_no_interpreter(serve, tmp_path):
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "style.css").write_text("body {}")
    server = serve(HOSTS + '\nAlias /static "@tmp@/static"\n<Location "/static">\nSetHandler None\n</Location>\n')
    assert asked(server, "/static/style.css").body == b"body {}"
    with server.connect() as connection:
        assert connection.get("/static/none.css", host="www.example.com").status == 404


def test_processes_have_the_interpreter_s_name(serve):
    server = serve(HOSTS)
    lines = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as stat, open(f"/proc/{entry}/cmdline") as command:
                    if int(stat.read().rpartition(")")[2].split()[1]) == server.process.pid:
                        lines.append(command.read())
            except OSError:
                pass
    for name in ("www.example.com", "www2.example.com"):
        assert any(f"template of {name}" in line for line in lines), lines
    server.wait_for_log(r"www2.example.com: template \d+ loaded")


def test_stopping_leaves_nothing_behind(serve):
    server = serve(HOSTS, workers=2)
    pids = {asked(server, "/").body, asked(server, "/", "www2.example.com").body}
    assert len(pids) == 2
    family = processes_below(server.process.pid)
    assert server.stop() == 0
    waiting.until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in family), "every process to be gone")


def processes_below(pid):
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat") as stat:
                if int(stat.read().rpartition(")")[2].split()[1]) == pid:
                    found += [int(entry), *processes_below(int(entry))]
        except OSError:
            pass
    return found


def test_a_graceful_stop_finishes_what_runs_behind_fronts(serve):
    server = serve('PythonIsolation On\nSetEnv TEST_FOLDER "@tmp@"\nWSGIScriptAlias / "@apps@/gate/app.py"')
    gate = waiting.Gate(server.tmp / "gate")
    with server.connect() as running:
        running.request("/wait")
        waiting.until((server.tmp / "started").exists, "the request to start")
        server.process.send_signal(signal.SIGWINCH)
        server.wait_for_log("told to stop")
        gate.open()
        assert running.response().body == b'"wait"'
    assert server.process.wait(10) == 0


def test_what_is_lost_with_a_connection_says_nothing(serve):
    """A client that leaves takes no worker with it."""
    server = serve(HOSTS)
    for _ in range(20):
        with raw.Connection(server.port) as connection:
            connection.request("/", host="www.example.com")
    assert asked(server, "/").status == 200
    assert ":error]" not in server.log()
