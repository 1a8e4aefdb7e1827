"""Large photos with faces at known places, made from pictures that the development dependencies carry.

The two portraits are those of Eileen Collins (NASA; scikit-image) and Grace Hopper (US Navy; matplotlib); other
photographs of scikit-image make the ground behind them.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageEnhance

from benchmarks.common import alone, progress
from guyverd.model import Box

if TYPE_CHECKING:
    from guyverd.model import Pixels

_OLD = 1_600_000_000
"""Seconds since 1970: files of that age are read at once, younger ones may still be written."""
_MARGIN = 0.5
"""Of the face's width, shown around it on each side."""
_ACROSS, _DOWN = 4, 2
_SMALLEST, _LARGEST = 1 / 30, 1 / 8
"""Of the picture's width: the narrowest and the widest face; the others lie between, each larger by the same factor."""
_GRAIN = 4.0
"""Standard deviation of the noise, as of a sensor at moderate light, in grey levels."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A picture file and the faces in it."""

    path: Path
    width: int
    """Pixels; the longer side."""
    faces: tuple[Box, ...]

    def of_at_least(self, share: float) -> Photo:
        """The same with only those faces that are at least so wide, as a share of the longer side."""
        return replace(self, faces=tuple(face for face in self.faces if face.width >= share * self.width))

    def found(self, boxes: Iterable[Box]) -> int:
        """How many of its faces are among `boxes`: their middle lies in the face, and their width is like it."""
        left = list(boxes)
        count = 0
        for face in self.faces:
            match = next((box for box in left if _same(face, box)), None)
            if match is not None:
                left.remove(match)
                count += 1
        return count


def _same(face: Box, box: Box) -> bool:
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    inside = face.left <= x < face.right and face.top <= y < face.bottom
    return inside and face.width / 2 <= box.width <= face.width * 2


MOST_FACES = _ACROSS * _DOWN


def make(path: Path, megapixels: float, seed: int, faces: int = MOST_FACES) -> Photo:
    """Write a JPEG (4:3, quality 90) with so many faces, eight at most; the same for the same size and seed."""
    chance = np.random.default_rng(seed)
    height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    width = round(height * 4 / 3)
    picture = _ground(width, height, chance)
    placed = []
    shares = chance.permutation(np.geomspace(_SMALLEST, _LARGEST, MOST_FACES))
    for number in chance.permutation(MOST_FACES)[:faces] if faces < MOST_FACES else range(MOST_FACES):
        share = shares[number]
        source, face = _portraits()[number % 2]
        head, inner = _head(source, face, round(share * width), chance)
        cell = width / _ACROSS, height / _DOWN
        left = round(number % _ACROSS * cell[0] + chance.uniform(0, max(0.0, cell[0] - head.width)))
        top = round(number // _ACROSS * cell[1] + chance.uniform(0, max(0.0, cell[1] - head.height)))
        picture.paste(head, (left, top))
        placed.append(Box(left + inner.left, top + inner.top, left + inner.right, top + inner.bottom))
    _with_grain(picture, chance).save(path, quality=90)
    os.utime(path, (_OLD, _OLD))
    return Photo(path, width, tuple(placed))


def several(folder: Path, megapixels: float, count: int, faces: int = MOST_FACES) -> list[Photo]:
    """So many different ones, made in a process of its own, which takes the memory that this needs along."""
    folder.mkdir(parents=True, exist_ok=True)
    made: list[Photo] = alone(_several, folder, megapixels, count, faces)
    return made


def _several(folder: Path, megapixels: float, count: int, faces: int) -> list[Photo]:
    made = []
    for number in range(count):
        progress(f"making picture {number + 1} of {count}, {megapixels:g} MP")
        made.append(make(folder / f"{megapixels:g}-{number:03d}.jpg", megapixels, seed=number, faces=faces))
    return made


def again(photo: Photo, path: Path) -> Photo:
    """The same picture under another name, with other bytes: a photo of its own to whoever goes by content."""
    content = photo.path.read_bytes()
    assert content[:2] == b"\xff\xd8", "a JPEG"
    words = os.fsencode(path.name)
    path.write_bytes(content[:2] + b"\xff\xfe" + (len(words) + 2).to_bytes(2, "big") + words + content[2:])
    os.utime(path, (_OLD, _OLD))
    return replace(photo, path=path)


def portraits() -> list[tuple[Pixels, Box]]:
    """The two portraits as they are, uint8[h, w, 3], and the face in each."""
    return [(np.array(image), face) for image, face in _portraits()]


@functools.cache
def _portraits() -> tuple[tuple[Image.Image, Box], ...]:
    import matplotlib as mpl
    from skimage import data

    hopper = Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    astronaut = Image.fromarray(data.astronaut())  # type: ignore[no-untyped-call]
    with Image.open(hopper) as opened:
        return (astronaut, Box(172, 74, 268, 170)), (opened.convert("RGB"), Box(180, 145, 365, 330))


@functools.cache
def _grounds() -> tuple[Image.Image, ...]:
    from skimage import data

    left, _, _ = data.stereo_motorcycle()  # type: ignore[no-untyped-call]
    found = (data.coffee(), data.rocket(), data.chelsea(), left)  # type: ignore[no-untyped-call]
    return tuple(Image.fromarray(picture) for picture in found)


def _ground(width: int, height: int, chance: np.random.Generator) -> Image.Image:
    """Four by three pictures, some of them mirrored."""
    ground = Image.new("RGB", (width, height))
    across, down = -(-width // 4), -(-height // 3)
    for place in range(12):
        piece = _grounds()[int(chance.integers(len(_grounds())))]
        if chance.integers(2):
            piece = piece.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        ground.paste(piece.resize((across, down), Image.Resampling.BICUBIC), (place % 4 * across, place // 4 * down))
    return ground


def _head(source: Image.Image, face: Box, wanted: int, chance: np.random.Generator) -> tuple[Image.Image, Box]:
    """Head and neck with a face `wanted` pixels wide, in another light and slightly tilted; and the face in it."""
    middle = (face.left + face.right) / 2, (face.top + face.bottom) / 2
    tilted = source.rotate(float(chance.uniform(-6, 6)), Image.Resampling.BICUBIC, center=middle)
    lit = ImageEnhance.Brightness(tilted).enhance(float(chance.uniform(0.75, 1.25)))
    margin = round(face.width * _MARGIN)
    outer = Box(
        max(0, face.left - margin),
        max(0, face.top - margin),
        min(source.width, face.right + margin),
        min(source.height, face.bottom + margin),
    )
    factor = wanted / face.width
    size = round(outer.width * factor), round(outer.height * factor)
    head = lit.crop((outer.left, outer.top, outer.right, outer.bottom)).resize(size, Image.Resampling.LANCZOS)
    inner = Box(face.left - outer.left, face.top - outer.top, face.right - outer.left, face.bottom - outer.top)
    return head, inner.scaled(factor)


def _with_grain(picture: Image.Image, chance: np.random.Generator) -> Image.Image:
    """`picture` as a sensor would have it: what is enlarged from a small one is too smooth to be a photo."""
    pixels = np.array(picture)
    tile = chance.normal(0, _GRAIN, (512, 512, 3)).astype(np.int16)
    for top in range(0, len(pixels), 512):
        for left in range(0, pixels.shape[1], 512):
            part = pixels[top : top + 512, left : left + 512]
            grain = np.roll(tile, int(chance.integers(512)), axis=int(chance.integers(2)))
            np.clip(part + grain[: part.shape[0], : part.shape[1]], 0, 255, out=part, casting="unsafe")
    return Image.fromarray(pixels)
