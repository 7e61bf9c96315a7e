"""The three views that are measured: nothing, a page from the database, and a wait."""

import time

from django.http import HttpResponse
from django.shortcuts import render

from benchsite.models import Book

SLEEP_SECONDS = 0.05


def hello(request):
    return HttpResponse("Hello, World!", content_type="text/plain")


def page(request):
    books = Book.objects.select_related("author").order_by("title")[:20]
    return render(request, "benchsite/page.html", {"books": books})


def sleep(request):
    """Stands for a call to another machine: it waits without holding the interpreter."""
    time.sleep(SLEEP_SECONDS)
    return HttpResponse("slept", content_type="text/plain")
