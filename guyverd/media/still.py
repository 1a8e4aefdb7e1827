"""A picture file's bytes as upright RGB pixels, reduced to a workable size.

Pillow decodes, libheif (through pillow-heif) only HEIC and HEIF: this pillow-heif has no AVIF decoder, Pillow has.
Both are C code fed by strangers: call this only in expendable workers. Every fault of the bytes becomes
`PictureUnreadable` with a short reason.
"""

from __future__ import annotations

import functools
import io
import os
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import AvifImagePlugin, ExifTags, Image, ImageFile, UnidentifiedImageError

from guyverd.errors import PictureUnreadable
from guyverd.media import convert
from guyverd.media.metadata import taken_at

if TYPE_CHECKING:
    from guyverd.model import Pixels

# AVIF before HEIF: both begin alike, and only Pillow's AVIF decoder hands a file of the other kind on.
_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "HEIF", "TIFF", "BMP", "GIF")
_SHORTEST = 2
"""Pixels; a face has more, and dlib need not see less."""
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class Picture:
    """What a picture file shows."""

    pixels: Pixels
    """uint8[h, w, 3], RGB, upright, C-contiguous, possibly reduced."""
    width: int
    """Pixels of the upright original."""
    height: int
    scale: float
    """Size of `pixels` to that of the original: 1 / a whole number."""
    format: str
    """As Pillow names it; MPO, which is two JPEGs in one file, counts as JPEG."""
    taken_at: str | None
    """Capture time, ISO 8601."""
    duration: float | None = None
    """Seconds; of a frame of a video, those of the video."""


class _Reason(Exception):
    """Why a picture is not read, in words for the user."""


def read_picture(data: bytes, *, path: bytes, enough: int = 4096, most_pixels: int = 250_000_000) -> Picture:
    """Decode `data`, the bytes of the file `path` (used only in messages).

    Pictures are reduced, by a whole number, as long as `enough` pixels remain on the longer side; so it has fewer than
    twice as many. Raises PictureUnreadable for anything that is not a
    whole picture of a known format with at most `most_pixels` pixels, and never another exception for bad bytes.
    """
    _prepare()
    kept = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    # Pillow refuses above twice its limit, in places where the size is not known before (GIF frames, tiles). Half a
    # picture, the rest grey, would be stored as if it were all: never load truncated files, whatever others set.
    Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = max(1, most_pixels // 2), False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _read(data, enough, most_pixels)
    except _Reason as reason:
        raise PictureUnreadable(path=os.fsdecode(path), detail=str(reason)) from None
    except Exception as problem:
        raise PictureUnreadable(path=os.fsdecode(path), detail=_explained(problem, most_pixels)) from problem
    finally:
        Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = kept


@functools.cache
def _prepare() -> None:
    """Teach Pillow HEIF; one thread per decoder, because there is one worker per core."""
    import pillow_heif  # noqa: PLC0415  32 MB of libraries that only readers need

    pillow_heif.register_heif_opener(decode_threads=1, thumbnails=False, depth_images=False, aux_images=False)
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1


def _read(data: bytes, enough: int, most_pixels: int) -> Picture:
    if not data:
        raise _Reason("the file is empty")
    with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
        _check_size(image.size, enough, most_pixels)
        format_ = "JPEG" if image.format == "MPO" else str(image.format)
        # Before loading: a TIFF cannot be asked once its file is closed.
        exif = _exif(image)
        size = _drafted(image, enough)
        image.load()
        # libheif may learn the true size only now; a TIFF is turned by its own loader.
        width, height = size or image.size
        _check_size((width, height), enough, most_pixels)
        turn = _TURNS.get(_orientation(image))
        time = taken_at(exif, image.info.get("xmp") or image.info.get("XML:com.adobe.xmp"))
        # A reduced side is rounded up where it does not divide; what is left over is a smaller block, not a scale.
        drafted = max(1, round(max(width, height) / max(image.size)))
        again = _factor(image.size, enough)
        small = convert.resizable(image)
        if again > 1:
            # Each pixel the mean of a block: as long as blocks are whole, that is as good as it is quick.
            small = small.reduce(again)
    small = convert.rgb(small)
    if turn is not None:
        small = small.transpose(turn)
        if turn in (
            Image.Transpose.TRANSPOSE,
            Image.Transpose.TRANSVERSE,
            Image.Transpose.ROTATE_90,
            Image.Transpose.ROTATE_270,
        ):
            width, height = height, width
    pixels = np.array(small, dtype=np.uint8, order="C")
    return Picture(pixels, width, height, 1 / (drafted * again), format_, time)


def _check_size(size: tuple[int, int], enough: int, most_pixels: int) -> None:
    width, height = size
    if width * height > most_pixels:
        raise _Reason(f"it has {width} × {height} pixels; at most {most_pixels / 1e6:g} million are read")
    if min(size) < _SHORTEST:
        raise _Reason(f"it has only {width} × {height} pixels")
    if min(size) // _factor(size, enough) < _SHORTEST:
        raise _Reason(f"it has {width} × {height} pixels, a line rather than a picture")


def _factor(size: tuple[int, int], enough: int) -> int:
    """By how much a picture of `size` can be reduced so that `enough` pixels remain on its longer side."""
    return max(1, max(size) // enough)


def _drafted(image: Image.Image, enough: int) -> tuple[int, int] | None:
    """Have a JPEG decoded at 1/2, 1/4 or 1/8 where that is not below `enough`; its full size, None for others.

    HEIF is left out on purpose: its draft is an embedded thumbnail, which an editor may have left as it was.
    """
    if not isinstance(image, ImageFile.ImageFile) or image.format not in ("JPEG", "MPO"):
        return None
    size = image.size
    factor = _factor(size, enough)
    image.draft(None, (size[0] // factor, size[1] // factor))
    return size


def _exif(image: Image.Image) -> dict[int, object]:
    """The main and the Exif directory, merged. Broken metadata is no reason to refuse the picture."""
    try:
        exif = image.getexif()
        return {**dict(exif), **exif.get_ifd(ExifTags.IFD.Exif)}
    except (MemoryError, OSError):
        raise
    except Exception:
        return {}


def _orientation(image: Image.Image) -> int:
    """1 to 8 as in EXIF, after loading: what is still to be done.

    libheif turns HEIF by the file's own boxes and pillow-heif then sets the tag to 1, as the standard wants; Pillow
    does the same for TIFF, and puts AVIF's boxes into the tag.
    """
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:
        return 1
    return value if isinstance(value, int) else 1


def _explained(problem: Exception, most_pixels: int) -> str:
    """One short line for the user."""
    if isinstance(problem, MemoryError):
        return "it takes more memory than a worker may use"
    if isinstance(problem, Image.DecompressionBombError):
        return f"it unfolds to more than the {most_pixels / 1e6:g} million pixels that are read"
    if isinstance(problem, UnidentifiedImageError):
        return "it is no picture of a format known here, or its beginning is damaged"
    text = " ".join(str(problem).split())[:160]
    if "truncated" in text.lower():
        return f"it is cut short ({text})"
    return f"it is damaged ({text or type(problem).__name__})"
