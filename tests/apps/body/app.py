"""Reads the request body the way the query string names and answers with the pieces it got."""
import itertools
import json


def whole(stream):
    return [stream.read()]


def sized(stream):
    return list(itertools.takewhile(bool, (stream.read(3) for _ in range(1000))))


def minus_one(stream):
    return [stream.read(-1)]


def nothing(stream):
    return [stream.read(0), stream.read()]


def lines(stream):
    return list(itertools.takewhile(bool, (stream.readline() for _ in range(1000))))


def short_lines(stream):
    return list(itertools.takewhile(bool, (stream.readline(2) for _ in range(1000))))


def all_lines(stream):
    return stream.readlines()


def some_lines(stream):
    return [b"".join(stream.readlines(1)[:1]), stream.read()]


def iterate(stream):
    return list(stream)


def mixed(stream):
    return [stream.read(1), stream.readline(), stream.read(2), stream.read()]


def past_the_end(stream):
    return [stream.read(), stream.read(), stream.read(10), stream.readline(), *stream.readlines(), *stream]


WAYS = [whole, sized, minus_one, nothing, lines, short_lines, all_lines, some_lines, iterate, mixed, past_the_end]


def application(environ, start_response):
    ways = {way.__name__: way for way in WAYS}
    pieces = ways[environ["QUERY_STRING"]](environ["wsgi.input"])
    start_response("200 OK", [("Content-Type", "application/json")])
    answer = {"pieces": [piece.decode("latin-1") for piece in pieces], "length": environ.get("CONTENT_LENGTH")}
    return [json.dumps(answer).encode()]
