"""Makes the module names of old configurations importable.

`PythonHandler django.core.handlers.modpython` names a module Django dropped in 1.5. The name leads to
`alula.handlers.django`; Django's own package is not touched.
"""

import importlib
import importlib.abc
import importlib.machinery
import sys

ALIASES = {
    "django.core.handlers.modpython": "alula.handlers.django",
}


class AliasFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the aliases; a module of that name that really exists comes first."""

    def find_spec(self, name, path=None, target=None):
        if name in ALIASES:
            return importlib.machinery.ModuleSpec(name, self)
        return None

    def create_module(self, spec):
        return importlib.import_module(ALIASES[spec.name])

    def exec_module(self, module):
        pass


def install():
    """Puts the finder last, once."""
    if not any(isinstance(finder, AliasFinder) for finder in sys.meta_path):
        sys.meta_path.append(AliasFinder())
