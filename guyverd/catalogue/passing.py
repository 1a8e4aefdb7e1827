"""How long something has been so, whatever became of the clock on the wall meanwhile.

Photos are forgotten when they have been missing for long, and since when they are missing is noted by the clock on the
wall. That clock may be set: by a year, by hand, by a server, by a battery that is empty. So it is compared with one
that nobody sets, and where it went on by more or less than time did, what was noted by it is moved along.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from guyverd.catalogue.database import Database

if TYPE_CHECKING:
    from sqlite_utils import Database as Utils

_KEY = "moment"
_SLACK = 60.0
"""Seconds by which two clocks may differ without one of them having been set."""
_FAR = 1e11
"""Seconds, three thousand years: no clock says more."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment by two clocks."""

    wall: float
    """Seconds since 1970, by the clock on the wall."""
    running: float
    """Seconds since the machine was started, asleep or awake."""
    boot: str
    """Which start that was."""


def set_by(before: Moment, now: Moment, most_off: float) -> float:
    """By how many seconds the clock on the wall was set on, or back where below 0, between two moments.

    While the machine was off there is only that clock. As much of what it says then as `most_off` seconds is believed:
    a photo cannot have come back while everything was off either.
    """
    went = now.wall - before.wall
    same = now.boot == before.boot and now.running >= before.running
    passed = now.running - before.running if same else min(max(0.0, went), most_off)
    return went - passed if abs(went - passed) > _SLACK else 0.0


def moved(noted: str, by: float, now: datetime) -> str:
    """What was noted by the clock on the wall, as it would have been by the clock that was set since; never after now.

    It comes out too late rather than too early, where it is not known whether it was noted before or after that.
    """
    try:
        then = datetime.fromisoformat(noted)
        # Where the clock was set back, what it says is to come was noted before; the rest may have been noted since.
        if by > 0 or then > now:
            then += timedelta(seconds=by)
        then = min(then, now)
    except (ValueError, TypeError, OverflowError):
        then = now  # no time that a clock may have told
    return then.isoformat(timespec="seconds")


class Passing:
    """Remembers the last moment at which somebody looked."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def look(self, now: Moment, most_off: float) -> tuple[float, bool]:
        """Look at the clocks: what files are missing since is moved as far as that of the wall was set, which is told.

        The second tells whether that is only guessed, for the machine was off. All in one transaction.
        """

        def job(db: Utils) -> tuple[float, bool]:
            before = _last(db)
            by = 0.0 if before is None else set_by(before, now, most_off)
            wall = datetime.fromtimestamp(now.wall, UTC)
            # Nothing can be missing since a time to come, even if nobody saw the clock being set.
            least = "" if by > 0 else wall.isoformat(timespec="seconds")
            rows = db.execute("SELECT id, missing_since FROM files WHERE missing_since > ?", (least,)).fetchall()
            changes = [(moved(row["missing_since"], by, wall), row["id"]) for row in rows]
            db.conn.executemany("UPDATE files SET missing_since = ?1 WHERE id = ?2 AND missing_since <> ?1", changes)
            db.execute(
                "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                (_KEY, json.dumps(asdict(now))),
            )
            return by, before is not None and before.boot != now.boot

        return self._db.write(job)


def _last(db: Utils) -> Moment | None:
    row = db.execute("SELECT value FROM meta WHERE key = ?", (_KEY,)).fetchone()
    try:
        told = json.loads(row["value"]) if row is not None else {}
        found = Moment(float(told["wall"]), float(told["running"]), str(told["boot"]))
    except (LookupError, TypeError, ValueError, RecursionError, OverflowError):
        return None
    return found if max(abs(found.wall), abs(found.running)) < _FAR else None
