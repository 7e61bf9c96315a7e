"""Answers with its environ: strings as they are, everything else as its repr."""
import json
import os
import sys


def application(environ, start_response):
    shown = {key: value if isinstance(value, (str, bool)) else repr(value) for key, value in environ.items()}
    shown["test.os_environ"] = dict(os.environ)
    shown["test.sys_path"] = sys.path
    shown["test.utf8_mode"] = sys.flags.utf8_mode
    shown["test.pid"] = os.getpid()
    shown["test.prefix"] = sys.prefix
    shown["test.version"] = list(sys.version_info[:2])
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(shown).encode()]
