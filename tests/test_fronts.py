"""Behind fronts nothing looks different, and a worker that dies takes one request with it."""
import hashlib
import json
import os
import signal

import pytest

from harness import waiting

BOTH = pytest.mark.parametrize("isolation", ["Off", "On"])


def gated(serve, extra="", **options):
    server = serve(
        f'PythonIsolation On\n{extra}\nSetEnv TEST_FOLDER "@tmp@"\nWSGIScriptAlias / "@apps@/gate/app.py"', **options
    )
    return server, waiting.Gate(server.tmp / "gate")


def started(server, count=1):
    note = server.tmp / "started"
    waiting.until(lambda: note.exists() and len(note.read_bytes()) >= count, f"{count} requests to start")


def test_the_environ_is_the_same(serve):
    shown = []
    for isolation in ("Off", "On"):
        server = serve(
            f'PythonIsolation {isolation}\nSetEnv COLOUR red\nWSGIScriptAlias /app "@apps@/environ/app.py"', workers=2
        )
        with server.connect() as connection:
            connection.request(
                "/app/a%20b//c%C3%A9?x=%20y&z", headers=["X-Twice: 1", "X-Twice: 2", "Cookie: a=b"], method="PUT", body=b"123"
            )
            here = connection.socket.getsockname()[1]
            environ = json.loads(connection.response().body)
        assert environ.pop("REMOTE_PORT") == str(here)
        assert environ["REMOTE_ADDR"] == environ["SERVER_ADDR"] == "127.0.0.1"
        assert environ["SERVER_PORT"] == "80"
        for name in [name for name in environ if name.startswith("test.")]:
            del environ[name]
        shown.append({name: str(value).split(" at 0x")[0].replace(str(server.port), "PORT") for name, value in environ.items()})
    folders = [{name: value.replace("server1/", "") for name, value in environ.items()} for environ in shown]
    assert folders[0] == folders[1]


