"""Middleware that cannot be built, and middleware that cannot be called."""


class CannotBeBuilt:
    def __init__(self, get_response):
        raise RuntimeError("the-middleware-cannot-be-built")
