"""Kills its process on request."""
import ctypes
import os
import signal


def application(environ, start_response):
    way = environ["PATH_INFO"].strip("/")
    if way == "segfault":
        ctypes.string_at(0)
    if way == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if way == "exit":
        os._exit(3)
    if way == "system-exit":
        raise SystemExit(4)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
