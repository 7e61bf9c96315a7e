"""Responses that compression has to look at twice; the path says which."""
import time
import urllib.parse

CONTENT = b"<p>All work and no play makes Jack a dull boy.</p>\n" * 100


def application(environ, start_response):
    query = dict(urllib.parse.parse_qsl(environ["QUERY_STRING"]))
    content = CONTENT[: int(query.get("length", len(CONTENT)))]
    headers = [("Content-Type", query.get("type", "text/html; charset=utf-8"))]
    for name in ("ETag", "Cache-Control", "Content-Encoding", "Content-Range", "Vary"):
        if name in query:
            headers.append((name, query[name]))
    if environ.get("HTTP_IF_NONE_MATCH") == query.get("ETag", ""):
        start_response("304 Not Modified", [("ETag", query["ETag"])])
        return [b""]
    start_response(query.get("status", "200 OK"), headers)
    if "stream" in query:
        return stream()
    return [content]


def stream():
    yield b"first"
    while True:
        time.sleep(0.01)
        yield b" more"
