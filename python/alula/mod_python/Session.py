"""`mod_python.Session`: what a visitor has between requests, as a dictionary behind a cookie.

A session is locked from the moment it is opened until the request ends, so two requests of one visitor do not write over
each other. A request that opens its session a second time has the lock already.

Sessions in files hold pickles. Their folder is closed to other users, and one that is not is refused.
"""

import contextlib
import dbm
import os
import pickle
import random
import re
import secrets
import tempfile
import threading
import time

from . import Cookie, locks

COOKIE_NAME = "pysid"
#: How long a session lives without a request, in seconds.
DFT_TIMEOUT = 30 * 60
#: One in so many requests removes the sessions that are over.
CLEANUP_CHANCE = 1000
_SID = re.compile(r"[0-9a-f]{32}")


class BaseSession(dict):
    """What all kinds have in common; a kind says how a session is loaded, saved and deleted (`do_...`)."""

    def __init__(self, req, sid=None, secret=None, timeout=0, lock=1):
        super().__init__()
        self._req = req
        self._lock = lock
        self._held = None
        self._secret = secret
        self._invalid = False
        self._new = 1
        self._created = self._accessed = time.time()
        self._timeout = timeout or DFT_TIMEOUT
        options = req.get_options()
        self._name = options.get("mod_python.session.cookie_name") or options.get("session_cookie_name") or COOKIE_NAME
        self._sid = sid if sid is not None else self._sent_sid()
        if self._sid is not None and not _SID.fullmatch(self._sid):
            if sid is not None:
                raise ValueError("Invalid Session ID: it is 32 hexadecimal digits")
            self._sid = None
        if self._sid is not None:
            self.lock()
            if self.load():
                self._new = 0
            else:
                # An identifier that others chose is not taken over (session fixation).
                self.unlock()
        if self._new:
            self._sid = secrets.token_hex(16)
            self.lock()
            Cookie.add_cookie(req, self.make_cookie())
        elif timeout:
            self._timeout = timeout
        self._accessed = time.time()
        if random.randint(1, CLEANUP_CHANCE) == 1:
            self.cleanup()

    def _sent_sid(self):
        if self._secret:
            kind = {"Class": Cookie.SignedCookie, "secret": self._secret, "mismatch": Cookie.Cookie.IGNORE}
        else:
            kind = {}
        cookie = Cookie.get_cookie(self._req, self._name, **kind)
        return cookie.value if cookie is not None else None

    def make_cookie(self):
        """The cookie that leads back to this session."""
        if self._secret:
            cookie = Cookie.SignedCookie(self._name, self._sid, self._secret)
        else:
            cookie = Cookie.Cookie(self._name, self._sid)
        options = self._req.get_options()
        cookie.path = options.get("mod_python.session.application_path") or options.get("ApplicationPath") or self._path()
        domain = options.get("mod_python.session.application_domain")
        if domain:
            cookie.domain = domain
        cookie.httponly = True
        if self._req.is_https():
            cookie.secure = True
        return cookie

    def _path(self):
        """The handler's folder as a path below the document root."""
        folder = self._req._chain.directory
        root = self._req.document_root().rstrip("/")
        if folder and root and folder.startswith(root + "/"):
            return folder[len(root) :].rstrip("/") or "/"
        return "/"

    def invalidate(self):
        """Ends the session: the client is told to forget it, and it cannot be saved any more."""
        cookie = self.make_cookie()
        cookie.expires = 0
        Cookie.add_cookie(self._req, cookie)
        self.delete()
        self._invalid = True

    def load(self):
        """Whether there is such a session and it is not over."""
        stored = self.do_load()
        if stored is None or time.time() - stored["_accessed"] > stored["_timeout"]:
            return False
        self._created, self._accessed, self._timeout = stored["_created"], stored["_accessed"], stored["_timeout"]
        self.update(stored["_data"])
        return True

    def save(self):
        """Keeps the session for the next request. Nothing is kept without."""
        if not self._invalid:
            data = {"_data": dict(self), "_created": self._created, "_accessed": self._accessed, "_timeout": self._timeout}
            self.do_save(data)

    def delete(self):
        self.do_delete()
        self.clear()

    def init_lock(self):
        """For kinds that have something to prepare."""

    def lock(self):
        if self._lock and self._held is None:
            self._held = locks.held(self._req, "session", self._sid)

    def unlock(self):
        if self._held is not None:
            locks.give_back(self._req, self._held)
            self._held = None

    def is_new(self):
        return bool(self._new)

    def id(self):
        return self._sid

    def created(self):
        return self._created

    def last_accessed(self):
        return self._accessed

    def timeout(self):
        return self._timeout

    def set_timeout(self, seconds):
        self._timeout = seconds

    def cleanup(self):
        """Removes the sessions that are over, after the answer."""
        self._req.register_cleanup(lambda _: self.do_cleanup())

    def do_cleanup(self):
        raise NotImplementedError

    do_load = do_save = do_delete = do_cleanup


