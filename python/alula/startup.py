"""Readies an interpreter: streams, `sys.path`, imports before the application, and the end of a worker.

Runs in the template process, before anything of the site is imported; `worker` and `leave` run in workers.
"""

import functools
import gc
import importlib
import importlib.util
import os
import signal
import sys
import threading
import time
import traceback

import _alula

from . import importer, streams

# When this interpreter began to read the site's code, in seconds since 1970.
STARTED = time.time()


#: For mod_python handlers: the interpreter's name, and what the configuration says about each virtual host, as JSON.
interpreter = "main_interpreter"
servers = "[]"

#: `PythonOption django.root`, where all of the interpreter's Django is below one.
django_root = ""

_exit = os._exit


def prepare(paths, directories, imports, settings, name, hosts, first):
    """Readies the interpreter.

    `paths`: (expression, where it was written) of each `PythonPath`, in file order.
    `directories`: the `<Directory>`s in which a handler stands without a `PythonPath`; they come first, as in mod_python.
    `imports`: (module or file, function or None, where) of each `PythonImport`.
    `settings`: `DJANGO_SETTINGS_MODULE`, or None.
    `name`, `hosts`: what `interpreter` and `servers` become.
    `first`: directories that come before all others, with what their `.pth` files name (`python-path=`, `WSGIPythonPath`).
    """
    global interpreter, servers
    interpreter, servers = name, hosts
    # Ctrl-C in a terminal reaches every process of the group; the supervisor decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stdout = sys.__stdout__ = streams.LogStream("<stdout>")
    sys.stderr = sys.__stderr__ = streams.LogStream("<stderr>")
    sys.argv = ["alula"]
    if settings:
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", settings)
    for expression, origin in paths:
        _evaluate_path(expression, origin)
    for directory in directories:
        if directory not in sys.path:
            sys.path.insert(0, directory)
    _put_first(first)
    importer.install()
    for module, function, origin in imports:
        _import(module, function, origin)


def _put_first(directories):
    if not directories:
        return
    import site

    known = set(sys.path)
    for directory in directories:
        site.addsitedir(os.fspath(directory))
    added = [entry for entry in sys.path if entry not in known]
    wanted = [os.fspath(directory) for directory in directories]
    added += [entry for entry in wanted if entry not in added]
    sys.path[:] = added + [entry for entry in sys.path if entry not in added]


def _evaluate_path(expression, origin):
    try:
        path = eval(expression, {"sys": sys, "os": os})  # noqa: S307: mod_python's PythonPath is an expression
        sys.path[:] = [os.fspath(entry) for entry in path]
    except Exception:
        _alula.log_line(f"{origin}: PythonPath {expression!r} cannot be evaluated\n{traceback.format_exc().rstrip()}")


def _import(module, function, origin):
    """Imports a module, by name or by file; a failure is logged and does not stop the server."""
    try:
        if os.sep in module or module.endswith(".py"):
            name = os.path.splitext(os.path.basename(module))[0]
            spec = importlib.util.spec_from_file_location(name, module)
            loaded = importlib.util.module_from_spec(spec)
            sys.modules[name] = loaded
            spec.loader.exec_module(loaded)
        else:
            loaded = importlib.import_module(module)
        if function:
            target = loaded
            for part in function.split("."):
                target = getattr(target, part)
            target()
    except Exception:
        _alula.log_line(f"{origin}: PythonImport {module} failed\n{traceback.format_exc().rstrip()}")


def freeze():
    """Takes everything loaded so far out of the garbage collector's sight, so that workers share its pages.

    Returns why the process must not be forked, or None.
    """
    gc.collect()
    gc.freeze()
    threads = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    if threads:
        return f"the application has started threads at import: {', '.join(threads)}"
    return None


def worker(dump_signal, black_box):
    """Readies a forked worker. `dump_signal` is to make every thread's stack appear in the file `black_box`."""
    import faulthandler

    faulthandler.register(dump_signal, file=black_box, all_threads=True)
    # The crash of a child that the application forks is nobody's to explain but its own.
    os.register_at_fork(after_in_child=_watch_child)
    os._exit = _noted_exit(os.getpid(), dump_signal)


def _watch_child():
    import faulthandler

    if not faulthandler.is_enabled():
        faulthandler.enable(file=2)


def _noted_exit(worker_pid, dump_signal):
    """`os._exit`, which leaves the stack of whoever ends a worker by it."""

    @functools.wraps(_exit)
    def noted_exit(status):
        if os.getpid() == worker_pid:
            signal.raise_signal(dump_signal)
        _exit(status)

    return noted_exit


def leave():
    """What an interpreter does at its end, without tearing itself down: exit functions and streams."""
    import atexit

    try:
        atexit._run_exitfuncs()
    except Exception:
        _alula.log_line(f"an exit function failed\n{traceback.format_exc().rstrip()}")
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass
    _exit(0)
