"""A Django that can be told to fail, by environment variables set in the configuration."""
import os

SECRET_KEY = "test"
DEBUG = os.environ.get("DEBUG") == "1"
DEBUG_PROPAGATE_EXCEPTIONS = os.environ.get("PROPAGATE") == "1"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = os.environ.get("URLCONF", "failures_site.urls")
INSTALLED_APPS = os.environ.get("APPS", "").split()
MIDDLEWARE = os.environ.get("MIDDLEWARE", "").split()
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates"}]
USE_TZ = True

if os.environ.get("FAIL") == "import":
    raise RuntimeError("the-settings-do-not-import")
