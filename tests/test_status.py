"""`SetHandler server-status` and `alula status`: what the server says of itself."""
import contextlib
import json
import subprocess

import pytest

from harness import venvs, waiting

STATUS = '<Location "/server-status">\nSetHandler server-status\n</Location>\n'
GATE = 'SetEnv TEST_FOLDER "@tmp@"\nWSGIScriptAlias / "@apps@/gate/app.py"\n'


def status(server, query="json"):
    with server.connect() as connection:
        response = connection.get(f"/server-status?{query}")
    assert response.status == 200
    return json.loads(response.body) if query == "json" else response.body.decode()


def auto(server):
    lines = status(server, "auto").splitlines()
    return lines[0], dict(line.split(": ", 1) for line in lines[1:])


def command(server, *words):
    return subprocess.run([venvs.BINARY, "status", *words, "-f", server.config], capture_output=True, text=True, timeout=30)


def answering(report):
    return [worker for worker in report["workers"] if not worker["is_front"]]


@contextlib.contextmanager
def running_request(server, target="/wait?secret=1"):
    """A request that runs until the block is left."""
    gate = waiting.Gate(server.tmp / "gate")
    with server.connect() as connection:
        connection.request(target)
        waiting.until((server.tmp / "started").exists, "the request to start")
        yield connection
        gate.open()
        assert connection.response().status == 200


def test_a_running_request_is_shown_with_its_worker(serve):
    server = serve(STATUS + GATE, workers=2)
    with running_request(server):
        report = status(server)
        busy = [worker for worker in answering(report) if worker["threads_busy"]]
        assert len(busy) == 1 and busy[0]["state"] == "busy"
        shown = [request for request in busy[0]["current"] if request["target"] == "/wait?secret=1"]
        assert [(request["method"], request["client"]) for request in shown] == [("GET", "127.0.0.1")]
        assert shown[0]["host"] == f"127.0.0.1:{server.port}" or shown[0]["host"].startswith("localhost")
        page = status(server, "")
        assert "GET /wait?secret=1" in page and "Alula/" in page
        assert "GET /wait?secret=1" in command(server).stdout
        host, values = auto(server)
        assert int(values["BusyWorkers"]) >= 1 and values["Scoreboard"].count("W") == int(values["BusyWorkers"])
    waiting.until(lambda: not any(worker["threads_busy"] for worker in answering(status(server))), "the threads to be idle")


def test_a_request_whose_client_has_left_is_over(serve):
    server = serve(STATUS + GATE)
    gate = waiting.Gate(server.tmp / "gate")
    with server.connect() as connection:
        connection.request("/wait")
        waiting.until((server.tmp / "started").exists, "the request to start")
    gate.open()

    def only_our_own():
        report = status(server)
        return all(worker["running"] == len(worker["current"]) <= 1 for worker in report["workers"])

    waiting.until(only_our_own, "the request to be over")


def test_totals_count_each_request_once_and_outlive_workers(serve):
    server = serve(f'MaxRequestsPerChild 3\n{STATUS}WSGIScriptAlias / "@apps@/hello/app.py"\n', workers=2)
    sent = 0
    for _ in range(12):
        with server.connect() as connection:
            sent += len(connection.get("/").body)

    def counted():
        report = status(server)
        asked_for_status = report["totals"]["requests"] - 12
        return asked_for_status >= 0 and report["totals"]["bytes"] >= sent

    waiting.until(counted, "twelve requests to be counted")
    report = status(server)
    [interpreter] = [found for found in report["interpreters"] if not found["is_front"]]
    assert interpreter["requests"] >= 12 and interpreter["workers_ended"] >= 2
    waiting.until(lambda: status(server)["interpreters"][0]["workers"] == 2, "both workers")


