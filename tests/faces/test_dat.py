"""The reader of dlib's files: the real ones, and everything that is none."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guyverd.errors import EngineError
from guyverd.faces import dat
from guyverd.faces.dat import Affine, Convolution, Dense, Pool, Tag
from guyverd.faces.weights import Weights, find
from tests.promises import scaled

EMBEDDING = Path(find(Weights.EMBEDDING)).read_bytes()
DETECTOR = Path(find(Weights.CNN_DETECTOR)).read_bytes()


def test_the_embedding_network_is_what_its_author_describes() -> None:
    network = dat.read(EMBEDDING)
    convolutions = [layer for layer in network.layers if isinstance(layer, Convolution)]
    # 29 convolutions: "a ResNet network with 29 conv layers".
    assert len(convolutions) == 29
    assert convolutions[0].filters.shape == (32, 3, 7, 7)
    assert convolutions[-1].filters.shape == (256, 256, 3, 3)
    assert isinstance(network.layers[-1], Dense)
    assert network.layers[-1].weights.shape == (256, 128)
    assert network.layers[-2] == Pool(mean=True, window=(0, 0), stride=(1, 1), padding=(0, 0))
    assert network.window is None
    assert np.allclose(network.means, (122.782, 117.001, 104.298))


def test_the_detector_looks_for_faces_of_80_pixels() -> None:
    network = dat.read(DETECTOR)
    assert network.window is not None
    assert (network.window.width, network.window.height) == (80, 80)
    assert 0.3 < network.window.suppression.union < 0.4
    strides = [layer.stride for layer in network.layers if isinstance(layer, Convolution)]
    assert strides == [(2, 2)] * 3 + [(1, 1)] * 4
    affines = [layer for layer in network.layers if isinstance(layer, Affine)]
    assert len(affines) == 6
    assert all(np.isfinite(layer.scale).all() and (layer.scale != 0).all() for layer in affines)
    assert not any(isinstance(layer, Tag) for layer in network.layers)


@pytest.mark.parametrize("data", [EMBEDDING, DETECTOR])
def test_every_byte_is_accounted_for(data: bytes) -> None:
    with pytest.raises(EngineError, match="1 bytes too many"):
        dat.read(data + b"0")
    with pytest.raises(EngineError, match="are wanted"):
        dat.read(data[:-1])


def test_files_that_are_something_else_are_named() -> None:
    landmarks = Path(find(Weights.LANDMARKS)).read_bytes()
    for data in (b"", b"version https://git-lfs.github.com/spec/v1\n", landmarks, b"\0" * 1000):
        with pytest.raises(EngineError, match=r"my\.dat is not a network of dlib"):
            dat.read(data, "my.dat")


@pytest.mark.promise("fuzz")
@settings(deadline=None, max_examples=scaled(150, 5000))
@given(st.data())
def test_damage_is_an_engine_error_or_another_number(chance: st.DataObject) -> None:
    """A flipped byte may hit a weight, which no reader can tell; anywhere else it is an error, never a crash."""
    data = bytearray(DETECTOR)
    place = chance.draw(st.one_of(st.integers(0, 400), st.integers(0, len(data) - 1)))
    data[place] ^= chance.draw(st.integers(1, 255))
    if chance.draw(st.booleans()):
        del data[chance.draw(st.integers(0, len(data) - 1)) :]
    try:
        network = dat.read(bytes(data))
    except EngineError:
        return
    assert len(network.layers) == len(dat.read(DETECTOR).layers)


def whole(value: int) -> bytes:
    """A whole number as dlib writes it."""
    size = max(1, (abs(value).bit_length() + 7) // 8)
    return bytes([size | (0x80 if value < 0 else 0)]) + abs(value).to_bytes(size, "little")


def real(value: float) -> bytes:
    """A floating-point number as dlib writes it."""
    if not math.isfinite(value):
        return whole(0) + whole(32002 if math.isnan(value) else 32000 if value > 0 else 32001)
    mantissa, exponent = math.frexp(value)
    return whole(int(mantissa * 2**53)) + whole(exponent - 53)


@given(st.integers(-(2**63), 2**63))
def test_whole_numbers(value: int) -> None:
    stream = dat._Stream(whole(value))
    assert stream.whole() == value
    assert stream.left == 0


@given(st.floats())
def test_floating_point_numbers(value: float) -> None:
    stream = dat._Stream(real(value))
    found = stream.real()
    assert found == value or (math.isnan(value) and math.isnan(found))
    assert stream.left == 0
