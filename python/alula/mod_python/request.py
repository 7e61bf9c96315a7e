"""The request object of mod_python handlers.

Most handlers use a few of its many members, so those that cost something are made when they are first asked for
(`_LAZY`). Any attribute may be set on a request; frameworks rely on it.

What is written is gathered and leaves as one answer with its length, unless it grows large or is flushed: then it leaves
in pieces, each at once.
"""

import base64
import binascii
import os
import stat
import time
from email.utils import formatdate, parsedate_to_datetime
from types import SimpleNamespace
from urllib.parse import urljoin, urlsplit

from . import constants
from .constants import DECLINED, DONE, HTTP_OK, OK
from .server import log, mp_conn
from .table import mp_table

#: So much is gathered before it leaves without being flushed, in bytes.
GATHERED_BYTES_MAX = 256 * 1024
#: A file that is not sent whole is read in pieces of this size, in bytes.
FILE_BYTES = 64 * 1024

#: Variables that every program gets of httpd, and those that only CGI gets.
_NOT_COMMON = frozenset(
    "GATEWAY_INTERFACE SERVER_PROTOCOL REQUEST_METHOD QUERY_STRING REQUEST_URI SCRIPT_NAME PATH_INFO "
    "HTTP_AUTHORIZATION HTTP_PROXY_AUTHORIZATION".split()
)
_SECRET = frozenset(("HTTP_AUTHORIZATION", "HTTP_PROXY_AUTHORIZATION"))


