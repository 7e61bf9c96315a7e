"""Kills its process on request, or gets stuck."""
import ctypes
import os
import signal
import threading
import time


def application(environ, start_response):
    way = environ["PATH_INFO"].strip("/")
    if way == "segfault":
        dereference_null()
    if way == "abort":
        os.abort()
    if way == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if way == "exit":
        os._exit(3)
    if way == "c-exit":
        ctypes.PyDLL(None).exit(4)
    if way == "deep":
        recurse()
    if way == "child":
        crash_in_a_child()
    if way == "system-exit":
        raise SystemExit(4)
    if way == "sleep":
        time.sleep(600)
    if way == "hold":
        if folder := environ.get("TEST_FOLDER"):
            open(os.path.join(folder, "holds"), "w").close()
        # `PyDLL` keeps the GIL.
        ctypes.PyDLL(None).sleep(600)
    if way == "spin":
        while True:
            pass
    if way == "descriptors":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [str(len(os.listdir("/proc/self/fd"))).encode()]
    start_response("200 OK", [("Content-Type", "text/plain")])
    if way == "stream":
        return stream()
    return [str(os.getpid()).encode()]


def stream():
    yield b"the beginning"
    time.sleep(600)


def dereference_null():
    ctypes.string_at(0)


def recurse():
    """Fills the C stack."""
    qsort = ctypes.PyDLL(None).qsort
    numbers = (ctypes.c_int * 2)(2, 1)

    def compare(first, second):
        qsort(numbers, 2, 4, call)
        return 0

    call = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(compare)
    import sys

    sys.setrecursionlimit(1_000_000)
    threading.stack_size(256 * 1024)
    thread = threading.Thread(target=qsort, args=(numbers, 2, 4, call))
    thread.start()
    thread.join()


def crash_in_a_child():
    child = os.fork()
    if child == 0:
        ctypes.string_at(0)
    os.waitpid(child, 0)
