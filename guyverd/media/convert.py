"""From any of Pillow's pixel modes to 8-bit RGB that shows what a viewer would show.

Two steps, because the picture is reduced in between: `resizable` gives a mode in which averaging neighbours means
something (not palette indices), `rgb` the final colours. Large pictures are reduced before they are widened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageCms

if TYPE_CHECKING:
    import numpy.typing as npt

_ROWS = 256
"""Rows converted at a time, so that a deep picture needs no second copy of itself in floating point."""


def resizable(image: Image.Image) -> Image.Image:
    """`image` as L, LA, RGB, RGBA or CMYK. Raises ValueError for a mode that has no meaning as colour."""
    if image.mode.startswith("I") or image.mode == "F":
        return deep_grey(image)
    if image.mode == "LAB":
        return _from_lab(image)
    if image.has_transparency_data and image.mode not in ("LA", "RGBA"):
        return image.convert("LA" if image.mode in ("L", "La") else "RGBA")
    if image.mode == "1":
        return image.convert("L")
    if image.mode not in ("L", "LA", "RGB", "RGBA", "CMYK"):
        return image.convert("RGB")
    return image


def rgb(image: Image.Image) -> Image.Image:
    """`image`, in one of the modes of `resizable`, as RGB.

    Transparent pictures are laid on white, as viewers do: what lies under transparent pixels is often black or
    garbage with edges of its own. A picture that is transparent everywhere has an alpha channel that nobody meant;
    it is dropped.
    """
    if image.mode in ("LA", "RGBA"):
        alpha = image.getchannel("A")
        opaque = image.convert("RGB")
        highest = alpha.getextrema()[1]
        if highest == 0:
            return opaque
        ground = Image.new("RGB", image.size, (255, 255, 255))
        ground.paste(opaque, mask=alpha)
        return ground
    return image if image.mode == "RGB" else image.convert("RGB")


def deep_grey(image: Image.Image) -> Image.Image:
    """Grey of 16 or 32 bits or floating point as L, scaled rather than clipped.

    Whole numbers are scaled by the bits they use: 12-bit pictures come in 16-bit files, and over the full range they
    would be nearly black. Floating point is taken as 0..1 or 0..255 where it stays within, else stretched between
    its extremes; what is not a number becomes black.
    """
    values: npt.NDArray[Any] = np.asarray(image)
    low, high = _extremes(values)
    if values.dtype.kind == "f":
        low, high = (0.0, 1.0) if low >= 0 and high <= 1 else (0.0, 255.0) if low >= 0 and high <= 255 else (low, high)
    elif low >= 0:
        low, high = 0.0, float((1 << max(8, int(high).bit_length())) - 1)
    factor = 255.0 / (high - low) if high > low else 0.0
    out = np.empty(values.shape, np.uint8)
    for row in range(0, values.shape[0], _ROWS):
        block = np.nan_to_num(values[row : row + _ROWS].astype(np.float64), nan=low, posinf=high, neginf=low)
        out[row : row + _ROWS] = np.clip((block - low) * factor + 0.5, 0, 255)
    return Image.fromarray(out)


def _extremes(values: npt.NDArray[Any]) -> tuple[float, float]:
    """Smallest and largest finite value; 0, 0 where there is none."""
    low, high = np.inf, -np.inf
    for row in range(0, values.shape[0], _ROWS):
        block = values[row : row + _ROWS]
        finite = block[np.isfinite(block)]
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    return (low, high) if low <= high else (0.0, 0.0)


def _from_lab(image: Image.Image) -> Image.Image:
    converted = ImageCms.profileToProfile(
        image, ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), outputMode="RGB"
    )
    if converted is None:
        raise ValueError("its Lab colours could not be converted")
    return converted
