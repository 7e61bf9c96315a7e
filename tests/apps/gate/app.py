"""Requests that wait for the test or for each other, and one that does not."""
import json
import os
import threading

PARTY = 4
barrier = threading.Barrier(PARTY)
started = 0


def application(environ, start_response):
    global started
    way = environ["PATH_INFO"].strip("/")
    answer = way
    if way == "wait":
        started += 1
        with open(os.path.join(environ["TEST_FOLDER"], "started"), "ab") as note:
            note.write(b"x")
        with open(os.path.join(environ["TEST_FOLDER"], "gate"), "rb", buffering=0) as gate:
            gate.read(1)
    elif way == "together":
        try:
            barrier.wait(15)
        except threading.BrokenBarrierError:
            answer = "alone"
    elif way == "state":
        answer = {"started": started, "pid": os.getpid()}
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(answer).encode()]
