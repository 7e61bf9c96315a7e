"""Waiting for something to become true, with a deadline: the only place where the harness looks at a clock."""
import os
import time

DEADLINE_SECONDS = 20
PAUSE_SECONDS = 0.02
SETTLED_LOOKS = 25


def until(condition, what, deadline=DEADLINE_SECONDS):
    """Returns the first true value of `condition()`; fails when there is none before the deadline."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {deadline} s in vain for {what}")
        time.sleep(PAUSE_SECONDS)


def settled(value, what, deadline=DEADLINE_SECONDS):
    """Returns `value()` once it has stayed the same for a while."""
    seen = []

    def same():
        seen.append(value())
        return len(seen) > SETTLED_LOOKS and len(set(seen[-SETTLED_LOOKS:])) == 1

    until(same, f"{what} to settle", deadline)
    return seen[-1]


class Gate:
    """Holds an application at a known place until the test lets it go on.

    A named pipe: the application reads one byte from it and so blocks outside the interpreter lock; each `open()`
    lets one reader through.
    """

    def __init__(self, path):
        self.path = path
        os.mkfifo(path)
        self._pipe = os.open(path, os.O_RDWR)

    def open(self, times=1):
        os.write(self._pipe, b"x" * times)
