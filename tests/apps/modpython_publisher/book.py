"""What the publisher publishes, and what it must not."""
import os  # noqa: F401: a module must not be reachable

SECRET = "secret"
text = "plain text"
number = 42
pages = ["one ", 2, " three"]


def index():
    return "<html><body>the book</body></html>"


def sign(req, name, text="", times="1"):
    return f"{name}: {text} ({times}, {req.form.getfirst('name')}, {req.args})"


def everything(req, **fields):
    return repr(sorted((name, value) for name, value in fields.items()))


def upload(file):
    return f"{file.filename} {len(file.value)}"


def nothing():
    return None


def _hidden():
    return "never"


class Shelf:
    def __init__(self):
        self.label = "a shelf"
        self.lower = None

    def take(self, what="all"):
        return f"took {what}"

    def __call__(self):
        return "the shelf itself"


shelf = Shelf()
shelf.lower = Shelf()


def by_dictionary(req):
    __auth__ = {"eggs": "spam"}
    __auth_realm__ = "Kitchen"
    return f"for {req.user}"


def by_function(req):
    def __auth__(req, user, password):
        return password == user[::-1]

    def __access__(req, user):
        return user != "nobody"

    return f"for {req.user}"


def by_list(req):
    __auth__ = True
    __access__ = ["eggs"]
    return "for those on the list"


def by_nobody_knows(req):
    __auth__ = dict(eggs="spam")
    return "never"
