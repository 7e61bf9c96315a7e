"""The project as a WSGI script."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "static_site.settings")
application = get_wsgi_application()
