"""What was said, in terms of the faces at hand: which rows of a table must, may and must not be one person."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from guyverd.company import companions
from guyverd.model import FaceId, FaceTable, PersonId, Standing
from guyverd.pairs import components, partners
from guyverd.people.directions import unit
from guyverd.people.graph import rows_of

Pair = tuple[int, int]

EVIDENT = 0.995
"""Cosine from which two faces in one photo are one face seen twice: a mirror, a collage. Two pictures of one person are
so alike in 1 of 2,000 cases, two people in one photo never were (1,229 pairs, at most .985)."""


_BLOCK = 50_000


@dataclass(frozen=True, slots=True)
class Rules:
    """For the rows of one table."""

    together: frozenset[Pair] = frozenset()
    """Said to be one person; the smaller row first, as everywhere here."""
    waived: frozenset[Pair] = frozenset()
    """May be one person though seen together: those, and what evidently is one face twice."""
    apart: frozenset[Pair] = frozenset()
    """Said to be two people."""
    barred: frozenset[Pair] = frozenset()
    """Row and person: said not to be them."""
    apart_people: frozenset[Pair] = frozenset()
    """People, not rows."""
    enemies: Mapping[int, frozenset[int]] = field(default_factory=dict)
    """For each row those it is apart from."""
    kin: Mapping[int, int] = field(default_factory=dict)
    """For each row that was said to be one person with other faces: which one; equal for equals."""

    def welcome(self, row: int, members: Iterable[int], table: FaceTable) -> bool:
        """Whether a face may stand beside these rows: not seen with any of them, and no word against it."""
        against = self.enemies.get(row, frozenset())
        among = np.fromiter(members, dtype=np.int64)
        seen = among[table.beside(np.full(len(among), row), among)].tolist()
        return not any((min(row, other), max(row, other)) not in self.waived for other in seen) and not (
            against and against.intersection(among.tolist())
        )


NO_RULES = Rules()


def rules(table: FaceTable, said: Standing) -> Rules:
    """What was said of these faces, and what their photos show."""
    together = _rows(table, said.together)
    waived = together | _rows(table, said.alike) | evident(table)
    apart = _rows(table, said.apart)
    people = set(table.people[table.people > 0].tolist())
    same = components(said.together)
    faces = table.ids.tolist() if same else []
    return Rules(
        together,
        waived - apart,
        apart,
        frozenset(_barred(table, said.barred)),
        frozenset((one, other) for one, other in said.apart_people if one in people and other in people),
        {row: frozenset(others) for row, others in partners(apart).items()},
        {row: int(same[face]) for row, face in enumerate(faces) if face in same},
    )


def evident(table: FaceTable) -> frozenset[Pair]:
    """Pairs of rows of one photo, or of one moment of a video, that are one face seen twice."""
    one, other = companions(table.photos, table.spans)
    found: set[Pair] = set()
    for start in range(0, len(one), _BLOCK):
        a, b = one[start : start + _BLOCK], other[start : start + _BLOCK]
        alike = np.einsum("ij,ij->i", unit(table.vectors[a]), unit(table.vectors[b])) >= EVIDENT
        found.update(zip(a[alike].tolist(), b[alike].tolist(), strict=True))
    return frozenset(found)


def faces_of(table: FaceTable, pairs: Iterable[Pair]) -> frozenset[tuple[FaceId, FaceId]]:
    """The faces in these pairs of rows, the smaller number first."""
    ends = (sorted((int(table.ids[one]), int(table.ids[other]))) for one, other in pairs)
    return frozenset((FaceId(first), FaceId(second)) for first, second in ends)


def _rows(table: FaceTable, pairs: Collection[tuple[FaceId, FaceId]]) -> frozenset[Pair]:
    ends = rows_of(table.ids, np.array([*pairs], dtype=np.int64).reshape(-1, 2))
    return frozenset((min(pair), max(pair)) for pair in map(tuple, ends.tolist()) if min(pair) >= 0)


def _barred(table: FaceTable, barred: Collection[tuple[FaceId, PersonId]]) -> Iterable[Pair]:
    pairs = np.array([*barred], dtype=np.int64).reshape(-1, 2)
    for row, person in zip(rows_of(table.ids, pairs[:, 0]).tolist(), pairs[:, 1].tolist(), strict=True):
        if row >= 0:
            yield row, person
