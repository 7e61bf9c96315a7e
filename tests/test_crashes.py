"""A worker that dies costs its own request; the site lives, and the log says what happened."""
import os

import pytest

from harness import waiting

CRASH = 'WSGIScriptAlias / "@apps@/crash/app.py"'


def die(server, way):
    """Asks for a death and returns what the client saw of it."""
    with server.connect() as connection:
        connection.request(f"/{way}", headers=["Connection: close"])
        return connection.read_to_end()


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("way", ["segfault", "kill", "exit"])
def test_a_dead_worker_is_replaced(serve, way, workers):
    server = serve(CRASH, workers=workers)
    before = server.get("/pid").text
    seen = die(server, way)
    assert seen == b"" or seen.startswith(b"HTTP/1.1 50"), seen
    for _ in range(20):
        # A new connection each time: none may be refused, reset or left waiting.
        with server.connect() as connection:
            assert connection.get("/pid").status == 200
    assert server.process.poll() is None
    if workers == 1:
        assert server.get("/pid").text != before


def test_the_log_names_the_signal(serve):
    server = serve(CRASH)
    die(server, "segfault")
    server.wait_for_log(r"(?i)(signal 11|SIGSEGV|segmentation fault)")


def test_many_deaths_in_a_row(serve):
    server = serve(CRASH)
    for _ in range(5):
        die(server, "segfault")
        with server.connect() as connection:
            assert connection.get("/pid").status == 200


def test_system_exit_is_an_error_not_a_death(serve):
    server = serve(CRASH)
    before = server.get("/pid").text
    assert server.get("/system-exit").status_code == 500
    assert server.get("/pid").text == before


def test_a_worker_killed_from_outside_is_replaced(serve):
    server = serve(CRASH)
    before = int(server.get("/pid").text)
    os.kill(before, 9)
    waiting.until(lambda: not os.path.exists(f"/proc/{before}"), "the old worker to be gone")
    with server.connect() as connection:
        assert int(connection.get("/pid").body) != before
