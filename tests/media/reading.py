"""A job for worker processes: read one file and say how that went."""

from __future__ import annotations

import os

from guyverd.errors import PictureUnreadable
from guyverd.media.still import read_picture


def outcome(path: str) -> tuple[str, str]:
    """("read", format) or ("unreadable", reason); anything else is raised."""
    with open(path, "rb") as file:
        data = file.read()
    try:
        picture = read_picture(data, path=os.fsencode(path))
    except PictureUnreadable as error:
        return "unreadable", str(error.fields["detail"])
    assert picture.pixels.shape[2] == 3
    assert max(picture.pixels.shape) < 2 * 4096
    return "read", picture.format
