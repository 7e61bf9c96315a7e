"""What the C module of that name offered to Python code: locks, queries, tables."""

from . import locks
from .constants import SERVER_RETURN  # noqa: F401
from .table import mp_table as table  # noqa: F401
from .util import parse_qs, parse_qsl  # noqa: F401

_held = {}


def _global_lock(server, key, index=-1):
    """Takes the lock of a key, or of an index, between all workers; the thread waits for it."""
    lock = _lock(key, index)
    lock.acquire()
    _held[lock.path] = lock


def _global_trylock(server, key, index=-1):
    """As `_global_lock`, and returns 0 at once when another has it."""
    lock = _lock(key, index)
    if not lock.acquire(wait=False):
        return 0
    _held[lock.path] = lock
    return 1


def _global_unlock(server, key, index=-1):
    lock = _held.pop(_lock(key, index).path, None)
    if lock is not None:
        lock.release()


def _lock(key, index):
    return locks.Lock("global", f"index {index}" if index >= 0 else f"key {key}")
