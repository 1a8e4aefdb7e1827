"""dlib's `.dat` files: the two networks that are published in them, as layers with numpy weights.

dlib writes a network as nested C++ templates, without a description of itself: first the loss, then for every layer
from the outermost inwards a version number (2 a layer, 1 a tag or a skip, which carry nothing, 3 the innermost
layer), then the input, then each layer's details from the innermost outwards. Whole numbers have a control byte (low
half: how many bytes follow; 0x80: negative) and little-endian magnitude; floating-point numbers are two of them,
m · 2^e; tensors are raw float32 after four sizes. A file that is not consumed to its last byte was misread.

Source: dlib's serialize.h, dnn/core.h, dnn/layers.h, dnn/loss.h and dnn/input.h.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from guyverd.errors import EngineError

if TYPE_CHECKING:
    from guyverd.model import FloatArray

_LAYER, _TAG, _INNERMOST = 2, 1, 3
_SPECIAL = {32000: math.inf, 32001: -math.inf, 32002: math.nan}
_LONGEST_NAME = 100
_MOST_LAYERS = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class Convolution:
    """A cross-correlation. dlib pads by half the filter where the stride is 1 and not at all where it is more."""

    filters: FloatArray
    """float32[out, in, height, width]"""
    bias: FloatArray
    """float32[out]"""
    stride: tuple[int, int]
    padding: tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Affine:
    """scale · x + shift for each channel; a batch normalisation in use is one too."""

    scale: FloatArray
    """float32[channels]"""
    shift: FloatArray
    """float32[channels]"""


@dataclass(frozen=True, slots=True)
class Relu:
    """What is below 0 becomes 0."""


@dataclass(frozen=True, slots=True)
class Pool:
    """The largest or the mean value of a window; a window of 0 is the whole picture."""

    mean: bool
    window: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Tag:
    """Remembers what comes in for an `Add` to come. Two in a row are dlib's tag2 and skip1: see `graphs`."""


@dataclass(frozen=True, slots=True)
class Add:
    """Adds what a tag remembered; the smaller of the two is filled with zeros."""


@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    """x · weights, without a bias."""

    weights: FloatArray
    """float32[in, out]"""


Layer = Convolution | Affine | Relu | Pool | Tag | Add | Dense


@dataclass(frozen=True, slots=True)
class Suppression:
    """Of two boxes one goes when they overlap by more than one of these shares."""

    union: float
    """Share of the smallest box around both, which is what dlib calls intersection over union."""
    covered: float
    """Share of either box."""


@dataclass(frozen=True, slots=True)
class Window:
    """What the detector's loss knows: the size of the face it looks for, and when two boxes are one."""

    width: int
    """Pixels of the picture at the pyramid's level."""
    height: int
    suppression: Suppression


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A network as published."""

    means: tuple[float, float, float]
    """Red, green and blue, subtracted from a picture's values before they are divided by 256."""
    layers: tuple[Layer, ...]
    """In the order in which a picture goes through them."""
    window: Window | None
    """Only of a detector."""


def read(data: bytes, name: str = "the model") -> Network:
    """The network in `data`, the bytes of a `.dat` file called `name`. Raises EngineError for anything else."""
    stream = _Stream(data)
    try:
        network = _network(stream)
    except (ValueError, IndexError, OverflowError, MemoryError) as problem:
        raise EngineError(detail=f"{name} is not a network of dlib that is known here ({problem})") from problem
    if stream.left:
        raise EngineError(detail=f"{name} is not a network of dlib that is known here: {stream.left} bytes too many")
    return network


class _Stream:
    """dlib's serialization."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, count: int) -> memoryview:
        if not 0 <= count <= self.left:
            raise ValueError(f"{count} bytes are wanted at {self._at} and {self.left} are left")
        self._at += count
        return self._data[self._at - count : self._at]

    def whole(self) -> int:
        control = self.take(1)[0]
        size = control & 0x0F
        if not 1 <= size <= 8 or control & 0x70:
            raise ValueError(f"no whole number begins with byte {control:#04x}, at {self._at - 1}")
        value = int.from_bytes(self.take(size), "little")
        return -value if control & 0x80 else value

    def expect(self, value: int, what: str) -> None:
        if (found := self.whole()) != value:
            raise ValueError(f"{what} is {found}, not {value}")

    def real(self) -> float:
        mantissa, exponent = self.whole(), self.whole()
        return _SPECIAL[exponent] if exponent in _SPECIAL else math.ldexp(mantissa, exponent)

    def flag(self) -> bool:
        value = bytes(self.take(1))
        if value not in (b"0", b"1"):
            raise ValueError(f"neither true nor false: {value!r}")
        return value == b"1"

    def text(self) -> str:
        size = self.whole()
        if not 0 <= size <= _LONGEST_NAME:
            raise ValueError(f"a name of {size} characters")
        return bytes(self.take(size)).decode("ascii")

    def tensor(self) -> FloatArray:
        """The values, float32[n, k, rows, columns]."""
        self.expect(2, "a tensor's version")
        shape = tuple(self.whole() for _ in range(4))
        if min(shape) < 0:
            raise ValueError(f"a tensor of {shape}")
        return np.frombuffer(self.take(4 * math.prod(shape)), "<f4").astype(np.float32).reshape(shape)

    def alias(self) -> tuple[int, int, int, int]:
        """The shape that a part of a layer's parameters has."""
        self.expect(1, "an alias's version")
        return self.whole(), self.whole(), self.whole(), self.whole()

    def reals(self, count: int) -> tuple[float, ...]:
        return tuple(self.real() for _ in range(count))

    def pair(self) -> tuple[int, int]:
        return self.whole(), self.whole()


