"""Handlers a configuration can name in `PythonHandler`."""
