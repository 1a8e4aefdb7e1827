"""Faces cut from their photos, for whoever shows them.

They are cut where they are shown, and not by the daemon: a picture that harms its reader harms nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Sequence


def crop(file: str, box: Sequence[int], size: tuple[int, int]) -> bytes | None:
    """The face in `box` of the photo `file`, a small JPEG; None where it cannot be read.

    `size` is that of the upright photo, in pixels, as the box is.
    """
    from guyverd.model import Box  # noqa: PLC0415  decoders are loaded when a picture is shown
    from guyverd.service.pipeline.evaluation.picturing import cut  # noqa: PLC0415

    left, top, right, bottom = box
    return cut(os.fsencode(file), Box(left, top, right, bottom), size)
