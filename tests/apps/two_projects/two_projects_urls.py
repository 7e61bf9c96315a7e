"""Says which project this is, in which process, and what else is set there."""
import os

from django.conf import settings
from django.http import JsonResponse
from django.urls import re_path


def who(request):
    here = {"project": settings.PROJECT, "pid": os.getpid(), "settings": os.environ.get("DJANGO_SETTINGS_MODULE")}
    return JsonResponse(here | {"flavour": os.environ.get("FLAVOUR"), "own": request.META.get("FLAVOUR")})


urlpatterns = [re_path("", who)]
