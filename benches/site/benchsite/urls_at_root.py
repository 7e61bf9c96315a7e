"""The same URLs for a server that mounts the application at / and leaves /dj in the path."""

from django.contrib import admin
from django.urls import path

from benchsite import views

urlpatterns = [
    path("dj/admin/", admin.site.urls),
    path("dj/hello", views.hello),
    path("dj/page", views.page, name="page"),
    path("dj/sleep", views.sleep),
]
