"""Faces cut from their photos, and the page that shows where a grouping is confused."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from guyverd.errors import PictureError, StateError
from guyverd.evaluation.confusion import mixes, splits
from guyverd.evaluation.page import Shown, enlarged, page
from guyverd.media.content import read_file
from guyverd.media.still import read_picture
from guyverd.model import Box
from guyverd.service.pipeline.evaluation.labelling import Truth
from guyverd.service.pipeline.evaluation.rehearsing import Material
from guyverd.service.pipeline.jobs import MOST_BYTES

if TYPE_CHECKING:
    from guyverd.model import IntArray

SIDE = 176
"""Pixels of a face's picture: what the page shows, on a screen with twice as many to the inch."""


def write_page(
    path: Path, figures: Sequence[tuple[str, str]], material: Material, truth: Truth, *, people: IntArray, title: str
) -> None:
    """Write the confusion page of the labelled faces, `people` being whom the rows of the material are attached to.

    Raises StateError where it cannot be written.
    """
    found = truth.found
    real, rows = truth.people[found], truth.rows[found]
    groups = people[rows]

    def show(at: int) -> Shown:
        row = int(rows[at])
        place = int(material.photo_of[row])
        photo = material.photos[place]
        face = photo.reading.faces[row - int(material.starts[place])]
        size = (photo.reading.width, photo.reading.height)
        return Shown(os.fsdecode(photo.files[0]), cut(photo.files[0], face.box, size))

    names = dict(enumerate(truth.names, 1))
    text = page(title, figures, mixes(real, groups), splits(real, groups), names=names, show=show)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as problem:
        raise StateError(path=path, detail=problem.strerror or str(problem)) from problem


def cut(path: bytes, box: Box, size: tuple[int, int]) -> bytes | None:
    """The face in `box` of the photo at `path`, a JPEG of at most `SIDE` pixels; None where it cannot be read.

    `size` is that of the upright photo. It is decoded in this process: a worker did it before and came to no harm.
    """
    wanted = enlarged(box, *size)
    if wanted.width <= 0 or wanted.height <= 0:
        return None
    enough = -(-SIDE * max(size) // max(wanted.width, wanted.height))
    try:
        picture = read_picture(read_file(path, MOST_BYTES)[0], path=path, enough=min(enough, max(size)))
    except PictureError:
        return None
    at = wanted.scaled(picture.scale)
    face = Image.fromarray(picture.pixels).crop(
        (at.left, at.top, max(at.right, at.left + 1), max(at.bottom, at.top + 1))
    )
    face.thumbnail((SIDE, SIDE))
    made = io.BytesIO()
    face.save(made, "JPEG", quality=82)
    return made.getvalue()
