"""Starts a server, waits until it answers rightly, and ends it with everything it started.

Only processes of the tree we started are ever signalled, by their ids. A server that does not come up raises
StartFailed with what it wrote, for the report.
"""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time

import measure

START_SECONDS_MAX = 15
STOP_SECONDS_MAX = 3
LOG_LINES_SHOWN = 12


class StartFailed(Exception):
    """The server ended, never answered, or answered wrongly; the text is its own output."""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def running(command, environment, folder, port, load):
    """Runs the command for the length of the block and gives its process tree."""
    log_path = folder / "output.log"
    with open(log_path, "wb") as log:
        try:
            process = subprocess.Popen(
                command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )
        except OSError as error:
            raise StartFailed(str(error)) from error
    tree = measure.ProcessTree(process.pid)
    try:
        _wait_until_right(process, port, load, folder)
        yield tree
    finally:
        _stop(process, tree)


def _wait_until_right(process, port, load, folder):
    deadline = time.monotonic() + START_SECONDS_MAX
    problem = "no answer"
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise StartFailed(f"ended with code {process.returncode}\n{_what_it_wrote(folder)}")
        try:
            problem = _wrong_with_answer(port, load)
        except (OSError, http.client.HTTPException) as error:
            problem = f"no answer: {error!r}"
        if problem is None:
            return
        time.sleep(0.05)
    raise StartFailed(f"{problem}\n{_what_it_wrote(folder)}")


def _wrong_with_answer(port, load):
    """One request; says what is wrong with its answer, or None."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        if load.body_bytes:
            connection.request("POST", load.path, body=b"x" * load.body_bytes)
        else:
            connection.request("GET", load.path)
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    if response.status != 200:
        return f"status {response.status} for {load.path}"
    if load.expect not in body:
        return f"unexpected body for {load.path}: {body[:80]!r}"
    if load.length and len(body) != load.length:
        return f"{len(body)} bytes for {load.path}, expected {load.length}"
    return None


def _what_it_wrote(folder):
    lines = []
    for path in sorted(folder.glob("*.log")):
        lines += path.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
    return "\n".join(lines)


def _stop(process, tree):
    members = tree.members()
    process.terminate()
    deadline = time.monotonic() + STOP_SECONDS_MAX
    while time.monotonic() < deadline:
        # members() keeps the leader while it is a zombie, so poll() first, which reaps it.
        if process.poll() is not None and not tree.members():
            return
        time.sleep(0.02)
    for pid in sorted(set(tree.members()) | _still_ours(members)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def _still_ours(pids):
    """Of the pids seen before the stop, those whose session is still one of theirs: ids may be given out anew."""
    ours = set()
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            if os.getsid(pid) in pids:
                ours.add(pid)
    return ours