def test_several_interpreters_have_their_own_totals(serve):
    server = serve(
        STATUS
        + """
<Location "/two">
    PythonInterpreter second
</Location>
WSGIScriptAlias /one "@apps@/hello/app.py"
WSGIScriptAlias /two "@apps@/hello/app.py"
"""
    )
    for path in ("/one", "/two", "/two"):
        assert server.get(path).status_code == 200
    report = status(server)
    requests = {found["name"]: found["requests"] for found in report["interpreters"]}
    assert (requests["main_interpreter"], requests["second"]) == (1, 2)
    fronts = [worker for worker in report["workers"] if worker["is_front"]]
    assert fronts and all(worker["accepts"] for worker in fronts)
    assert report["totals"]["requests"] >= 3
    for worker in report["workers"]:
        assert worker["memory_bytes"] > 1_000_000 and worker["pid"] > 1


def test_a_server_without_python_has_one(serve):
    server = serve(f'DocumentRoot "@tmp@"\n{STATUS}')
    (server.tmp / "file").write_text("x" * 5000)
    assert server.get("/file").status_code == 200
    host, values = auto(server)
    assert host == "127.0.0.1" or host == "localhost"
    assert int(values["Total Accesses"]) >= 1 and int(values["Total kBytes"]) >= 4
    assert set(values["Scoreboard"]) <= set("_W")
    assert int(values["IdleWorkers"]) + int(values["BusyWorkers"]) == len(values["Scoreboard"])


def test_access_rules_apply(serve):
    server = serve(
        """
DocumentRoot "@tmp@"
<Location "/server-status">
    SetHandler server-status
    Require ip 192.0.2.1
</Location>
<Location "/other">
    SetHandler server-status
    Require local
</Location>
"""
    )
    assert server.get("/server-status").status_code == 403
    assert server.get("/other").status_code == 200
    assert server.post("/other", content=b"x").status_code == 405


def test_refresh_is_a_header(serve):
    server = serve(STATUS)
    response = server.get("/server-status?refresh=7")
    assert (response.headers["Refresh"], response.headers["Content-Type"]) == ("7", "text/html; charset=utf-8")
    assert "no-store" in response.headers["Cache-Control"]
    assert "Refresh" not in server.get("/server-status?json").headers


def test_extended_status_off_counts_only(serve):
    server = serve("ExtendedStatus Off\n" + STATUS + GATE)
    with running_request(server):
        report = status(server)
        assert sum(worker["threads_busy"] for worker in report["workers"]) == 1
        assert not any(worker["current"] for worker in report["workers"])
        assert "Total Accesses" not in auto(server)[1]


def test_the_names_httpd_writes_are_all_there(serve):
    """Those that Munin, collectd, Telegraf and the Prometheus exporter look for."""
    server = serve(STATUS)
    server.get("/")
    values = auto(server)[1]
    for name in (
        "Total Accesses", "Total kBytes", "Total Duration", "CPUUser", "CPUSystem", "Uptime", "ReqPerSec", "BytesPerSec",
        "BytesPerReq", "DurationPerReq", "BusyWorkers", "IdleWorkers", "GracefulWorkers", "Processes", "Stopping", "ConnsTotal",
        "ConnsAsyncWriting", "ConnsAsyncKeepAlive", "ConnsAsyncClosing", "Scoreboard", "ServerVersion", "ServerMPM",
        "ServerUptimeSeconds", "ParentServerConfigGeneration", "Load1",
    ):
        assert values[name] != "", name


def test_the_command_reads_it_without_a_page(serve):
    server = serve('WSGIScriptAlias / "@apps@/hello/app.py"\n')
    assert server.get("/").status_code == 200
    report = json.loads(command(server, "--json").stdout)
    assert report["pid"] == server.process.pid and report["generation"] == 1
    assert report["totals"]["requests"] == 1
    text = command(server).stdout
    assert "INTERPRETER" in text and "main_interpreter" in text


def test_the_command_says_when_nothing_runs(serve):
    server = serve("", start=False)
    done = command(server)
    assert done.returncode == 1 and "not running" in done.stderr


@pytest.mark.parametrize("handler", ["server-info"])
def test_server_info_is_not_there(serve, handler):
    server = serve(f'<Location "/info">\nSetHandler {handler}\n</Location>\nWSGIScriptAlias / "@apps@/hello/app.py"\n')
    assert server.get("/info").status_code == 404
    checked = subprocess.run([venvs.BINARY, "-t", "-f", server.config], capture_output=True, text=True, timeout=30)
    assert "server-info is not served" in checked.stdout + checked.stderr
