"""Asks the functions of mod_wsgi's access scripts: `check_password`, `groups_for_user`, `allow_access`.

The server sends the request that is asked about to an application; what the function says goes back in header fields
(`alula-server/src/gate.rs`). An exception is logged by the engine like any application's, and nobody passes.
"""

import base64


def application(function_name, function):
    """The application around one function."""
    ask = {"check_password": _password, "groups_for_user": _groups, "allow_access": _access}[function_name]

    def application(environ, start_response):
        credentials = environ.pop("HTTP_AUTHORIZATION", "")
        start_response("200 OK", ask(function, environ, credentials))
        return []

    return application


def _password(function, environ, credentials):
    _scheme, _, encoded = credentials.partition(" ")
    user, _, password = base64.b64decode(encoded).decode("utf-8", "surrogateescape").partition(":")
    # Nothing is proved yet.
    environ.pop("REMOTE_USER", None)
    said = function(environ, user, password)
    if said is True:
        return [("X-Alula-Said", "yes")]
    if said is False:
        return [("X-Alula-Said", "no")]
    if said is None:
        return [("X-Alula-Said", "unknown")]
    if isinstance(said, str):
        return [("X-Alula-Said", "name"), _name(said)]
    raise TypeError(f"check_password must return True, False, None or a name, not {type(said).__name__}")


def _groups(function, environ, _credentials):
    groups = function(environ, environ["REMOTE_USER"])
    return [("X-Alula-Said", "yes"), *(_name(group.decode() if isinstance(group, bytes) else group) for group in groups or ())]


def _access(function, environ, _credentials):
    said = function(environ, environ["REMOTE_ADDR"])
    if said not in (True, False, None):
        raise TypeError(f"allow_access must return True, False or None, not {type(said).__name__}")
    return [("X-Alula-Said", "no" if said is False else "yes")]


def _name(name):
    if not isinstance(name, str):
        raise TypeError(f"a name must be a str, not {type(name).__name__}")
    return ("X-Alula-Name", name.encode("utf-8", "surrogateescape").hex())