@BOTH
def test_large_content_arrives_whole(serve, isolation):
    server = serve(f'PythonIsolation {isolation}\nWSGIScriptAlias / "@apps@/hash/app.py"')
    for size in (0, 1, 65_536, 300_000, 600_000, 50_000_000):
        content = os.urandom(1000) * (size // 1000) + b"x" * (size % 1000)
        answer = server.post("/", content=content).text
        assert answer == f"{size} {hashlib.sha256(content).hexdigest()}"


@BOTH
@pytest.mark.parametrize("blocks", [0, 1, 2, 1600])
def test_large_responses_arrive_whole(serve, isolation, blocks):
    server = serve(f'PythonIsolation {isolation}\nWSGIScriptAlias / "@apps@/hash/app.py"')
    block = hashlib.sha256(b"alula").digest() * 2048
    assert server.get(f"/?{blocks}").content == block * blocks


@BOTH
def test_a_file_the_application_answers_with(serve, isolation):
    server = serve(f'PythonIsolation {isolation}\nSetEnv TEST_FOLDER "@tmp@"\nWSGIScriptAlias / "@apps@/file/app.py"')
    (server.tmp / "content.bin").write_bytes(os.urandom(300_000))
    direct = server.get("/")
    assert direct.content == (server.tmp / "content.bin").read_bytes()
    head = server.client.head("/")
    assert (head.status_code, head.content) == (direct.status_code, b"")
    assert head.headers.get("Content-Length") == direct.headers.get("Content-Length")


def test_a_slow_reader_does_not_make_the_worker_grow(serve):
    server = serve('PythonIsolation On\nWSGIScriptAlias / "@apps@/hash/app.py"')
    with server.connect() as connection:
        connection.request("/?3200")
        assert connection.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 200")
        # 200 MiB are on their way to somebody who does not read: others are served meanwhile.
        for _ in range(10):
            assert server.get("/?1").status_code == 200
        for pid in workers(server):
            assert resident(pid) < 150 << 20
        block = hashlib.sha256(b"alula").digest() * 2048
        assert b"".join(connection.chunks()) == block * 3200


def workers(server):
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat") as stat:
                parent = int(stat.read().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == server.process.pid:
            found += [int(entry)]
    return found


def resident(pid):
    with open(f"/proc/{pid}/status") as status:
        return int(next(line for line in status if line.startswith("VmRSS")).split()[1]) << 10


def test_the_running_request_is_lost_and_the_waiting_one_is_not(serve):
    server, gate = gated(serve, "ThreadsPerChild 1")
    worker = server.get("/state").json()["pid"]
    with server.connect() as running, server.connect() as waits:
        running.request("/wait")
        started(server)
        waits.request("/state")
        # It is in the worker's queue when the worker has two requests of ours.
        waiting.settled(lambda: len(server.log()), "the log")
        os.kill(worker, signal.SIGKILL)
        assert running.response().status == 502
        answer = waits.response()
        assert answer.status == 200
        assert str(worker).encode() not in answer.body
    log = server.wait_for_log("SIGKILL")
    assert "gave no answer" in log
    gate.open()


def test_only_the_request_that_runs_is_lost_with_its_worker(serve):
    server = serve('PythonIsolation On\nWSGIScriptAlias / "@apps@/crash/app.py"', workers=2)
    with server.connect() as connection:
        for way in ("segfault", "kill", "exit", "segfault", "kill"):
            lost = connection.get(f"/{way}")
            assert lost.status == 502
            # On the same connection, at once: nobody else notices.
            for _ in range(5):
                assert connection.get("/pid").status == 200
    assert len(server.wait_for_log("gave no answer", 5).splitlines()) > 5


def test_a_response_that_stops_in_the_middle_is_seen_to(serve, tmp_path):
    (tmp_path / "dies.py").write_text(
        "import os\n"
        "def application(environ, start_response):\n"
        "    start_response('200 OK', [('Content-Type', 'text/plain')])\n"
        "    yield b'x' * 100_000\n"
        "    yield b'y'\n"
        "    import time\n"
        "    open(os.path.join(environ['TEST_FOLDER'], 'gate'), 'rb', buffering=0).read(1)\n"
        "    os._exit(3)\n"
    )
    server = serve('PythonIsolation On\nSetEnv TEST_FOLDER "@tmp@"\nWSGIScriptAlias / "@tmp@/dies.py"')
    gate = waiting.Gate(server.tmp / "gate")
    with server.connect() as connection:
        connection.request("/")
        connection.read_until(b"y\r\n")
        gate.open()
        assert b"0\r\n\r\n" not in connection.read_to_end()
    server.wait_for_log("in the middle of its response")


def test_requests_go_to_the_workers_that_are_idle(serve):
    server, gate = gated(serve, "ThreadsPerChild 1", workers=3)
    with server.connect() as one, server.connect() as two:
        one.request("/wait")
        started(server, 1)
        two.request("/wait")
        started(server, 2)
        # Two of three are taken: whoever comes now meets the third, each time.
        for _ in range(30):
            assert server.get("/state").status_code == 200
            with server.connect() as fresh:
                assert fresh.get("/state").status == 200
        gate.open(2)
        assert one.response().body == two.response().body == b'"wait"'


def test_a_worker_that_is_replaced_after_its_requests_loses_none(serve):
    server = serve('PythonIsolation On\nMaxRequestsPerChild 5\nWSGIScriptAlias / "@apps@/crash/app.py"', workers=2)
    with server.connect() as connection:
        pids = {connection.get("/pid").body for _ in range(60)}
    assert len(pids) >= 8, pids
    assert ":error]" not in server.log()


def test_the_request_has_one_name_in_all_logs(serve, tmp_path):
    (tmp_path / "fails.py").write_text("def application(environ, start_response):\n    raise ValueError('on purpose')\n")
    server = serve('PythonIsolation On\nWSGIScriptAlias / "@tmp@/fails.py"')
    with server.connect() as connection:
        assert connection.get("/where").status == 500
        here = connection.socket.getsockname()[1]
    log = server.wait_for_log("on purpose")
    assert f"[client 127.0.0.1:{here}]" in log
    assert "GET /where" in log


def test_100_continue(serve):
    server = serve('PythonIsolation On\nWSGIScriptAlias / "@apps@/hash/app.py"')
    with server.connect() as connection:
        connection.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert connection.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 100")
        connection.send(b"12345")
        assert connection.response().body.startswith(b"5 ")
