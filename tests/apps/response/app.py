"""Every way PEP 3333 lets an application answer, one address each."""
import sys

PLAIN = [("Content-Type", "text/plain")]


def write(environ, start_response):
    send = start_response("200 OK", PLAIN)
    send(b"written ")
    send(b"twice ")
    return [b"and returned"]


def only_write(environ, start_response):
    start_response("200 OK", PLAIN)(b"only written")
    return []


def generator(environ, start_response):
    # The head is set by the first step of the iteration, not by the call.
    start_response("202 Accepted", PLAIN)
    yield b"one "
    yield b""
    yield b"two"


def replaced(environ, start_response):
    start_response("200 OK", PLAIN)
    try:
        raise ValueError("before the head was sent")
    except ValueError:
        start_response("503 Replaced", [*PLAIN, ("X-Replaced", "yes")], sys.exc_info())
    return [b"replaced"]


def too_late(environ, start_response):
    start_response("200 OK", PLAIN)(b"already sent")
    try:
        raise ValueError("after the head was sent")
    except ValueError:
        # Raises the ValueError again: the head is gone.
        start_response("500 Late", PLAIN, sys.exc_info())
    return [b"never"]


def twice(environ, start_response):
    start_response("200 OK", PLAIN)
    start_response("200 OK", PLAIN)
    return [b"never"]


def never(environ, start_response):
    return [b"no head"]


def custom(environ, start_response):
    headers = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-Latin", "caf\xe9"), *PLAIN]
    start_response("299 A Reason Of Its Own", headers)
    return [b"custom"]


def no_content(environ, start_response):
    start_response("204 No Content", [])
    return [b"must not be sent"]


def not_modified(environ, start_response):
    start_response("304 Not Modified", [("ETag", '"x"')])
    return [b"must not be sent"]


def length(environ, start_response):
    start_response("200 OK", [*PLAIN, ("Content-Length", "5")])
    return [b"12", b"345"]


def too_long(environ, start_response):
    start_response("200 OK", [*PLAIN, ("Content-Length", "5")])
    return [b"12345", b"more than was said"]


def too_short(environ, start_response):
    start_response("200 OK", [*PLAIN, ("Content-Length", "50")])
    return [b"12345"]


def empty(environ, start_response):
    start_response("200 OK", PLAIN)
    return []


def hop_by_hop(environ, start_response):
    start_response("200 OK", [*PLAIN, ("Connection", "x-made-up"), ("Keep-Alive", "no"), ("X-Kept", "yes")])
    return [b"hop"]


def split(environ, start_response):
    start_response("200 OK", [*PLAIN, ("X-Evil", "a\r\nX-Injected: yes")])
    return [b"split"]


def not_bytes(environ, start_response):
    start_response("200 OK", PLAIN)
    return ["text"]


WAYS = [write, only_write, generator, replaced, too_late, twice, never, custom, no_content, not_modified, length]
WAYS += [too_long, too_short, empty, hop_by_hop, split, not_bytes]


def application(environ, start_response):
    ways = {way.__name__: way for way in WAYS}
    return ways[environ["PATH_INFO"].strip("/")](environ, start_response)
