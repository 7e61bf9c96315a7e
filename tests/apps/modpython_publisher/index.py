"""The publisher's own page, and names that have no module."""


def index(req):
    return "the index"


def other(req, name="nobody"):
    return f"other {name}"
