"""`mod_python.apache`: what nearly every handler imports."""

import atexit as _atexit
import os as _os

from alula import startup as _startup

from . import constants as _constants
from . import server as _server
from .chain import resolve_object as _resolve
from .constants import *  # noqa: F403
from .constants import APLOG_ERR, SERVER_RETURN  # noqa: F401
from .importer import current as _current
from .importer import import_module  # noqa: F401
from .members import Finfo as _Finfo
from .request import mp_request  # noqa: F401
from .table import make_table, mp_table, table  # noqa: F401

globals().update({name: value for name, value in vars(_constants).items() if not name.startswith("__")})

Request = mp_request


def __getattr__(name):
    if name == "main_server":
        return _server.server(0)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


#: The name of this process's interpreter.
interpreter = _startup.interpreter


def log_error(message, level=APLOG_ERR, server=None):
    """Writes to the error log, at one of the APLOG_ levels."""
    _server.log(message, level)


def register_cleanup(function, data=None):
    """Calls a function with `data` when this process ends."""
    if not callable(function):
        raise ValueError("first argument must be a callable object")
    _atexit.register(function, data)


def server_root():
    return _server.root()


def mpm_query(code):
    """What the multi-processing module would say: forked workers with threads."""
    answers = {
        _constants.AP_MPMQ_IS_THREADED: _constants.AP_MPMQ_STATIC,
        _constants.AP_MPMQ_IS_FORKED: _constants.AP_MPMQ_STATIC,
    }
    return answers.get(code, _constants.AP_MPMQ_NOT_SUPPORTED)


def stat(path, wanted=0):
    """`os.stat` in the form of `req.finfo`."""
    _os.stat(path)
    return _Finfo.of(path)


def resolve_object(module, object_str, arg=None, silent=0):
    try:
        return _resolve(module, object_str, arg)
    except AttributeError:
        if silent:
            return None
        raise


def allow_methods(req, *methods):
    """Answers 405 unless the method is one of these."""
    req.allow_methods([method.upper() for method in methods], 1)
    if req.method not in req.allowed_methods:
        raise SERVER_RETURN(_constants.HTTP_METHOD_NOT_ALLOWED)


def build_cgi_env(req):
    """The environment of a CGI program for this request, as a dictionary."""
    req.add_cgi_vars()
    environ = {name: value for name, value in req.subprocess_env.items() if value is not None}
    environ["GATEWAY_INTERFACE"] = "Python-CGI/1.1"
    authorization = req.headers_in.get("Authorization")
    if authorization is not None:
        environ["HTTP_AUTHORIZATION"] = authorization
    return environ


class NullIO:
    """A file that takes everything and gives nothing."""

    def read(self, n=-1):
        return ""

    def readline(self, n=-1):
        return ""

    def readlines(self, sizehint=0):
        return []

    def write(self, text):
        pass

    def writelines(self, lines):
        pass

    def flush(self):
        pass

    def close(self):
        pass

    def isatty(self):
        return 0


def request():
    """The request that runs in this thread, or None. Alula's own."""
    return getattr(_current, "request", None)
