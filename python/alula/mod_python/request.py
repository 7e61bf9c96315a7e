"""The request object of mod_python handlers.

Most handlers use a few of its many members, so those that cost something are made when they are first asked for
(`members.py`). Any attribute may be set on a request; frameworks rely on it. What it writes is `answer.py`'s.
"""

import base64
import binascii
import os
import time
from email.utils import formatdate, parsedate_to_datetime
from urllib.parse import urljoin

from . import constants
from .answer import FILE_BYTES, Answer
from .constants import HTTP_OK, OK
from .members import LAZY, text
from .server import log

#: Variables that every program gets of httpd, and those that only CGI gets.
_NOT_COMMON = frozenset(
    "GATEWAY_INTERFACE SERVER_PROTOCOL REQUEST_METHOD QUERY_STRING REQUEST_URI SCRIPT_NAME PATH_INFO "
    "HTTP_AUTHORIZATION HTTP_PROXY_AUTHORIZATION".split()
)
_SECRET = frozenset(("HTTP_AUTHORIZATION", "HTTP_PROXY_AUTHORIZATION"))


class mp_request(Answer):
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
        make = LAZY.get(name)
        if make is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        value = self.__dict__[name] = make(self)
        return value

    def __repr__(self):
        return f"<mp_request {self.method} {self.unparsed_uri}>"

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
            user, colon, password = text(base64.b64decode(coded.strip())).partition(":")
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
        self._drop()
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


_length = len


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


PHASES = frozenset(
    "PythonPostReadRequestHandler PythonTransHandler PythonHeaderParserHandler PythonInitHandler PythonAccessHandler "
    "PythonAuthenHandler PythonAuthzHandler PythonTypeHandler PythonFixupHandler PythonHandler PythonLogHandler".split()
)

Request = mp_request
