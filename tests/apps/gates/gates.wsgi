"""mod_wsgi's access functions, and an application, in one script."""
import json

loads = globals().get("loads", 0) + 1


def check_password(environ, user, password):
    assert "HTTP_AUTHORIZATION" not in environ
    if user == "broken":
        raise RuntimeError("the database of users is away")
    if user == "alias":
        return "ann" if password == "pw" else False
    if user not in ("ann", "bob", "ünı"):
        return None
    return password == "pw" and environ["REQUEST_URI"] != "/app/never"


def groups_for_user(environ, user):
    return {"ann": ["staff", "mitglieder-ä"], "bob": ["guests"]}.get(user, [])


def allow_access(environ, host):
    assert host == environ["REMOTE_ADDR"]
    return {"yes": True, "no": False}.get(environ.get("HTTP_X_ALLOW"))


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    shown = {name: environ.get(name) for name in ("REMOTE_USER", "SCRIPT_NAME", "PATH_INFO", "SCRIPT_FILENAME", "REQUEST_METHOD")}
    length = int(environ.get("CONTENT_LENGTH") or 0)
    return [json.dumps(dict(shown, loads=loads, content=environ["wsgi.input"].read(length).decode())).encode()]
