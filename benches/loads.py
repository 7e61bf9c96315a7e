"""The loads: what is asked of a server, how a right answer looks, and with how many workers.

All servers answer the same path, so a request has the same bytes everywhere. Alula serves all of them from one
configuration; a peer is started with the one application that the load needs.
"""

import dataclasses

CONNECTIONS = 32
SLOW_CONNECTIONS = 4
ECHO_BYTES = 10 * 1024


@dataclasses.dataclass(frozen=True)
class Load:
    name: str
    what: str
    path: str
    app: str  # "hello", "echo", "django" or "files": what a peer has to serve
    workers: tuple = (1, 2)
    body_bytes: int = 0
    expect: bytes = b""  # must be in the body
    length: int = 0  # must be the body's length, when not 0
    slow_path: str = ""  # asked for by SLOW_CONNECTIONS at the same time, not counted


def _file_load(name, label, size):
    what = f"A static file of {label}, one worker."
    return Load(name, what, f"/files/{size}.bin", "files", workers=(1,), length=size)


LOADS = {
    load.name: load
    for load in (
        Load(
            "wsgi-hello",
            "A WSGI application that returns `Hello, World!`: the server's own cost.",
            "/wsgi/hello",
            "hello",
            expect=b"Hello, World!",
        ),
        Load(
            "django-hello",
            "A Django view that returns `Hello, World!` behind the middleware of `startproject`.",
            "/dj/hello",
            "django",
            expect=b"Hello, World!",
        ),
        Load(
            "django-page",
            "A Django page: one query with a join on SQLite, 20 rows through a template.",
            "/dj/page",
            "django",
            expect=b"A book &amp; its number 19",
        ),
        Load(
            "echo",
            "A WSGI application that sends a posted body of 10 KB back.",
            "/wsgi/echo",
            "echo",
            body_bytes=ECHO_BYTES,
            length=ECHO_BYTES,
        ),
        Load(
            "mixed",
            f"The Django hello view while {SLOW_CONNECTIONS} more connections ask for a view that sleeps 50 ms, "
            "again and again. Figures are the fast view's (its CPU includes the slow view's); "
            "*slow/s* is how many slow requests were answered, at most 80.",
            "/dj/hello",
            "django",
            workers=(2,),
            expect=b"Hello, World!",
            slow_path="/dj/sleep",
        ),
        _file_load("file-1k", "1 KB", 1024),
        _file_load("file-100k", "100 KB", 100 * 1024),
        _file_load("file-10m", "10 MB", 10 * 1024 * 1024),
        Load(
            "memory",
            "Memory of 4 workers after they served the Django hello view; PSS is the column to read.",
            "/dj/hello",
            "django",
            workers=(4,),
            expect=b"Hello, World!",
        ),
    )
}

FILE_SIZES = tuple(load.length for load in LOADS.values() if load.app == "files")
