"""A backup proved, and put in the catalogue's place. What was there is moved aside, never deleted."""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime
from pathlib import Path

from guyverd.catalogue import archive, replacing
from guyverd.catalogue.restored import prepare
from guyverd.catalogue.schema import KNOWN
from guyverd.config import Config
from guyverd.errors import BackupError
from guyverd.service.api import Row
from guyverd.service.pipeline.safekeeping.saving import catalogue_of, told

log = logging.getLogger(__name__)


def prove(config: Config, file: Path) -> Row:
    """Verify a backup: that it is whole, sound, of no newer program, and has in it what it says. Changes nothing.

    The shape is that of `restore`. Raises NoBackup, NotABackup, BackupDamaged, BackupNewer and BackupError.
    """
    return _proved(config, file, put=False)


def restore(config: Config, file: Path) -> Row:
    """Put a backup in the catalogue's place, once it is proved; for whoever holds the library's lock.

    Keys: those of a backup (`saving.told`), `restored` (whether it was put in place, or only proved), `upgraded`
    (whether an older catalogue was brought to this version), `aside` (the folder that what was there was moved to, or
    null where nothing was), `other` (whether it is of another library than what was there). Raises as `prove`; then
    nothing was changed.
    """
    return _proved(config, file, put=True)


def _proved(config: Config, file: Path, *, put: bool) -> Row:
    catalogue, source = catalogue_of(config), os.fsencode(file)
    manifest = archive.manifest_of(source)
    room = os.fsencode(config.state)
    try:
        config.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as problem:
        raise archive.failed(room, problem) from problem
    archive.sweep(room)
    now = datetime.now(UTC)
    with archive.temporary(room) as copy:
        manifest = archive.unpack(source, copy)
        archive.examine(copy, source, manifest)
        prepare(copy, now.isoformat(timespec="seconds"), str(file))
        row = {
            **told(file, manifest),
            "restored": put,
            "upgraded": frozenset(manifest.steps) != KNOWN,
            "aside": None,
            "other": False,
        }
        if not put:
            return row
        try:
            # What was begun before is finished first, whatever it was.
            replacing.finish(catalogue)
            before = archive.library_of(catalogue)
            aside = aside_of(config, now)
            stood = any(os.path.lexists(path) for path in replacing.of(catalogue))
            replacing.replace(catalogue, copy, os.fsencode(aside))
        except OSError as problem:
            raise BackupError(path=config.state, detail=(problem.strerror or str(problem)).lower()) from problem
    about = {"file": str(file)}
    log.info(
        "The catalogue was restored from %s; what was there is in %s.", file, aside if stood else "no file", extra=about
    )
    return {**row, "aside": str(aside) if stood else None, "other": bool(before) and before != manifest.library}


def aside_of(config: Config, now: datetime) -> Path:
    """A new name in the state folder for a catalogue that is replaced."""
    stem, number = f"replaced-{now:%Y%m%dT%H%M%SZ}", 2
    path = config.state / stem
    while path.exists():
        path, number = config.state / f"{stem}-{number}", number + 1
    return path
