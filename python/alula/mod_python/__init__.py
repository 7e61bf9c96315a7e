"""The mod_python API: what `from mod_python import apache` finds.

The engine hands a request to `chain`, which makes a request object and calls the handlers; everything a handler can
reach is in here. `python/mod_python` holds the names old code imports.
"""

version = "3.5.0"
