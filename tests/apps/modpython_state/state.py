"""Sessions and cookies."""
from mod_python import Cookie, Session, apache


def counter(req):
    session = Session.Session(req)
    session["count"] = session.get("count", 0) + 1
    session.save()
    # The request has the lock already.
    again = Session.Session(req, sid=session.id())
    req.write(f"{type(session).__name__} {session['count']} {session.is_new()} {again.id() == session.id()}")
    return apache.OK


def slow_counter(req):
    """Between reading and writing another request of the visitor could come."""
    import time

    session = Session.Session(req)
    count = session.get("count", 0)
    time.sleep(0.02)
    session["count"] = count + 1
    session.save()
    req.write(str(count + 1))
    return apache.OK


def ends(req):
    Session.Session(req).invalidate()
    return apache.OK


def signed(req):
    session = Session.Session(req, secret="a secret")
    session.save()
    req.write(f"{session.is_new()}")
    return apache.OK


def cookies(req):
    if req.args == "set":
        Cookie.add_cookie(req, "plain", "one", path="/", max_age=60, httponly=True)
        Cookie.add_cookie(req, Cookie.SignedCookie("signed", "two", "key"))
        Cookie.add_cookie(req, Cookie.MarshalCookie("packed", {"three": [3]}, "key"))
        return apache.OK
    plain = Cookie.get_cookie(req, "plain")
    signed = Cookie.get_cookie(req, "signed", Cookie.SignedCookie, secret="key")
    packed = Cookie.get_cookie(req, "packed", Cookie.MarshalCookie, secret="key")
    req.write(f"{plain and plain.value} {type(signed).__name__} {signed and signed.value} "
              f"{type(packed).__name__} {packed and packed.value}")
    return apache.OK
