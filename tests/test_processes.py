"""Starting and stopping: workers as many as asked for, replaced when due, none left behind."""
import os
import signal
import socket
from pathlib import Path

import pytest

from harness import waiting

PIDS = 'WSGIScriptAlias / "@apps@/crash/app.py"'


def descendants(pid):
    """The processes below one, from /proc."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            child = int(stat.parent.name)
            found += [child, *descendants(child)]
    return found


def test_as_many_workers_as_asked_for(serve):
    server = serve(PIDS, workers=3)

    def one():
        with server.connect() as connection:
            return connection.get("/pid").body

    seen = set()
    waiting.until(lambda: seen.add(one()) or len(seen) == 3, "three workers to have answered")
    for _ in range(60):
        seen.add(one())
    assert len(seen) == 3


def test_the_pid_file_names_the_supervisor(serve):
    server = serve(PIDS)
    assert int((server.tmp / "alula.pid").read_text()) == server.process.pid


@pytest.mark.parametrize("way", [signal.SIGTERM, signal.SIGINT])
def test_stopping_leaves_nothing_behind(serve, way):
    server = serve(PIDS, workers=2)
    assert server.get("/pid").status_code == 200
    family = descendants(server.process.pid)
    assert len(family) >= 2
    server.process.send_signal(way)
    assert server.process.wait(10) == 0
    waiting.until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in family), "every process to be gone")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), timeout=1)
    assert not (server.tmp / "alula.pid").exists()


def test_workers_do_not_outlive_a_killed_supervisor(serve):
    server = serve(PIDS, workers=2)
    assert server.get("/pid").status_code == 200
    family = descendants(server.process.pid)
    server.process.kill()
    server.process.wait()
    waiting.until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in family), "every process to be gone")


def test_a_worker_is_replaced_after_its_requests(serve):
    server = serve(f"MaxRequestsPerChild 5\n{PIDS}")
    pids = []
    for _ in range(20):
        with server.connect() as connection:
            pids.append(connection.get("/pid").body)
    assert len(set(pids)) >= 3, pids


def test_max_requests_per_child_1_sees_edited_code(serve, tmp_path):
    script = tmp_path / "edited.py"
    text = "def application(environ, start_response):\n    start_response('200 OK', [])\n    return [b'{}']\n"
    script.write_text(text.format("first"))
    server = serve('MaxRequestsPerChild 1\nWSGIScriptAlias / "@tmp@/edited.py"')
    assert server.get("/").text == "first"
    for version in ("second version", "third", "fourth, after a while"):
        script.write_text(text.format(version))
        for _ in range(3):
            assert server.get("/").text == version


def test_max_requests_per_child_1_sees_an_edited_module(serve, tmp_path):
    (tmp_path / "code").mkdir()
    module = tmp_path / "code" / "imported_by_the_script.py"
    module.write_text("TEXT = 'first'\n")
    (tmp_path / "script.py").write_text(
        "import imported_by_the_script\n"
        "def application(environ, start_response):\n"
        "    start_response('200 OK', [])\n"
        "    return [imported_by_the_script.TEXT.encode()]\n"
    )
    server = serve(
        'MaxRequestsPerChild 1\nPythonPath "[\'@tmp@/code\'] + sys.path"\nWSGIScriptAlias / "@tmp@/script.py"'
    )
    assert server.get("/").text == "first"
    module.write_text("TEXT = 'second, longer'\n")
    assert server.get("/").text == "second, longer"


def test_a_syntax_error_saved_by_mistake_is_shown_and_mended(serve, tmp_path):
    script = tmp_path / "edited.py"
    good = "def application(environ, start_response):\n    start_response('200 OK', [])\n    return [b'good']\n"
    script.write_text(good)
    server = serve('MaxRequestsPerChild 1\nWSGIScriptAlias / "@tmp@/edited.py"')
    assert server.get("/").text == "good"
    script.write_text("def application(:\n")
    assert server.get("/").status_code == 500
    server.wait_for_log("SyntaxError")
    script.write_text(good)
    assert server.get("/").text == "good"
