"""A Django with static and media files; a test chooses the URLs, the storage and DEBUG by the environment."""
import os

FOLDER = os.path.dirname(os.path.abspath(__file__))
TEST_FOLDER = os.environ.get("TEST_FOLDER", "/nonexistent")

SECRET_KEY = "test"
DEBUG = os.environ.get("TEST_DEBUG") == "1"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "static_site.urls"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "static_site.shop",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
USE_TZ = True
STATIC_URL = os.environ.get("TEST_STATIC_URL", "/static/")
STATIC_ROOT = os.path.join(TEST_FOLDER, os.environ.get("TEST_STATIC_ROOT", "collected"))
STATICFILES_DIRS = [os.path.join(FOLDER, "assets"), ("extra", os.path.join(TEST_FOLDER, "extra"))]
SILENCED_SYSTEM_CHECKS = ["staticfiles.W004"]
MEDIA_URL = os.environ.get("TEST_MEDIA_URL", "/media/")
MEDIA_ROOT = os.path.join(TEST_FOLDER, "uploads")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage."
        + os.environ.get("TEST_STORAGE", "ManifestStaticFilesStorage")
    },
}
