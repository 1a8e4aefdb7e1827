"""Faces cut from a photo as large as they are in it."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image

from guyverd.evaluation.page import enlarged
from guyverd.media.content import read_file
from guyverd.media.still import read_picture
from guyverd.model import Box
from guyverd.service.pipeline.reading import MOST_BYTES

_QUALITY = 95
"""Of JPEG; with more, files grow and nobody sees it."""
_WHOLE = 1 << 31
"""Pixels; a picture that is to have so many is not reduced."""


def cut_out(path: bytes, boxes: Sequence[Box], longest: int | None = None) -> list[bytes | str]:
    """For each box, in pixels of the upright photo, a JPEG of it with a tenth added all around; or why there is none.

    No side is longer than `longest` pixels, where that is given. Raises PictureError where the photo cannot be read. It
    is decoded in this process: a worker did it before and came to no harm.
    """
    picture = read_picture(read_file(path, MOST_BYTES)[0], path=path, enough=_WHOLE)
    whole = Image.fromarray(picture.pixels)
    found: list[bytes | str] = []
    for box in boxes:
        at = enlarged(box, picture.width, picture.height)
        if at.width <= 0 or at.height <= 0:
            found.append("the photo is smaller than it was when the face was found")
            continue
        face = whole.crop((at.left, at.top, at.right, at.bottom))
        if longest is not None:
            face.thumbnail((longest, longest), Image.Resampling.LANCZOS)
        made = io.BytesIO()
        face.save(made, "JPEG", quality=_QUALITY, subsampling=0)
        found.append(made.getvalue())
    return found
