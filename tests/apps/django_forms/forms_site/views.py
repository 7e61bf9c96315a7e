"""A form with a message, a counter in the session, an upload, and a count of database connections."""
import hashlib

from django.contrib import messages
from django.core.files.storage import default_storage
from django.db import connection
from django.db.backends.signals import connection_created
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt

opened = 0


def count_connection(**kwargs):
    global opened
    opened += 1


connection_created.connect(count_connection)


def form(request):
    if request.method == "POST":
        messages.success(request, f"Thank you, {request.POST['name']}")
        return redirect("form")
    return render(request, "form.html")


def visits(request):
    request.session["visits"] = request.session.get("visits", 0) + 1
    return HttpResponse(str(request.session["visits"]))


@csrf_exempt
def upload(request):
    stored = []
    for file in request.FILES.getlist("file"):
        digest = hashlib.sha256()
        for chunk in file.chunks():
            digest.update(chunk)
        name = default_storage.save(file.name, file)
        stored.append({"name": name, "size": file.size, "sha256": digest.hexdigest(), "kind": type(file).__name__})
    return JsonResponse({"stored": stored})


def connections(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse(str(opened))
