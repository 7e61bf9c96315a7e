"""`PythonHandler alula.handlers.wsgi`: a WSGI application named by an option.

    PythonHandler alula.handlers.wsgi
    PythonOption wsgi.application mysite.wsgi:application

The engine calls the application itself; this module only gives the handler its name and its page of documentation.
"""

ALULA_PROTOCOL = "wsgi"
