"""Which files are taken for pictures, by their name alone.

The scanner asks this of every file below a root, so it opens nothing and imports nothing. Whether a file really is a
picture shows when it is read.
"""

from __future__ import annotations

EXTENSIONS = frozenset(
    {
        b"jpg",
        b"jpeg",
        b"jpe",
        b"jfif",
        b"png",
        b"webp",
        b"heic",
        b"heics",
        b"heif",
        b"heifs",
        b"hif",
        b"avif",
        b"tif",
        b"tiff",
        b"bmp",
        b"dib",
        b"gif",
    }
)
"""Lower case, without the dot. MPO, what some cameras make of two pictures, comes as `.jpg`."""


def is_picture(name: bytes) -> bool:
    """Whether a file of this name (or path) is read as a picture; upper and lower case are the same."""
    base = name.rpartition(b"/")[2]
    stem, dot, extension = base.rpartition(b".")
    return bool(stem and dot) and extension.lower() in EXTENSIONS
