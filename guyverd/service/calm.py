"""So that a million files that fail for one reason do not fill a disk with lines that say the same.

Lines are of one kind when they come from the same place in the program, whatever file they name. Of each kind a hundred
are written in an hour; the rest are counted, and told together when the hour is over. Pure: time is passed in.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Generic, TypeVar

Kind = TypeVar("Kind", bound=Hashable)
Line = TypeVar("Line")

MOST = 100
"""Lines of one kind that are written in each hour."""
HOUR = 3600.0
"""Seconds, from the first of them."""


class Verdict(Enum):
    """What becomes of a line."""

    WRITTEN = auto()
    LAST = auto()
    """Written, and from here on they are counted."""
    COUNTED = auto()


@dataclass(frozen=True, slots=True)
class Rest(Generic[Line]):
    """Lines that were counted and not written."""

    count: int
    last: Line
    """The last of them."""


@dataclass(slots=True)
class _Seen(Generic[Line]):
    since: float
    count: int = 0
    last: Line | None = None


class Calm(Generic[Kind, Line]):
    """Decides about each line. There are as many kinds as places in the program that write one: some dozens."""

    def __init__(self, most: int = MOST, span: float = HOUR) -> None:
        self._most = most
        self._span = span
        self._seen: dict[Kind, _Seen[Line]] = {}
        self.held_back = 0
        """Lines that were counted and not written, since the start."""

    def judge(self, kind: Kind, line: Line, now: float) -> Verdict:
        """Whether this line is written; ask `over` first."""
        seen = self._seen.setdefault(kind, _Seen(now))
        seen.count += 1
        if seen.count <= self._most:
            return Verdict.LAST if seen.count == self._most else Verdict.WRITTEN
        seen.last = line
        self.held_back += 1
        return Verdict.COUNTED

    def over(self, now: float, *, at_once: bool = False) -> list[Rest[Line]]:
        """What was counted in hours that are over, or in all of them if it must be `at_once`; these begin anew."""
        found = []
        for kind, seen in list(self._seen.items()):
            # A clock that went back ends the hour too: else it might last for years.
            if at_once or not 0 <= now - seen.since < self._span:
                del self._seen[kind]
                if seen.last is not None:
                    found.append(Rest(seen.count - self._most, seen.last))
        return found

    def due(self) -> float | None:
        """The time at which something that was counted is to be told; None where nothing was."""
        return min((seen.since + self._span for seen in self._seen.values() if seen.last is not None), default=None)
