"""`sys.stdout` and `sys.stderr` of a worker: text goes to the error log, whole lines at a time.

Neither can touch a response. Each thread gathers its own line, so two requests that print do not mix letters.
A text of several lines written at once (a logged traceback) stays one record. A line that is not ended comes out
when its request does.
"""

import io
import sys
import threading

import _alula


class LogStream(io.TextIOBase):
    """A text stream whose lines are records of the error log."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, name):
        self.name = name
        self.buffer = LogBytes(self)
        self._pending = threading.local()

    def write(self, text):
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        pending = getattr(self._pending, "text", "") + text
        whole, newline, rest = pending.rpartition("\n")
        self._pending.text = rest if newline else pending
        if newline:
            log(whole)
        if self._pending.text:
            _alula.note_unended_line()
        return len(text)

    def flush(self):
        pending = getattr(self._pending, "text", "")
        if pending:
            self._pending.text = ""
            log(pending)

    def writable(self):
        return True

    def isatty(self):
        return False

    def fileno(self):
        # The descriptor is the error log too; `faulthandler` and C code write to it.
        return 2

    def close(self):
        self.flush()


class LogBytes(io.RawIOBase):
    """The binary layer some programs write to (`sys.stdout.buffer`)."""

    def __init__(self, stream):
        self._stream = stream

    def write(self, data):
        data = bytes(data)
        self._stream.write(data.decode("utf-8", "backslashreplace"))
        return len(data)

    def writable(self):
        return True

    def flush(self):
        self._stream.flush()

    def fileno(self):
        return 2


def flush():
    """Called by the engine at the end of a request whose thread left a line unended."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, LogStream):
            stream.flush()


def log(text):
    try:
        _alula.log_line(text)
    except UnicodeEncodeError:
        _alula.log_line(text.encode("utf-8", "backslashreplace").decode())
