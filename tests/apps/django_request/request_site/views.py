"""Views that answer with what they were given."""
import os
import threading

from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt

from request_site import counting, signals


@csrf_exempt
def show(request, rest=""):
    files = {
        name: [{"name": file.name, "size": file.size, "type": file.content_type} for file in request.FILES.getlist(name)]
        for name in request.FILES
    }
    meta = {key: value if isinstance(value, (str, bool, int)) else repr(value) for key, value in request.META.items()}
    return JsonResponse(
        {
            "path": request.path,
            "path_info": request.path_info,
            "full_path": request.get_full_path(),
            "method": request.method,
            "rest": rest,
            "GET": dict(request.GET.lists()),
            "POST": dict(request.POST.lists()),
            "FILES": files,
            "COOKIES": request.COOKIES,
            "META": meta,
            "host": request.get_host(),
            "port": request.get_port(),
            "is_secure": request.is_secure(),
            "scheme": request.scheme,
            "absolute": request.build_absolute_uri(),
            "absolute of x": request.build_absolute_uri("x"),
            "reverse": reverse("named", args=["a b"]),
            "content_type": request.content_type,
            "encoding": request.encoding,
            "accept": request.headers.get("Accept-Language"),
            "class": type(request).__mro__[1].__name__,
        }
    )


@csrf_exempt
def body(request):
    """The raw body, read the way asked for."""
    if request.GET.get("way") == "read":
        pieces = [request.read(3), request.read()]
    elif request.GET.get("way") == "lines":
        pieces = list(request)
    else:
        pieces = [request.body]
    return JsonResponse({"pieces": [piece.decode("latin-1") for piece in pieces]})


def counts(request):
    return JsonResponse({**signals.seen, "middleware": counting.built, "pid": os.getpid()})


def streamed(request):
    return StreamingHttpResponse(f"{number}\n" for number in range(100))


def raises(request):
    raise RuntimeError("the-view-raised")


def main_thread(request):
    return HttpResponse(str(threading.current_thread() is threading.main_thread()))
