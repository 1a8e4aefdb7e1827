"""Backups that are made by themselves: when one is due and the daemon has nothing better to do, in a thread of its own.

Whether one is due is told by the newest there is and by the clock on the wall, looked at every minute by a clock that
never jumps: so it is made after a suspend, after a restart, and after the clock was set, and never twice.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from guyverd.catalogue import archive
from guyverd.catalogue.rotation import is_due
from guyverd.config import Config
from guyverd.errors import BackupError, BackupStopped, GuyverError
from guyverd.faces.limits import go_last
from guyverd.service.api import Row
from guyverd.service.pipeline.safekeeping.saving import catalogue_of, folder_of, latest, rotate, save

log = logging.getLogger(__name__)

_LOOK = 60.0
"""Seconds between two looks whether one is due."""
_AGAIN = 3600.0
"""Seconds after which one that failed is tried again, or one that had nothing new is looked at."""
_PATIENCE = 2.0
"""After so many times `backup.every` it is made though there always was something to do."""
_ROOM = 512e6
"""Bytes that are left alone on the disks it needs."""


class Nightly:
    """One library's. `advance` is called now and then by one thread; the others may be by any."""

    def __init__(self, config: Config, clock: Callable[[], float] = time.monotonic) -> None:
        self._config = config
        self._clock = clock
        self._started = False
        self._next_look = 0.0
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.problem: GuyverError | None = None
        """Why the last one failed."""

    def start(self) -> None:
        """From now on they are made, if the config says so."""
        self._started = self._config.backup.every > 0

    def give_up(self) -> None:
        """Have what is under way end soon, and begin nothing more."""
        self._stopping.set()

    def stop(self) -> None:
        """Give up what is under way, and leave nothing of it."""
        self.give_up()
        if self._thread is not None:
            self._thread.join()

    @property
    def busy(self) -> bool:
        """Whether one is being made."""
        return self._thread is not None and self._thread.is_alive()

    def deadline(self) -> float | None:
        """When to look again, by the clock that was given."""
        return self._next_look if self._started else None

    def advance(self, *, idle: bool) -> None:
        """Begin one if it is due."""
        now = self._clock()
        if not self._started or now < self._next_look or self._stopping.is_set():
            return
        self._next_look = now + _LOOK
        if self.busy or not self._is_due(idle=idle):
            return
        self._thread = threading.Thread(target=self._run, name="backup", daemon=True)
        self._thread.start()

    def told(self) -> Row:
        """How it stands: `every` (seconds, or null), `folder`, `last` {`file`, `at`, `size`} or null, `problem`."""
        last = latest(self._config, datetime.now(UTC))
        return {
            "every": self._config.backup.every or None,
            "folder": str(folder_of(self._config)),
            "last": None
            if last is None
            else {"file": str(last.path), "at": last.manifest.made_at, "size": last.path.stat().st_size},
            "problem": None if self.problem is None else f"{self.problem.message} {self.problem.advice}".strip(),
        }

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _is_due(self, *, idle: bool) -> bool:
        now, every = datetime.now(UTC), self._config.backup.every
        last = latest(self._config, now)
        at = None if last is None else last.at
        return is_due(at, now, every) and (idle or (at is not None and is_due(at, now, _PATIENCE * every)))

    def _run(self) -> None:
        go_last()
        try:
            self._make()
            self.problem = None
        except BackupStopped:
            return
        except GuyverError as problem:
            self._fail(problem)
        except Exception as problem:
            log.exception("A backup failed.")
            self._fail(BackupError(path=folder_of(self._config), detail=f"{type(problem).__name__}: {problem}"))

    def _fail(self, problem: GuyverError) -> None:
        log.error("No backup was made; it is tried again in an hour. %s %s", problem.message, problem.advice)
        self.problem = problem
        self._next_look = self._clock() + _AGAIN

    def _make(self) -> None:
        last = latest(self._config, datetime.now(UTC))
        if last is not None and last.manifest.mark == archive.mark_of(catalogue_of(self._config)):
            log.debug("Nothing changed since the last backup.")
            self._next_look = self._clock() + _AGAIN
            return
        self._look_for_room()
        began = time.monotonic()
        made = save(self._config, None, stopped=self._stopping.is_set)
        gone = rotate(self._config, made=folder_of(self._config) / os.path.basename(made["file"]))
        log.info(
            "Backup %s made in %.1f s (%.1f MB); older ones taken away: %d.",
            made["file"],
            time.monotonic() - began,
            made["size"] / 1e6,
            len(gone),
            extra={"file": made["file"]},
        )

    def _look_for_room(self) -> None:
        """Raise BackupError where a backup would fill a disk that others need, as the catalogue does."""
        folder_of(self._config).mkdir(mode=0o700, parents=True, exist_ok=True)
        size = os.path.getsize(catalogue_of(self._config))
        for folder in {self._config.state, folder_of(self._config)}:
            disk = os.statvfs(folder)
            free = disk.f_bavail * disk.f_frsize
            if free < 2 * size + _ROOM:
                detail = f"its disk has only {free / 1e6:.0f} MB left, and a backup may take {2 * size / 1e6:.0f} MB"
                raise BackupError(path=folder, detail=detail)
