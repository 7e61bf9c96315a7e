"""`mod_python.Session` is `alula.mod_python.Session`, the same module under its old name."""

import sys

from alula.mod_python.Session import *  # noqa: F403: for whoever reads this file instead of running it
from alula.mod_python import Session  # noqa: I001: after the names above, one of which may be this one

sys.modules[__name__] = Session
