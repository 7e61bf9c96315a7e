"""`mod_python.python22` is `alula.mod_python.python22`, the same module under its old name."""

import sys

from alula.mod_python.python22 import *  # noqa: F403: for whoever reads this file instead of running it
from alula.mod_python import python22  # noqa: I001: after the names above, one of which may be this one

sys.modules[__name__] = python22
