"""`mod_python.python22`: old code imports everything from here, to have `True` and `False` on Python 2.2."""
