"""`mod_python.Cookie` is `alula.mod_python.Cookie`, the same module under its old name."""

import sys

from alula.mod_python.Cookie import *  # noqa: F403: for whoever reads this file instead of running it
from alula.mod_python import Cookie  # noqa: I001: after the names above, one of which may be this one

sys.modules[__name__] = Cookie
