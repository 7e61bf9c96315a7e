"""The site's URLs as seen below its mount point: the server has already taken /dj off."""

from django.contrib import admin
from django.urls import path

from benchsite import views

urlpatterns = [
    path("admin/", admin.site.urls),
    path("hello", views.hello),
    path("page", views.page, name="page"),
    path("sleep", views.sleep),
]
