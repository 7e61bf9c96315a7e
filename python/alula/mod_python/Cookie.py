"""`mod_python.Cookie`: cookies, plain, signed, and with Python values in them.

Signatures are HMAC-SHA256. A `MarshalCookie` is read only after its signature was found to be right: `marshal` may do
anything with bytes that others have made.
"""

import base64
import hmac
import marshal
import re
import time
from email.utils import formatdate


class CookieError(Exception):
    """A cookie that cannot be what it should."""


#: A name, and a value, plain or in quotes.
_PAIR = re.compile(r"""\s*([^\s=;,"]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*?)\s*(?:;|$)""")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_ATTRIBUTES = "version path domain secure comment max_age expires commentURL discard port httponly samesite".split()
_FLAGS = frozenset(("secure", "discard", "httponly"))


class Cookie:
    """A cookie: `name`, `value`, and what it says about itself, as attributes."""

    DOWNGRADE = 0
    IGNORE = 1
    EXCEPTION = 3

    def __init__(self, name, value, **kw):
        if not _NAME.fullmatch(name):
            raise CookieError(f"{name!r} is not a name for a cookie")
        self.name = name
        self.value = value
        for key, value in kw.items():
            setattr(self, key, value)

    @classmethod
    def parse(cls, text, **kw):
        """The cookies of a `Cookie` header, by their names."""
        return _parse(text, cls, kw.get("names"))

    def __setattr__(self, name, value):
        if name == "expires":
            value = _expires(value)
        elif name == "max_age":
            value = int(value)
            self.__dict__["expires"] = _expires(time.time() + value)
        elif name not in ("name", "value", *_ATTRIBUTES) and not name.startswith("_"):
            raise AttributeError(f"a cookie has no {name!r}")
        self.__dict__[name] = value

    def _text(self):
        return self.value

    def __str__(self):
        pieces = [f"{self.name}={self._text()}"]
        for name in _ATTRIBUTES:
            value = self.__dict__.get(name)
            if value is None or (name in _FLAGS and not value):
                continue
            label = "Max-Age" if name == "max_age" else name
            pieces.append(label if name in _FLAGS else f"{label}={value}")
        text = "; ".join(pieces)
        if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", text):
            raise CookieError(f"cookie {self.name!r} has a control character")
        return text

    def __repr__(self):
        return f"<{type(self).__name__}: {self}>"


class SignedCookie(Cookie):
    """A cookie nobody can change who does not know the secret."""

    def __init__(self, name, value, secret=None, **kw):
        super().__init__(name, value, **kw)
        self.__data__ = {"secret": secret}

    def __setattr__(self, name, value):
        if name == "__data__":
            self.__dict__[name] = value
        else:
            super().__setattr__(name, value)

    @classmethod
    def parse(cls, text, secret, mismatch=Cookie.DOWNGRADE, **kw):
        cookies = _parse(text, cls, kw.get("names"))
        for name, cookie in list(cookies.items()):
            try:
                cookie.unsign(secret)
            except CookieError:
                if mismatch == Cookie.EXCEPTION:
                    raise
                if mismatch == Cookie.IGNORE:
                    del cookies[name]
                else:
                    cookies[name] = Cookie(name, cookie.value)
        return cookies

    def hexdigest(self, text):
        secret = self.__data__["secret"]
        if not secret:
            raise CookieError("Cannot sign without a secret")
        secret = secret.encode() if isinstance(secret, str) else secret
        return hmac.new(secret, (self.name + text).encode("utf-8", "surrogateescape"), "sha256").hexdigest()

    def _text(self):
        return self.hexdigest(self.value) + self.value

    def unsign(self, secret):
        """Takes the signature off; raises CookieError when it is wrong."""
        self.__data__ = {"secret": secret}
        signature, value = self.value[:64], self.value[64:]
        if not hmac.compare_digest(signature.encode(), self.hexdigest(value).encode()):
            raise CookieError(f"Incorrectly Signed Cookie: {self.name}={self.value}")
        self.value = value


class MarshalCookie(SignedCookie):
    """A signed cookie whose value is any Python value that `marshal` takes."""

    def _text(self):
        packed = base64.urlsafe_b64encode(marshal.dumps(self.value)).decode()
        return self.hexdigest(packed) + packed

    def unsign(self, secret):
        super().unsign(secret)
        try:
            self.value = marshal.loads(base64.urlsafe_b64decode(self.value))
        except (ValueError, EOFError, TypeError) as error:
            raise CookieError(f"cookie {self.name!r} holds no value: {error}") from None


def _expires(value):
    if value is None or isinstance(value, str):
        return value
    return formatdate(float(value), usegmt=True)


def _parse(text, cls, names=None):
    cookies = {}
    for name, value in _PAIR.findall(text):
        if len(value) > 1 and value[0] == value[-1] == '"':
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        if name.startswith("$") or (names is not None and name not in names) or not _NAME.fullmatch(name):
            continue
        # The first is the one of the longest path (RFC 6265 section 5.4).
        if name not in cookies:
            cookies[name] = cls(name, value)
    return cookies


def add_cookie(req, cookie, value="", **kw):
    """Sends a cookie with the answer: a `Cookie`, or a name and a value."""
    if not isinstance(cookie, Cookie):
        cookie = Cookie(cookie, value, **kw)
    if "Set-Cookie" not in req.headers_out:
        req.headers_out.add("Cache-Control", 'no-cache="set-cookie"')
    req.headers_out.add("Set-Cookie", str(cookie))


def get_cookies(req, Class=Cookie, **kw):
    """The request's cookies, by their names."""
    sent = req.headers_in.get("Cookie")
    if sent is None:
        return {}
    if isinstance(sent, list):
        sent = "; ".join(sent)
    return Class.parse(sent, **kw)


def get_cookie(req, name, Class=Cookie, **kw):
    """One cookie of the request, or None."""
    return get_cookies(req, Class, names=(name,), **kw).get(name)
