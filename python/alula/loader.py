"""Loads what a configuration names: a WSGI script, a WSGI object, a handler.

Each function returns `(protocol, callable)`; the engine calls it once for each application, in the template.
"""

import hashlib
import importlib
import importlib.machinery
import importlib.util
import os
import re
import sys
import threading

import _alula


def wsgi_script(path, callable_name):
    """`WSGIScriptAlias`, `wsgi-script`."""
    module = _script(path)
    if not hasattr(module, callable_name):
        raise AttributeError(f"WSGI script {path!r} has no {callable_name!r}")
    return "wsgi", getattr(module, callable_name)


def gate(path, function_name):
    """`WSGIAuthUserScript` and its kin: a small application around a function of a script."""
    from alula import gates

    module = _script(path)
    if not hasattr(module, function_name):
        raise AttributeError(f"WSGI script {path!r} has no {function_name!r}")
    return "wsgi", gates.application(function_name, getattr(module, function_name))


def _script(path):
    """The file as a module of its own, whatever its name ends in; loaded once, whoever names it.

    Two requests may ask for a script before either has it: the second one waits for the whole module.
    """
    name = "_alula_script_" + hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    with _loading.setdefault(name, threading.RLock()):
        if name in sys.modules:
            return sys.modules[name]
        loader = importlib.machinery.SourceFileLoader(name, path)
        spec = importlib.util.spec_from_loader(name, loader, origin=path)
        module = importlib.util.module_from_spec(spec)
        module.__file__ = path
        sys.modules[name] = module
        try:
            loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
        _check_project(loader, path)
        return module


#: A lock for each script, by its module's name.
_loading = {}

PROJECT = re.compile(r"""os\.environ(?:\.setdefault\(\s*|\[)["']DJANGO_SETTINGS_MODULE["'](?:\]\s*=|\s*,)\s*["']([\w.]+)["']""")


def _check_project(loader, path):
    """A script of a second Django project finds the first one's settings in place, and would serve that; say so."""
    named = PROJECT.search(loader.get_source(loader.name) or "")
    current = os.environ.get("DJANGO_SETTINGS_MODULE")
    if named and current and named[1] != current:
        _alula.log_line(
            f"WSGI script {path!r} is of the Django project {named[1]!r}, but its interpreter runs {current!r} already and will "
            "serve that; give it an interpreter of its own: WSGIApplicationGroup, WSGIProcessGroup or PythonInterpreter"
        )


def wsgi_object(module_name, callable_name):
    """`PythonHandler alula.handlers.wsgi` with `PythonOption wsgi.application module:callable`."""
    target = importlib.import_module(module_name)
    for part in callable_name.split("."):
        target = getattr(target, part)
    return "wsgi", target


def handler(module_name, object_name):
    """`PythonHandler module`, for a handler the engine speaks to in its own way: Django's, WSGI's."""
    module = importlib.import_module(module_name)
    protocol = getattr(module, "ALULA_PROTOCOL", None)
    if protocol is None:
        raise ImportError(f"PythonHandler {module_name} is not one of Alula's own handlers")
    target = module
    for part in object_name.split("."):
        target = getattr(target, part)
    return protocol, target()


def mod_python(settings):
    """`PythonHandler module[::object] ...`: mod_python handlers, with what the configuration says about them as JSON."""
    from alula.mod_python import chain

    return "mod_python", chain.load(settings)
