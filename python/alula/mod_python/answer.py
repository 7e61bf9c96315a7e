"""What a request writes: the half of the request object that is the answer.

What is written is gathered and leaves as one answer with its length, unless it grows large or is flushed: then it leaves
in pieces, each at once.
"""

import os
import stat
from email.utils import formatdate

from . import constants
from .constants import DECLINED, DONE, HTTP_OK, OK
from .server import log

#: So much is gathered before it leaves without being flushed, in bytes.
GATHERED_BYTES_MAX = 256 * 1024
#: A file that is not sent whole is read in pieces of this size, in bytes.
FILE_BYTES = 64 * 1024


class Answer:
    """A base of `mp_request`, which has the members that say what the answer's head is."""

    _pending = 0
    _streams = False
    _gone = False
    _file_part = None
    _sent_to = None

    def write(self, data, flush=None):
        """Writes text (as UTF-8) or bytes. With `flush` it leaves at once, with all that was written before."""
        if type(data) is not bytes:
            data = _bytes(data)
        self._gathered.append(data)
        self._pending += len(data)
        if flush or self._pending > GATHERED_BYTES_MAX:
            self.flush()

    def flush(self):
        """Sends what was written, and the header if it has not left yet."""
        if self._file_part is not None:
            self._unfold_file()
        if not self._streams:
            self._output.begin(self.status, self._reason(), self._fields())
            self._streams = True
        if self._pending:
            data = b"".join(self._gathered)
            self._gathered.clear()
            self._pending = 0
            self._send(data)

    def _drop(self):
        """Forgets what was written and has not left."""
        self._gathered.clear()
        self._pending = 0
        self._file_part = None

    def _send(self, data):
        try:
            self._output.write(data)
        except ConnectionAbortedError:
            self._gone = True
            raise
        self.sent_bodyct = 1
        self.bytes_sent += len(data)

    def sendfile(self, path, offset=0, len=-1):
        """Sends a file or a part of it, and returns how many bytes. The engine sends it when nothing else is written."""
        path = os.fspath(path)
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(f"{path!r} is not a regular file")
        with open(path, "rb"):
            # Whoever may not read it shall hear of it here.
            pass
        offset = max(0, offset)
        length = max(0, status.st_size - offset)
        if len >= 0:
            length = min(length, len)
        if self._file_part is not None:
            self._unfold_file()
        if self._streams or self._pending:
            self._read_file(path, offset, length)
        else:
            self._file_part = (path, offset, length)
        return length

    def _unfold_file(self):
        """Something is written beside the file: it goes in pieces."""
        part, self._file_part = self._file_part, None
        after, self._gathered = self._gathered, []
        pending, self._pending = self._pending, 0
        self._read_file(*part)
        self._gathered.extend(after)
        self._pending += pending

    def _read_file(self, path, offset, length):
        with open(path, "rb") as file:
            file.seek(offset)
            while length > 0:
                data = file.read(min(length, FILE_BYTES))
                if not data:
                    break
                length -= len(data)
                self.write(data)

    def send_http_header(self):
        """Does nothing: the header leaves with the first content. Old tutorials call it."""

    def set_content_length(self, length):
        self.clength = int(length)
        self.headers_out["Content-Length"] = str(int(length))

    def _reason(self):
        if self.status_line is None:
            return None
        code, _, reason = self.status_line.partition(" ")
        return reason if code == str(self.status) else self.status_line

    def _fields(self):
        """The header of the answer."""
        made = self.__dict__
        content_type = self.content_type
        fields = [] if content_type is None else [("Content-Type", content_type)]
        out = made.get("headers_out")
        if out:
            fields += out.items()
            if content_type is not None and "content-type" in out:
                fields = [field for field in fields[1:] if field[0].lower() != "content-type"]
                fields.append(("Content-Type", content_type))
        if self.content_encoding:
            fields.append(("Content-Encoding", self.content_encoding))
        if self.content_languages:
            fields.append(("Content-Language", ", ".join(self.content_languages)))
        if self.no_cache and not (out and "expires" in out):
            fields.append(("Expires", formatdate(usegmt=True)))
        errors = made.get("err_headers_out")
        if errors:
            fields += errors.items()
        return fields

    def _error_fields(self, status):
        """The header of a page of the server's: as in httpd, only what was meant for it."""
        errors = self.err_headers_out
        fields = errors.items()
        kept = ["www-authenticate"]
        if 300 <= status < 400 or status == 201:
            kept.append("location")
        if status == 304:
            kept += ["etag", "last-modified", "cache-control", "expires", "vary", "content-location", "date"]
        fields += [(name, value) for name, value in self.headers_out.items() if name.lower() in kept and name not in errors]
        if status in (405, 501) and self.allowed_methods and "allow" not in errors:
            fields.append(("Allow", ", ".join(self.allowed_methods)))
        return fields

    def _end(self, result):
        """Sends what has not been sent, after the last handler."""
        if result == OK or result == DONE or result == HTTP_OK:
            if self._streams:
                self.flush()
                self._output.finish()
            elif self._sent_to is not None and not self._pending:
                self._output.go_on(self.err_headers_out.items(), self._sent_to)
            elif self._file_part is not None and not self._pending:
                path, offset, length = self._file_part
                self.bytes_sent = length
                self._output.send_file(self.status, self._reason(), self._fields(), path, offset, length)
            else:
                if self._file_part is not None:
                    self._unfold_file()
                    if self._streams:
                        return self._end(result)
                self.bytes_sent = self._pending
                self._output.send(self.status, self._reason(), self._fields(), b"".join(self._gathered))
        elif self._streams:
            log(f"{self!r}: a handler has sent content and then returned {result}", constants.APLOG_ERR)
            self._output.page(500, [])
        elif result == DECLINED:
            if self._pending or self._file_part is not None:
                # The content is there; upstream would have sent it and a file after it.
                return self._end(OK)
            self._output.go_on(self._fields())
        elif 200 <= result <= 599:
            self._output.page(result, self._error_fields(result))
        else:
            raise ValueError(f"{result} is no status: a handler returns apache.OK, DECLINED, DONE or an HTTP status")
        return None


def _bytes(data):
    if isinstance(data, str):
        return data.encode("utf-8", "surrogateescape")
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    raise TypeError(f"write() takes str or bytes, not {type(data).__name__}")
