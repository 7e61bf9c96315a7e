"""Views for each way to answer."""
import asyncio
import io
import os

from django.conf import settings
from django.http import FileResponse, HttpResponse, JsonResponse, StreamingHttpResponse

FOLDER = settings.TEST_FOLDER
notes = {"closed": 0, "endless left": 0}


def wait_for_the_test():
    with open(os.path.join(FOLDER, "gate"), "rb", buffering=0) as gate:
        gate.read(1)


def plain(request):
    return HttpResponse("plain text", content_type="text/plain")


def cookies(request):
    response = HttpResponse("cookies")
    response.set_cookie("one", "1", max_age=60, httponly=True)
    response.set_cookie("two", "zwei", path="/x", samesite="Lax")
    response.delete_cookie("three")
    response["X-Header"] = "value"
    return response


def status(request, code):
    return HttpResponse("body" if code not in {204, 304} else "", status=code, reason="Its Own Reason")


class Closing:
    def __init__(self, pieces):
        self.pieces = iter(pieces)

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.pieces)

    def close(self):
        notes["closed"] += 1


def streaming(request):
    def pieces():
        for number in range(3):
            yield f"piece {number}\n"
            wait_for_the_test()

    return StreamingHttpResponse(Closing(pieces()), content_type="text/plain")


def endless(request):
    def pieces():
        try:
            while True:
                yield b"x" * 65536
        finally:
            notes["endless left"] += 1

    return StreamingHttpResponse(pieces())


def state(request):
    return JsonResponse(notes)


def file(request):
    return FileResponse(open(os.path.join(FOLDER, "content.bin"), "rb"), as_attachment=True, filename="naïve.bin")


def file_from_memory(request):
    return FileResponse(io.BytesIO(b"from memory"), content_type="text/x-memory")


def download(request):
    path = os.path.join(FOLDER, "content.bin")

    def pieces():
        with open(path, "rb") as content:
            while data := content.read(100_000):
                yield data

    return StreamingHttpResponse(pieces(), content_type="application/octet-stream")


async def asynchronous(request):
    await asyncio.sleep(0)
    return HttpResponse(f"async {type(asyncio.get_running_loop()).__name__}")


async def asynchronous_together(request):
    async def one(number):
        await asyncio.sleep(0)
        return number

    return JsonResponse(await asyncio.gather(*(one(number) for number in range(10))), safe=False)


async def asynchronous_streaming(request):
    async def pieces():
        for number in range(3):
            await asyncio.sleep(0)
            yield f"async piece {number}\n"

    return StreamingHttpResponse(pieces(), content_type="text/plain")


def split(request):
    response = HttpResponse("split")
    response.headers._store["x-evil"] = ("X-Evil", "a\r\nX-Injected: yes")
    return response
