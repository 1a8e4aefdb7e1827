"""Finding: which faces show the one asked about, how sure that is and why; pure, over arrays.

Faces are found in two ways. By likeness: the nearest in the index, ranked by what their likeness tells. Through a
person: where the one asked about is found to be somebody, all of that person's faces are, also those that look unlike.
A face counts by the surer way.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from guyverd.model import PersonId
from guyverd.people import confidence
from guyverd.people.directions import unit
from guyverd.people.evidence import Measure, Scales, evidence

if TYPE_CHECKING:
    from guyverd.model import BoolArray, FloatArray, IntArray

LIKELY = 0.5
"""Confidence from which the one asked about is taken for a person."""
CONSIDERED = 3
"""Most people of whom it is asked whether they are the one."""
_BLOCK = 2048


@dataclass(frozen=True, slots=True)
class Faces:
    """Faces as columns, one row each."""

    ids: IntArray
    """int64[n]; −1 for one that is not in the library."""
    people: IntArray
    """int64[n]: whose each is, 0 for nobody's."""
    vectors: FloatArray
    """float32[n, 128], of length 1."""
    scales: Scales
    said: BoolArray
    """bool[n]: whether somebody said whose it is."""
    crowd: FloatArray
    """float32[n]: how far each is among people alike, 0..1."""

    def __len__(self) -> int:
        return len(self.ids)

    def of(self, rows: IntArray | BoolArray) -> Faces:
        """Those of some rows."""
        return Faces(
            self.ids[rows],
            self.people[rows],
            self.vectors[rows],
            self.scales.of(rows),
            self.said[rows],
            self.crowd[rows],
        )


def faces(ids: IntArray, people: IntArray, vectors: FloatArray, said: BoolArray, measure: Measure) -> Faces:
    """Faces from raw vectors, float32[n, 128] of any length but zero."""
    scales, crowding = measure.seen(vectors)
    return Faces(ids, people, unit(vectors) if len(ids) else vectors, scales, said, crowding)


def joined(one: Faces, other: Faces) -> Faces:
    """The rows of both, one after the other."""
    return Faces(
        np.concatenate([one.ids, other.ids]),
        np.concatenate([one.people, other.people]),
        np.concatenate([one.vectors, other.vectors]),
        Scales(
            np.concatenate([one.scales.centre, other.scales.centre]),
            np.concatenate([one.scales.width, other.scales.width]),
        ),
        np.concatenate([one.said, other.said]),
        np.concatenate([one.crowd, other.crowd]),
    )


@dataclass(frozen=True, slots=True)
class Nearest:
    """For each of n faces the most that any of some others tells."""

    evidence: FloatArray
    """float32[n]; −inf where there is no other."""
    distance: FloatArray
    """float32[n]: to the nearest of them, of unit vectors; 2 where there is none."""
    mean: FloatArray
    """float32[n]: the mean evidence for being one with all of them; inf where there is none."""


def nearest(some: Faces, others: Faces) -> Nearest:
    """What `others` tell of each of `some`; a face tells nothing of itself."""
    found = Nearest(
        np.full(len(some), -np.inf, np.float32),
        np.full(len(some), 2, np.float32),
        np.full(len(some), np.inf, np.float32),
    )
    if not len(others):
        return found
    for start in range(0, len(some), _BLOCK):
        rows = np.arange(start, min(len(some), start + _BLOCK))
        cosine = some.vectors[rows] @ others.vectors.T
        told = evidence(cosine, some.scales.of(rows).column, others.scales)
        itself = (some.ids[rows, None] == others.ids) & (others.ids >= 0)
        counts = len(others) - itself.sum(axis=1)
        found.evidence[rows] = np.where(itself, -np.inf, told).max(axis=1)
        closest = np.where(itself, -1, cosine).max(axis=1)
        found.distance[rows] = np.sqrt(np.maximum(0, 2 - 2 * closest))
        total = np.where(itself, 0, told).sum(axis=1)
        found.mean[rows] = np.where(counts > 0, total / np.maximum(counts, 1), np.inf)
    return found


