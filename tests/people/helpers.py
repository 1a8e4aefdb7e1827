"""Made-up faces: points around strangers who are not alike, so that who is who is known."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from guyverd.config import People
from guyverd.model import Assignment, FaceTable, Merge, Spans
from guyverd.people.directions import unit
from guyverd.people.evidence import CROWD, Measure, evidence
from guyverd.people.graph import Edges, tidy
from guyverd.people.strangers import Strangers, shipped

if TYPE_CHECKING:
    from guyverd.model import FloatArray, IntArray

SETTINGS = People()
NO_IDS = np.empty(0, np.int64)
NO_FACES = np.empty((0, 128), np.float32)

UNLIKE = 0.88
"""Cosine that two people made up here stay below; more than 99 of 100 strangers are less alike than .9."""


def ints(*values: int) -> IntArray:
    return np.array(values, np.int64)


def drawn(count: int, seed: int = 0, model: Strangers | None = None) -> FloatArray:
    """Unit vectors of strangers, drawn from the mixture."""
    model = shipped() if model is None else model
    rng = np.random.default_rng(seed)
    weights = model.weights.astype(np.float64)
    part = rng.choice(len(weights), count, p=weights / weights.sum())
    faces = model.means[part] + rng.normal(size=(count, 128)) * np.sqrt(model.variances[part])
    return unit((faces @ model.axes).astype(np.float32))


@functools.lru_cache(maxsize=64)
def directions(people: int, seed: int = 0) -> FloatArray:
    """One unit vector per person; no two are more alike than `UNLIKE`."""
    left, kept = drawn(400 + 100 * people, seed), []
    for _ in range(people):
        assert len(left), "there are not so many who are unlike"
        kept.append(left[0])
        left = left[left @ left[0] < UNLIKE]
    return np.array(kept, np.float32).reshape(-1, 128)


def faces_of(who: IntArray, seed: int = 0, spread: float = 0.1) -> FloatArray:
    """A vector near its person's direction for each entry of `who`; two of a person are about 1.4 × spread apart."""
    rng = np.random.default_rng(seed + 1)
    noise = rng.normal(size=(len(who), 128)) / np.sqrt(128)
    vectors = directions(int(who.max(initial=0)) + 1, seed)[who] + spread * noise
    # Raw vectors have any length.
    raw: FloatArray = (vectors * rng.uniform(1, 2, size=(len(who), 1))).astype(np.float32)
    return raw


def table_of(
    vectors: FloatArray,
    *,
    photos: IntArray | None = None,
    people: IntArray | None = None,
    quality: FloatArray | None = None,
    spans: Spans | None = None,
) -> FaceTable:
    n = len(vectors)
    return FaceTable(
        np.arange(1, n + 1, dtype=np.int64),
        np.arange(1, n + 1, dtype=np.int64) if photos is None else photos,
        np.ones(n, np.float32) if quality is None else quality,
        np.zeros(n, np.int64) if people is None else people,
        vectors,
        spans,
    )


def filmed(photos: IntArray, seed: int) -> Spans | None:
    """Times for faces of which more than half of the photos are videos; None for the seed 0."""
    if not seed:
        return None
    rng = np.random.default_rng(seed)
    videos, place = np.unique(photos, return_inverse=True)
    moving = (rng.random(len(videos)) < 0.6)[place]
    starts = rng.integers(0, 6, len(photos)).astype(np.float64)
    ends = starts + rng.integers(1, 4, len(photos))
    return Spans(np.where(moving, starts, -np.inf), np.where(moving, ends, np.inf))


def times(*spans: tuple[float, float]) -> Spans:
    """From when to when each is seen."""
    starts, ends = zip(*spans, strict=True)
    return Spans(np.array(starts, np.float64), np.array(ends, np.float64))


