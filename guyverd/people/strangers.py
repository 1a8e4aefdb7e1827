"""How alike a face and a stranger are: a model of faces in general, which holds no face.

A mixture of normal distributions over unit vectors, fitted to the faces of some thousand people
(`scripts/fit_strangers.py`), each part made by dozens of them. How similar strangers drawn from it are to a given face
follows from its parameters; nobody has to be drawn. With that, a likeness can be told in terms of how many strangers
are as like: a face that resembles many people needs more than one that resembles few. The idea is score normalisation
by a cohort, as in speaker verification (adaptive symmetric "AS-norm").
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from guyverd.model import FloatArray

SHIPPED = Path(__file__).with_name("strangers.npz")

CENTRE = 0.0035
"""The share of strangers who are more alike than a face's `centre`: the mean of the most alike 1 % lies there."""
WIDE, NARROW = 0.01, 0.0005
"""`width` is the distance between the similarities that these shares of strangers exceed, divided by `_SPAN`."""
_SPAN = 2.77
"""What makes `width` about the standard deviation of the most alike 1 %. Like `CENTRE` it holds for the model as it is
reckoned with here: strangers drawn from it are a fifth of a width less alike."""
_TO_CENTRE, _TO_NARROW = 0.006, 0.011
_NARROWEST = 0.001
"""No face is so odd that nobody resembles it; vectors that are not faces could have no width at all."""
_LONGEST = 0.05
_LOWEST, _HIGHEST = 0.3, 0.99999
_PARTS = 24
"""Parts of the mixture that are followed into the tail; the others do not reach it."""
_NEAR = 0.5
"""The cube root of a squared distance between faces that are rather alike."""
_BLOCK = 4096
_ROOT_OF_TWO_PI = math.sqrt(2 * math.pi)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What distances to the k parts of a mixture follow from, whichever face they are from."""

    length2: FloatArray
    """float32[k]: of the middle, squared."""
    middles: FloatArray
    """float32[k, 128], of length 1."""
    weighed: FloatArray
    """float32[k, 128]: the same times the variances."""
    along: FloatArray
    """float32[k]: the variance in the direction of the middle."""
    across: FloatArray
    """float32[k]: that in all other directions, in squared lengths."""
    lengthwise: FloatArray
    """float32[k]: what the variance of the squared distance has from that of the length."""


@dataclass(frozen=True)
class Strangers:
    """A mixture of k normal distributions with independent coordinates, in turned space."""

    axes: FloatArray
    """float32[128, 128]: rows turn a unit vector into the mixture's coordinates."""
    weights: FloatArray
    """float32[k], adding up to 1."""
    means: FloatArray
    """float32[k, 128]."""
    variances: FloatArray
    """float32[k, 128]."""

    def save(self, path: Path) -> None:
        """Write the parameters. Raises OSError."""
        np.savez_compressed(path, axes=self.axes, weights=self.weights, means=self.means, variances=self.variances)

    @classmethod
    def load(cls, path: Path) -> Strangers:
        """Read the parameters. Raises OSError."""
        with np.load(path) as file:
            return cls(file["axes"], file["weights"], file["means"], file["variances"])

    def likeness(self, vectors: FloatArray) -> tuple[FloatArray, FloatArray]:
        """For unit vectors, float32[n, 128]: `centre` and `width`, float32[n] each, both in cosine.

        The centre is the similarity of a stranger who is very alike, one of 286; the width is by how much the most
        alike 1 % differ.
        """
        centre, width = np.empty(len(vectors), np.float32), np.empty(len(vectors), np.float32)
        for start in range(0, len(vectors), _BLOCK):
            some = slice(start, start + _BLOCK)
            tail = _Tail(*self._distances(vectors[some]), self.weights)
            wide = tail.exceeded(WIDE, tail.beginning(), steps=5)
            # The others lie about as far from there for every face.
            middle = tail.exceeded(CENTRE, wide + _TO_CENTRE, steps=3)
            narrow = tail.exceeded(NARROW, middle + _TO_NARROW, steps=3)
            centre[some], width[some] = middle, np.maximum((narrow - wide) / _SPAN, _NARROWEST)
        return centre, width

    @functools.cached_property
    def _parts(self) -> _Parts:
        length2 = (self.means**2).sum(axis=1)
        middles = self.means / np.sqrt(length2)[:, None]
        along = (middles**2 * self.variances).sum(axis=1)
        return _Parts(
            length2,
            middles,
            middles * self.variances,
            along,
            (self.variances.sum(axis=1) - along) / length2,
            (self.variances**2).sum(axis=1) / length2**2 / 2,
        )

    def _distances(self, vectors: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and deviation, [n, k] each, of the cube root of the squared distance to a stranger from each part.

        A squared distance is a sum of squares, so its cube root is nearly normal (Wilson and Hilferty, 1931), also in
        the tail, where the distance itself is far from it. Strangers are of unit length too: what counts is how they
        spread across the direction to their part's middle, not along it.
        """
        parts = self._parts
        turned = vectors @ self.axes.T
        cosine = turned @ parts.middles.T
        variance = (
            (turned**2) @ self.variances.T - 2 * cosine * (turned @ parts.weighed.T) + cosine**2 * parts.along
        ) / parts.length2
        variance += cosine**2 * parts.lengthwise
        distance = 2 - 2 * cosine * (1 - parts.across / 2)
        root = np.cbrt(distance)
        share = np.maximum(4 * variance, 1e-12) / (9 * distance**2)
        mean, spread = root * (1 - share), root * np.sqrt(share)
        return mean.astype(np.float32, copy=False), spread.astype(np.float32, copy=False)


class _Tail:
    """How many strangers are more alike than so much, for n faces; from the parts of the mixture that come near."""

    def __init__(self, mean: FloatArray, spread: FloatArray, weights: FloatArray) -> None:
        # How many deviations short of a very small distance a part is tells whether any of it comes near.
        short = (mean - _NEAR) / spread
        parts = min(_PARTS, mean.shape[1])
        near = np.argpartition(short, parts - 1, axis=1)[:, :parts]
        self._mean = np.take_along_axis(mean, near, axis=1).astype(np.float32)
        self._spread = np.take_along_axis(spread, near, axis=1).astype(np.float32)
        self._weights = weights[near]
        self._weights_by_spread = self._weights / self._spread / np.float32(_ROOT_OF_TWO_PI)

    def beginning(self) -> FloatArray:
        """A similarity to begin the search at: where the nearest part alone would have its tail."""
        nearest: FloatArray = (self._mean - 2 * self._spread).min(axis=1)
        return _similarity(nearest)

    def exceeded(self, share: float, guess: FloatArray, *, steps: int = 6) -> FloatArray:
        """The similarity that this share of strangers exceeds: Newton's steps for the logarithm of the share."""
        at = guess
        for _ in range(steps):
            root = np.cbrt(2 - 2 * at).astype(np.float32)
            scaled = (root[:, None] - self._mean) / self._spread
            density = np.exp(-scaled * scaled / 2)
            reached = (self._weights * _normal(scaled, density)).sum(axis=1)
            # d root / d similarity is −2 / (3 root²).
            slope = -(self._weights_by_spread * density).sum(axis=1) * 2 / (3 * root * root)
            step = (np.log(np.maximum(reached, 1e-30)) - math.log(share)) * reached / np.minimum(slope, -1e-30)
            # Of few faces, `np.clip` takes longer than all the rest.
            at = at - np.minimum(np.maximum(step, -_LONGEST), _LONGEST)
            at = np.minimum(np.maximum(at, _LOWEST), _HIGHEST)
        return at


def _similarity(root: FloatArray) -> FloatArray:
    found: FloatArray = np.clip(1 - np.maximum(root, 0) ** 3 / 2, _LOWEST, _HIGHEST)
    return found


@functools.cache
def shipped() -> Strangers:
    """The model that comes with the program."""
    return Strangers.load(SHIPPED)


_HASTINGS = (0.319381530, -0.356563782, 1.781477937, -1.821255978, 1.330274429)


def _normal(values: FloatArray, density: FloatArray) -> FloatArray:
    """The share of a normal distribution below these values, to 1e-7, from exp(−values² / 2).

    After Hastings (1955), as in Abramowitz and Stegun 26.2.17.
    """
    part = 1 / (1 + np.float32(0.2316419) * np.abs(values))
    beyond = np.float32(_HASTINGS[4]) * part
    for factor in _HASTINGS[3::-1]:
        beyond = (beyond + np.float32(factor)) * part
    beyond *= density / np.float32(_ROOT_OF_TWO_PI)
    below: FloatArray = np.where(values > 0, 1 - beyond, beyond)
    return below
