"""The handlers of a place, called in turn for each request: what `PythonHandler` means.

The next one is called only while they return `OK`. A result other than `OK` and `DONE` is a status for the server to answer
with, and `DECLINED` leaves the request to whoever answers without a handler.
"""

import inspect
import json
import os

import _alula

from .constants import DECLINED, OK, SERVER_RETURN
from .importer import current, import_module
from .request import mp_request
from .server import flags, server


class Handler:
    """`module::object`."""

    __slots__ = ("module", "object", "parts", "extensions")

    def __init__(self, module, object, extensions=()):
        self.module = module
        self.object = object
        self.parts = object.split(".")
        self.extensions = frozenset(extensions)

    def __str__(self):
        return f"{self.module}::{self.object}"

    def __call__(self, req, autoreload):
        module = import_module(self.module, autoreload)
        if len(self.parts) == 1:
            return getattr(module, self.object)(req)
        return resolve_object(module, self.object, req)(req)


def resolve_object(module, name, req):
    """Follows a dotted name; a class on the way is made an instance, with the request."""
    target = module
    for part in name.split("."):
        if inspect.isclass(target):
            target = target(req)
        target = getattr(target, part)
    return target


class Chain:
    """All that the configuration says about a place, and its handlers."""

    def __init__(self, settings):
        self.server = server(settings["host"])
        self.options = settings["options"]
        self.environment = settings["environment"]
        self.debug = settings["debug"]
        self.auto_reload = settings["auto_reload"]
        self.location = settings["location"]
        self.directory = settings["directory"]
        self.realm = settings["realm"]
        self.interpreter = settings["interpreter"]
        self.config = flags(settings)
        handlers = [
            Handler(handler["module"], handler["object"], handler.get("extensions", ())) for handler in settings["handlers"]
        ]
        self.everything = handlers
        self.plain = [handler for handler in handlers if not handler.extensions]
        self.by_extension = len(self.plain) != len(handlers)

    def __call__(self, environ, output, file):
        req = mp_request(environ, output, self, file)
        current.request = req
        try:
            try:
                result = self._run(req)
            except ConnectionAbortedError:
                # A client that leaves is no fault of the handler's.
                if not req._gone:
                    raise
            else:
                req._end(result)
        finally:
            if req._cleanups is not None:
                req._clean_up()
            current.request = None

    def _run(self, req):
        req._handlers = handlers = self._handlers(req) if self.by_extension else self.plain
        if not handlers:
            return DECLINED
        result = number = 0
        # `req.add_handler` may lengthen the list while it runs.
        while number < len(req._handlers):
            handler = req._handlers[number]
            req._number = number
            number += 1
            try:
                result = handler(req, self.auto_reload)
            except SERVER_RETURN as returned:
                result = _returned(req, returned.args)
            if type(result) is not int:
                result = _number(handler, result)
            if result != OK:
                break
        return result

    def _handlers(self, req):
        """Those for the file's extension: all that follows the first dot of its name."""
        _, dot, extension = os.path.basename(req.filename).partition(".")
        fitting = [handler for handler in self.everything if dot + extension in handler.extensions]
        return fitting or self.plain

    def load(self):
        """Imports the handlers' modules, in the template. One that fails is tried again by each request."""
        for handler in self.everything:
            import_module(handler.module, False)


def _number(handler, result):
    if isinstance(result, int) and not isinstance(result, bool):
        # An `http.HTTPStatus`, say.
        return int(result)
    raise TypeError(f"handler {str(handler)!r} returned {result!r}: a handler returns apache.OK or another number")


def _returned(req, values):
    if len(values) == 1 and isinstance(values[0], tuple):
        values = values[0]
    if len(values) == 2:
        result, req.status = values
    elif len(values) == 1:
        result = values[0]
    else:
        raise TypeError(f"SERVER_RETURN takes a result, or a result and a status, not {values!r}")
    return result


def load(text):
    """For the engine: the callable that answers requests by these settings."""
    settings = json.loads(text)
    chain = Chain(settings)
    try:
        chain.load()
    except Exception:
        if not chain.auto_reload:
            raise
        import traceback

        names = " ".join(map(str, chain.everything))
        _alula.log_line(
            f"cannot load PythonHandler {names}; it is tried again at each request\n{traceback.format_exc().rstrip()}"
        )
    return chain
