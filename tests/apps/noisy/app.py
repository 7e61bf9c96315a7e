"""Writes to everything it should not write to; the response must not notice."""
import os
import subprocess
import sys


def application(environ, start_response):
    print("printed-line")
    print("printed ünïcode 日本")
    sys.stderr.write("stderr-line\n")
    sys.stdout.buffer.write(b"HTTP/1.1 200 OK\r\n\r\nbuffer-line\n")
    sys.stdout.flush()
    os.write(1, b"descriptor-one\n")
    os.write(2, b"descriptor-two\n")
    environ["wsgi.errors"].write("errors-line\n")
    subprocess.run(["echo", "child-line"], check=True)
    print("no newline at the end", end="")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"quiet"]
