"""Whether somebody is two people: the faces of one, parted into the two halves that are least alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from guyverd.people.evidence import Scales, evidence

if TYPE_CHECKING:
    from guyverd.model import BoolArray, FaceTable, FloatArray, IntArray

SAMPLE = 48
"""Most faces of a person that are compared with each other; the others go with the half that they are like."""
LEAST = 3
"""Faces in the smaller half; one or two odd faces are not yet somebody."""
_TURNS = 12
"""Of the search for the main difference, and of the exchange between the halves."""


@dataclass(frozen=True, slots=True)
class Halves:
    """Two parts of one person."""

    larger: IntArray
    """int64[k]: rows, the most typical first."""
    smaller: IntArray
    """int64[l]: rows, the most typical first; at least `LEAST`."""
    across: float
    """Mean evidence between the two."""
    within: float
    """Mean evidence within that of the two which has less."""


def halves(table: FaceTable, scales: Scales, rows: IntArray) -> Halves | None:
    """Part the rows of a person in two; None where fewer than `LEAST` faces come apart.

    The table's vectors have unit length.
    """
    some = rows if len(rows) <= SAMPLE else rows[np.linspace(0, len(rows) - 1, SAMPLE).astype(np.int64)]
    told = _told(table, scales, some, some)
    first = _parted(told)
    if min(first.sum(), (~first).sum()) < 2:
        return None
    of_all = told if some is rows else _told(table, scales, rows, some)
    mine = of_all[:, first].mean(axis=1) > of_all[:, ~first].mean(axis=1)
    if some is rows:
        mine = first
    parts = [_typical(of_all, rows, mine, first), _typical(of_all, rows, ~mine, ~first)]
    larger, smaller = sorted(parts, key=lambda part: (-len(part), int(part[0]) if len(part) else 0))
    if len(smaller) < LEAST:
        return None
    return Halves(
        larger, smaller, float(told[np.ix_(first, ~first)].mean()), min(_within(told, first), _within(told, ~first))
    )


def _told(table: FaceTable, scales: Scales, rows: IntArray, others: IntArray) -> FloatArray:
    one, other = scales.of(rows), scales.of(others)
    return evidence(table.vectors[rows] @ table.vectors[others].T, one.column, other)


def _parted(told: FloatArray) -> BoolArray:
    """Two halves of likeness [k, k]: by the direction in which it differs most, then by exchange (kernel 2-means)."""
    middle = told.mean(axis=0)
    spread = told - middle - middle[:, None] + told.mean()
    # Any start will do that is not along the direction which centring took away.
    along = spread[int(np.argmax(np.abs(np.diagonal(spread))))]
    for _ in range(_TURNS):
        along = spread @ along
        along = along / max(float(np.linalg.norm(along)), 1e-12)
    first: BoolArray = along > 0
    for _ in range(_TURNS):
        if first.all() or not first.any():
            break
        near = told[:, first].mean(axis=1) - told[np.ix_(first, first)].mean() / 2
        far = told[:, ~first].mean(axis=1) - told[np.ix_(~first, ~first)].mean() / 2
        now = near > far
        if (now == first).all():
            break
        first = now
    return first


def _typical(told: FloatArray, rows: IntArray, kept: BoolArray, of: BoolArray) -> IntArray:
    """The kept rows, those most like the half first."""
    likeness = told[kept][:, of].mean(axis=1)
    return rows[kept][np.argsort(-likeness, kind="stable")]


def _within(told: FloatArray, part: BoolArray) -> float:
    inside = told[np.ix_(part, part)]
    n = len(inside)
    return float((inside.sum() - np.trace(inside)) / (n * (n - 1))) if n > 1 else float("inf")
