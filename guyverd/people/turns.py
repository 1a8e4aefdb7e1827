"""Who may touch something now: one thread at a time, in the order in which they came.

A plain lock is taken again at once by whoever lets go of it last, while somebody who waits for it wakes up: beside a
thread that does a thousand small things in a row, that may take as long as all of them.
"""

from __future__ import annotations

import threading
from collections import deque


class Turns:
    """A lock that is handed to whoever has waited longest. It cannot be taken twice by one thread."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._queue: deque[threading.Lock] = deque()
        """The first has its turn; each of the others waits for its own lock to be let go."""

    def __enter__(self) -> None:
        mine = threading.Lock()
        mine.acquire()
        with self._guard:
            self._queue.append(mine)
            wait = len(self._queue) > 1
        if wait:
            mine.acquire()

    def __exit__(self, *_: object) -> None:
        with self._guard:
            self._queue.popleft()
            if self._queue:
                self._queue[0].release()
