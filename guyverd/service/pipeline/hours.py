"""What the workers may do at a time of the day; pure, the local time is passed in."""

from __future__ import annotations

from dataclasses import dataclass

from guyverd.config import Hours, Workers

_DAY = 1440


@dataclass(frozen=True, slots=True)
class Pace:
    """How photos are read now."""

    gentle: bool
    """Whether every other program goes first."""
    quiet: bool
    """Whether the daemon reads none."""
    quiet_until: str
    """The time of the day at which it reads again, such as `07:00`; empty where it does now."""


def pace(workers: Workers, minute: int) -> Pace:
    """What holds in that minute of the day, from 0 to 1439."""
    quiet = workers.quiet_hours
    if quiet is not None and not quiet.holds(minute):
        quiet = None
    full = workers.speed == "full" or _holds(workers.full_speed_hours, minute)
    return Pace(not full, quiet is not None, "" if quiet is None else str(quiet).rpartition("-")[2])


def next_change(workers: Workers, minute: int) -> int | None:
    """Minutes until the pace is another one, at least 1; None where it never is."""
    now = pace(workers, minute)
    spans = [hours for hours in (workers.full_speed_hours, workers.quiet_hours) if hours is not None]
    ahead = sorted((edge - minute - 1) % _DAY + 1 for hours in spans for edge in (hours.begin, hours.end))
    return next((minutes for minutes in ahead if pace(workers, (minute + minutes) % _DAY) != now), None)


def _holds(hours: Hours | None, minute: int) -> bool:
    return hours is not None and hours.holds(minute)
