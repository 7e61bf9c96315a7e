"""`mod_python.wsgi`: a WSGI application that `PythonOption mod_python.wsgi.application module::callable` names.

Where the option is in the configuration and this is the only handler, the engine calls the application itself; the code
here is for those who call it from a handler of their own.
"""

from . import apache


def handler(req):
    options = req.get_options()
    named = options.get("mod_python.wsgi.application") or options.get("wsgi.application")
    if not named:
        raise ValueError("PythonOption mod_python.wsgi.application is not set: module::callable")
    module, _, name = named.partition("::") if "::" in named else named.partition(":")
    application = apache.resolve_object(apache.import_module(module), name or "application", req)
    base = options.get("mod_python.wsgi.base_uri")
    if base is None:
        base = (req._chain.location or "").rstrip("/")
    if base.endswith("/"):
        raise ValueError(f"PythonOption mod_python.wsgi.base_uri {base} ends with a slash")
    environ = req.build_wsgi_env()
    path = environ["SCRIPT_NAME"] + environ["PATH_INFO"]
    if path != base and not path.startswith(base + "/"):
        req.log_error(f"{path} is not below mod_python.wsgi.base_uri {base}", apache.APLOG_WARNING)
        return apache.DECLINED
    environ["SCRIPT_NAME"], environ["PATH_INFO"] = base, path[len(base) :]
    run(req, application, environ)
    return apache.OK


def run(req, application, environ):
    """Calls an application and writes what it returns, each piece at once."""
    started = []

    def start_response(status, headers, exc_info=None):
        if exc_info is not None:
            try:
                if req._streams:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif started:
            raise AssertionError("start_response was called again without exc_info")
        started[:] = [status, headers]
        req.status = int(status[:3])
        req.status_line = status
        req.headers_out.clear()
        for name, value in headers:
            if name.lower() == "content-type":
                req.content_type = value
            else:
                req.headers_out.add(name, value)
        return lambda data: req.write(data, 1)

    result = application(environ, start_response)
    try:
        whole = isinstance(result, (list, tuple))
        for data in result:
            if not started:
                raise AssertionError("the application returned content without calling start_response")
            if data:
                req.write(data, not whole)
    finally:
        if hasattr(result, "close"):
            result.close()
    if not started:
        raise AssertionError("the application did not call start_response")
