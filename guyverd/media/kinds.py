"""Which files are taken for pictures and for videos, by their name alone.

The scanner asks this of every file below a root, so it opens nothing and imports nothing. Whether a file really is a
picture shows when it is read.
"""

from __future__ import annotations

from collections.abc import Callable

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


VIDEO_EXTENSIONS = frozenset(
    {
        b"mp4",
        b"m4v",
        b"mov",
        b"qt",
        b"mkv",
        b"webm",
        b"avi",
        b"mts",
        b"m2ts",
        b"3gp",
        b"3g2",
    }
)
"""Lower case, without the dot."""


def is_video(name: bytes) -> bool:
    """Whether a file of this name (or path) is read as a video; upper and lower case are the same."""
    return _extension(name) in VIDEO_EXTENSIONS


def is_media(name: bytes) -> bool:
    """Whether a file of this name (or path) is read at all."""
    return is_picture(name) or is_video(name)


def readable(*, videos: bool) -> Callable[[bytes], bool]:
    """What tells of a name whether a file of it is read: a picture, and where `videos` are read, a video."""
    return is_media if videos else is_picture


def is_picture(name: bytes) -> bool:
    """Whether a file of this name (or path) is read as a picture; upper and lower case are the same."""
    return _extension(name) in EXTENSIONS


def _extension(name: bytes) -> bytes:
    """What follows the last dot, in lower case; empty for a name that is nothing else."""
    base = name.rpartition(b"/")[2]
    stem, dot, extension = base.rpartition(b".")
    return extension.lower() if stem and dot else b""
