"""One person may look like several: a child and the adult, with and without a beard, held together by the user's word.

To compare such a person with others by the mean over all their faces would find them like nobody. So the faces are
parted into appearances first, each compared for itself.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from guyverd.model import FaceTable
from guyverd.people.directions import unit
from guyverd.people.evidence import Measure, Scales, evidence
from guyverd.people.graph import tidy
from guyverd.people.whispers import whisper

if TYPE_CHECKING:
    from guyverd.model import BoolArray, FloatArray, IntArray

_LEAST = 4
"""Two appearances of two faces each."""
_NUMBERED_FROM = 1 << 48
"""Appearances beyond a person's first have numbers that no person has."""


@dataclass(frozen=True, slots=True)
class Appearances:
    """A table in which appearances stand as if they were people."""

    table: FaceTable
    owners: dict[int, int]
    """For the number of each appearance beyond a person's first: the person."""


def part(
    table: FaceTable, scales: Scales, measure: Measure, *, good: BoolArray, several: Collection[int], seed: int
) -> Appearances:
    """Give the appearances of those people in `several` numbers of their own; the largest keeps the person's.

    Faces that are like no other of the person's are left with the largest.
    """
    people = table.people.copy()
    owners: dict[int, int] = {}
    for person in sorted(several):
        rows = np.flatnonzero(table.people == person)
        if len(rows) < _LEAST:
            continue
        labels = _looks(unit(table.vectors[rows]), scales.of(rows), measure.link, good[rows], seed)
        values, counts = np.unique(labels, return_counts=True)
        ranked = sorted(zip((-counts).tolist(), values.tolist(), strict=True))
        for count, value in ranked[1:]:
            if count < -1:
                number = _NUMBERED_FROM + len(owners)
                owners[number] = int(person)
                people[rows[labels == value]] = number
    return Appearances(replace(table, people=people) if owners else table, owners)


def _looks(vectors: FloatArray, scales: Scales, least: float, good: BoolArray, seed: int) -> IntArray:
    told = evidence(vectors @ vectors.T, scales.column, scales) - least
    sources, targets = np.nonzero(np.triu(told > 0, 1))
    edges = tidy(sources.astype(np.int64), targets.astype(np.int64), told[sources, targets])
    return whisper(len(vectors), edges, seed=seed, voters=good)
