"""Addresses of the forms site."""
from django.contrib import admin
from django.urls import path

from forms_site import views

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", views.form, name="form"),
    path("visits/", views.visits),
    path("upload/", views.upload),
    path("connections/", views.connections),
]
