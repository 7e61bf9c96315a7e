"""Names files for the server to send, or returns them open, as the query says."""
import urllib.parse


def application(environ, start_response):
    query = dict(urllib.parse.parse_qsl(environ["QUERY_STRING"], keep_blank_values=True))
    headers = [("Content-Type", "text/x-app"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Content-Length", "0")]
    if "open" in query:
        start_response("200 OK", headers[:3])
        return environ["wsgi.file_wrapper"](open(query["open"], "rb"))
    for name in ("X-Sendfile", "X-Accel-Redirect"):
        if name in query:
            headers.append((name, query[name]))
    start_response(query.get("status", "200 OK"), headers)
    return [b""]
