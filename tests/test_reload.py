"""`alula reload`: new code and configuration take over without one failed request, and broken code never does."""
import concurrent.futures
import subprocess
import threading

import pytest

from harness import venvs, waiting

CODE = """
import os
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"{}"]
"""


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "edited.py"
    path.write_text(CODE.format("old"))
    return path


SECOND_INTERPRETER = """
<Location "/hello">
    PythonInterpreter second
</Location>
"""


@pytest.fixture(params=["", SECOND_INTERPRETER], ids=["one interpreter", "two interpreters"])
def server(serve, script, request):
    aliases = 'WSGIScriptAlias /hello "@apps@/hello/app.py"\nWSGIScriptAlias / "@tmp@/edited.py"'
    return serve(request.param + aliases, workers=2)


def command(server, *words):
    done = subprocess.run([venvs.BINARY, *words, "-f", server.config], capture_output=True, text=True, timeout=30)
    assert "panicked" not in done.stderr
    return done


def ask(server):
    with server.connect() as connection:
        return connection.get("/").body.decode()


def new_connections(server, over):
    answers = []
    while not over.is_set():
        answers.append(ask(server))
    return answers


def kept_connection(server, over):
    """One connection for as long as the server keeps it; a new one only after `Connection: close`."""
    answers = []
    connection = server.connect()
    while not over.is_set():
        response = connection.get("/")
        answers.append(response.body.decode())
        if (response.one("Connection") or "").lower() == "close":
            connection.close()
            connection = server.connect()
    connection.close()
    return answers


@pytest.mark.parametrize("client", [new_connections, kept_connection])
def test_no_request_fails_while_code_is_replaced(server, script, client):
    over = threading.Event()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        clients = [pool.submit(client, server, over) for _ in range(4)]
        try:
            for version in ("second", "third"):
                script.write_text(CODE.format(version))
                done = command(server, "reload")
                assert done.returncode == 0 and "new code and configuration serve" in done.stderr
                waiting.until(lambda: ask(server) == version, f"the {version} code")
        finally:
            over.set()
        for answers in (client.result() for client in clients):
            assert set(answers) <= {"old", "second", "third"}
    assert waiting.settled(lambda: ask(server), "the answer") == "third"


def test_a_request_that_runs_is_finished_by_the_old_code(serve):
    server = serve('SetEnv TEST_FOLDER "@tmp@"\nWSGIScriptAlias / "@apps@/gate/app.py"')
    gate = waiting.Gate(server.tmp / "gate")
    first = server.get("/state").json()["pid"]
    with server.connect() as running:
        running.request("/wait")
        waiting.until((server.tmp / "started").exists, "the request to start")
        assert command(server, "reload").returncode == 0

        def replaced():
            with server.connect() as connection:
                return str(first).encode() not in connection.get("/state").body

        waiting.until(replaced, "a new worker")
        gate.open()
        assert running.response().body == b'"wait"'


def test_a_changed_configuration_is_read(server):
    text = server.config.read_text()
    server.config.write_text(text + f'\nAlias /config "{server.config}"\n<Location "/config">\nRequire all granted\n</Location>\n')
    assert command(server, "reload").returncode == 0
    waiting.until(lambda: b"Alias /config" in get(server, "/config"), "the new Alias")


def get(server, path):
    with server.connect() as connection:
        return connection.get(path).body


def test_a_broken_configuration_is_refused_and_the_old_one_serves_on(server):
    server.config.write_text(server.config.read_text() + "\nNonsense\n")
    done = command(server, "reload")
    assert done.returncode != 0
    assert "Nonsense" in done.stderr
    assert ask(server) == "old"


@pytest.mark.parametrize("broken", ["def application(:\n", "raise RuntimeError('the-new-code-does-not-import')\n"])
def test_broken_code_is_refused_and_the_old_code_serves_on(server, script, broken):
    assert ask(server) == "old"
    script.write_text(broken)
    done = command(server, "reload")
    assert done.returncode == 1 and "the server goes on as it was" in done.stderr
    assert "Traceback" in done.stderr or "SyntaxError" in done.stderr
    server.wait_for_log("SyntaxError" if "def" in broken else "the-new-code-does-not-import")
    assert waiting.settled(lambda: ask(server), "the answer") == "old"
    script.write_text(CODE.format("mended"))
    assert command(server, "reload").returncode == 0
    waiting.until(lambda: ask(server) == "mended", "the mended code")


def test_stop_ends_the_server(server):
    assert command(server, "stop").returncode == 0
    assert server.process.wait(10) == 0


def test_stop_without_a_server_says_so(serve):
    server = serve("", start=False)
    assert "not running" in command(server, "stop").stderr
