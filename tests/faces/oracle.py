"""dlib's own networks, which ours are compared with, and pictures to compare them on."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import dlib
import numpy as np
from PIL import Image

from guyverd.faces.weights import Weights, find
from tests.faces.samples import astronaut, both, hopper

if TYPE_CHECKING:
    from guyverd.model import FloatArray, Pixels

Rectangle = tuple[int, int, int, int]


@functools.cache
def _detector() -> dlib.cnn_face_detection_model_v1:
    return dlib.cnn_face_detection_model_v1(find(Weights.CNN_DETECTOR))


@functools.cache
def _network() -> dlib.face_recognition_model_v1:
    return dlib.face_recognition_model_v1(find(Weights.EMBEDDING))


def boxes(pixels: Pixels, upsample: int = 0) -> dict[Rectangle, float]:
    """What dlib's CNN detector finds: each rectangle, its last pixel counted in, and its score."""
    found = _detector()(pixels, upsample)
    return {(d.rect.left(), d.rect.top(), d.rect.right(), d.rect.bottom()): d.confidence for d in found}


def vectors(chips: Pixels) -> FloatArray:
    """float32[n, 128]"""
    found = _network().compute_face_descriptor([np.ascontiguousarray(chip) for chip in chips], 0)
    return np.array([np.array(vector) for vector in found], np.float32)


def varied(count: int, longest: int) -> Iterator[Pixels]:
    """Pictures of all shapes: turned, cropped, scaled, darkened; with one face, two, or none whole."""
    random = np.random.default_rng(7)
    sources = [Image.fromarray(picture()) for picture in (astronaut, hopper, both)]
    for number in range(count):
        image = sources[number % len(sources)].rotate(float(random.uniform(-12, 12)))
        width, height = image.size
        edges = random.uniform(0, 0.18, 4) * (width, height, width, height)
        image = image.crop((int(edges[0]), int(edges[1]), width - int(edges[2]), height - int(edges[3])))
        image = image.resize(
            (int(image.width * random.uniform(0.6, 1.4)), int(image.height * random.uniform(0.6, 1.4)))
        )
        image.thumbnail((longest, longest))
        pixels = np.array(image, dtype=np.float64) * random.uniform(0.5, 1.1)
        yield np.clip(pixels, 0, 255).astype(np.uint8)