class mp_request:
    """One request, and its answer."""

    # What is the same for nearly every request is the class's.
    content_type = None
    content_encoding = None
    content_languages = None
    status = HTTP_OK
    status_line = None
    phase = "PythonHandler"
    handler = "mod_python"
    main = prev = next = None
    assbackwards = 0
    proxyreq = 0
    read_body = 0
    read_chunked = 0
    read_length = 0
    expecting_100 = 0
    eos_sent = 0
    sent_bodyct = 0
    bytes_sent = 0
    mtime = 0.0
    clength = 0
    vlist_validator = None
    no_cache = 0
    no_local_copy = 0
    range = None
    allowed = 0
    allowed_xmethods = ()
    allowed_methods = ()
    _pending = 0
    _streams = False
    _gone = False
    _file_part = None
    _sent_to = None
    _cleanups = None
    _later = ()
    _number = 0

    def __init__(self, environ, output, chain, file):
        self._environ = environ
        self._output = output
        self._chain = chain
        self._mapped = file
        self._gathered = []

    def __getattr__(self, name):
        make = _LAZY.get(name)
        if make is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        value = self.__dict__[name] = make(self)
        return value

    def __repr__(self):
        return f"<mp_request {self.method} {self.unparsed_uri}>"

    # Writing.

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

    # Reading.

    def read(self, len=-1):
        """The next so many bytes of the content, or all that is left."""
        data = self._environ["wsgi.input"].read(len)
        self.read_length += _length(data)
        return data

    def readline(self, len=-1):
        data = self._environ["wsgi.input"].readline(len)
        self.read_length += _length(data)
        return data

    def readlines(self, hint=-1):
        lines = self._environ["wsgi.input"].readlines(hint)
        self.read_length += sum(map(_length, lines))
        return lines

    def __iter__(self):
        return iter(self.readline, b"")

    def discard_request_body(self):
        while self.read(FILE_BYTES):
            pass
        return OK

    @property
    def remaining(self):
        return max(0, int(self._environ.get("CONTENT_LENGTH", 0)) - self.read_length)

    # What the configuration and the client say.

    def get_options(self):
        """The `PythonOption`s in force here, as a table."""
        return self._options

    def get_config(self):
        """The other Python directives in force here, as a table."""
        return self._chain.config

    def auth_name(self):
        return self._chain.realm

    def auth_type(self):
        return "Basic" if self._chain.realm is not None else None

    def requires(self):
        """Always empty, as with every httpd since 2.4."""
        return ()

    def document_root(self):
        return self.server._document_root or ""

    def is_https(self):
        return int(self._environ.get("HTTPS") == "on")

    def ssl_var_lookup(self, name):
        value = self._environ.get(name)
        return value if name == "HTTPS" or name.startswith("SSL_") else None

    def get_remote_host(self, type=constants.REMOTE_NAME, str_is_ip=None):
        """The client's address: names are not looked up (`HostnameLookups Off`)."""
        if type in (constants.REMOTE_HOST, constants.REMOTE_DOUBLE_REV):
            return None
        address = self._environ["REMOTE_ADDR"]
        return address if str_is_ip is None else (address, 1)

    def get_basic_auth_pw(self):
        """The password of `Authorization: Basic`, and the user in `req.user`; None without."""
        scheme, _, coded = self._environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            user, colon, password = _text(base64.b64decode(coded.strip())).partition(":")
        except (binascii.Error, ValueError):
            return None
        if not colon:
            return None
        self.user = user
        self.ap_auth_type = "Basic"
        return password

    def get_addhandler_exts(self):
        return ""

    def construct_url(self, uri):
        scheme = self._environ["wsgi.url_scheme"]
        host, port = self.hostname, self._environ["SERVER_PORT"]
        if ":" in host and not host.startswith("["):
            host = f"[{host}]"
        if port != {"http": "80", "https": "443"}[scheme]:
            host += f":{port}"
        return f"{scheme}://{host}{uri}"

    def add_cgi_vars(self):
        """Puts all CGI variables into `subprocess_env`."""
        self._add_vars(_SECRET)
        path_info = self.path_info
        uri = self.uri
        self.subprocess_env["SCRIPT_NAME"] = uri[: len(uri) - len(path_info)] if path_info and uri.endswith(path_info) else uri
        self.subprocess_env["PATH_INFO"] = path_info
        if path_info:
            self.subprocess_env["PATH_TRANSLATED"] = self.document_root() + path_info
        else:
            del self.subprocess_env["PATH_INFO"]

    def add_common_vars(self):
        """Puts the variables into `subprocess_env` that any program gets: client, server, headers."""
        self._add_vars(_NOT_COMMON)

    def _add_vars(self, left_out):
        variables = self.subprocess_env
        for name, value in self._environ.items():
            if type(value) is str and name not in left_out and not name.startswith("wsgi."):
                variables[name] = value
        variables["SCRIPT_FILENAME"] = self.filename
        variables["PATH"] = os.environ.get("PATH", os.defpath)

    def build_wsgi_env(self):
        """The environ for a WSGI application (PEP 3333), with the request's `uri` in `PATH_INFO`."""
        environ = dict(self._environ)
        for name, value in self._chain.options:
            environ.setdefault(name, value)
        return environ

    def _local_port(self):
        return int(self._environ["SERVER_PORT"])

    # What the server does for a handler.

    def log_error(self, message, level=constants.APLOG_ERR):
        log(message, level)

    def register_cleanup(self, function, data=None):
        """Calls a function with `data` when the answer is made."""
        if not callable(function):
            raise ValueError("first argument must be a callable object")
        if self._cleanups is None:
            self._cleanups = []
        self._cleanups.append((function, data))

    def _clean_up(self):
        while self._cleanups:
            # A cleanup may register another.
            function, data = self._cleanups.pop(0)
            try:
                function(data)
            except Exception:
                import traceback

                log(f"{self!r}: a cleanup failed\n{traceback.format_exc().rstrip()}")

    def add_handler(self, phase, handler, directory=None):
        """Adds a handler that runs after those there are: `PythonHandler` after the running one, `PythonLogHandler` after
        the answer. Earlier phases are over, so a handler for them would never run."""
        from .chain import Handler

        if phase not in PHASES:
            raise IndexError(f"{phase!r} is not a phase")
        if not handler:
            raise ValueError("add_handler needs a handler")
        if phase not in ("PythonHandler", "PythonLogHandler"):
            return
        added = handler
        if isinstance(handler, str):
            module, _, name = handler.partition("::")
            added = Handler(module, name or phase[len("Python") :].lower())
            if directory:
                import sys

                folder = os.path.abspath(directory)
                if folder not in sys.path:
                    sys.path.insert(0, folder)
            if phase == "PythonHandler":
                self._handlers = [*self._handlers, added]
                return
            self.register_cleanup(lambda _: added(self, self._chain.auto_reload))
        elif phase == "PythonHandler":
            self._handlers = [*self._handlers, lambda req, autoreload: handler(req)]
        else:
            self.register_cleanup(lambda _: handler(self))

    def internal_redirect(self, uri):
        """Has another path of this server answer, when the handler has returned. Nothing may have been sent yet."""
        if self._streams:
            raise OSError("internal_redirect: content has been sent already")
        self._gathered.clear()
        self._pending = 0
        self._file_part = None
        target = uri if uri.startswith("/") else urljoin(self._environ["REQUEST_URI"], uri)
        self._sent_to = target.encode("utf-8", "surrogateescape")

    def allow_methods(self, methods, reset=0):
        """Says which methods are allowed, for the `Allow` of a 405."""
        if isinstance(methods, str):
            methods = [methods]
        known = () if reset else self.allowed_methods
        self.allowed_methods = tuple(dict.fromkeys((*known, *methods)))
        self.allowed = 0
        for method in self.allowed_methods:
            if method in constants.METHODS:
                self.allowed |= 1 << constants.METHODS.index(method)

    # Conditions.

    def update_mtime(self, mtime):
        self.mtime = max(self.mtime, float(mtime))

    def set_last_modified(self, mtime=None):
        if mtime is not None:
            self.update_mtime(mtime)
        if self.mtime:
            self.headers_out["Last-Modified"] = formatdate(min(self.mtime, time.time()), usegmt=True)

    def set_etag(self):
        finfo = self.finfo
        if finfo.filetype == constants.APR_REG:
            self.headers_out["ETag"] = f'"{finfo.size:x}-{int(finfo.mtime * 1_000_000):x}"'

    def meets_conditions(self):
        """`OK`, or the status to return: HTTP_NOT_MODIFIED, HTTP_PRECONDITION_FAILED (RFC 9110 section 13.2.2)."""
        headers = self.headers_in
        etag = self.headers_out.get("ETag")
        modified = _seconds(self.headers_out.get("Last-Modified")) or (int(self.mtime) if self.mtime else None)
        read_only = self.method in ("GET", "HEAD")
        if "If-Match" in headers:
            if not _names(headers["If-Match"], etag, strong=True):
                return constants.HTTP_PRECONDITION_FAILED
        elif "If-Unmodified-Since" in headers:
            since = _seconds(headers["If-Unmodified-Since"])
            if since is not None and modified is not None and modified > since:
                return constants.HTTP_PRECONDITION_FAILED
        if "If-None-Match" in headers:
            if _names(headers["If-None-Match"], etag, strong=False):
                return constants.HTTP_NOT_MODIFIED if read_only else constants.HTTP_PRECONDITION_FAILED
        elif read_only and "If-Modified-Since" in headers:
            since = _seconds(headers["If-Modified-Since"])
            if since is not None and modified is not None and modified <= since:
                return constants.HTTP_NOT_MODIFIED
        return OK

    # Small things that depend on others.

    @property
    def header_only(self):
        return int(self.method == "HEAD")

    @property
    def proto_num(self):
        return {"HTTP/1.0": 1000, "HTTP/1.1": 1001}.get(self.protocol, 2000)

    @property
    def method_number(self):
        method = "GET" if self.method == "HEAD" else self.method
        return constants.METHODS.index(method) if method in constants.METHODS else constants.M_INVALID

    @property
    def chunked(self):
        return int(self._streams)

    @property
    def used_path_info(self):
        return 2

    @property
    def _content_type_set(self):
        return int(self.content_type is not None)

    @property
    def _bytes_queued(self):
        return self._pending

    @property
    def hlist(self):
        return Hlist(self, self._number)


