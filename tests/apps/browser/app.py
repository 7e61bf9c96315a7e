"""A page whose script sends a file with a name that is not ASCII, and an answer that says which name arrived."""
import email
import email.policy
import json

PAGE = """<!doctype html><html><head><meta charset="utf-8"><link rel="stylesheet" href="/static/page.css"></head>
<body><p id="answer">no script ran</p><p id="protocol"></p><p id="colour"></p>
<script src="/static/page.js"></script></body></html>"""


def application(environ, start_response):
    if environ["REQUEST_METHOD"] == "POST":
        head = f"Content-Type: {environ['CONTENT_TYPE']}\r\n\r\n".encode()
        form = email.message_from_bytes(head + environ["wsgi.input"].read(), policy=email.policy.HTTP)
        part = next(form.iter_parts())
        answer = {"name": part.get_filename(), "bytes": len(part.get_content()), "scheme": environ["wsgi.url_scheme"]}
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(answer).encode()]
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
    return [PAGE.encode()]
