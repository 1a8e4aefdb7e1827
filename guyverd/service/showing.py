"""What was found, to be looked at: a page of pictures, and the faces of a picture that is asked about.

Pictures are decoded in processes of their own, never in the daemon and never here: they may harm their reader.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from guyverd.config import Config
from guyverd.errors import ExportError
from guyverd.service import export, gallery
from guyverd.service.api import Row

WHOLE = 400
"""Pixels on the longer side of a picture on a page."""
FACE = 128
_BEGINS = 4096
"""Bytes within which a page of ours tells that it is one."""


def write_page(
    config: Config,
    path: Path,
    rows: Sequence[Row],
    *,
    title: str,
    about: str = "",
    each: Callable[[], object] = lambda: None,
) -> None:
    """Write a page with a small picture of each of `rows`, as `Library.search` or `Library.together` give them.

    A page that stands at `path` is replaced, once the new one is whole; anything else is left. Raises ExportError where
    something else stands there, where it would lie in a photo folder, or cannot be written. `each` is called after
    every row.
    """
    from guyverd.service.pipeline.thumbs import Thumbnails, wanted_of  # noqa: PLC0415  for pages only

    path = path.absolute()
    export.refuse_inside(path.parent, config.photos)
    _check_ours(path)
    part = path.with_name(f".guyverd-{secrets.token_hex(8)}.part")
    try:
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            with open(fd, "w", encoding="utf-8") as page, Thumbnails(config.workers) as small:
                page.write(gallery.head(title, about, len(rows)))
                there = [row for row in rows if row["files"]]
                seen = small.of(
                    wanted_of(
                        [os.fsencode(file) for file in row["files"]],
                        _time(row),
                        row.get("box") if row["start"] is None or row.get("at") is not None else None,
                        whole=WHOLE,
                        side=FACE,
                    )
                    for row in there
                )
                for row in rows:
                    thumb = next(seen) if row["files"] else "no file of it is there now"
                    if not isinstance(thumb, str):
                        assert thumb.whole is not None
                        face = thumb.faces[0] if thumb.faces else None
                        page.write(gallery.card(row, gallery.Shown(thumb.whole, face, thumb.width, thumb.height)))
                    else:
                        page.write(gallery.card(row, thumb))
                    each()
                page.write(gallery.tail())
                page.flush()
                os.fsync(page.fileno())
            _check_ours(path)
            os.replace(part, path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(part)
    except OSError as problem:
        raise ExportError(path=path, detail=problem.strerror or str(problem)) from problem


def faces(config: Config, path: str, at: float | None, boxes: Sequence[Sequence[int]], side: int) -> list[bytes | None]:
    """Faces in a picture, or in a video at some time: JPEGs of `side` pixels at most, None where that cannot be.

    A box is [left, top, right, bottom] in pixels of the upright picture.
    """
    from guyverd.model import Box  # noqa: PLC0415
    from guyverd.service.pipeline.thumbs import Thumbnails, ThumbWanted  # noqa: PLC0415

    real = os.path.realpath(os.fsencode(path))
    with Thumbnails(config.workers) as small:
        wanted = ThumbWanted((real,), at, tuple(Box(*box) for box in boxes), 0, side)
        (thumb,) = small.of([wanted])
    return [None] * len(boxes) if isinstance(thumb, str) else list(thumb.faces)


def _time(row: Row) -> float | None:
    """At which a video is shown: where the face is best, else in the middle of the moment."""
    if row["start"] is None:
        return None
    found = row.get("at")
    return float((row["start"] + row["end"]) / 2 if found is None else found)


def _check_ours(path: Path) -> None:
    """Refuse to replace what is no page of ours."""
    try:
        if stat.S_ISREG(os.stat(path).st_mode):
            with open(path, "rb") as file:
                if gallery.MARK.encode() in file.read(_BEGINS):
                    return
    except FileNotFoundError:
        return
    except OSError as problem:
        raise ExportError(path=path, detail=problem.strerror or str(problem)) from problem
    raise ExportError(path=path, detail="it is there already, and no page that guyverd wrote")
