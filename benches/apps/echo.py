"""Sends a request's body back: the cost of carrying a body in and out of Python.

It reads by CONTENT_LENGTH, never to the end of input: older servers block there.
"""


def application(environ, start_response):
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(length)
    start_response("200 OK", [("Content-Type", "application/octet-stream"), ("Content-Length", str(len(body)))])
    return [body]