class Hlist:
    """The running handler, and those after it."""

    def __init__(self, req, number):
        self._req = req
        self._place = number
        handler = req._handlers[number]
        self.handler = str(handler)
        self.directory = req._chain.directory
        self.is_location = int(req._chain.location is not None)
        self.silent = 0

    def next(self):
        if self._place + 1 < len(self._req._handlers):
            self.__init__(self._req, self._place + 1)


class Finfo(tuple):
    """`req.finfo`: a tuple with names, in the order of apache's FINFO_ constants."""

    NAMES = "mode inode device nlink user group size atime mtime ctime fname name filetype".split()

    def __getattr__(self, name):
        try:
            return self[self.NAMES.index(name)]
        except ValueError:
            raise AttributeError(name) from None

    @classmethod
    def of(cls, path):
        try:
            found = os.stat(path)
        except OSError:
            return cls((None,) * 10 + (path, None, constants.APR_NOFILE))
        kinds = {stat.S_IFREG: constants.APR_REG, stat.S_IFDIR: constants.APR_DIR, stat.S_IFCHR: constants.APR_CHR}
        kinds |= {stat.S_IFBLK: constants.APR_BLK, stat.S_IFIFO: constants.APR_PIPE, stat.S_IFSOCK: constants.APR_SOCK}
        kind = kinds.get(stat.S_IFMT(found.st_mode), constants.APR_UNKFILE)
        numbers = (found.st_mode, found.st_ino, found.st_dev, found.st_nlink, found.st_uid, found.st_gid, found.st_size)
        times = (found.st_atime, found.st_mtime, found.st_ctime)
        return cls((*numbers, *times, path, os.path.basename(path), kind))


def _bytes(data):
    if isinstance(data, str):
        return data.encode("utf-8", "surrogateescape")
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    raise TypeError(f"write() takes str or bytes, not {type(data).__name__}")


_length = len


def _text(octets):
    return octets.decode("utf-8", "surrogateescape")


def _path(native):
    """A path of the environ as text: UTF-8, and what is not that as Python has it in file names."""
    return native if native.isascii() else _text(native.encode("latin-1"))


