"""`mod_python.wsgi` is `alula.mod_python.wsgi`, the same module under its old name."""

import sys

from alula.mod_python.wsgi import *  # noqa: F403: for whoever reads this file instead of running it
from alula.mod_python import wsgi  # noqa: I001: after the names above, one of which may be this one

sys.modules[__name__] = wsgi
