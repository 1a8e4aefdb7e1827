"""Perceptual hashes: what they pass over, and what they see."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from guyverd.media.look import look
from tests.faces.samples import astronaut, hopper

if TYPE_CHECKING:
    from guyverd.model import Pixels


def differing(one: int, other: int) -> int:
    return ((one ^ other) & (2**64 - 1)).bit_count()


def saved(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def pixels(image: Image.Image) -> Pixels:
    return np.asarray(image)


def test_saved_again_smaller_lighter_or_grey_it_looks_the_same() -> None:
    image = Image.fromarray(astronaut())
    first = look(astronaut())
    assert -(2**63) <= first < 2**63
    again = [saved(image, 30), image.resize((image.width // 4, image.height // 4)), image.convert("L").convert("RGB")]
    again.append(ImageEnhance.Brightness(image).enhance(1.2))
    assert [differing(first, look(pixels(one))) <= 6 for one in again] == [True] * 4


def test_another_picture_looks_otherwise() -> None:
    assert differing(look(astronaut()), look(hopper())) > 16
    turned = np.ascontiguousarray(np.rot90(astronaut()))
    assert differing(look(astronaut()), look(turned)) > 16


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (31, 33), (2000, 3)])
def test_pictures_of_any_shape_have_a_look(shape: tuple[int, int]) -> None:
    flat = np.full((*shape, 3), 128, np.uint8)
    assert look(flat) == look(flat.copy())
