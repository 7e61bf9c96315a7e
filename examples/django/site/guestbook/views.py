"""One page that shows the entries and takes new ones, and one that shows how the request arrived."""
from django.contrib import messages
from django.shortcuts import redirect, render

from guestbook.forms import EntryForm
from guestbook.models import Entry


def book(request):
    form = EntryForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        entry = form.save()
        messages.success(request, f"Thank you, {entry.name}.")
        return redirect("guestbook:book")
    return render(request, "guestbook/book.html", {"form": form, "entries": Entry.objects.all()[:20]})


def about(request):
    """What the two mounts of this project look like from inside."""
    facts = {
        "request.path": request.path,
        "request.path_info": request.path_info,
        "SCRIPT_NAME": request.META["SCRIPT_NAME"],
        "request.get_host()": request.get_host(),
        "build_absolute_uri()": request.build_absolute_uri(),
        "SERVER_SOFTWARE": request.META.get("SERVER_SOFTWARE", ""),
    }
    return render(request, "guestbook/about.html", {"facts": facts})