@dataclass(frozen=True, slots=True)
class Claim:
    """How far the one asked about is a person."""

    person: PersonId
    confidence: float
    """0..1."""
    evidence: float
    """The most that any face of theirs tells."""


def most_alike(asked: Faces, near: Faces) -> list[int]:
    """The people for whom most speaks among the nearest faces, most first; at most `CONSIDERED`."""
    told = nearest(near, asked).evidence
    best: dict[int, float] = {}
    for person, value in zip(near.people.tolist(), told.tolist(), strict=True):
        if person and value > best.get(person, -np.inf):
            best[person] = value
    return sorted(best, key=lambda one: (-best[one], one))[:CONSIDERED]


def claims(asked: Faces, near: Faces, members: Faces, measure: Measure) -> list[Claim]:
    """How likely one face, the only row of `asked`, is each of the people of `members`, most likely first.

    `near` are the faces nearest to it, whoever's; `members` some of each person's. A face of the library is as likely
    its person as it is rightly theirs.
    """
    alone = Claimed(near.people, nearest(near, asked).evidence)
    groups = Groups(members)
    told = groups.told(asked)
    found = []
    for place, who in enumerate(groups.people):
        most = max(float(told.most[0, place]), alone.of(who))
        if who == int(asked.people[0]):
            sure = confidence.member(told.membership(asked, place, groups.counts[place]), measure)
        else:
            mean = np.minimum(told.mean[:, place], np.float32(most))
            margin = np.array([most - alone.beside(who)], np.float32)
            sure = confidence.person(np.array([most], np.float32), mean, margin, measure)
        found.append(Claim(PersonId(who), float(sure[0]), most))
    return sorted(found, key=lambda claim: (-claim.confidence, -claim.evidence, claim.person))


class Groups:
    """The faces of some people, by person."""

    def __init__(self, members: Faces) -> None:
        order = np.argsort(members.people, kind="stable")
        self._members = members.of(order[members.people[order] > 0])
        people, first, counts = np.unique(self._members.people, return_index=True, return_counts=True)
        self.people: list[int] = people.tolist()
        """Rising."""
        self.counts: list[int] = counts.tolist()
        """How many faces of each there are."""
        self._first, self._counts = first, counts

    def told(self, some: Faces) -> Told:
        """What the faces of each person tell of each of `some`; a face tells nothing of itself."""
        members = self._members
        most = np.full((len(some), len(self.people)), -np.inf, np.float32)
        mean = np.full((len(some), len(self.people)), np.inf, np.float32)
        for start in range(0, len(some) if self.people else 0, _BLOCK):
            rows = slice(start, start + _BLOCK)
            told = evidence(some.vectors[rows] @ members.vectors.T, some.scales.of(rows).column, members.scales)
            itself = (some.ids[rows, None] == members.ids) & (members.ids >= 0)
            counts = self._counts - np.add.reduceat(itself, self._first, axis=1, dtype=np.int64)
            most[rows] = np.maximum.reduceat(np.where(itself, -np.inf, told), self._first, axis=1)
            total = np.add.reduceat(np.where(itself, 0, told), self._first, axis=1)
            mean[rows] = np.where(counts > 0, total / np.maximum(counts, 1), np.inf)
        return Told(most, mean)


@dataclass(frozen=True, slots=True)
class Told:
    """What the faces of g people tell of n others."""

    most: FloatArray
    """float32[n, g]: the most evidence any of the person's gives; −inf where there is no other."""
    mean: FloatArray
    """float32[n, g]: the mean of all of theirs; inf where there is no other."""

    def membership(self, some: Faces, place: int, count: int) -> confidence.Membership:
        """What speaks for `some`, the n faces, being rightly those of the person at that place, who has `count`."""
        others = np.delete(self.mean, place, axis=1).max(axis=1, initial=-np.inf)
        return confidence.Membership(self.mean[:, place], others, some.crowd, count, some.said)

    def of(self, rows: IntArray) -> Told:
        """Of some of the others."""
        return Told(self.most[rows], self.mean[rows])


