"""A module that is closed as a whole."""
__auth_realm__ = "All of it"


def __auth__(req, user, password):
    return (user, password) == ("eggs", "spam")


def index(req):
    return f"open for {req.user}"
