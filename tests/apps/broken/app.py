"""Raises, before or during its response."""


def application(environ, start_response):
    way = environ["PATH_INFO"].strip("/")
    if way == "early":
        raise RuntimeError("raised-before-the-head")
    if way == "markup":
        raise RuntimeError("raised-with <script>alert(1)</script>")
    start_response("200 OK", [("Content-Type", "text/plain")])
    if way == "iteration":
        return late()
    return [b"fine"]


def late():
    yield b"a beginning"
    raise RuntimeError("raised-in-the-middle")
