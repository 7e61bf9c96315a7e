"""The members of a request that cost something to make: what the head, the configuration and the disk say.

They are made when they are first asked for (`LAZY`).
"""

import os
import stat
import time
from urllib.parse import urlsplit

from . import constants
from .server import mp_conn
from .table import mp_table


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


def text(octets):
    return octets.decode("utf-8", "surrogateescape")


def _path(native):
    """A path of the environ as text: UTF-8, and what is not that as Python has it in file names."""
    return native if native.isascii() else text(native.encode("latin-1"))


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


LAZY = {
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
