"""Requests that wait do not keep others from running: in one worker, threads overlap while Python is idle."""
import concurrent.futures
import json

from harness import waiting

GATE = 'SetEnv TEST_FOLDER "@tmp@"\nWSGIScriptAlias / "@apps@/gate/app.py"'


def ask(server, path):
    with server.connect() as connection:
        return json.loads(connection.get(path).body)


def wait_for_start(server, count):
    note = server.tmp / "started"
    waiting.until(lambda: note.exists() and note.stat().st_size == count, f"{count} requests to start")


def test_four_waiting_requests_overlap(serve):
    server = serve(GATE)
    # Each waits in a barrier for the three others: they answer "together" only if all four run at once.
    for _ in range(3):
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: ask(server, "/together"), range(4)))
        assert answers == ["together"] * 4


def test_a_slow_view_does_not_hold_up_fast_ones(serve):
    server = serve(GATE)
    gate = waiting.Gate(server.tmp / "gate")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        slow = [pool.submit(ask, server, "/wait") for _ in range(4)]
        wait_for_start(server, 4)
        for _ in range(100):
            assert ask(server, "/fast") == "fast"
        assert not any(request.done() for request in slow)
        gate.open(4)
        assert [request.result() for request in slow] == ["wait"] * 4


def test_a_waiting_worker_leaves_requests_to_an_idle_one(serve):
    server = serve(f"ThreadsPerChild 1\n{GATE}", workers=2)
    gate = waiting.Gate(server.tmp / "gate")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        slow = pool.submit(ask, server, "/wait")
        wait_for_start(server, 1)
        for _ in range(30):
            assert ask(server, "/fast") == "fast"
        gate.open()
        assert slow.result() == "wait"
