"""`apache.import_module`: modules that are loaded anew when their file has changed.

A changed module gets a namespace of its own, so names that are gone are gone, and a request that still runs in the old
one is not disturbed. When the new text fails, the old module stays and the error log says why. The source is
compiled from the file each time: a cached `.pyc` knows whole seconds only.
"""

import hashlib
import importlib
import importlib.machinery
import importlib.util
import os
import sys
import threading
import traceback

from .server import log as _log

_lock = threading.RLock()
#: What was imported, by what it was asked for with: (module, file, mark of the file's state).
_known = {}
#: The request that runs in this thread, for what depends on its settings.
current = threading.local()


def import_module(module_name, autoreload=None, log=None, path=None):
    """Imports a module by its name or its file.

    `autoreload` and `log` follow `PythonAutoReload` and `PythonDebug` unless given. `path` is a list of folders to look in
    instead of `sys.path`; such a module is known by its file alone, so two folders may have modules of one name.
    """
    if autoreload is None:
        autoreload = _setting("auto_reload", False)
    key = module_name if path is None else (module_name, tuple(path))
    known = _known.get(key)
    if known is not None and (not autoreload or known[2] == _mark(known[1])):
        return known[0]
    if log is None:
        log = _setting("debug", False)
    with _lock:
        known = _known.get(key)
        if known is not None:
            mark = _mark(known[1])
            if known[2] == mark:
                return known[0]
            if log:
                _log(f"mod_python: (Re)importing module '{module_name}'", 5)
            # Seen before it is read: a change in between is a change after it.
            try:
                module = _load(known[0].__name__, known[1], known[0])
            except Exception:
                # As with the watcher: what cannot be loaded changes nothing, until it is edited again.
                module = known[0]
                _log(f"{known[1]} cannot be loaded anew; the old code goes on\n{traceback.format_exc().rstrip()}")
            _known[key] = (module, known[1], mark)
            return module
        if log:
            _log(f"mod_python: Importing module '{module_name}'", 5)
        file = _file(module_name, path)
        if file is None:
            module = importlib.import_module(module_name)
            file = getattr(module, "__file__", None)
            file = file if file and file.endswith(".py") else None
            mark = _mark(file)
        else:
            mark = _mark(file)
            name = "_mp_" + hashlib.sha256(os.fsencode(file)).hexdigest()[:32]
            module = _load(name, file, None)
        _known[key] = (module, file, mark)
        return module


def _setting(name, default):
    request = getattr(current, "request", None)
    return default if request is None else getattr(request._chain, name)


def _mark(file):
    if file is None:
        return None
    try:
        state = os.stat(file)
    except OSError:
        # A file that is gone has not changed: a running site goes on.
        return next((mark for _, name, mark in list(_known.values()) if name == file), None)
    return state.st_mtime_ns, state.st_size, state.st_ino


def _file(name, path):
    """The file asked for; None for what `import` is to find."""
    if os.sep in name:
        if not os.path.isfile(name):
            raise ImportError(f"there is no file {name!r}", path=name)
        return os.path.realpath(name)
    if path is None:
        return None
    for folder in path:
        start = os.path.join(folder, *name.split("."))
        for file in (start + ".py", os.path.join(start, "__init__.py")):
            if os.path.isfile(file):
                return os.path.realpath(file)
    raise ModuleNotFoundError(f"No module named {name!r} in {list(path)!r}", name=name)


def _load(name, file, old):
    spec = old.__spec__ if old is not None else None
    if spec is None or spec.loader is None:
        loader = importlib.machinery.SourceFileLoader(name, file)
        spec = importlib.util.spec_from_file_location(name, file, loader=loader)
    module = importlib.util.module_from_spec(spec)
    with open(file, "rb") as source:
        code = compile(source.read(), file, "exec", dont_inherit=True)
    before = sys.modules.get(name)
    sys.modules[name] = module
    try:
        exec(code, module.__dict__)  # noqa: S102: this is what importing is
    except BaseException:
        if before is None:
            del sys.modules[name]
        else:
            sys.modules[name] = before
        raise
    # A module may have put another in its place.
    module = sys.modules.get(name, module)
    parent, _, child = name.rpartition(".")
    if parent and parent in sys.modules:
        setattr(sys.modules[parent], child, module)
    return module
