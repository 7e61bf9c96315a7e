"""What the error log says of a worker that died: one record with all there is to know."""
import os
import re

import pytest

from harness import waiting

CRASH = 'WSGIScriptAlias / "@apps@/crash/app.py"'
BOTH = pytest.mark.parametrize("isolation", ["Off", "On"])


def record(server, way, isolation, pattern):
    """Has a worker die; returns the record of it, the lines that belong to it joined."""
    with server.connect() as connection:
        connection.request(f"/{way}?secret=1")
        here = connection.socket.getsockname()[1]
        seen = connection.read_to_end() if isolation == "Off" else connection.response()
    assert seen == b"" if isolation == "Off" else seen.status == 502, seen
    server.wait_for_log(pattern)
    lines = server.log().splitlines()
    first = next(number for number, line in enumerate(lines) if re.search(pattern, line))
    found = [lines[first]]
    for line in lines[first + 1:]:
        if not line.startswith("  "):
            break
        found.append(line)
    assert len(re.findall(pattern, server.log())) == 1
    return "\n".join(found), here


@BOTH
def test_a_segmentation_fault(serve, isolation):
    server = serve(f"PythonIsolation {isolation}\n{CRASH}")
    found, here = record(server, "segfault", isolation, "killed by SIGSEGV")
    assert re.search(r"worker \d+ \(pid \d+\) was killed by SIGSEGV \(segmentation fault\) after [\d.]+ s, \d+ requests? served", found)
    assert "starting another" in found
    assert f"GET /segfault?secret=1 from 127.0.0.1:{here}, request " in found
    assert re.search(r"the crash was in \S*(libc|_ctypes|python)", found)
    assert "_ctypes" in found
    assert "it touched address 0x0" in found
    assert re.search(r'thread 0x[0-9a-f]+, request [0-9a-f]+ \(most recent call first\):', found)
    assert re.search(r'File ".*crash/app.py", line \d+ in dereference_null', found)
    assert re.search(r'File ".*crash/app.py", line \d+ in application', found)


@BOTH
def test_an_abort(serve, isolation):
    server = serve(f"PythonIsolation {isolation}\n{CRASH}")
    found, _ = record(server, "abort", isolation, r"killed by SIGABRT \(it gave up\)")
    assert "GET /abort" in found
    assert re.search(r'File ".*crash/app.py", line \d+ in application', found)


@BOTH
def test_an_exit_says_who_called_it(serve, isolation):
    server = serve(f"PythonIsolation {isolation}\n{CRASH}")
    found, _ = record(server, "exit", isolation, "exited with status 3")
    assert "GET /exit" in found
    assert re.search(r'File ".*crash/app.py", line \d+ in application', found)


@BOTH
def test_an_exit_from_c(serve, isolation):
    server = serve(f"PythonIsolation {isolation}\n{CRASH}")
    found, _ = record(server, "c-exit", isolation, "exited with status 4")
    assert "GET /c-exit" in found


@BOTH
def test_a_kill_from_outside_leaves_the_request(serve, isolation):
    server = serve(f"PythonIsolation {isolation}\n{CRASH}")
    found, here = record(server, "kill", isolation, "killed by SIGKILL")
    assert f"GET /kill?secret=1 from 127.0.0.1:{here}" in found
    assert re.search(r"SIGKILL \((by hand|the kernel|the memory limit)", found)


@BOTH
def test_a_full_stack(serve, isolation):
    server = serve(f"PythonIsolation {isolation}\n{CRASH}")
    found, _ = record(server, "deep", isolation, "killed by SIG(SEGV|BUS|ABRT)")
    assert "GET /deep" in found


def test_long_urls_are_cut(serve):
    server = serve(CRASH)
    with server.connect() as connection:
        connection.request("/segfault?" + "x" * 3000)
        connection.read_to_end()
    log = server.wait_for_log("killed by SIGSEGV")
    line = next(line for line in log.splitlines() if "inside Python for" in line)
    assert "GET /segfault" in line
    assert len(line) < 500


def test_how_to_get_a_core_dump_is_said_once(serve):
    server = serve(f"PythonIsolation On\n{CRASH}")
    for _ in range(3):
        assert server.get("/segfault").status_code == 502
    log = server.wait_for_log("killed by SIGSEGV", 3)
    assert log.count("for a core dump next time") + log.count("the core dump") in (1, 3)


def test_an_application_may_enable_faulthandler_itself(serve, tmp_path):
    (tmp_path / "own.py").write_text(
        "import ctypes, faulthandler, os, signal\n"
        "faulthandler.enable(open(os.environ['TEST_FOLDER'] + '/own.txt', 'w'))\n"
        "def application(environ, start_response):\n"
        "    faulthandler.enable(open(os.environ['TEST_FOLDER'] + '/late.txt', 'w'))\n"
        "    ctypes.string_at(0)\n"
    )
    server = serve('SetEnv TEST_FOLDER "@tmp@"\nWSGIScriptAlias / "@tmp@/own.py"')
    with server.connect() as connection:
        connection.request("/")
        connection.read_to_end()
    log = server.wait_for_log("killed by SIGSEGV")
    assert re.search(r'  File ".*own.py", line 5 in application', log)
    written = (tmp_path / "late.txt").read_text()
    assert "Segmentation fault" in written
    assert "own.py" in written


def test_the_crash_of_a_child_is_not_the_workers(serve):
    server = serve(CRASH)
    pid = server.get("/pid").text
    assert server.get("/child").status_code == 200
    assert server.get("/pid").text == pid
    log = server.wait_for_log("Segmentation fault")
    assert "killed by" not in log
    # And what the child has written is not taken for the worker's.
    with server.connect() as connection:
        connection.request("/kill")
        connection.read_to_end()
    record = server.wait_for_log("killed by SIGKILL").partition("killed by SIGKILL")[2]
    assert "crash_in_a_child" not in record


@BOTH
def test_nothing_is_left_behind(serve, isolation):
    server = serve(f"PythonIsolation {isolation}\n{CRASH}")
    supervisor = f"/proc/{server.process.pid}/fd"

    def crash():
        with server.connect() as connection:
            connection.request("/segfault")
            connection.read_to_end() if isolation == "Off" else connection.response()

    crash()
    server.wait_for_log("killed by SIGSEGV")
    with server.connect() as connection:
        connection.get("/pid")
    waiting.settled(lambda: len(os.listdir(supervisor)), "the supervisor's descriptors")
    before = len(os.listdir(supervisor))
    with server.connect() as connection:
        own = int(connection.get("/descriptors").body)
    for number in range(5):
        crash()
        server.wait_for_log("killed by SIGSEGV", number + 2)
    with server.connect() as connection:
        # The same files are open; one front more or less may have a connection to it. Five crashes would have left five.
        assert abs(int(connection.get("/descriptors").body) - own) <= 1
    waiting.settled(lambda: len(os.listdir(supervisor)), "the supervisor's descriptors")
    assert len(os.listdir(supervisor)) == before
