"""Alula's Python side: handlers, and what a worker needs before it can call an application.

The server's engine is the extension module `_alula`; nothing here is needed to import it.
"""
