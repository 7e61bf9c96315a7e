"""Locks that hold between all workers of a site: files that are locked (`flock`) in a folder of the user's own.

A request that takes a lock it already has gets it: two sessions of one visitor in one request do not wait for each other.
Whoever waits too long gets a `TimeoutError`, and its traceback says for what.
"""

import fcntl
import hashlib
import os
import stat
import tempfile
import time

#: How long a request waits for another one's lock, in seconds.
WAIT_SECONDS_MAX = 30.0
#: The pause between two looks grows up to this, in seconds.
PAUSE_SECONDS_MAX = 0.05
#: How many lock files of each kind there are at most.
FILES = 512


def folder(name="alula"):
    """A folder in the temporary directory that belongs to this user and is closed to others."""
    path = os.path.join(tempfile.gettempdir(), f"{name}-{os.geteuid()}")
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        found = os.lstat(path)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise PermissionError(f"{path!r} is not a folder of this user's alone") from None
    return path


class Lock:
    """One lock, by kind and name. Not held when made.

    Two names of a kind may share a file, two kinds never do: a request that has its session can open the database.
    """

    def __init__(self, kind, name, place=None):
        number = int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()[:4], "big") % FILES
        self.path = os.path.join(place or folder(), f"{kind}-{number}")
        self._descriptor = None

    def acquire(self, wait=True, seconds=WAIT_SECONDS_MAX):
        """Takes the lock; False when it is taken and `wait` is not wanted."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        end = time.monotonic() + seconds
        pause = 0.001
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if wait and time.monotonic() < end:
                    time.sleep(pause)
                    pause = min(pause * 2, PAUSE_SECONDS_MAX)
                    continue
                os.close(descriptor)
                if not wait:
                    return False
                raise TimeoutError(f"a lock was not given back for {seconds} seconds ({self.path})") from None
            self._descriptor = descriptor
            return True

    def release(self):
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self):
        self.acquire()
        return self

    def __exit__(self, *_):
        self.release()


def held(req, kind, name, place=None):
    """Takes a lock until the request ends, or counts one time more when the request has it."""
    locks = req.__dict__.setdefault("_locks", {})
    lock = Lock(kind, name, place)
    if lock.path in locks:
        locks[lock.path][1] += 1
        return lock.path
    lock.acquire()
    locks[lock.path] = [lock, 1]
    req.register_cleanup(lambda _: lock.release())
    return lock.path


def give_back(req, path):
    """Undoes one `held`."""
    locks = req.__dict__.get("_locks", {})
    entry = locks.get(path)
    if entry is None:
        return
    entry[1] -= 1
    if entry[1] <= 0:
        entry[0].release()
        del locks[path]
