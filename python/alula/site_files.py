"""What a Django project says of its static and media files (`PythonStatic On`).

`report` tells the server, in the template; then nobody is asked for a file any more. `find` is asked where the server does
not know: with `DEBUG` the staticfiles finders decide for each name, and a worker that has imported the project by itself has
told nobody. It keeps nothing in mind, so that a file that was just made, or put before another, is there at once.

Settings are read raw: Django remembers what `settings.STATIC_URL` was when it was asked first, with the script's name in it.
"""

import functools
import os
import posixpath
import sys
from urllib.parse import unquote, urlsplit

import _alula

# Of a manifest with more names than this the rest is asked for again each time, in names.
HASHED_MAX = 200_000


def report():
    """Returns `(url, root, hashed)` of each URL that has files; `root` is None where `find` has to be asked.

    A `url` is a path; without a slash at its start it is below the project's own root.
    """
    settings = _settings()
    if settings is None:
        return []
    found = []
    for mount in (_static(settings), _media(settings)):
        if mount is not None:
            found.append(mount)
    return found


def find(script_name, path):
    """Returns the file at a path and whether its name holds a hash of its content; None: Django answers."""
    root, path = os.fsdecode(script_name).rstrip("/"), os.fsdecode(path)
    while "//" in path:
        path = path.replace("//", "/")
    for url, folder, hashed in _mounts():
        prefix = url if url.startswith("/") else f"{root}/{url}"
        if path.startswith(prefix):
            name = path[len(prefix):]
            file = _found(name) if folder is None else _in(folder, name)
            if file is not None:
                return os.fspath(file), name in hashed
    return None


@functools.cache
def _mounts():
    mounts = sorted(report(), key=lambda mount: len(mount[0]), reverse=True)
    return [(url, folder, frozenset(hashed)) for url, folder, hashed in mounts]


def _in(folder, name):
    file = os.path.join(folder, posixpath.normpath(name).lstrip("/"))
    return file if os.path.isfile(file) else None


def _found(name):
    from django.contrib.staticfiles import finders
    from django.core.exceptions import SuspiciousFileOperation

    try:
        file = finders.find(posixpath.normpath(name).lstrip("/"))
    except SuspiciousFileOperation:
        return None
    return file if file and os.path.isfile(file) else None


def _settings():
    if "django.conf" not in sys.modules:
        return None
    from django.conf import settings

    return settings if settings.configured else None


def _static(settings):
    from django.apps import apps

    url = _path(settings, "STATIC_URL")
    if url is None:
        return None
    has_app = apps.ready and apps.is_installed("django.contrib.staticfiles")
    if has_app and settings.DEBUG:
        return url, None, []
    folder, hashed = _storage(settings) if has_app else (settings.STATIC_ROOT, [])
    if not folder:
        if has_app:
            _alula.log_line("PythonStatic: STATIC_ROOT is not set, so there are no static files to serve")
        return None
    folder = os.path.abspath(folder)
    if not os.path.isdir(folder):
        _alula.log_line(f"PythonStatic: no such directory: STATIC_ROOT {folder!r}; run manage.py collectstatic")
    return url, folder, sorted(hashed)[:HASHED_MAX]


def _storage(settings):
    """The folder of the static files, and the names in its manifest; nothing when they are stored elsewhere."""
    from django.contrib.staticfiles.storage import ManifestFilesMixin
    from django.core.files.storage import FileSystemStorage, storages
    from django.utils.module_loading import import_string

    parameters = storages.backends["staticfiles"]
    if not issubclass(import_string(parameters["BACKEND"]), FileSystemStorage):
        return None, []
    remembered = "STATIC_URL" in settings.__dict__
    try:
        storage = storages.create_storage(parameters)
        folder = storage.base_location and storage.location
    except Exception as error:
        # Django says the same at the first request that needs it; here it is no reason not to serve.
        _alula.log_line(f"PythonStatic: the static files' storage cannot be made: {error}")
        return settings.STATIC_ROOT, []
    finally:
        if not remembered:
            settings.__dict__.pop("STATIC_URL", None)
    hashed = storage.hashed_files.values() if isinstance(storage, ManifestFilesMixin) else ()
    return folder, hashed


def _media(settings):
    from django.core.files.storage import FileSystemStorage, storages
    from django.utils.module_loading import import_string

    url = _path(settings, "MEDIA_URL")
    backend = storages.backends.get("default", {}).get("BACKEND")
    if url is None or not settings.MEDIA_ROOT or not backend:
        return None
    if not issubclass(import_string(backend), FileSystemStorage):
        return None
    return url, os.path.abspath(settings.MEDIA_ROOT), []


def _path(settings, name):
    """The path of a URL in the settings; None where the whole site would be below it.

    Another host is one that fetches from here and keeps (a CDN): it asks for the same path.
    """
    url = getattr(settings._wrapped, name, None)
    if not url:
        return None
    path = unquote(urlsplit(str(url)).path)
    return path if path.strip("/") and path.endswith("/") else None
