"""The entry point for servers that mount the site at the root (every peer); see settings.ROOT_URLCONF."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchsite.settings")
os.environ.setdefault("BENCH_URLCONF", "benchsite.urls_at_root")

from django.core.wsgi import get_wsgi_application  # noqa: E402  the environment comes first

application = get_wsgi_application()
