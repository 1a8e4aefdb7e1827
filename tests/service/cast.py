"""Five people made of two portraits: what a lens does to a face makes somebody else of it, as the network sees it."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from skimage.transform import warp

from tests.faces.samples import astronaut, hopper, onnx_engine
from tests.service.conftest import variations

if TYPE_CHECKING:
    from guyverd.model import Box, Pixels

ADA, BEA, CHEN, GRACE, LOU = "ada", "bea", "chen", "grace", "lou"
EVERYBODY = (ADA, BEA, CHEN, GRACE, LOU)
OLD = (1_600_000_000, 1_600_000_000)
"""The times of all photos: none is young, so that nothing waits until it has come to rest."""


@functools.cache
def looks(who: str) -> Pixels:
    """One portrait, 512 pixels wide."""
    portrait = hopper() if who in (GRACE, CHEN) else astronaut()
    if who in (ADA, GRACE):
        return portrait
    face = max((found.box for found in onnx_engine().detect(portrait)), key=lambda box: box.width)
    low, power, reach = {BEA: (0.0, -0.4, 0.7), CHEN: (0.3, -0.5, 0.6), LOU: (0.3, 0.6, 0.6)}[who]
    return _through_a_lens(portrait, face, low, power, reach)


def photographed(into: Path, who: str, count: int) -> None:
    """That many different photos of one of them: `ada0.jpg`, `ada1.jpg`, …"""
    into.mkdir(parents=True, exist_ok=True)
    negative = into / f".{who}.png"
    Image.fromarray(looks(who)).save(negative)
    variations(negative, into, who, count)
    negative.unlink()
    for photo in into.glob(f"{who}*.jpg"):
        os.utime(photo, OLD)


def side_by_side(path: Path, *photos: Path) -> None:
    """One photo that shows what these show."""
    opened = [Image.open(photo).convert("RGB") for photo in photos]
    whole = Image.new("RGB", (sum(image.width for image in opened), max(image.height for image in opened)))
    left = 0
    for image in opened:
        whole.paste(image, (left, 0))
        left += image.width
    whole.save(path, quality=95)
    os.utime(path, OLD)


def _through_a_lens(portrait: Pixels, face: Box, low: float, power: float, reach: float) -> Pixels:
    """What lies around a point of a face is drawn together, or apart where `power` is negative.

    The point lies `low` widths of the face below its middle, and `reach` widths around it are changed.
    """
    middle = np.array([(face.left + face.right) / 2, (face.top + face.bottom) / 2 + low * face.width])
    radius = reach * face.width

    def source(points: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> object:
        away = points - middle
        distance = np.clip(np.hypot(away[:, 0], away[:, 1]) / radius, 1e-6, 1.0)
        return middle + away * (distance**power)[:, None]

    seen = warp(portrait, source)  # type: ignore[no-untyped-call]
    return np.ascontiguousarray(255 * seen, dtype=np.uint8)
