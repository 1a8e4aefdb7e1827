"""How a tree is covered where the system has not enough watches for all of it.

Watches are counted for each user, over all programs. Whoever takes the last one makes file managers and editors fail,
so that once the limit is met a share is given back. What is not watched is compared with the disk from time to time,
folder by folder where these are few, together with their neighbours where they are many.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

_SHARE = 8
"""One in so many of the system's watches is left to other programs, ..."""
_LEAVE = 4096
"""... but never more than this."""
_LIMITS = ("/proc/sys/fs/inotify/max_user_watches", "/proc/sys/user/max_inotify_watches")
"""Of the user as such, and within this user namespace; the lower one binds."""


def watch_limit() -> int | None:
    """How many watches all programs of this user may hold; None where the system does not tell."""
    limits = []
    for path in _LIMITS:
        try:
            with open(path, encoding="ascii") as file:
                limits.append(int(file.read()))
        except (OSError, ValueError):
            continue
    return min(limits, default=None)


def gather(folders: Iterable[bytes], most: int) -> tuple[bytes, ...]:
    """At most `most` (≥ 1) folders, in order, that hold all of `folders`, none of them within another. Pure.

    Paths are relative to one root, b"" is the root. While there are too many, the deepest give way to their parents.
    """
    left = _outermost(set(folders))
    while len(left) > most:
        deepest = max(map(_depth, left))
        left = _outermost({path.rpartition(b"/")[0] if _depth(path) == deepest else path for path in left})
    return tuple(sorted(left))


def _depth(path: bytes) -> int:
    return path.count(b"/") + 1 if path else 0


def _outermost(folders: set[bytes]) -> set[bytes]:
    return {path for path in folders if not _within_another(path, folders)}


def _within_another(path: bytes, folders: set[bytes]) -> bool:
    while path:
        path = path.rpartition(b"/")[0]
        if path in folders:
            return True
    return False


class Budget:
    """How many watches this program takes, over all its trees. Threads may share it."""

    def __init__(self, limit: Callable[[], int | None] = watch_limit) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._held = 0
        self._most: int | None = None

    @property
    def held(self) -> int:
        """Watches taken and not given back."""
        return self._held

    @property
    def excess(self) -> int:
        """How many more are held than may be."""
        with self._lock:
            return 0 if self._most is None else max(0, self._held - self._most)

    @property
    def free(self) -> bool:
        """Whether another may be asked for."""
        with self._lock:
            return self._most is None or self._held < self._most

    def took(self, count: int = 1) -> None:
        """Count watches that the system gave; below 0, ones that it has back."""
        with self._lock:
            self._held += count

    def spent(self) -> int:
        """The system has no more. Tells how many to give back; from now on no more are held than are left then."""
        limit = self._limit() or self._held
        with self._lock:
            spare = min(max(1, limit // _SHARE), _LEAVE, self._held // 2)
            self._most = self._held - spare
        return spare

    def ask_again(self) -> None:
        """The limit may have been raised, or others may have given theirs back: take what the system gives."""
        with self._lock:
            self._most = None
