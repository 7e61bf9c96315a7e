"""Django's handler, without the detour through WSGI: the engine's parts become a request, a response its parts.

What Django does under `WSGIHandler` it does here: signals, script prefix, middleware, closing. The environ is
`META`, and `PATH_INFO` and `SCRIPT_NAME` in it are text already, so nothing is decoded twice.
"""

import logging
import os
import traceback

import django
from django.core.exceptions import ImproperlyConfigured
from django.conf import settings
from django.core import signals
from django.core.cache import caches
from django.core.handlers import base
from django.core.handlers.wsgi import WSGIRequest
from django.db import connections
from django.template import engines
from django.urls import get_resolver, set_script_prefix

import _alula
from _alula import FileWrapper

from alula import startup
from alula.streams import LogStream

ALULA_PROTOCOL = "django"


class Request(WSGIRequest):
    """A request made from the engine's environ; everything but its construction is `WSGIRequest`'s."""

    def __init__(self, environ):
        path_info = environ["PATH_INFO"]
        self.environ = self.META = environ
        self.path_info = path_info
        # Only the first slash goes: //a and /a are different paths.
        self.path = environ["SCRIPT_NAME"].rstrip("/") + "/" + path_info.replace("/", "", 1)
        self.method = environ["REQUEST_METHOD"].upper()
        if "CONTENT_TYPE" in environ:
            self._set_content_type_params(environ)
        else:
            self.content_type = ""
            self.content_params = {}
        # The content is complete and knows its end, so it needs no limit around it.
        self._stream = environ["wsgi.input"]
        self._read_started = False
        self.resolver_match = None


class Handler(base.BaseHandler):
    """Answers requests; one for each interpreter."""

    request_class = Request

    def __init__(self):
        super().__init__()
        self.load_middleware()
        self._force_script_name = settings.FORCE_SCRIPT_NAME

    def __call__(self, environ):
        """Returns `(status, reason, headers, content, close)`.

        `content` is `bytes` when the response is complete, else an iterable of `bytes`. The engine calls `close`
        when the content is out or the client is gone, always.
        """
        if self._force_script_name is not None:
            environ["SCRIPT_NAME"] = self._force_script_name
        set_script_prefix(environ["SCRIPT_NAME"])
        signals.request_started.send(sender=self.__class__, environ=environ)
        response = self.get_response(self.request_class(environ))
        response._handler_class = self.__class__
        try:
            headers = list(response.headers.items())
            for cookie in response.cookies.values():
                headers.append(("Set-Cookie", cookie.OutputString()))
            return response.status_code, response.reason_phrase, headers, self._content(response), response.close
        except BaseException:
            response.close()
            raise

    @staticmethod
    def _content(response):
        if not response.streaming:
            return response.content
        file = getattr(response, "file_to_stream", None)
        if file is not None:
            return FileWrapper(file, response.block_size)
        return response


def log_exception(request=None, **kwargs):
    """Puts the traceback of a failed view into the error log, unless Django's own logging already does.

    Django's default logging is silent about it when DEBUG is False and no ADMINS are set.
    """
    if settings.DEBUG_PROPAGATE_EXCEPTIONS:
        # It comes out of the handler, and the engine logs it.
        return
    if not _reaches_the_error_log(logging.getLogger("django.request")):
        where = f"{request.method} {request.path}: " if request is not None else ""
        _alula.log_line(f"{where}Internal Server Error\n{traceback.format_exc().rstrip()}")


def _reaches_the_error_log(logger):
    """Whether an error logged there is written to one of our streams."""
    record = logger.makeRecord(logger.name, logging.ERROR, "", 0, "", (), None)
    if not logger.isEnabledFor(logging.ERROR) or not logger.filter(record):
        return False
    while logger:
        for handler in logger.handlers:
            if (
                isinstance(getattr(handler, "stream", None), LogStream)
                and record.levelno >= handler.level
                and handler.filter(record)
            ):
                return True
        logger = logger.parent if logger.propagate else None
    return False


def warm_up():
    """Loads what the first request would: the URLconf, with all its views, and the template engines.

    In the template process this is loaded once for all workers. What fails here fails again at a request, and is
    answered there as under any server. A connection that was opened on the way must not be shared by a fork.
    """
    try:
        get_resolver()._populate()
        engines.all()
    except Exception:
        pass
    finally:
        connections.close_all()
        caches.close_all()


def handler():
    """The interpreter's handler: `django.setup()` and the middleware, once."""
    if not os.environ.get("DJANGO_SETTINGS_MODULE"):
        raise ImproperlyConfigured(
            "DJANGO_SETTINGS_MODULE is not set: write 'SetEnv DJANGO_SETTINGS_MODULE mysite.settings' beside PythonHandler"
        )
    django.setup(set_prefix=False)
    # Settings and URLconfs that ask where they are shall hear the same here as at a request; some remember the answer.
    prefix = settings.FORCE_SCRIPT_NAME
    set_script_prefix(startup.django_root if prefix is None else prefix)
    warm_up()
    signals.got_request_exception.connect(log_exception)
    return Handler()
