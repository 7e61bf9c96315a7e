"""Prints what the query says, `say=words`, and raises where it says `raise`."""
from urllib.parse import parse_qs


def application(environ, start_response):
    query = parse_qs(environ["QUERY_STRING"], keep_blank_values=True)
    if "raise" in query:
        raise ValueError("asked to raise")
    if "say" in query:
        print(query["say"][0])
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"said"]
