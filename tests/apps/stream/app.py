"""Sends a piece, waits for the test, sends the next: what is sent must arrive before the wait ends."""
import os


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    with open(os.path.join(environ["TEST_FOLDER"], "gate"), "rb", buffering=0) as gate:
        for number in range(3):
            yield f"piece {number}\n".encode()
            gate.read(1)
