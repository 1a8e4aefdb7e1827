"""Faces cut from photos and videos: small ones for whoever shows them, whole ones as files.

They are cut where they are asked for, and not by the daemon: a picture that harms its reader harms nothing else. Videos
are decoded in a process of their own.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from guyverd.config import Workers
from guyverd.errors import PictureError, WorkerError
from guyverd.service import export
from guyverd.service.api import Row

if TYPE_CHECKING:
    from guyverd.model import Box
    from guyverd.service.pipeline.cropping import Cutters
    from guyverd.service.pipeline.thumbs import Thumbnails

UNDATED = "undated"
"""Begins the name of a face in a photo that does not tell when it was taken."""
_AT_ONCE = 4
"""Photos that are decoded at once."""


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


class Pictures:
    """Small pictures of faces, for whoever shows many; to be closed.

    A video is decoded in processes of their own, which start with the first.
    """

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._small: Thumbnails | None = None

    def __enter__(self) -> Pictures:
        return self

    def __exit__(self, *_: object) -> None:
        if self._small is not None:
            self._small.__exit__()

    def of(self, faces: Sequence[Row]) -> list[bytes | None]:
        """A JPEG of each of these faces, None where it cannot be.

        A face is {`file` (or null), `box`, `width`, `height`, `at`}, as questions show it.
        """
        moving = [face for face in faces if face["file"] is not None and face["at"] is not None]
        seen = dict(zip(map(id, moving), self._of_videos(moving), strict=True)) if moving else {}
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            return list(threads.map(lambda face: seen[id(face)] if id(face) in seen else _of_photo(face), faces))

    def _of_videos(self, faces: Sequence[Row]) -> list[bytes | None]:
        from guyverd.service.pipeline.evaluation.picturing import SIDE  # noqa: PLC0415  as above
        from guyverd.service.pipeline.thumbs import Thumbnails, wanted_of  # noqa: PLC0415

        if self._small is None:
            self._small = Thumbnails(self._workers)
        found = self._small.of(
            wanted_of([os.fsencode(face["file"])], face["at"], face["box"], whole=0, side=SIDE) for face in faces
        )
        return [None if isinstance(one, str) else one.faces[0] for one in found]


def _of_photo(face: Row) -> bytes | None:
    return None if face["file"] is None else crop(face["file"], face["box"], (face["width"], face["height"]))


def save(
    faces: Iterable[Row],
    folder: Path,
    *,
    longest: int | None = None,
    sacred: Iterable[Path] = (),
    each: Callable[[], object] | None = None,
    workers: Workers,
) -> Saved:
    """Cut faces, rows as `Library.faces` gives them, upright and as large as they are, into `folder`.

    Each becomes a JPEG called `<day>_<photo's name>_<face>.jpg`: its box with a tenth of its size added on each side,
    as far as the photo reaches, and no side longer than `longest` pixels where that is given. The folder is made when
    it is not there; what stands in it is dealt with as by `export.copy_originals`, which tells of `sacred` and of the
    errors too. `each` is called after every face. A face in a video is cut from its best frame, by `workers`.
    """
    from guyverd.service.pipeline.cropping import Cutters  # noqa: PLC0415  as above

    written: list[str] = []
    already: list[str] = []
    missing: list[tuple[int, str, str]] = []
    with closing(Cutters(workers)) as cutters, export.filling(folder, sacred) as put:
        # The faces of one photo follow each other, so that it is decoded once.
        for (_, at), rows in itertools.groupby(faces, key=lambda row: (row["photo"], row["at"])):
            some = list(rows)
            boxes = [_box(row["box"]) for row in some]
            file, found = _cut(some[0]["files"], boxes, longest, at, cutters)
            for row, cut in zip(some, found, strict=True):
                if isinstance(cut, str):
                    missing.append((row["face"], file, cut))
                else:
                    path, new = put(cut, _name(row, file))
                    (written if new else already).append(path)
                if each is not None:
                    each()
    return Saved(tuple(written), tuple(already), tuple(missing))


def _cut(
    files: Sequence[str], boxes: Sequence[Box], longest: int | None, at: float | None, cutters: Cutters
) -> tuple[str, list[bytes | str]]:
    """Each face, or why not, from the first file that can be read; and which that was, or the first that was tried."""
    from guyverd.service.pipeline.cropping import cut_out  # noqa: PLC0415  as above

    problem = "no file of its photo is there"
    for file in files:
        path = os.fsencode(file)
        try:
            return file, cut_out(path, boxes, longest) if at is None else cutters.cut_out(path, boxes, longest, at)
        except (PictureError, WorkerError) as raised:
            problem = str(raised.fields.get("detail") or "it is not there")
        except MemoryError as raised:
            problem = str(raised) or "it takes more memory than it may"
    return (files[0] if files else ""), [problem] * len(boxes)


def _name(row: Row, file: str) -> str:
    stem = os.path.splitext(os.path.basename(file))[0]
    day = (row["taken_at"] or UNDATED)[:10]
    return export.fitting(f"{day}_{stem}", f"_{row['face']}.jpg")


def _box(edges: Sequence[int]) -> Box:
    from guyverd.model import Box  # noqa: PLC0415  as above

    left, top, right, bottom = edges
    return Box(left, top, right, bottom)
