"""Answers with size and SHA-256 of the request body, or with a body of the size asked for."""
import hashlib

BLOCK = hashlib.sha256(b"alula").digest() * 2048


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    if environ["REQUEST_METHOD"] == "GET":
        return [BLOCK] * int(environ["QUERY_STRING"])
    digest, size = hashlib.sha256(), 0
    while True:
        data = environ["wsgi.input"].read(100_000)
        if not data:
            break
        digest.update(data)
        size += len(data)
    return [f"{size} {digest.hexdigest()}".encode()]
