"""Where an evaluation happens: a state of its own, thrown away at the end or kept to spare the next one the reading.

What is kept is what was found in photos, and never who the faces are: people are found anew each time, by the pipeline
as it is now, from an empty catalogue into which the readings are put.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from guyverd import config_file
from guyverd.catalogue.rows import ReadPhoto
from guyverd.catalogue.store import Catalogue
from guyverd.config import Config, Videos
from guyverd.errors import GuyverError, NotKept
from guyverd.model import PhotoId, PhotoReading, Stamp
from guyverd.service.lock import held
from guyverd.service.pipeline.evaluation.rehearsing import put

_MARK = "evaluation.json"
_STATE, _NEW = "state", "state.new"


@contextlib.contextmanager
def workplace(photos: Path, chosen: Config | None, keep: Path | None) -> Iterator[Config]:
    """A config for a library of `photos`, its state below `keep` or in a temporary folder.

    Settings are those of `chosen`, or the defaults. Raises NotKept for a folder that holds something else.
    """
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="guyverd-evaluation-") as name:
            yield _config(photos, chosen, Path(name))
        return
    _claim(keep)
    with held(keep):
        config = _config(photos, chosen, keep)
        _renew(config, keep)
        yield config


def _config(photos: Path, chosen: Config | None, folder: Path) -> Config:
    made = config_file.make([photos], folder / "People", folder / _STATE, folder / "config.yaml")
    if chosen is None:
        return made
    return dataclasses.replace(chosen, photos=made.photos, people=made.people, state=made.state)


def _claim(keep: Path) -> None:
    """Make sure that the folder is ours, so that nobody's library is ever taken for an old evaluation."""
    try:
        keep.mkdir(parents=True, exist_ok=True)
        if not (keep / _MARK).exists():
            if any(keep.iterdir()):
                raise NotKept(path=keep)
            (keep / _MARK).write_text("{}\n", encoding="utf-8")
    except OSError as problem:
        raise GuyverError(detail=f"{keep} cannot be used: {problem.strerror}") from problem


def _renew(config: Config, keep: Path) -> None:
    """Begin with an empty state that knows the readings of the last one, where they would come out the same again."""
    told = {"photos": os.fspath(config.photos[0]), "faces": dataclasses.asdict(config.faces)}
    if config.videos != Videos():
        told["videos"] = dataclasses.asdict(config.videos)
    said = json.dumps(told, indent=2)
    shutil.rmtree(keep / _NEW, ignore_errors=True)
    mark = keep / _MARK
    if mark.read_text(encoding="utf-8").strip() == said and (keep / _STATE / "catalogue.db").exists():
        (keep / _NEW).mkdir()
        with (
            Catalogue(os.fsencode(keep / _STATE / "catalogue.db")) as old,
            Catalogue(os.fsencode(keep / _NEW / "catalogue.db")) as new,
        ):
            _carry_over(old, new, os.fsencode(config.photos[0]))
    shutil.rmtree(keep / _STATE, ignore_errors=True)
    if (keep / _NEW).exists():
        os.replace(keep / _NEW, keep / _STATE)
    # Links of people who are no more: the folder is made anew as well.
    shutil.rmtree(config.people, ignore_errors=True)
    mark.write_text(said + "\n", encoding="utf-8")


def _carry_over(old: Catalogue, new: Catalogue, root: bytes) -> None:
    photos = {path: photo for photo in old.readings.all() for path in photo.files}
    files: list[tuple[bytes, ReadPhoto, Stamp]] = []
    for row in old.files.roots():
        # In the order in which they were first seen, which is that of photos and so of arrival.
        for file in sorted(old.files.known(row.id), key=lambda file: file.id):
            photo = photos.get(os.path.join(root, file.path))
            if photo is not None and not file.missing:
                files.append((file.path, photo, file.stamp))
    numbers = put(new, root, files)
    by_engine: dict[str, list[tuple[PhotoId, PhotoReading]]] = {}
    for _, photo, _ in files:
        reading = (numbers[photo.reading.hash], photo.reading)
        by_engine.setdefault(photo.engine, []).append(reading)
    for engine, readings in by_engine.items():
        new.photos.read(dict(readings).items(), engine, new.now())
