"""What an application was made from: the folders that `PythonAutoReload On` watches.

Runs in the template after the import. Modules imported later, by a request, come from the project's folders as a rule;
those are walked, so that they are watched as well.
"""

import os
import sys
import sysconfig
import time

from . import startup

# Folders of one project; a tree with more of them is watched in part.
FOLDERS_MAX = 2000

_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages", "dist-packages"})

def watched():
    """Returns `(code, everything, changed)`: folders of code, folders of templates, and a file changed meanwhile."""
    code, changed = set(), None
    for file in _imported():
        code.add(os.path.dirname(file))
        if changed is None and _is_newer(file):
            changed = file
    for root in _projects(code):
        code.update(_below(root))
    everything = {folder for root in _template_folders() for folder in _below(root)}
    return sorted(code), sorted(everything), changed


def _imported():
    ours = os.path.dirname(os.path.abspath(__file__))
    left_out = [ours, *_standard_library()]
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str):
            file = os.path.abspath(file)
            if "site-packages" in file or not any(file.startswith(folder + os.sep) for folder in left_out):
                yield file


def _is_newer(file):
    # A file from the future (a clock that was set back) would be newer for ever.
    try:
        return startup.STARTED < os.stat(file).st_mtime <= time.time()
    except OSError:
        return False


def _projects(code):
    """The folders of `sys.path` that hold a project: those that are neither the standard library nor installed."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    installed = [package, *_standard_library(), *(entry for entry in sys.path if "-packages" in entry)]
    for entry in sys.path:
        if os.path.isabs(entry) and os.path.isdir(entry) and entry != os.sep:
            if not any((entry + os.sep).startswith(folder + os.sep) for folder in installed):
                yield entry


def _standard_library():
    return {os.path.abspath(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")}


def _below(root):
    found = []
    for folder, names, _ in os.walk(root):
        found.append(folder)
        if len(found) >= FOLDERS_MAX:
            break
        names[:] = [
            name
            for name in names
            if name not in _SKIPPED
            and not name.startswith(".")
            and not os.path.exists(os.path.join(folder, name, "pyvenv.cfg"))
        ]
    return found


def _template_folders():
    """Django keeps templates in memory; when DEBUG is on, their authors want to see what they write."""
    if "django.template" not in sys.modules:
        return []
    try:
        from django.conf import settings
        from django.template import engines

        if not settings.configured or not settings.DEBUG:
            return []
        return [str(folder) for engine in engines.all() for folder in engine.template_dirs]
    except Exception:
        # Settings that do not work are reported where they are used.
        return []