def seen_together(table: FaceTable, one: int, other: int) -> bool:
    """Whether two rows are of one photo, or of one moment of a video; the definition, pair by pair."""
    if table.photos[one] != table.photos[other]:
        return False
    spans = table.spans
    if spans is None:
        return True
    begins, ends = max(spans.starts[one], spans.starts[other]), min(spans.ends[one], spans.ends[other])
    return bool(begins < ends)


def measure_of(table: FaceTable, settings: People = SETTINGS) -> Measure:
    """What counts as evidence in a library of these faces."""
    crowd = table.vectors[:: 1 + len(table) // CROWD][:CROWD]
    return Measure(settings, len(table), crowd)


def edges_of(*edges: tuple[int, int, float]) -> Edges:
    if not edges:
        return tidy(NO_IDS, NO_IDS, np.empty(0, np.float32))
    sources, targets, weights = zip(*edges, strict=True)
    return tidy(np.array(sources, np.int64), np.array(targets, np.int64), np.array(weights, np.float32))


def partition(labels: IntArray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels)}


class Library:
    """A gallery in memory, with the index, that applies what `arrive` says."""

    def __init__(self, table: FaceTable, at_most: int = 200) -> None:
        self.all = table
        self.people = table.people.copy()
        self.at_most = at_most
        self.measure = measure_of(table)
        self._next = 1 + int(self.people.max(initial=0))

    def _view(self, rows: IntArray) -> FaceTable:
        rows = np.sort(rows)
        return replace(self.all.of(rows), people=self.people[rows])

    def table(self, ids: IntArray) -> FaceTable:
        return self._view(np.flatnonzero(np.isin(self.all.ids, ids)))

    def members(self, people: IntArray) -> FaceTable:
        found = [np.flatnonzero(self.people == person) for person in people]
        few = [r if len(r) <= self.at_most else r[np.linspace(0, len(r) - 1, self.at_most).astype(int)] for r in found]
        return self._view(np.concatenate(few) if few else NO_IDS)

    def companions(self, ids: IntArray) -> FaceTable:
        given = np.flatnonzero(np.isin(self.all.ids, ids)).tolist()
        beside = [row for row in range(len(self.all)) if any(seen_together(self.all, row, one) for one in given)]
        return self._view(np.setdiff1d(np.array(beside, np.int64), np.array(given, np.int64)))

    def apply(self, assignments: Iterable[Assignment], merges: Iterable[Merge]) -> None:
        groups: dict[int, int] = {}
        for item in assignments:
            row = int(np.flatnonzero(self.all.ids == item.face)[0])
            assert self.people[row] == 0, "an attached face was moved"
            if item.group is not None and item.group not in groups:
                groups[item.group] = self._next
                self._next += 1
            person = item.person if item.group is None else groups[item.group]
            assert person is not None
            self.people[row] = person
        for merge in merges:
            assert (self.people == merge.absorbed).any()
            assert (self.people == merge.into).any()
            self.people[self.people == merge.absorbed] = merge.into


def told_between(vectors: FloatArray, measure: Measure) -> FloatArray:
    """Evidence between any two of these, float32[n, n]."""
    scales, directions_ = measure.scales(vectors), unit(vectors)
    return evidence(directions_ @ directions_.T, scales.column, scales)


def beside(face: FloatArray, told: float, seed: int = 0) -> FloatArray:
    """A unit vector for which there is so much evidence that it is the same person as `face`, float32[128] both."""
    measure = Measure(SETTINGS, 0, NO_FACES)
    away = np.random.default_rng(seed + 1000).normal(size=128)
    away = (away - (away @ face) * face) / np.linalg.norm(away)
    near, far = 0.0, 1.0
    for _ in range(40):
        middle = (near + far) / 2
        other = unit(np.stack([face, face + middle * away]).astype(np.float32))
        near, far = (middle, far) if told_between(other, measure)[0, 1] > told else (near, middle)
    found: FloatArray = unit((face + near * away)[None].astype(np.float32))[0]
    return found
