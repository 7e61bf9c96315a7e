"""Addresses of the request site."""
from django.urls import path, re_path

from request_site import views

urlpatterns = [
    path("counts/", views.counts),
    path("streamed/", views.streamed),
    path("raises/", views.raises),
    path("body/", views.body),
    path("main-thread/", views.main_thread),
    path("named/<str:rest>/", views.show, name="named"),
    re_path(r"^(?P<rest>.*)$", views.show),
]
