"""The machine's clocks, and how far back something must lie to have been so for long."""

from __future__ import annotations

import functools
import logging
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from guyverd.catalogue.passing import Moment, set_by
from guyverd.catalogue.store import Catalogue

log = logging.getLogger(__name__)

_SHARE_OFF = 0.25
"""How much of a grace may pass in one piece while the machine is off, when there is nothing but the clock on the wall
to tell how long that was. So no single error of that clock, however large, ends a grace."""
_PROCESS = uuid.uuid4().hex


def this_moment() -> Moment:
    """By the machine's clocks."""
    if not hasattr(time, "CLOCK_BOOTTIME"):
        return Moment(time.time(), time.monotonic(), _PROCESS)
    return Moment(time.time(), time.clock_gettime(time.CLOCK_BOOTTIME), _boot())


@functools.cache
def _boot() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip() or _PROCESS
    except (OSError, ValueError):
        return _PROCESS


class Clocks:
    """Sees to it that what has been missing for long has been so for time that really passed."""

    def __init__(self, catalogue: Catalogue, grace: float, clock: Callable[[], Moment] = this_moment) -> None:
        """`grace`: seconds after which what is missing is forgotten."""
        self._catalogue = catalogue
        self._grace = grace
        self._clock = clock
        self._last: Moment | None = None

    def look(self) -> None:
        """See whether the clock on the wall was set; to be called before anything is noted by it.

        Nothing is written unless it was, or this is the first look.
        """
        now = self._clock()
        if self._last is None or set_by(self._last, now, 0.0):
            self._note(now)
        self._last = now

    def long_ago(self) -> str:
        """What has been missing since before this, ISO 8601, has been so for long."""
        now = self._last = self._clock()
        self._note(now)
        return (datetime.fromtimestamp(now.wall, UTC) - timedelta(seconds=self._grace)).isoformat(timespec="seconds")

    def _note(self, now: Moment) -> None:
        by, off = self._catalogue.passing.look(now, _SHARE_OFF * self._grace)
        much = timedelta(seconds=round(abs(by)))
        if by > 0 and off:
            log.info("The machine was off: %s of that do not count for what is missing.", much)
        elif by:
            way = "on" if by > 0 else "back"
            log.warning("The clock was set %s by %s: what files are missing since was set with it.", way, much)
