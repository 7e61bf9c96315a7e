"""The names old code imports: `from mod_python import apache`. The modules are those of `alula.mod_python`."""

from alula.mod_python import version

__all__ = ["version"]
