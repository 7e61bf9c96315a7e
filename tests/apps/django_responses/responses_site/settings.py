"""A Django that answers in every way Django can."""
import os

SECRET_KEY = "test"
DEBUG = False
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "responses_site.urls"
INSTALLED_APPS = []
MIDDLEWARE = []
USE_TZ = True
TEST_FOLDER = os.environ["TEST_FOLDER"]
