"""`mod_python.util`: forms, redirects, query strings.

A field's value is text (UTF-8), whether it came in the query or in the content; an upload's is bytes, and `.file` reads it
from memory or from a temporary file. (mod_python on Python 3 gave bytes for the one and text for the other.)
"""

import inspect
import tempfile
import urllib.parse
from html import escape
from io import BytesIO

from .constants import (
    DONE, HTTP_BAD_REQUEST, HTTP_LENGTH_REQUIRED, HTTP_MOVED_PERMANENTLY, HTTP_MOVED_TEMPORARILY, HTTP_NOT_IMPLEMENTED,
    SERVER_RETURN,
)
from .table import mp_table

#: How much of the content is read at a time, in bytes.
READ_BYTES = 65368
#: An upload grows in memory up to this, then it is a temporary file, in bytes.
UPLOAD_MEMORY_BYTES_MAX = 64 * 1024
#: A part's header is refused beyond this, in bytes.
PART_HEADER_BYTES_MAX = 16 * 1024
#: A form is refused beyond so many fields.
FIELDS_MAX = 10_000


def parse_qs(qs, keep_blank_values=0, strict_parsing=0):
    """A query as a dictionary of lists; text for text, bytes for bytes."""
    found = {}
    for name, value in parse_qsl(qs, keep_blank_values, strict_parsing):
        found.setdefault(name, []).append(value)
    return found


def parse_qsl(qs, keep_blank_values=0, strict_parsing=0):
    """A query as a list of pairs."""
    return urllib.parse.parse_qsl(
        qs, bool(keep_blank_values), bool(strict_parsing), errors="surrogateescape", max_num_fields=FIELDS_MAX
    )


def parse_header(line):
    """`text/plain; charset=utf-8` as the first word and a dictionary of what follows."""
    pieces = _split(line)
    options = {}
    for piece in pieces[1:]:
        name, mark, value = piece.partition("=")
        value = value.strip()
        if len(value) > 1 and value[0] == value[-1] == '"':
            value = value[1:-1].replace("\\\\", "\\").replace('\\"', '"')
        if mark:
            options[name.strip().lower()] = value
    return pieces[0].strip().lower(), options


def _split(line):
    """At the semicolons outside quotes."""
    pieces, start, quoted, escaped = [], 0, False, False
    for at, character in enumerate(line):
        if escaped:
            escaped = False
        elif character == "\\" and quoted:
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif character == ";" and not quoted:
            pieces.append(line[start:at])
            start = at + 1
    return [*pieces, line[start:]]


class Field:
    """A field of a form; an upload where `filename` is not None."""

    def __init__(self, name, *args, **kwargs):
        self.name = name
        self.filename = None
        self.file = None
        self.type = "text/plain"
        self.type_options = {}
        self.disposition = None
        self.disposition_options = {}
        self.headers = mp_table()

    @property
    def value(self):
        """The content; of an upload, bytes."""
        if self.file is None:
            return None
        at = self.file.tell()
        self.file.seek(0)
        value = self.file.read()
        self.file.seek(at)
        return value

    def __repr__(self):
        return f"Field({self.name!r}, {self.filename!r})"

    def __del__(self):
        if self.file is not None:
            self.file.close()


class StringField(str):
    """A field that is no upload: its text, with what a `Field` has beside it."""

    name = filename = disposition = None
    type = "text/plain"
    _bytes = None

    def __new__(cls, value=""):
        octets = None
        if isinstance(value, (bytes, bytearray)):
            octets = bytes(value)
            value = octets.decode("utf-8", "surrogateescape")
        made = super().__new__(cls, value)
        made._bytes = octets
        made.type_options = {}
        made.disposition_options = {}
        made.headers = mp_table()
        return made

    @property
    def value(self):
        return str(self)

    @property
    def bytes(self):
        """The octets that came."""
        return self._bytes if self._bytes is not None else self.encode("utf-8", "surrogateescape")

    @property
    def file(self):
        return BytesIO(self.bytes)

    def __str__(self):
        return str.__str__(self)

    def __repr__(self):
        return str.__repr__(self)


