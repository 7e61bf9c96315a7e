"""A response without end that notes how many pieces of 64 KiB it has made."""
import os


def endless(folder):
    with open(os.path.join(folder, "made"), "ab", buffering=0) as note:
        while True:
            note.write(b"x")
            yield b"x" * 65536


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return endless(environ["TEST_FOLDER"]) if environ["PATH_INFO"] == "/endless" else [b"fine"]
