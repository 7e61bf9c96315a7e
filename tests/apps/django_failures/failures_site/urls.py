"""Views that fail, and one that does not."""
import sys

from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.urls import path


def fine(request):
    return HttpResponse("fine")


def raises(request):
    raise RuntimeError("the-view-raised")


def missing(request):
    raise Http404("nothing here")


def prints(request):
    print("printed-by-the-view")
    sys.stderr.write("stderr-of-the-view\n")
    return HttpResponse("quiet")


def breaks_off(request):
    def pieces():
        yield b"a beginning"
        raise RuntimeError("raised-while-streaming")

    return StreamingHttpResponse(pieces())


def nothing(request):
    return None


urlpatterns = [
    path("fine/", fine),
    path("raises/", raises),
    path("missing/", missing),
    path("prints/", prints),
    path("breaks-off/", breaks_off),
    path("nothing/", nothing),
]