class Claimed:
    """The most that speaks for each person among some faces."""

    def __init__(self, people: IntArray, told: FloatArray) -> None:
        self._most: dict[int, float] = {}
        for person, value in zip(people.tolist(), told.tolist(), strict=True):
            if person and math.isfinite(value):
                self._most[person] = max(value, self._most.get(person, -np.inf))
        ranked = sorted(self._most, key=lambda one: -self._most[one])
        self._first = ranked[0] if ranked else 0
        self._second = self._most[ranked[1]] if len(ranked) > 1 else -np.inf

    def of(self, person: int) -> float:
        """For that person; −inf where none of theirs is among the faces."""
        return self._most.get(person, -np.inf)

    def beside(self, person: int) -> float:
        """For anybody but that person; −inf where there is nobody."""
        return self._second if person == self._first else self._most.get(self._first, -np.inf)


@dataclass(frozen=True, slots=True)
class Judged:
    """What was concluded of n faces."""

    evidence: FloatArray
    """float32[n]: the most that any of the faces asked about tells of it."""
    distance: FloatArray
    """float32[n]: to the nearest of these."""
    margin: FloatArray
    """float32[n]: by how much more speaks for it, or for its person where it was found through one, than for the
    person for whom most speaks of all others; inf where there is nobody."""
    through: BoolArray
    """bool[n]: whether it is a face of a person who the one asked about was found to be."""
    confidence: FloatArray
    """float32[n]: how likely it shows the one asked about, 0..1."""


def judged(
    asked: Faces,
    found: Faces,
    *,
    near: Faces,
    members: Faces,
    claimed: Sequence[Claim] | None,
    measure: Measure,
    barred: Collection[tuple[int, int]] = (),
) -> Judged:
    """How sure each of the faces `found` is, by likeness to `asked` and through the people `claimed`.

    `near` are the nearest to those asked about, whoever's; `members` some faces of each person claimed. Where `claimed`
    is None faces are found by likeness alone, whoever they were found to be. `barred` are faces, each with a person
    whom somebody said it is not.
    """
    told = nearest(found, asked)
    alone = Claimed(near.people, nearest(near, asked).evidence)
    likely = {claim.person: claim for claim in claimed or () if claim.confidence >= LIKELY}
    elsewhere = (found.people > 0) & ~np.isin(found.people, list(likely)) & bool(likely)
    if claimed is None:
        sure = confidence.likeness(told.evidence, measure)
    else:
        sure = confidence.direct(told.evidence, elsewhere, measure)
    margin = np.array(
        [
            value - alone.beside(person)
            for value, person in zip(told.evidence.tolist(), found.people.tolist(), strict=True)
        ],
        np.float32,
    )
    groups = Groups(members)
    by_group = groups.told(found) if claimed else None
    for claim in claimed or ():
        rows = np.flatnonzero(found.people == claim.person)
        if by_group is None or not len(rows) or claim.person not in groups.people:
            continue
        place = groups.people.index(claim.person)
        mine = by_group.of(rows).membership(found.of(rows), place, groups.counts[place])
        theirs = confidence.member(mine, measure)
        sure[rows] = np.maximum(sure[rows], np.float32(claim.confidence) * theirs)
        if claim.person in likely:
            margin[rows] = claim.evidence - alone.beside(claim.person)
    not_them = _spoken_against(found.ids, claimed or (), barred)
    return Judged(
        told.evidence, told.distance, margin, np.isin(found.people, list(likely)), (sure * not_them).astype(np.float32)
    )


def _spoken_against(ids: IntArray, claimed: Sequence[Claim], barred: Collection[tuple[int, int]]) -> FloatArray:
    """What is left of the confidence in each face, float32[n], of which somebody said that it is not a person found."""
    left = np.ones(len(ids), np.float32)
    for claim in claimed if barred else ():
        barred_here = [row for row, face in enumerate(ids.tolist()) if (face, claim.person) in barred]
        left[barred_here] *= np.float32(1 - claim.confidence)
    return left