class FieldStorage:
    """A request's form: the fields of its query and of its content."""

    def __init__(self, req, keep_blank_values=0, strict_parsing=0, file_callback=None, field_callback=None):
        self.list = []
        self._index = {}
        self.file_callback = file_callback
        self.field_callback = field_callback
        self.keep_blank_values = keep_blank_values
        self.strict_parsing = strict_parsing
        if req.args:
            self._add_pairs(req.args)
        if req.method != "POST":
            return
        if req.headers_in.get("Content-Length") is None:
            raise SERVER_RETURN(HTTP_LENGTH_REQUIRED)
        kind, options = parse_header(req.headers_in.get("Content-Type") or "application/x-www-form-urlencoded")
        if kind == "application/x-www-form-urlencoded":
            self._add_pairs(req.read().decode("utf-8", "surrogateescape"))
        elif kind.startswith("multipart/"):
            self._read_parts(req, options.get("boundary", ""))
        else:
            raise SERVER_RETURN(HTTP_NOT_IMPLEMENTED)

    def _add_pairs(self, query):
        try:
            pairs = parse_qsl(query.rstrip("\r\n"), self.keep_blank_values, self.strict_parsing)
        except ValueError:
            raise SERVER_RETURN(HTTP_BAD_REQUEST) from None
        for name, value in pairs:
            self.add_field(name, value)

    # Multipart content (RFC 7578).

    def _read_parts(self, req, boundary):
        if not boundary:
            raise SERVER_RETURN(HTTP_BAD_REQUEST)
        delimiter = b"--" + boundary.encode("latin-1", "replace")
        self._copy_to(req, delimiter, None)
        while self._last is False:
            if len(self.list) >= FIELDS_MAX:
                raise SERVER_RETURN(HTTP_BAD_REQUEST)
            headers = self._part_headers(req)
            if headers is None:
                break
            disposition, options = parse_header(headers.get("Content-Disposition") or "")
            name = options.get("name")
            if name is None:
                self._copy_to(req, delimiter, None)
                continue
            self._read_part(req, delimiter, headers, disposition, options)

    def _part_headers(self, req):
        headers, size = mp_table(), 0
        while True:
            line = req.readline(PART_HEADER_BYTES_MAX)
            size += len(line)
            if not line:
                return None
            if size > PART_HEADER_BYTES_MAX:
                raise SERVER_RETURN(HTTP_BAD_REQUEST)
            text = line.decode("utf-8", "surrogateescape").strip()
            if not text:
                return headers
            name, _, value = text.partition(":")
            headers.add(name.strip(), value.strip())

    def _read_part(self, req, delimiter, headers, disposition, options):
        name, filename = options["name"], options.get("filename")
        kind, type_options = parse_header(headers.get("Content-Type") or "text/plain")
        if filename is not None:
            file = self.file_callback(filename) if callable(self.file_callback) else None
            if file is None:
                file = tempfile.SpooledTemporaryFile(max_size=UPLOAD_MEMORY_BYTES_MAX)
            self._copy_to(req, delimiter, file)
            file.seek(0)
            field = Field(name)
            field.file = file
            field.filename = filename
        else:
            file = self.field_callback(name) if callable(self.field_callback) else None
            kept = BytesIO() if file is None else file
            self._copy_to(req, delimiter, kept)
            kept.seek(0)
            if file is None:
                value = kept.getvalue()
                if not value and not self.keep_blank_values:
                    return
                field = StringField(value)
            else:
                field = Field(name)
                field.file = file
        field.name = name
        field.type, field.type_options = kind, type_options
        field.disposition, field.disposition_options = disposition, options
        field.headers = headers
        self._add(name, field)

    def _copy_to(self, req, delimiter, file):
        """Copies up to the next delimiter; the end of line before it is the delimiter's."""
        self._last = True
        end = b""
        starts_line = True
        while True:
            line = req.readline(READ_BYTES)
            if not line:
                # The content ended early.
                if end and file is not None:
                    file.write(end)
                return
            if starts_line and line.startswith(delimiter):
                rest = line[len(delimiter) :].rstrip()
                if rest in (b"", b"--"):
                    self._last = rest == b"--"
                    return
            line = end + line
            for ending in (b"\r\n", b"\n"):
                if line.endswith(ending):
                    end, line = ending, line[: -len(ending)]
                    starts_line = True
                    break
            else:
                # A carriage return may be the first half of an end of line.
                end, line = (b"\r", line[:-1]) if line.endswith(b"\r") else (b"", line)
                starts_line = False
            if file is not None:
                file.write(line)

    # As a dictionary.

    def _add(self, name, field):
        self.list.append(field)
        self._index.setdefault(name, []).append(field)

    def add_field(self, key, value):
        """Adds a field of this text, or this `Field`."""
        if not isinstance(value, (Field, StringField)):
            value = StringField(value)
        value.name = key
        self._add(key, value)

    def __setitem__(self, key, value):
        del self[key]
        self.add_field(key, value)

    def __delitem__(self, key):
        self._index.pop(key, None)
        self.list = [field for field in self.list if field.name != key]

    def clear(self):
        self.list = []
        self._index = {}

    def __getitem__(self, key):
        found = self._index[key]
        return found[0] if len(found) == 1 else list(found)

    def get(self, key, default=None):
        return self[key] if key in self._index else default

    def getfirst(self, key, default=None):
        found = self._index.get(key)
        return found[0] if found else default

    def getlist(self, key):
        return list(self._index.get(key, ()))

    def has_key(self, key):
        return key in self._index

    __contains__ = has_key

    def __len__(self):
        return len(self._index)

    def __bool__(self):
        return bool(self.list)

    def __iter__(self):
        return iter(self._index)

    def keys(self):
        return list(self._index)

    def items(self):
        return [(field.name, field) for field in self.list]

    def __repr__(self):
        return repr(self._index)


def apply_fs_data(object, fs, **args):
    """Calls an object with the fields it has arguments for, and `args`; with `**kw` it gets all of them."""
    given = {}
    for field in fs.list:
        given.setdefault(field.name, []).append(field if field.filename else field.value)
    given = {name: values[0] if len(values) == 1 else values for name, values in given.items()}
    given.update(args)
    parameters = inspect.signature(object).parameters.values()
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        named = {parameter.name for parameter in parameters if parameter.kind in _NAMED}
        given = {name: value for name, value in given.items() if name in named}
    return object(**given)


_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def redirect(req, location, permanent=0, text=None):
    """Sends the client to another address and ends the handler. What was written and has not left is dropped."""
    if req._streams:
        raise OSError("Cannot redirect after headers have already been sent.")
    req._drop()
    location = urllib.parse.quote(location, safe="!#$%&'()*+,/:;=?@[]~", errors="surrogateescape")
    req.err_headers_out["Location"] = location
    req.status = HTTP_MOVED_PERMANENTLY if permanent else HTTP_MOVED_TEMPORARILY
    if text is None:
        req.content_type = "text/html; charset=utf-8"
        text = f'<p>The document has moved <a href="{escape(location)}">here</a></p>\n'
    req.write(text)
    raise SERVER_RETURN(DONE)