def _seconds(date):
    if not date:
        return None
    try:
        return int(parsedate_to_datetime(date).timestamp())
    except (TypeError, ValueError, IndexError):
        return None


def _names(value, etag, strong):
    if etag is None:
        return False
    if value.strip() == "*":
        return True
    if strong and etag.startswith("W/"):
        return False
    plain = etag[2:] if etag.startswith("W/") else etag
    tags = [tag.strip() for tag in value.split(",")]
    return plain in (tags if strong else [tag[2:] if tag.startswith("W/") else tag for tag in tags])


def _headers_in(req):
    headers = mp_table()
    for name, value in req._environ.items():
        if name.startswith("HTTP_"):
            headers["-".join(part.capitalize() for part in name[5:].split("_"))] = value
    if "CONTENT_TYPE" in req._environ:
        headers["Content-Type"] = req._environ["CONTENT_TYPE"]
    if "CONTENT_LENGTH" in req._environ:
        headers["Content-Length"] = req._environ["CONTENT_LENGTH"]
    return headers


def _args(req):
    query = req._environ["QUERY_STRING"]
    return query or ("" if "?" in req._environ["REQUEST_URI"] else None)


def _parsed_uri(req):
    # A path may begin with two slashes, which `urlsplit` would take for a host.
    path, mark, query = req._environ["REQUEST_URI"].partition("?")
    return (None, None, None, None, None, None, path, query if mark else None, None)


def _hostname(req):
    host = req._environ.get("HTTP_HOST")
    if not host:
        return req.server.server_hostname
    return urlsplit("//" + host).hostname if host.startswith("[") else host.partition(":")[0]


def _locate(req):
    """Splits the path that was mapped at the first name that is not there: httpd's directory walk."""
    path = req._mapped
    if path is None:
        path = (req.document_root() + req.uri) or "/"
    head, rest = path, ""
    while True:
        try:
            found = os.stat(head)
            break
        except (OSError, ValueError):
            at = head.rstrip("/").rfind("/")
            if at <= 0 and not head.endswith("/"):
                found = None
                break
            if head.endswith("/"):
                at = len(head.rstrip("/"))
            rest = head[at:] + rest
            head = head[:at] or "/"
            if head == "/":
                found = None
                break
    if rest and (found is None or stat.S_ISDIR(found.st_mode)):
        name, slash, rest = rest.lstrip("/").partition("/")
        head = head.rstrip("/") + "/" + name
        rest = slash + rest
    made = req.__dict__
    made.setdefault("filename", head)
    made.setdefault("path_info", rest)
    made.setdefault("canonical_filename", head)


def _located(name):
    def make(req):
        _locate(req)
        return req.__dict__[name]

    return make


_LAZY = {
    "headers_in": _headers_in,
    "headers_out": lambda req: mp_table(),
    "err_headers_out": lambda req: mp_table(),
    "notes": lambda req: mp_table(),
    "subprocess_env": lambda req: mp_table(req._chain.environment),
    "_options": lambda req: mp_table(req._chain.options),
    "method": lambda req: req._environ["REQUEST_METHOD"],
    "protocol": lambda req: req._environ["SERVER_PROTOCOL"],
    "uri": lambda req: _path(req._environ["SCRIPT_NAME"] + req._environ["PATH_INFO"]),
    "unparsed_uri": lambda req: req._environ["REQUEST_URI"],
    "args": _args,
    "parsed_uri": _parsed_uri,
    "the_request": lambda req: f"{req.method} {req.unparsed_uri} {req.protocol}",
    "hostname": _hostname,
    "user": lambda req: req._environ.get("REMOTE_USER"),
    "ap_auth_type": lambda req: req._environ.get("AUTH_TYPE"),
    "useragent_ip": lambda req: req._environ["REMOTE_ADDR"],
    "useragent_addr": lambda req: (req._environ["REMOTE_ADDR"], int(req._environ["REMOTE_PORT"])),
    "server": lambda req: req._chain.server,
    "connection": mp_conn,
    "interpreter": lambda req: req._chain.interpreter,
    "request_time": lambda req: time.time(),
    "filename": _located("filename"),
    "path_info": _located("path_info"),
    "canonical_filename": _located("canonical_filename"),
    "finfo": lambda req: Finfo.of(req.filename),
    "extension": lambda req: "".join(os.path.basename(req.filename).partition(".")[1:]) or None,
}

PHASES = frozenset(
    "PythonPostReadRequestHandler PythonTransHandler PythonHeaderParserHandler PythonInitHandler PythonAccessHandler "
    "PythonAuthenHandler PythonAuthzHandler PythonTypeHandler PythonFixupHandler PythonHandler PythonLogHandler".split()
)

Request = mp_request
