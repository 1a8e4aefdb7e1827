"""How fast it goes and when it will be done; pure, the time is passed in."""

from __future__ import annotations

from collections import deque

WINDOW = 60.0
"""Seconds over which a rate is taken: long enough to be steady, short enough to follow a change of folder."""
_APART = 1.0


class Meter:
    """The rate of something that is counted now and then."""

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int]] = deque()
        self._latest = (0.0, 0)

    def mark(self, now: float, count: int) -> None:
        """Note that `count` in all were done by the time `now`, in seconds; neither ever falls."""
        self._latest = (now, count)
        if not self._marks or now - self._marks[-1][0] >= _APART:
            self._marks.append(self._latest)
        while len(self._marks) > 1 and now - self._marks[1][0] >= WINDOW:
            self._marks.popleft()

    def rate(self) -> float:
        """How many a second, over the last minute; 0.0 where nothing is known."""
        if not self._marks:
            return 0.0
        (start, first), (end, last) = self._marks[0], self._latest
        return (last - first) / (end - start) if end > start else 0.0

    def eta(self, left: int) -> float | None:
        """Seconds until `left` more are done at this rate; None where the rate is nought, 0.0 where none are left."""
        if left <= 0:
            return 0.0
        rate = self.rate()
        return left / rate if rate > 0 else None
