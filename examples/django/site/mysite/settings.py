"""Settings of the demo site, for Django 4.2 and later.

One project, mounted twice (see httpd.conf): under /mysite/ and at the root of a second virtual host. Nothing here
says where it is mounted; the configuration does, and Django's reverse() follows.
"""
from pathlib import Path

# The folder of this project, and the folder around it that holds the database and the files.
PROJECT = Path(__file__).resolve().parent.parent
AROUND = PROJECT.parent

# A demo for one's own machine. For a public site: DEBUG = False, a secret key of your own, your host names.
DEBUG = True
SECRET_KEY = "demo-only-change-me-before-anyone-else-sees-the-site"
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", ".localhost"]

INSTALLED_APPS = [
    "guestbook",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "mysite.urls"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": AROUND / "db.sqlite3"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"

# Served by Alula itself from these folders; `Alias` in httpd.conf maps the addresses.
STATIC_URL = "/static/"
STATIC_ROOT = AROUND / "static"
MEDIA_URL = "/media/"
MEDIA_ROOT = AROUND / "media"
