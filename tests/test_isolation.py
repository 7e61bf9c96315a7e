"""`PythonIsolation`: a lone interpreter that crashes is put behind fronts, and nobody but the crash notices."""
import os
import signal
import threading

import pytest

from harness import waiting

CRASH = 'WSGIScriptAlias / "@apps@/crash/app.py"'
ISOLATED = "until the next restart fronts accept connections in its place"


def crash(server, way="segfault"):
    with server.connect() as connection:
        connection.request(f"/{way}", headers=["Connection: close"])
        return connection.read_to_end()


def fronts(server):
    return [pid for pid in children(server.process.pid) if b"front-worker" in command(pid)]


def children(parent):
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat") as stat:
                if int(stat.read().rpartition(")")[2].split()[1]) == parent:
                    found.append(int(entry))
        except OSError:
            continue
    return found


def command(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read()
    except OSError:
        return b""


class Load:
    """Clients that ask without a pause and count what goes wrong."""

    def __init__(self, server, clients=4):
        self.server = server
        self.over = threading.Event()
        self.answered = self.lost = 0
        self.lock = threading.Lock()
        self.clients = [threading.Thread(target=self.ask, args=(number % 2 == 0,)) for number in range(clients)]

    def ask(self, keeps):
        connection = None
        while not self.over.is_set():
            try:
                connection = connection or self.server.connect()
                answer = connection.get("/pid")
                ok, leaves = answer.status == 200, answer.one("Connection") == "close"
            except (OSError, EOFError):
                ok, leaves = False, True
            with self.lock:
                self.answered += ok
                self.lost += not ok
            if connection and (leaves or not keeps):
                connection.close()
                connection = None
        if connection:
            connection.close()

    def __enter__(self):
        for client in self.clients:
            client.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for client in self.clients:
            client.join()

    def wait(self, more=50):
        before = self.answered
        waiting.until(lambda: self.answered >= before + more, "more answers")


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("way", ["segfault", "kill"])
def test_a_crash_brings_fronts(serve, workers, way):
    server = serve(f"PythonIsolation Auto\nThreadsPerChild 1\n{CRASH}", workers=workers)
    assert fronts(server) == []
    with Load(server) as load:
        load.wait()
        seen = crash(server, way)
        # What else was on a connection of the worker that died is lost with it.
        server.wait_for_log(ISOLATED)
        waiting.until(lambda: fronts(server), "the fronts")
        waiting.until(lambda: crash(server, way).startswith(b"HTTP/1.1 502"), "a crash that is a 502")
        load.wait()
        at_first = load.lost
        assert at_first <= len(load.clients) * 2
        for _ in range(3):
            assert crash(server, way).startswith(b"HTTP/1.1 502")
            load.wait()
        # From now on a crash takes nobody else with it: the worker is inside of one request at a time.
        assert load.lost == at_first
    assert seen == b""
    assert server.log().count(ISOLATED) == 1


def test_a_restart_goes_back(serve):
    server = serve(f"PythonIsolation Auto\n{CRASH}")
    crash(server)
    server.wait_for_log(ISOLATED)
    waiting.until(lambda: server.get("/segfault").status_code == 502 if fronts(server) else False, "the fronts")
    with Load(server) as load:
        load.wait()
        server.process.send_signal(signal.SIGUSR1)
        server.wait_for_log("generation 2")
        waiting.until(lambda: not fronts(server), "the fronts to be gone")
        load.wait()
    assert load.lost == 0
    assert crash(server) == b""
    server.wait_for_log(ISOLATED, 2)


def test_off_stays_off(serve):
    server = serve(f"PythonIsolation Off\n{CRASH}", workers=2)
    for number in range(3):
        assert crash(server) == b""
        server.wait_for_log("killed by SIGSEGV", number + 1)
        with server.connect() as connection:
            assert connection.get("/pid").status == 200
    assert fronts(server) == []
    assert ISOLATED not in server.log()


def test_an_exit_is_no_crash(serve):
    server = serve(f"PythonIsolation Auto\n{CRASH}")
    assert crash(server, "exit") == b""
    server.wait_for_log("exited with status 3")
    assert server.get("/pid").status_code == 200
    assert fronts(server) == []
    assert ISOLATED not in server.log()


DIES = """\
import os, signal
folder = os.environ["TEST_FOLDER"]

def live_or_die():
    if os.path.exists(folder + "/die"):
        os._exit(5)

os.register_at_fork(after_in_child=live_or_die)

def application(environ, start_response):
    if environ["PATH_INFO"] == "/kill":
        os.kill(os.getpid(), signal.SIGKILL)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"alive"]
"""


@pytest.mark.parametrize("isolation", ["Auto", "Off", "On"])
def test_a_crash_loop_is_answered_503_and_ends(serve, tmp_path, isolation):
    (tmp_path / "dies.py").write_text(DIES)
    server = serve(
        f'PythonIsolation {isolation}\nSetEnv TEST_FOLDER "@tmp@"\nWSGIScriptAlias / "@tmp@/dies.py"\n'
        'Alias /file "@tmp@/file"\n<Directory "@tmp@">\nRequire all granted\n</Directory>'
    )
    (tmp_path / "file").write_text("a file")
    assert server.get("/").text == "alive"
    (tmp_path / "die").touch()
    seen = crash(server, "kill")
    assert seen.startswith(b"HTTP/1.1 502") if isolation == "On" else seen == b""
    server.wait_for_log(r"starting another in [1-9]")
    with server.connect() as connection:
        answer = connection.get("/")
        assert answer.status == 503
        assert 1 <= int(answer.one("Retry-After")) <= 31
        # What needs no Python is there all the time.
        assert connection.get("/file").body == b"a file"
    assert server.process.poll() is None
    log = server.log()
    assert len(log.splitlines()) < 60
    assert "exited with status 5" in log
    (tmp_path / "die").unlink()

    def alive():
        with server.connect() as connection:
            return connection.get("/").body == b"alive"

    waiting.until(alive, "a worker that lives")
    assert bool(fronts(server))


def test_a_page_that_crashes_does_not_slow_down_the_others(serve):
    server = serve(f"PythonIsolation On\n{CRASH}", workers=2)
    with server.connect() as connection:
        for _ in range(12):
            assert connection.get("/segfault").status == 502
            assert connection.get("/pid").status == 200
    log = server.wait_for_log("killed by SIGSEGV", 12)
    assert "starting another in 1" not in log


def test_no_process_is_left(serve):
    server = serve(f"PythonIsolation Auto\n{CRASH}", workers=2)
    crash(server)
    server.wait_for_log(ISOLATED)
    waiting.until(lambda: server.get("/segfault").status_code == 502 if fronts(server) else False, "the fronts")
    everyone = set(children(server.process.pid))
    for child in list(everyone):
        everyone.update(children(child))
    assert server.stop() == 0
    assert not [pid for pid in everyone if os.path.exists(f"/proc/{pid}")]