def _over(stored):
    return time.time() - stored["_accessed"] > stored["_timeout"]


def _folder(req, *keys):
    options = req.get_options()
    for key in keys:
        if options.get(key):
            return options[key]
    return locks.folder("alula-sessions")


class FileSession(BaseSession):
    """A file for each session."""

    def __init__(self, req, sid=None, secret=None, timeout=0, lock=1, fast_cleanup=1, verify_cleanup=0):
        self._root = _folder(
            req, "mod_python.file_session.database_directory", "mod_python.session.database_directory", "session_directory"
        )
        super().__init__(req, sid, secret, timeout, lock)

    def _file(self):
        return os.path.join(self._root, self._sid[:2], self._sid)

    def do_load(self):
        try:
            with open(self._file(), "rb") as file:
                return pickle.load(file)  # noqa: S301: the folder is this user's alone
        except FileNotFoundError:
            return None

    def do_save(self, data):
        file = self._file()
        os.makedirs(os.path.dirname(file), 0o700, exist_ok=True)
        descriptor, fresh = tempfile.mkstemp(dir=os.path.dirname(file))
        try:
            with open(descriptor, "wb") as out:
                pickle.dump(data, out)
            os.replace(fresh, file)
        except BaseException:
            os.unlink(fresh)
            raise

    def do_delete(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._file())

    def do_cleanup(self):
        for folder, _, names in os.walk(self._root):
            for name in names:
                file = os.path.join(folder, name)
                if not _SID.fullmatch(name):
                    continue
                with contextlib.suppress(OSError, EOFError, pickle.UnpicklingError):
                    with open(file, "rb") as stored:
                        over = _over(pickle.load(stored))  # noqa: S301
                    if over:
                        os.unlink(file)


class DbmSession(BaseSession):
    """All sessions in one database file of the `dbm` module."""

    def __init__(self, req, dbm=None, sid=None, secret=None, dbmtype=None, timeout=0, lock=1):
        options = req.get_options()
        name = dbm or options.get("mod_python.dbm_session.database_filename") or options.get("session_dbm")
        if not name:
            folder = _folder(req, "mod_python.dbm_session.database_directory", "mod_python.session.database_directory")
            name = os.path.join(folder, "mp_sess.dbm")
        self._dbmfile = name
        super().__init__(req, sid, secret, timeout, lock)

    @contextlib.contextmanager
    def _open(self):
        # Most of its kinds must not be opened twice at once.
        with locks.Lock("dbm", self._dbmfile), dbm.open(self._dbmfile, "c", 0o600) as database:
            yield database

    def do_load(self):
        with self._open() as database:
            stored = database.get(self._sid.encode())
        return None if stored is None else pickle.loads(stored)  # noqa: S301

    def do_save(self, data):
        with self._open() as database:
            database[self._sid.encode()] = pickle.dumps(data)

    def do_delete(self):
        with self._open() as database:
            with contextlib.suppress(KeyError):
                del database[self._sid.encode()]

    def do_cleanup(self):
        with self._open() as database:
            for key in list(database.keys()):
                if _over(pickle.loads(database[key])):  # noqa: S301
                    del database[key]


_memory = {}
_memory_lock = threading.Lock()


class MemorySession(BaseSession):
    """Sessions in the worker's memory: for a site with one worker."""

    def do_load(self):
        with _memory_lock:
            return _memory.get(self._sid)

    def do_save(self, data):
        with _memory_lock:
            _memory[self._sid] = data

    def do_delete(self):
        with _memory_lock:
            _memory.pop(self._sid, None)

    def do_cleanup(self):
        with _memory_lock:
            for sid in [sid for sid, stored in _memory.items() if _over(stored)]:
                del _memory[sid]


def Session(req, sid=0, secret=None, timeout=0, lock=1):
    """A session of the kind that `PythonOption mod_python.session.session_type` names; else the one that fits the workers."""
    options = req.get_options()
    kind = options.get("mod_python.session.session_type") or options.get("session")
    if kind is None:
        kind = "DbmSession" if req._environ["wsgi.multiprocess"] else "MemorySession"
    kinds = {"FileSession": FileSession, "DbmSession": DbmSession, "MemorySession": MemorySession}
    if kind not in kinds:
        raise ValueError(f"PythonOption mod_python.session.session_type {kind}: there are {', '.join(kinds)}")
    return kinds[kind](req, sid=sid or None, secret=secret, timeout=timeout, lock=lock)
