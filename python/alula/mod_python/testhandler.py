"""`mod_python.testhandler`: a page that shows what a handler sees. For a look at an installation, not for the public."""

import os
import sys
from html import escape

from . import apache, version


def handler(req):
    req.add_cgi_vars()
    rows = [
        ("Server", req.subprocess_env.get("SERVER_SOFTWARE")),
        ("mod_python API", version),
        ("Python", sys.version),
        ("Executable", sys.executable),
        ("Process", os.getpid()),
        ("Interpreter", req.interpreter),
        ("ServerRoot", apache.server_root()),
        ("DocumentRoot", req.document_root()),
        ("Working directory", os.getcwd()),
        ("sys.path", "\n".join(sys.path)),
    ]
    req.content_type = "text/html; charset=UTF-8"
    req.write("<!DOCTYPE html>\n<html><head><title>mod_python test page</title></head><body>\n")
    _table(req, "Interpreter", rows)
    _table(req, "Request", [(name, getattr(req, name)) for name in _MEMBERS])
    _table(req, "req.headers_in", _hidden(req.headers_in.items()))
    _table(req, "req.get_config()", req.get_config().items())
    _table(req, "req.get_options()", req.get_options().items())
    _table(req, "req.subprocess_env", _hidden(req.subprocess_env.items()))
    req.write("</body></html>\n")
    return apache.OK


_MEMBERS = (
    "the_request method uri unparsed_uri args filename path_info hostname protocol user ap_auth_type handler phase"
).split()


def _hidden(rows):
    secret = {"authorization", "cookie", "http_authorization", "http_cookie"}
    return [(name, "(hidden)" if name.lower() in secret else value) for name, value in rows]


def _table(req, title, rows):
    req.write(f"<h2>{escape(title)}</h2>\n<table>\n")
    for name, value in rows:
        req.write(f"<tr><th>{escape(str(name))}</th><td><pre>{escape(str(value))}</pre></td></tr>\n")
    req.write("</table>\n")
