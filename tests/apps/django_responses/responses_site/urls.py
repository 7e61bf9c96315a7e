"""One address for each way to answer."""
from django.urls import path

from responses_site import views

urlpatterns = [
    path("plain/", views.plain),
    path("cookies/", views.cookies),
    path("status/<int:code>/", views.status),
    path("streaming/", views.streaming),
    path("endless/", views.endless),
    path("state/", views.state),
    path("file/", views.file),
    path("file-from-memory/", views.file_from_memory),
    path("download/", views.download),
    path("async/", views.asynchronous),
    path("async-together/", views.asynchronous_together),
    path("async-streaming/", views.asynchronous_streaming),
    path("split/", views.split),
]
