"""Faces cut from their photos: small ones for whoever shows them, whole ones as files.

They are cut where they are asked for, and not by the daemon: a picture that harms its reader harms nothing else.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from guyverd.errors import PictureError
from guyverd.service import export
from guyverd.service.api import Row

if TYPE_CHECKING:
    from guyverd.model import Box

UNDATED = "undated"
"""Begins the name of a face in a photo that does not tell when it was taken."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What became of the faces."""

    written: tuple[str, ...]
    """The new files."""
    already: tuple[str, ...]
    """Files that held the same bytes before."""
    missing: tuple[tuple[int, str, str], ...]
    """For each face that could not be cut: its number, a file of its photo (empty where there is none), and why."""


def crop(file: str, box: Sequence[int], size: tuple[int, int]) -> bytes | None:
    """The face in `box` of the photo `file`, a small JPEG; None where it cannot be read.

    `size` is that of the upright photo, in pixels, as the box is.
    """
    from guyverd.service.pipeline.evaluation.picturing import cut  # noqa: PLC0415  decoders load for a picture only

    return cut(os.fsencode(file), _box(box), size)


def save(
    faces: Iterable[Row],
    folder: Path,
    *,
    longest: int | None = None,
    sacred: Iterable[Path] = (),
    each: Callable[[], object] | None = None,
) -> Saved:
    """Cut faces, rows as `Library.faces` gives them, upright and as large as they are, into `folder`.

    Each becomes a JPEG called `<day>_<photo's name>_<face>.jpg`: its box with a tenth of its size added on each side,
    as far as the photo reaches, and no side longer than `longest` pixels where that is given. The folder is made when
    it is not there; what stands in it is dealt with as by `export.copy_originals`, which tells of `sacred` and of the
    errors too. `each` is called after every face.
    """
    written: list[str] = []
    already: list[str] = []
    missing: list[tuple[int, str, str]] = []
    with export.filling(folder, sacred) as put:
        # The faces of one photo follow each other, so that it is decoded once.
        for _, rows in itertools.groupby(faces, key=lambda row: row["photo"]):
            some = list(rows)
            file, found = _cut(some[0]["files"], [_box(row["box"]) for row in some], longest)
            for row, cut in zip(some, found, strict=True):
                if isinstance(cut, str):
                    missing.append((row["face"], file, cut))
                else:
                    path, new = put(cut, _name(row, file))
                    (written if new else already).append(path)
                if each is not None:
                    each()
    return Saved(tuple(written), tuple(already), tuple(missing))


def _cut(files: Sequence[str], boxes: Sequence[Box], longest: int | None) -> tuple[str, list[bytes | str]]:
    """Each face, or why not, from the first file that can be read; and which that was, or the first that was tried."""
    from guyverd.service.pipeline.cropping import cut_out  # noqa: PLC0415  as above

    problem = "no file of its photo is there"
    for file in files:
        try:
            return file, cut_out(os.fsencode(file), boxes, longest)
        except PictureError as raised:
            problem = str(raised.fields.get("detail") or "it is not there")
    return (files[0] if files else ""), [problem] * len(boxes)


def _name(row: Row, file: str) -> str:
    stem = os.path.splitext(os.path.basename(file))[0]
    day = (row["taken_at"] or UNDATED)[:10]
    return export.fitting(f"{day}_{stem}", f"_{row['face']}.jpg")


def _box(edges: Sequence[int]) -> Box:
    from guyverd.model import Box  # noqa: PLC0415  as above

    left, top, right, bottom = edges
    return Box(left, top, right, bottom)
