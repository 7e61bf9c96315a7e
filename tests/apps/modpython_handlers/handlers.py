"""One small mod_python handler for each thing a handler can do; the tests name them in PythonHandler."""
import hashlib
import json
import os

from mod_python import apache, util


def handler(req):
    req.content_type = "text/plain"
    req.write("Hello, world\n")
    return apache.OK


class Greeter:
    def __init__(self, req):
        self.name = req.args or "nobody"

    def greet(self, req):
        req.write(f"Hello, {self.name}")
        return apache.OK


def first(req):
    req.notes["seen"] = "first"
    req.marks = ["first"]
    return apache.OK


def second(req):
    req.marks.append("second")
    req.write(" ".join([*req.marks, req.notes["SEEN"]]))
    return apache.OK


def adds_another(req):
    req.marks = ["adds_another"]
    req.add_handler("PythonHandler", "handlers::third")
    return apache.OK


def third(req):
    req.write(" ".join([*req.marks, "third"]))
    return apache.OK


def answers(req):
    """The query says how the handler ends."""
    if req.args == "none":
        return None
    if req.args == "true":
        return True
    if req.args == "raise":
        raise ValueError("<in the page & the log>")
    if req.args == "written":
        req.write("never seen")
        return apache.HTTP_GONE
    if req.args.startswith("raise="):
        raise apache.SERVER_RETURN(int(req.args.partition("=")[2]))
    if req.args.startswith("pair="):
        req.write("with a status")
        raise apache.SERVER_RETURN((apache.OK, int(req.args.partition("=")[2])))
    req.err_headers_out["X-Error"] = "stays"
    req.headers_out["X-Plain"] = "goes"
    return int(req.args)


def declines(req):
    req.headers_out["X-Declined"] = "yes"
    return apache.DECLINED


def redirects_late(req):
    if req.args == "file":
        req.sendfile(__file__)
    elif req.args == "flushed":
        req.flush()
    try:
        util.redirect(req, "/elsewhere", text="moved")
    except OSError as error:
        req.write(str(error))
        return apache.OK


def redirects(req):
    util.redirect(req, "/elsewhere?x=1\u00e9", permanent=req.args == "permanent")


def goes_on(req):
    req.write("dropped")
    req.internal_redirect(req.args)
    return apache.OK


def streams(req):
    """Each piece is flushed, and then the test lets it go on."""
    req.content_type = "text/plain"
    with open(os.path.join(req.get_options()["folder"], "gate"), "rb", buffering=0) as gate:
        for number in range(3):
            if number == 1:
                req.write(f"piece {number}\n", 1)
            else:
                req.write(f"piece {number}\n")
                req.flush()
            gate.read(1)
    return apache.OK


def writes_much(req):
    for _ in range(100):
        req.write(b"x" * 10_000)
    return apache.OK


def sends_file(req):
    options = req.get_options()
    if req.args == "part":
        sent = req.sendfile(options["file"], 5, 10)
    elif req.args == "between":
        req.write("before ")
        sent = req.sendfile(options["file"], 0, 5)
        req.write(" after")
    else:
        sent = req.sendfile(options["file"])
    req.log_error(f"sent {sent}", apache.APLOG_INFO)
    return apache.OK


def uploads(req):
    form = util.FieldStorage(req, keep_blank_values=1)
    fields = []
    for field in form.list:
        if field.filename is not None:
            digest = hashlib.sha256(field.file.read()).hexdigest()
            fields.append([field.name, field.filename, field.type, len(field.value), digest])
        else:
            fields.append([field.name, field.value, isinstance(field, str)])
    req.content_type = "application/json"
    req.write(json.dumps(fields))
    return apache.OK


def reads(req):
    lines = [req.readline(), req.read(3), *req.readlines()]
    req.write(json.dumps([line.decode() for line in lines] + [req.read().decode(), req.remaining]))
    return apache.OK


def shows(req):
    req.add_cgi_vars()
    members = (
        "method uri unparsed_uri args filename path_info hostname protocol the_request user ap_auth_type interpreter "
        "phase header_only method_number proto_num parsed_uri"
    ).split()
    shown = {name: getattr(req, name) for name in members}
    shown["headers_in"] = dict(req.headers_in.items())
    shown["env"] = dict(req.subprocess_env.items())
    shown["options"] = dict(req.get_options().items())
    shown["config"] = dict(req.get_config().items())
    shown["remote"] = [req.connection.remote_ip, req.connection.remote_addr[0], req.get_remote_host()]
    shown["server"] = [req.server.server_hostname, req.server.is_virtual, apache.main_server.server_hostname]
    shown["password"] = req.get_basic_auth_pw()
    shown["user_after"] = req.user
    shown["root"] = req.document_root()
    shown["https"] = req.is_https()
    shown["url"] = req.construct_url("/x")
    shown["type"] = type(req).__name__
    req.content_type = "application/json"
    req.write(json.dumps(shown))
    return apache.OK


def cleans_up(req):
    for number in range(2):
        req.register_cleanup(lambda data: apache.log_error(f"cleaned up {data}"), number)
    req.register_cleanup(lambda data: 1 / 0)
    req.register_cleanup(lambda data: apache.log_error(f"cleaned up {data}"), "last")
    return apache.OK


def conditions(req):
    req.headers_out["ETag"] = '"v1"'
    req.set_last_modified(1_000_000_000)
    status = req.meets_conditions()
    if status != apache.OK:
        return status
    req.write("the content")
    return apache.OK


def limits_methods(req):
    apache.allow_methods(req, "GET", "HEAD")
    return apache.OK


def remembers(req):
    """What one request writes to the server's table, the next one reads."""
    table = apache.main_server.get_options()
    count = int(table.get("count", "0")) + 1
    table["count"] = str(count)
    req.write(f"{count} {table['from_the_server']}")
    return apache.OK


def by_extension(req):
    req.write(f"for {req.extension}")
    return apache.OK


def python_version(req):
    import sys

    form = util.FieldStorage(req)
    req.write(f"{sys.version_info[0]}.{sys.version_info[1]} {form.getfirst('name')}")
    return apache.OK
