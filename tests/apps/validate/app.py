"""A well-behaved application inside wsgiref's validator, which raises at anything PEP 3333 forbids a server."""
from wsgiref.validate import validator


def plain(environ, start_response):
    size = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(size)
    environ["wsgi.errors"].write("validated\n")
    environ["wsgi.errors"].flush()
    start_response("200 OK", [("Content-Type", "application/octet-stream"), ("X-Read", str(len(body)))])
    return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body or b"nothing"]


application = validator(plain)
