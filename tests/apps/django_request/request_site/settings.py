"""A Django without database that shows how a request arrives."""
import os

SECRET_KEY = "test"
DEBUG = False
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "request_site.urls"
INSTALLED_APPS = []
MIDDLEWARE = ["request_site.counting.CountingMiddleware"]
USE_TZ = True
FORCE_SCRIPT_NAME = os.environ.get("FORCE_SCRIPT_NAME")
MEDIA_ROOT = os.environ.get("TEST_FOLDER", "/nonexistent")