def _network(stream: _Stream) -> Network:
    stream.expect(1, "the file's version")
    window = _loss(stream)
    versions: list[int] = []
    while not versions or versions[-1] != _INNERMOST:
        versions.append(stream.whole())
        if versions[-1] not in (_LAYER, _TAG, _INNERMOST) or len(versions) > _MOST_LAYERS:
            raise ValueError(f"layer {len(versions)} is of version {versions[-1]}")
    means = _input(stream)
    layers: list[Layer] = []
    for version in reversed(versions):
        if version == _TAG:
            layers.append(Tag())
            continue
        layers.append(_details(stream))
        # Caches of training: flags and gradients.
        for _ in range(3):
            stream.flag()
        for _ in range(3):
            stream.tensor()
        if version == _INNERMOST:
            stream.whole()
    return Network(means, tuple(layers), window)


def _loss(stream: _Stream) -> Window | None:
    kind = stream.text()
    if kind == "loss_metric_2":
        stream.reals(2)
        return None
    if kind != "loss_mmod_":
        raise ValueError(f"loss {kind!r}")
    stream.expect(1, "the loss's version")
    width, height = stream.pair()
    stream.reals(3)
    suppression = Suppression(stream.real(), stream.real())
    stream.reals(2)
    return Window(width, height, suppression)


def _input(stream: _Stream) -> tuple[float, float, float]:
    kind = stream.text()
    if kind not in ("input_rgb_image_sized", "input_rgb_image_pyramid"):
        raise ValueError(f"input {kind!r}")
    red, green, blue = stream.reals(3)
    if kind == "input_rgb_image_sized":
        stream.pair()
    return red, green, blue


def _details(stream: _Stream) -> Layer:
    kind = stream.text()
    if kind not in _READERS:
        raise ValueError(f"layer {kind!r}")
    return _READERS[kind](stream)


def _affine(stream: _Stream) -> Affine:
    values, scale, shift = stream.tensor().ravel(), stream.alias(), stream.alias()
    stream.whole()
    return Affine(*_split(values, scale, shift))


def _dense(stream: _Stream) -> Dense:
    stream.pair()
    values, weights = stream.tensor().ravel(), stream.alias()
    stream.alias()
    if stream.whole() != 1:
        raise ValueError("a dense layer with a bias")
    stream.reals(4)
    return Dense(values.reshape(weights[0], math.prod(weights[1:])))


def _pool(stream: _Stream, *, mean: bool) -> Pool:
    return Pool(mean, stream.pair(), stream.pair(), stream.pair())


def _convolution(stream: _Stream) -> Convolution:
    values = stream.tensor().ravel()
    stream.whole()
    stream.pair()
    stride, padding = stream.pair(), stream.pair()
    filters, bias = stream.alias(), stream.alias()
    stream.reals(4)
    weights, shift = _split(values, filters, bias)
    return Convolution(weights.reshape(filters), shift, stride, padding)


def _normalisation(stream: _Stream) -> Affine:
    """A batch normalisation, as the fixed affine that it is after training."""
    values, gamma, beta = stream.tensor().ravel(), stream.alias(), stream.alias()
    stream.tensor()
    stream.tensor()
    mean, variance = stream.tensor().ravel().astype(np.float64), stream.tensor().ravel().astype(np.float64)
    stream.pair()
    stream.reals(4)
    deviation = np.sqrt(variance + stream.real())
    scale, shift = _split(values, gamma, beta)
    return Affine((scale / deviation).astype(np.float32), (shift - scale / deviation * mean).astype(np.float32))


def _split(values: FloatArray, first: tuple[int, ...], second: tuple[int, ...]) -> tuple[FloatArray, FloatArray]:
    if math.prod(first) + math.prod(second) != values.size:
        raise ValueError(f"{values.size} values for {first} and {second}")
    return values[: math.prod(first)], values[math.prod(first) :]


_READERS: dict[str, Callable[[_Stream], Layer]] = {
    "con_4": _convolution,
    "affine_": _affine,
    "bn_con2": _normalisation,
    "fc_2": _dense,
    "max_pool_2": functools.partial(_pool, mean=False),
    "avg_pool_2": functools.partial(_pool, mean=True),
    "relu_": lambda _: Relu(),
    "add_prev_": lambda _: Add(),
}
