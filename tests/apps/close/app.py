"""Notes each `close()` of a response in a file, however the response ended."""
import os


class Noted:
    def __init__(self, name, folder, chunks):
        self.note = os.path.join(folder, f"closed-{name}")
        self.chunks = iter(chunks)

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.chunks)

    def close(self):
        with open(self.note, "ab") as note:
            note.write(b"x")


def fails():
    yield b"first"
    raise RuntimeError("in the middle of the response")


def endless():
    while True:
        yield b"x" * 65536


WAYS = {
    "complete": lambda: [b"one", b"two"],
    "empty": lambda: [],
    "fails": fails,
    "endless": endless,
    "large": lambda: [b"x" * 65536] * 128,
}


def application(environ, start_response):
    name = environ["PATH_INFO"].strip("/")
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return Noted(name, environ["TEST_FOLDER"], WAYS[name]())
