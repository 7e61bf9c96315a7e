"""`request-timeout`: a request that hangs is answered 504, explained in the log, and taken away with its worker."""
import os
import re

import pytest

from harness import waiting

BOTH = pytest.mark.parametrize("isolation", ["Off", "On"])


def limited(serve, isolation, extra="", *, threads=3, seconds=1, workers=1):
    return serve(
        f"PythonIsolation {isolation}\n"
        f"PythonGroup main_interpreter processes={workers} threads={threads} request-timeout={seconds}\n{extra}\n"
        'SetEnv TEST_FOLDER "@tmp@"\nWSGIScriptAlias /gate "@apps@/gate/app.py"\nWSGIScriptAlias / "@apps@/crash/app.py"'
    )


def record(log):
    """The record of the first request that was given up."""
    lines = log.splitlines()
    first = next(number for number, line in enumerate(lines) if "request-timeout" in line)
    found = [lines[first]]
    for line in lines[first + 1:]:
        if not line.startswith("  "):
            break
        found.append(line)
    return "\n".join(found)


def gone(pid):
    return waiting.until(lambda: not os.path.exists(f"/proc/{pid}"), f"the end of worker {pid}")


@BOTH
@pytest.mark.parametrize("way", ["sleep", "hold", "spin"])
def test_a_stuck_request(serve, isolation, way):
    server = limited(serve, isolation)
    worker = int(server.get("/pid").text)
    with server.connect() as connection:
        connection.request(f"/{way}?secret=1", method="POST", body=b"x")
        here = connection.socket.getsockname()[1]
        assert connection.response().status == 504
    found = record(server.wait_for_log("request-timeout"))
    assert f"POST /{way}?secret=1 from 127.0.0.1:{here}, request " in found
    assert re.search(r"waited for \d+\.\d{3} s", found)
    assert re.search(r"inside Python for 1\.\d s, longer than request-timeout=1", found)
    assert re.search(r"thread 0x[0-9a-f]+, request [0-9a-f]+ \(most recent call first\):", found)
    assert re.search(r'File ".*crash/app.py", line \d+ in application', found)
    # Somebody else answers, at once, and the worker is gone.
    with server.connect() as connection:
        answer = connection.get("/pid")
        assert answer.status == 200
        assert int(answer.body) != worker
    gone(worker)
    assert server.log().count("longer than request-timeout") == 1
    assert "killed by" not in server.log()
    assert server.process.poll() is None


@BOTH
def test_other_requests_of_the_worker_are_answered(serve, isolation):
    server = limited(serve, isolation, seconds=3)
    gate = waiting.Gate(server.tmp / "gate")
    worker = int(server.get("/pid").text)
    with server.connect() as stuck, server.connect() as other:
        stuck.request("/sleep")
        # The other begins later than the first, and ends when the first was given up.
        waiting.settled(lambda: server.get("/pid").status_code, "the answers")
        other.request("/gate/wait")
        waiting.until(lambda: (server.tmp / "started").exists(), "the other request to start")
        assert stuck.response().status == 504
        gate.open()
        answer = other.response()
        assert answer.status == 200, answer
    gone(worker)
    assert server.get("/pid").status_code == 200


@BOTH
def test_all_threads_are_stuck(serve, isolation):
    server = limited(serve, isolation, threads=2)
    worker = int(server.get("/pid").text)
    connections = [server.connect() for _ in range(2)]
    for connection in connections:
        connection.request("/sleep")
    for connection in connections:
        assert connection.response().status == 504
        connection.close()
    gone(worker)
    assert server.log().count("longer than request-timeout") == 2
    assert server.get("/pid").status_code == 200


def test_each_of_more_threads_than_are_noted_is_told_of_its_own_request(serve):
    server = limited(serve, "Off", threads=125)
    connections = [server.connect() for _ in range(125)]
    for connection in connections:
        connection.request("/sleep")
    assert [connection.response().status for connection in connections] == [504] * 125


@BOTH
def test_while_the_gil_is_held_the_worker_still_listens(serve, isolation):
    server = limited(serve, isolation, 'Alias /file "@apps@/crash/app.py"\n<Directory "@apps@">\nRequire all granted\n</Directory>')
    worker = int(server.get("/pid").text)
    with server.connect() as stuck, server.connect() as waits, server.connect() as reads:
        stuck.request("/hold")
        waiting.until(lambda: (server.tmp / "holds").exists(), "the request to hold the GIL")
        # These are for Python, which nobody can enter: behind fronts they go to another worker in the end.
        waits.request("/pid")
        assert reads.get("/file").status == 200
        assert stuck.response().status == 504
        answer = waits.response()
        assert answer.status == (200 if isolation == "On" else 503), answer
    gone(worker)
    assert server.get("/pid").status_code == 200


def test_a_stuck_stream_is_cut_off(serve):
    server = serve('PythonGroup main_interpreter processes=1 request-timeout=1\nWSGIScriptAlias / "@apps@/crash/app.py"')
    with server.connect() as connection:
        connection.request("/stream")
        assert connection.read_until(b"the beginning").startswith(b"HTTP/1.1 200")
        seen = connection.read_to_end()
    assert not seen.endswith(b"0\r\n\r\n")


def test_without_the_option_nothing_is_given_up(serve):
    server = serve('SetEnv TEST_FOLDER "@tmp@"\nWSGIScriptAlias / "@apps@/gate/app.py"')
    gate = waiting.Gate(server.tmp / "gate")
    with server.connect() as connection:
        connection.request("/wait")
        waiting.until(lambda: (server.tmp / "started").exists(), "the request to start")
        waiting.settled(lambda: len(server.log()), "the log")
        gate.open()
        assert connection.response().status == 200


def test_as_a_wsgi_daemon(serve):
    server = serve(
        "WSGIDaemonProcess site request-timeout=1\nWSGIProcessGroup site\n"
        'WSGIScriptAlias / "@apps@/crash/app.py"'
    )
    assert server.get("/sleep").status_code == 504
    assert server.get("/pid").status_code == 200


def test_nothing_is_left_behind(serve):
    server = limited(serve, "On")
    assert server.get("/sleep").status_code == 504
    server.wait_for_log("longer than request-timeout")
    first = int(server.get("/pid").text)
    supervisor = f"/proc/{server.process.pid}/fd"
    before = waiting.settled(lambda: len(os.listdir(supervisor)), "the supervisor's descriptors")
    for _ in range(3):
        assert server.get("/hold").status_code == 504
    gone(first)
    assert waiting.settled(lambda: len(os.listdir(supervisor)), "the supervisor's descriptors") == before
