"""A guestbook: `/guestbook` shows it, `/guestbook/sign` takes an entry, `/guestbook/empty` is the owner's alone."""

import fcntl
import json
import os
from html import escape

from mod_python import util

PAGE = """<!DOCTYPE html>
<html><head><title>Guestbook</title></head><body>
<h1>Guestbook</h1>
{entries}
<form method="post" action="/guestbook/sign">
<p><input name="name" placeholder="Your name" required></p>
<p><textarea name="text" placeholder="What you have to say" required></textarea></p>
<p><button>Sign</button></p>
</form>
</body></html>
"""
ENTRIES_MAX = 1000


def index(req):
    with _book(req) as book:
        entries = book.entries
    written = "\n".join(f"<p><b>{escape(entry['name'])}</b>: {escape(entry['text'])}</p>" for entry in entries)
    return PAGE.format(entries=written or "<p>Nobody has signed yet.</p>")


def sign(req, name="", text=""):
    if req.method == "POST" and name.strip() and text.strip():
        with _book(req) as book:
            book.entries = [{"name": name.strip(), "text": text.strip()}, *book.entries][:ENTRIES_MAX]
    util.redirect(req, "/guestbook")


def empty(req):
    __auth__ = {"owner": "change me"}
    __auth_realm__ = "Guestbook"
    with _book(req) as book:
        book.entries = []
    util.redirect(req, "/guestbook")


class _book:
    """The entries in their file, which other workers leave alone meanwhile. A name with an underscore is never published."""

    def __init__(self, req):
        self.path = req.get_options()["guestbook.file"]

    def __enter__(self):
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        self.file = open(self.path, "a+", encoding="utf-8")
        fcntl.flock(self.file, fcntl.LOCK_EX)
        self.file.seek(0)
        self.before = self.entries = json.loads(self.file.read() or "[]")
        return self

    def __exit__(self, kind, *_):
        if kind is None and self.entries is not self.before:
            self.file.seek(0)
            self.file.truncate()
            json.dump(self.entries, self.file)
        self.file.close()
