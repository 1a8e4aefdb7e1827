"""Photos of faces that come with development dependencies, and one engine for all tests."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import matplotlib.cbook
import numpy as np
import skimage.data
from PIL import Image

from guyverd.faces.dlib_engine import DlibEngine
from guyverd.faces.onnx_engine import OnnxEngine

if TYPE_CHECKING:
    from guyverd.model import Pixels


@functools.cache
def astronaut() -> Pixels:
    """512 × 512, one face about 150 px wide, another picture on the wall."""
    return np.ascontiguousarray(skimage.data.astronaut())  # type: ignore[no-untyped-call]


@functools.cache
def hopper() -> Pixels:
    """512 × 600, one face."""
    path = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    with Image.open(str(path)) as image:
        return np.array(image.convert("RGB"))


@functools.cache
def both() -> Pixels:
    """The two side by side on black: the astronaut left, the admiral right."""
    ground = np.zeros((620, 1100, 3), np.uint8)
    ground[:512, :512] = astronaut()
    ground[:600, 560:1072] = hopper()
    return ground


@functools.cache
def engine() -> DlibEngine:
    return DlibEngine()


@functools.cache
def onnx_engine() -> OnnxEngine:
    return OnnxEngine()
