"""What is done with a catalogue that cannot be used: the newest sound backup, else all that can be read of it."""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime

from guyverd.catalogue import archive, custody, replacing, salvage
from guyverd.catalogue.restored import prepare
from guyverd.config import Config
from guyverd.errors import BackupError, CatalogueCopied, CatalogueDamaged, GuyverError
from guyverd.service.api import Row
from guyverd.service.pipeline.safekeeping.restoring import aside_of, restore
from guyverd.service.pipeline.safekeeping.saving import catalogue_of, folder_of, found

log = logging.getLogger(__name__)


def repair(config: Config, problem: CatalogueDamaged) -> Row:
    """Make it usable again. See `service.backups.repair`; the caller holds the library's lock."""
    if isinstance(problem, CatalogueCopied) and not custody.accepted(catalogue_of(config)):
        detail = "it is sound, and is used as it is; what was said just before it was copied may be missing"
        return {"how": "taken", "detail": detail, "aside": None}
    refused: list[str] = []
    for one in found(config):
        try:
            row = restore(config, one.path)
        except BackupError as bad:
            refused.append(bad.message)
            log.warning("%s", bad.message)
            continue
        detail = f"restored from {one.path}, made {row['at']}; what was said since is lost"
        return {"how": "restored", "detail": "; ".join([detail, *refused]), "aside": row["aside"]}
    return _salvaged(config, problem, refused)


def _salvaged(config: Config, problem: CatalogueDamaged, refused: list[str]) -> Row:
    catalogue, now = catalogue_of(config), datetime.now(UTC)
    archive.sweep(os.fsencode(config.state))
    with archive.temporary(os.fsencode(config.state)) as copy:
        saved = salvage.salvage(catalogue, copy)
        if not saved.rows:
            problem.fields["cure"] = _begin_anew(config)
            raise problem
        prepare(copy, now.isoformat(timespec="seconds"), "what could still be read")
        aside = aside_of(config, now)
        try:
            replacing.replace(catalogue, copy, os.fsencode(aside))
        except OSError as failure:
            raise BackupError(path=config.state, detail=(failure.strerror or str(failure)).lower()) from failure
    counted = ", ".join(f"{saved.rows[table]} {table}" for table in ("decisions", "people", "photos", "faces"))
    detail = f"there was no backup; what could still be read is in a new one: {counted}"
    if saved.again:
        detail += "; all photos are read again"
    return {"how": "salvaged", "detail": "; ".join([detail, *refused]), "aside": str(aside)}


def advise(config: Config, problem: CatalogueDamaged) -> None:
    """Name the newest backup in the problem's advice, where there is one; a copy may be sound as it is."""
    try:
        newest = next(iter(found(config)), None)
    except GuyverError:
        return
    if newest is not None:
        told = f"The newest backup is of {newest.manifest.made_at}: {newest.path}."
        problem.fields["cure"] = (
            f"{problem.fields['cure']} {told}"
            if isinstance(problem, CatalogueCopied)
            else f"{told} Stop guyverd; `guyverd check --repair` puts it back if it is sound, else an older one,"
            " and keeps the damaged file."
        )
    elif not isinstance(problem, CatalogueCopied):
        problem.fields["cure"] = (
            f"There is no backup in {folder_of(config)}. Stop guyverd; `guyverd check --repair` saves what can"
            " still be read, and keeps the damaged file."
        )


def _begin_anew(config: Config) -> str:
    return (
        f"Nothing can be read of it, and there is no backup in {folder_of(config)}. Your photos are untouched."
        f" To begin anew, move {os.fsdecode(catalogue_of(config))}* elsewhere and start guyverd: all photos are read"
        " again. The folders in the people folder keep the names; name people after them."
    )
