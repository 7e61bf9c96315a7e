"""`mod_python.cgihandler`: runs CGI scripts in Python inside a worker.

A script finds its variables in `os.environ` and its content in `sys.stdin`, and writes to `sys.stdout`. Those belong to the
whole process, so one script runs at a time; what other threads print meanwhile still goes to the error log.
"""

import io
import os
import re
import sys
import threading

from . import apache

_lock = threading.Lock()
#: A header longer than this is none, in bytes.
HEADER_BYTES_MAX = 64 * 1024
_END = re.compile(rb"\r?\n\r?\n")


class CGIStdin(io.TextIOWrapper):
    """The request's content."""

    def __init__(self, req):
        super().__init__(io.BytesIO(req.read()), encoding="utf-8", errors="surrogateescape")


class CGIStdout(io.TextIOBase):
    """What a script writes: a header, an empty line, and the content."""

    encoding = "utf-8"

    def __init__(self, req):
        self.req = req
        self.buffer = _Octets(self)
        self._header = b""
        self._in_header = True

    def write(self, text):
        self.take(text.encode("utf-8", "surrogateescape"))
        return len(text)

    def take(self, octets):
        if not self._in_header:
            self.req.write(octets)
            return
        self._header += octets
        ended = _END.search(self._header)
        if ended:
            self._in_header = False
            self._take_header(self._header[: ended.start()].decode("latin-1"))
            self.req.write(self._header[ended.end() :])
        elif len(self._header) > HEADER_BYTES_MAX:
            raise ValueError("the script's header does not end")

    def _take_header(self, head):
        for line in head.splitlines():
            name, colon, value = line.partition(":")
            if not colon:
                raise ValueError(f"the script's header has the line {line!r}")
            name, value = name.strip(), value.strip()
            if name.lower() == "content-type":
                self.req.content_type = value
            elif name.lower() == "status":
                self.req.status = int(value.split()[0])
                self.req.status_line = value
            elif name.lower() == "location":
                self.req.headers_out["Location"] = value
                if self.req.status == 200:
                    self.req.status = 302
            else:
                self.req.headers_out.add(name, value)

    def flush(self):
        if not self._in_header:
            self.req.flush()

    def end(self):
        if self._in_header and self._header:
            raise ValueError("the script wrote no empty line after its header")


class _Octets(io.RawIOBase):
    def __init__(self, text):
        self._text = text

    def write(self, data):
        data = bytes(data)
        self._text.take(data)
        return len(data)

    def writable(self):
        return True

    def flush(self):
        self._text.flush()


class _ForOneThread:
    """A stream that is the script's for the script's thread, and what it was for others."""

    def __init__(self, mine, others):
        self._mine, self._others, self._thread = mine, others, threading.get_ident()

    def __getattr__(self, name):
        return getattr(self._mine if threading.get_ident() == self._thread else self._others, name)

    def __iter__(self):
        return iter(self._mine if threading.get_ident() == self._thread else self._others)


def handler(req):
    """Runs the script that `req.filename` names."""
    if not os.path.isfile(req.filename):
        return apache.HTTP_NOT_FOUND
    folder = os.path.dirname(req.filename)
    out = CGIStdout(req)
    variables = apache.build_cgi_env(req)
    with _lock:
        before = dict(os.environ), os.getcwd(), sys.stdin, sys.stdout, list(sys.path), sys.argv, set(sys.modules)
        try:
            os.environ.clear()
            os.environ.update(variables)
            os.chdir(folder)
            sys.stdin, sys.stdout = _ForOneThread(CGIStdin(req), sys.stdin), _ForOneThread(out, sys.stdout)
            sys.path.insert(0, folder)
            sys.argv = [req.filename]
            with open(req.filename, "rb") as source:
                code = compile(source.read(), req.filename, "exec", dont_inherit=True)
            try:
                exec(code, {"__name__": "__main__", "__file__": req.filename, "__builtins__": __builtins__})  # noqa: S102
            except SystemExit:
                pass
        finally:
            environ, place, sys.stdin, sys.stdout, sys.path[:], sys.argv, modules = before
            os.environ.clear()
            os.environ.update(environ)
            os.chdir(place)
            # The script's own modules are loaded anew by the next run, as by a new process.
            for name in set(sys.modules) - modules:
                if (getattr(sys.modules[name], "__file__", None) or "").startswith(folder + os.sep):
                    del sys.modules[name]
    out.end()
    return apache.OK
