"""Labelled photos shown as films: a library is asked for the people in them, each with a photo that is not in it.

The films go through the real pipeline, and the questions through the real search, with `--all`. As in anybody's library
there are photos beside the films: all that no film shows and nobody is asked for with. They were read before.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from guyverd import config_file
from guyverd.catalogue.store import Catalogue
from guyverd.config import Config
from guyverd.errors import PictureError
from guyverd.evaluation import moments
from guyverd.evaluation.films import Script, Still
from guyverd.evaluation.moments import Asked, Span
from guyverd.evaluation.projecting import write
from guyverd.evaluation.scripting import SHOTS, cast, scripts
from guyverd.media.content import read_file
from guyverd.media.still import read_picture
from guyverd.model import PhotoId, PhotoReading, Stamp
from guyverd.service.api import Row
from guyverd.service.lock import held
from guyverd.service.pipeline.evaluation.labelling import Truth
from guyverd.service.pipeline.evaluation.rehearsing import Material, put
from guyverd.service.pipeline.jobs import MOST_BYTES
from guyverd.service.pipeline.local import WorkingLibrary, working_library
from guyverd.service.tasks import Audience

if TYPE_CHECKING:
    from guyverd.model import Pixels

NARROWEST = 60
"""Pixels of a face's width in a photo that a film shows: it may be shown three times as wide."""
_PEOPLE = 4 / 3
"""Photos for each shot: every third or fourth shows two."""
_AT_ONCE = 4
"""Questions that are on the way at a time."""
_SEED = 6


def screen(material: Material, truth: Truth, *, config: Config, folder: Path, most: int, audience: Audience) -> Row:
    """Make up to `most` films below `folder`, which is empty, and ask for people: `films` of `service.evaluation`."""
    known = stills(material, truth)
    chosen = cast(known, round(most * SHOTS * _PEOPLE), _SEED)
    films = scripts(chosen.stills, most, _SEED)
    photos, names = folder / "Films", [f"{number:03d}.mp4" for number in range(1, len(films) + 1)]
    photos.mkdir(parents=True)
    with audience.steps("films", len(films)) as step:
        for name, film in zip(names, films, strict=True):
            write(photos / name, film, lambda number: _pixels(material.photos[number].files[0]))
            step()
    # A folder that is not there is offline: what is known of its photos stays.
    away = folder / "Photos"
    made = config_file.make([photos, away], folder / "People", folder / "state", folder / "config.yaml")
    own = dataclasses.replace(config, photos=made.photos, people=made.people, state=made.state)
    shown = {each.still.number for film in films for each in film.appearances}
    _remember(own.state, away, material, shown | {each.number for each in chosen.asked})
    with held(own.state), working_library(own) as library:
        began = time.monotonic()
        audience.follow(library.scan(), library.progress)
        seconds = time.monotonic() - began
        read = library.status()["counts"]
        answers = list(_answers(library, material, films=films, names=names, asked=chosen.asked, audience=audience))
    found = moments.score(answers)
    length = sum(film.seconds for film in films)
    return {
        "films": len(films),
        "unread": read["failures"],
        "length": round(length, 1),
        "seconds": round(seconds, 1),
        "shown": len(shown),
        "photos": read["photos"],
        "queries": found.queries,
        "absent": found.absent,
        "moments": found.moments,
        "answered": found.answered,
        "precision": found.precision,
        "recall": found.recall,
        "time_precision": found.time_precision,
        "time_recall": found.time_recall,
        "edge": None if found.edges is None else {"median": found.edges[0], "most": found.edges[1]},
    }


def stills(material: Material, truth: Truth) -> list[Still]:
    """The photos that films can be made of: those that show one face only, which is labelled and wide enough.

    In a photo that shows others, these would be in the film without a truth.
    """
    people = truth.of_rows(len(material))
    found = []
    for place, photo in enumerate(material.photos):
        person = int(people[material.starts[place]]) if len(photo.faces) == 1 else 0
        if person and photo.reading.faces[0].track is None and photo.reading.faces[0].box.width >= NARROWEST:
            reading = photo.reading
            found.append(Still(place, person, reading.width, reading.height, reading.faces[0].box))
    return found


def _remember(state: Path, root: Path, material: Material, hidden: Collection[int]) -> None:
    """A catalogue that knows all photos of the material but the hidden ones, by their places, as they were read."""
    state.mkdir(mode=0o700, parents=True)
    kept = [(at, photo) for at, photo in enumerate(material.photos) if at not in hidden]
    with Catalogue(os.fsencode(state / "catalogue.db")) as catalogue:
        files = [(b"%d.jpg" % at, photo, Stamp(1, 1, at + 1)) for at, photo in kept]
        numbers = put(catalogue, os.fsencode(root), files)
        by_engine: dict[str, list[tuple[PhotoId, PhotoReading]]] = {}
        for _, photo in kept:
            by_engine.setdefault(photo.engine, []).append((numbers[photo.reading.hash], photo.reading))
        for engine, readings in by_engine.items():
            catalogue.photos.read(readings, engine, catalogue.now())


def _pixels(path: bytes) -> Pixels:
    """A photo; it is decoded in this process: a worker did it before and came to no harm."""
    return read_picture(read_file(path, MOST_BYTES)[0], path=path).pixels


def _answers(
    library: WorkingLibrary,
    material: Material,
    *,
    films: Sequence[Script],
    names: Sequence[str],
    asked: Sequence[Still],
    audience: Audience,
) -> Iterator[Asked]:
    truths = [film.truth() for film in films]

    def ask(still: Still) -> Asked:
        true = {name: told[still.person] for name, told in zip(names, truths, strict=True) if still.person in told}
        return Asked(true, _found(library, os.fsdecode(material.photos[still.number].files[0])))

    with audience.steps("questions", len(asked)) as step, ThreadPoolExecutor(_AT_ONCE) as threads:
        for answer in threads.map(ask, asked):
            step()
            yield answer


def _found(library: WorkingLibrary, path: str) -> dict[str, tuple[Span, ...]]:
    """The moments that the library gives for the one face of a picture, by film."""
    try:
        rows = library.search(path, every=True, kind="video")["results"]
    except PictureError:
        # No face is found in it today, or it is gone: nothing is answered.
        return {}
    found: dict[str, tuple[Span, ...]] = {}
    for row in rows:
        name = os.path.basename(row["file"])
        found[name] = (*found.get(name, ()), (row["start"], row["end"]))
    return found
