"""Which backups stay, and when the next is to be made. Pure.

Of each of the last days and of each of the last weeks in which there were any, the newest stays. The newest of all
stays whatever was asked for, and so does the newest that is not of the future: a clock that was wrong for a day must
not make the true ones look old.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

AHEAD = timedelta(hours=1)
"""By so much two clocks may differ."""


@dataclass(frozen=True, slots=True, order=True)
class Kept:
    """A backup."""

    at: datetime
    """When it was made; with a time zone."""
    path: bytes


def superfluous(backups: Iterable[Kept], now: datetime, *, days: int, weeks: int) -> list[Kept]:
    """Those that may go, oldest first."""
    ordered = sorted(backups, reverse=True)
    staying: set[Kept] = set(ordered[:1])
    staying.update([one for one in ordered if one.at <= now + AHEAD][:1])
    for most, period in ((days, _day), (weeks, _week)):
        newest: dict[tuple[int, ...], Kept] = {}
        for one in ordered:
            newest.setdefault(period(one.at), one)
        staying.update(list(newest.values())[:most])
    return [one for one in reversed(ordered) if one not in staying]


def latest(backups: Iterable[Kept], now: datetime) -> Kept | None:
    """The newest that is not of the future."""
    return max((one for one in backups if one.at <= now + AHEAD), default=None)


def is_due(last: datetime | None, now: datetime, every: float) -> bool:
    """Whether the next is to be made; `last` is when the newest was that is not of the future, `every` in seconds."""
    return last is None or (now - last).total_seconds() >= every


def _day(at: datetime) -> tuple[int, ...]:
    return at.date().timetuple()[:3]


def _week(at: datetime) -> tuple[int, ...]:
    return at.isocalendar()[:2]
