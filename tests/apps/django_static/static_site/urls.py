"""What a test asks the project: what it calls its files, and whether a path got to Django."""

import threading

from django.conf import settings
from django.contrib import admin
from django.http import JsonResponse
from django.templatetags.static import static
from django.urls import path, re_path

# Asked when the URLconf is imported, as projects do: whoever asks first decides what Django remembers.
MEDIA_URL_AT_IMPORT = settings.MEDIA_URL


def urls(request):
    return JsonResponse(
        {
            "static": static("shop/shop.css"),
            "media": settings.MEDIA_URL,
            "media_at_import": MEDIA_URL_AT_IMPORT,
            "thread": threading.current_thread().name,
        }
    )


def anything(request):
    return JsonResponse({"django": request.path}, status=404)


urlpatterns = [path("admin/", admin.site.urls), path("urls", urls), re_path("", anything)]
