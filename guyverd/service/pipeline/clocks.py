"""The machine's clocks, and how far back something must lie to have been so for long."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from guyverd.catalogue.passing import Moment
from guyverd.catalogue.store import Catalogue

log = logging.getLogger(__name__)

_SHARE_OFF = 0.25
"""How much of a grace may pass in one piece while the machine is off, when there is nothing but the clock on the wall to
tell how long that was. So no single error of that clock, however large, ends a grace."""
_PROCESS = uuid.uuid4().hex


def this_moment() -> Moment:
    """By the machine's clocks."""
    if not hasattr(time, "CLOCK_BOOTTIME"):
        return Moment(time.time(), time.monotonic(), _PROCESS)
    return Moment(time.time(), time.clock_gettime(time.CLOCK_BOOTTIME), _boot())


def _boot() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip() or _PROCESS
    except (OSError, ValueError):
        return _PROCESS


def long_ago(catalogue: Catalogue, grace: float, clock: Callable[[], Moment] = this_moment) -> str:
    """What has been missing since before this, ISO 8601, has been so for `grace` seconds of time that really passed."""
    now = clock()
    by = catalogue.passing.look(now, _SHARE_OFF * grace)
    if by:
        log.warning(
            "The clock was set %s by %s: what files are missing since was set with it.",
            "on" if by > 0 else "back",
            timedelta(seconds=round(abs(by))),
        )
    return (datetime.fromtimestamp(now.wall, UTC) - timedelta(seconds=grace)).isoformat(timespec="seconds")
