"""Backups made, listed and put back, and a catalogue that cannot be opened: done by the command itself.

A backup needs no daemon and no lock: it only reads, while whoever owns the library writes. What changes the catalogue's
file takes the lock, so it is refused while a daemon runs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from guyverd.config import Config
from guyverd.errors import AlreadyRunning, CatalogueDamaged
from guyverd.service.access import owned
from guyverd.service.api import Row


def backup(config: Config, to: Path | None) -> Row:
    """Make a backup, in a folder or as a file; where backups go by themselves if `to` is None.

    Keys: `file`, `at`, `size` (bytes), `guyverd` (the version that made it), `photos`, `faces`, `people`, `named`,
    `decisions`. Raises BackupError and the like, CatalogueDamaged, CatalogueNewer.
    """
    from guyverd.service.pipeline.safekeeping.saving import save  # noqa: PLC0415  only the pipeline knows the rooms

    return save(config, to)


def backups(config: Config) -> Iterator[Row]:
    """The backups in the folder where they go by themselves, newest first, with the keys of `backup`."""
    from guyverd.service.pipeline.safekeeping.saving import found, told  # noqa: PLC0415  as above

    for one in found(config):
        yield told(one.path, one.manifest)


def restore(config: Config, file: Path, *, check: bool) -> Row:
    """Prove a backup, and put it in the catalogue's place unless it is only to be checked.

    Keys: those of `backup`, `restored`, `upgraded` (an older catalogue became one of this version), `aside` (the folder
    that holds what was there before, or null), `other` (it is of another library than what was there). Raises
    AlreadyRunning while somebody has the library, and BackupError and the like; then nothing was changed.
    """
    from guyverd.service.pipeline.safekeeping import restoring  # noqa: PLC0415  as above

    if check:
        return restoring.prove(config, file)
    with _alone(config):
        return restoring.restore(config, file)


def repair(config: Config, problem: CatalogueDamaged) -> Row:
    """Make a catalogue that cannot be used usable again, by the best there is.

    Keys: `how` ("taken": a copy that is sound as it is; "restored": from a backup; "salvaged": what could still be read
    was put into a new one), `detail` (in words, with what is lost), `aside` (where the damaged one is, or null). Raises
    AlreadyRunning, StateError, and `problem` where nothing can be done.
    """
    from guyverd.service.pipeline.safekeeping.repairing import repair as repaired  # noqa: PLC0415  as above

    with _alone(config):
        return repaired(config, problem)


@contextlib.contextmanager
def advised(config: Config) -> Iterator[None]:
    """A catalogue that turns out to be damaged is told with the newest backup, and what to type."""
    try:
        yield
    except CatalogueDamaged as problem:
        from guyverd.service.pipeline.safekeeping.repairing import advise  # noqa: PLC0415  as above

        advise(config, problem)
        raise


@contextlib.contextmanager
def _alone(config: Config) -> Iterator[None]:
    try:
        with owned(config.state):
            yield
    except AlreadyRunning as problem:
        problem.hint = "Stop it first (`systemctl --user stop guyverd`, or Ctrl-C where it runs), then try again."
        raise
