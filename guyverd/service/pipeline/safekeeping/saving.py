"""Backups of one library: where they are, how one is made, which go."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from guyverd import __version__
from guyverd.catalogue import archive
from guyverd.catalogue.archive import Manifest, Stopped
from guyverd.catalogue.rotation import AHEAD, Kept, superfluous
from guyverd.config import Config, render
from guyverd.errors import BackupError, GuyverError
from guyverd.service.api import Row

_FOLDER = "backups"
_NAME = re.compile(r"guyverd-[0-9]{8}T[0-9]{6}Z(-[0-9]+)?\.tar\.gz")
"""The names that we give; a file of another name is never taken away."""


@dataclass(frozen=True, slots=True)
class Found:
    """A backup of this library."""

    path: Path
    at: datetime
    manifest: Manifest


def catalogue_of(config: Config) -> bytes:
    """Where the catalogue is."""
    return os.fsencode(config.state / "catalogue.db")


def folder_of(config: Config) -> Path:
    """Where backups go by themselves."""
    return config.backup.folder or config.state / _FOLDER


def found(config: Config) -> Iterator[Found]:
    """The backups of this library that are in its folder under a name of ours, newest first.

    Where the catalogue cannot be read, those are taken for its own that were made in the same state folder. A file that
    is no backup, or cannot be read, is passed over.
    """
    library = archive.library_of(catalogue_of(config))
    rows = []
    with contextlib.suppress(OSError):
        for name in os.listdir(folder_of(config)):
            if _NAME.fullmatch(name):
                with contextlib.suppress(GuyverError, ValueError):
                    path = folder_of(config) / name
                    manifest = archive.manifest_of(os.fsencode(path))
                    at = _moment(manifest)
                    ours = manifest.library == library if library else manifest.state == str(config.state)
                    if ours:
                        rows.append(Found(path, at, manifest))
    yield from sorted(rows, key=lambda one: (one.at, one.path), reverse=True)


def latest(config: Config, now: datetime) -> Found | None:
    """The newest that is not of the future; None where there is none."""
    return next((one for one in found(config) if one.at <= now + AHEAD), None)


def save(config: Config, to: Path | None, *, stopped: Stopped = lambda: False) -> Row:
    """Make a backup: as the file `to`, in the folder `to`, or where backups go by themselves. See `Library.backup`."""
    now = datetime.now(UTC)
    usual = folder_of(config)
    target = usual if to is None else to
    if to is None:
        _make_folder(usual)
    elif not to.is_dir() and os.fspath(to).endswith(os.sep):
        raise BackupError(path=to, detail="there is no such folder")
    if target.is_dir():
        target = _free(target, now)
    _refuse_photos(target, config)
    # The copy that is packed is made beside the catalogue: there SQLite can work for sure.
    archive.sweep(os.fsencode(config.state))
    archive.sweep(os.fsencode(target.parent))
    manifest = archive.save(
        catalogue_of(config),
        os.fsencode(target),
        os.fsencode(config.state),
        made_at=now.isoformat(timespec="seconds"),
        version=__version__,
        config=render(config).encode("utf-8", "surrogateescape"),
        stopped=stopped,
    )
    return told(target, manifest)


def rotate(config: Config, made: Path) -> list[Path]:
    """Take away the backups that are not to be kept; never the one that was `made` just now. Returns which went.

    Raises BackupError where one cannot be taken away.
    """
    kept = [Kept(one.at, os.fsencode(one.path)) for one in found(config)]
    gone = []
    for one in superfluous(kept, datetime.now(UTC), days=config.backup.days, weeks=config.backup.weeks):
        path = Path(os.fsdecode(one.path))
        if path == made:
            continue
        try:
            path.unlink()
        except OSError as problem:
            raise archive.failed(one.path, problem) from problem
        gone.append(path)
    return gone


def told(path: Path, manifest: Manifest) -> Row:
    """A backup as it is listed."""
    counts = {name: manifest.counts.get(name, 0) for name in ("photos", "faces", "people", "named", "decisions")}
    return {
        "file": str(path),
        "at": manifest.made_at,
        "size": path.stat().st_size,
        "guyverd": manifest.guyverd,
        **counts,
    }


def _moment(manifest: Manifest) -> datetime:
    at = datetime.fromisoformat(manifest.made_at)
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _free(folder: Path, now: datetime) -> Path:
    """A name in a folder that nothing has."""
    stem, number = f"guyverd-{now:%Y%m%dT%H%M%SZ}", 2
    path = folder / f"{stem}.tar.gz"
    while os.path.lexists(path):
        path, number = folder / f"{stem}-{number}.tar.gz", number + 1
    return path


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as problem:
        raise archive.failed(os.fsencode(folder), problem) from problem


def _refuse_photos(target: Path, config: Config) -> None:
    """Nothing is ever put into a photo folder, or among the folders of people."""
    real = os.path.realpath(target)
    for folder in (*config.photos, config.people):
        if Path(real).is_relative_to(os.path.realpath(folder)):
            raise BackupError(path=target, detail=f"it lies in {folder}, where guyverd puts no files of its own")
