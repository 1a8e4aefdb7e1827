"""New faces arrive: find their neighbourhood, let only that whisper, and say what follows.

The neighbourhood is the new faces, the unattached faces linked with them (and with those), and the attached faces
nearest to all of these, which stand as anchors. Its size follows from the number of new faces and of neighbours asked
for, not from the library's. Rows are ordered by photo and place in it, so the result does not depend on how faces are
numbered.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from guyverd.config import People
from guyverd.model import Assignment, FaceId, FaceTable, Merge, PersonId
from guyverd.people.graph import link, rows_of, similarity_at
from guyverd.people.identity import anchors, decide, voters
from guyverd.people.index import FaceIndex, Neighbours
from guyverd.people.recognition import Recognition, recognise
from guyverd.people.union import merges
from guyverd.people.whispers import whisper

if TYPE_CHECKING:
    from guyverd.model import BoolArray, IntArray

__all__ = ["SAMPLE", "Gallery", "Outcome", "Recognition", "arrive", "recognise"]

SAMPLE = 200
"""Most faces of one person that `Gallery.members` gives."""
HOPS = 2
"""How far from a new face unattached faces are asked again."""
REACH = 1.2
"""Attached faces up to so many link distances away are looked at: their people may turn out to be one."""


class Gallery(Protocol):
    """The faces of the library, as far as they are asked for. Every table is ordered by (photo, ordinal)."""

    def table(self, ids: IntArray) -> FaceTable:
        """These faces, without those that do not exist (any more)."""

    def members(self, people: IntArray) -> FaceTable:
        """All faces of each of these people, or `SAMPLE` of them spread evenly."""

    def companions(self, ids: IntArray) -> FaceTable:
        """The other faces in the photos of these faces."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What follows from an arrival."""

    assignments: tuple[Assignment, ...]
    """In the order of (photo, ordinal); `group` is numbered from 0 within this outcome."""
    merges: tuple[Merge, ...]
    """Of people that stood before; each absorbed one once and no survivor absorbed, so their order does not matter."""


def arrive(
    new: IntArray,
    gallery: Gallery,
    index: FaceIndex,
    settings: People,
    *,
    seed: int,
    named: frozenset[PersonId],
    apart: Collection[tuple[FaceId, FaceId]] = (),
) -> Outcome:
    """Where the faces `new` (ids, int64[n]) belong, and what else their arrival settles.

    They must be in the gallery and in the index. `named` are the people who have a name; `apart` are pairs of faces
    that must never be one person. Faces that are attached already are never moved, except that whole people without a
    name may be merged. Raises ValueError for a new face that is not in the index.
    """
    missing = [face for face in new.tolist() if face not in index]
    if missing:
        raise ValueError(f"face {missing[0]} is not in the index")
    table, neighbours = _neighbourhood(new, gallery, index, settings, apart)
    if not len(table):
        return Outcome((), ())
    apart_rows = _rows_apart(table, apart)
    edges = link(table, neighbours, settings.link_distance)
    labels = whisper(
        len(table),
        edges,
        seed=seed,
        photos=table.photos,
        anchors=anchors(table),
        voters=voters(table, settings),
        apart=apart_rows,
    )
    decided = decide(table, edges, labels, settings, apart_rows)
    placed = _placed(table, labels, decided)
    found = _folded(placed, gallery, settings, named, apart)
    into = {int(item.absorbed): int(item.into) for item in found}
    people = _renamed(placed.people, into)
    # A face that waited because it was between two people has its answer if they are one.
    standing = {person: other for person, other in into.items() if person > 0}
    labels = np.where(people > 0, people, _renamed(labels, standing))
    settled = replace(table, people=people)
    again = [
        item
        for item, row in _with_rows(decide(settled, edges, labels, settings, apart_rows), table)
        if item.person is not None and people[row] == 0
    ]
    for item, row in _with_rows(again, table):
        people[row] = item.person or 0
    scores = {int(item.absorbed): item.score for item in found if item.absorbed < 0}
    own = {item.face: item.score for item in (*decided, *again)}
    scored = [
        own.get(FaceId(face), scores.get(was, 0.0))
        for face, was in zip(table.ids.tolist(), placed.people.tolist(), strict=True)
    ]
    return Outcome(_assignments(table, people, scored, settings), tuple(item for item in found if item.absorbed > 0))


def _neighbourhood(
    new: IntArray, gallery: Gallery, index: FaceIndex, settings: People, apart: Collection[tuple[FaceId, FaceId]]
) -> tuple[FaceTable, Neighbours]:
    """The faces that matter, and the neighbours of those among them that are free."""
    free = gallery.table(np.unique(new))
    attached = [free.ids[free.people > 0]]
    free = _rows(free, free.people <= 0)
    asked, hits, likeness = [], [], []
    for _ in range(HOPS + 1):
        found = index.neighbours(free.vectors, settings.neighbours + 1)
        asked.append(free.ids)
        hits.append(found.ids)
        likeness.append(found.similarity)
        near = np.unique(found.ids[found.similarity > similarity_at(REACH * settings.link_distance)])
        around = gallery.table(np.setdiff1d(near, np.concatenate(asked)))
        attached.append(around.ids[around.people > 0])
        linked = found.ids[found.similarity > similarity_at(settings.link_distance)]
        free = _rows(around, (around.people <= 0) & np.isin(around.ids, linked))
    every = np.concatenate(asked)
    if not len(every):
        return free, Neighbours(np.empty((0, 1), dtype=np.int64), np.empty((0, 1), dtype=np.float32))
    attached.append(_attached(gallery.companions(every)))
    if apart:
        pairs = np.array([*apart], dtype=np.int64)
        partners = pairs[np.isin(pairs, every).any(axis=1)].ravel()
        attached.append(_attached(gallery.table(np.unique(partners))))
    table = gallery.table(np.unique(np.concatenate([every, *attached])))
    rows = rows_of(every, table.ids)
    ids = np.where(rows[:, None] >= 0, np.concatenate(hits)[rows], -1)
    similarity = np.where(rows[:, None] >= 0, np.concatenate(likeness)[rows], np.float32(-1))
    return table, Neighbours(ids, similarity)


def _attached(table: FaceTable) -> IntArray:
    return table.ids[table.people > 0]


def _rows(table: FaceTable, kept: BoolArray | IntArray) -> FaceTable:
    return FaceTable(table.ids[kept], table.photos[kept], table.quality[kept], table.people[kept], table.vectors[kept])


def _rows_apart(table: FaceTable, apart: Collection[tuple[FaceId, FaceId]]) -> list[tuple[int, int]]:
    ends = rows_of(table.ids, np.array([*apart], dtype=np.int64).reshape(-1, 2))
    return [(one, other) for one, other in ends.tolist() if one >= 0 and other >= 0]


def _placed(table: FaceTable, labels: IntArray, decided: tuple[Assignment, ...]) -> FaceTable:
    """The table with everybody's place: a person, −1 − group, a number below those for a face on its own, 0 to wait."""
    people = table.people.copy()
    for item, row in _with_rows(decided, table):
        if item.person is not None:
            people[row] = item.person
        elif item.group is not None:
            people[row] = -1 - item.group
    groups = len({item.group for item in decided if item.group is not None})
    alone = np.flatnonzero((people == 0) & (labels < 0))
    people[alone] = -1 - groups - np.arange(len(alone))
    return replace(table, people=people)


def _folded(
    placed: FaceTable,
    gallery: Gallery,
    settings: People,
    named: frozenset[PersonId],
    apart: Collection[tuple[FaceId, FaceId]],
) -> tuple[Merge, ...]:
    """What the second look, at whole groups, makes one."""
    standing = np.unique(placed.people[placed.people > 0])
    members = gallery.members(standing)
    people, counts = np.unique(members.people, return_counts=True)
    sampled = people[counts >= SAMPLE]
    table = _joined(placed, members)
    enemies = _people_apart(placed, gallery, apart)
    while True:
        found = merges(table, settings, named=named, sampled=sampled.tolist(), apart=enemies)
        involved = np.array([(item.absorbed, item.into) for item in found], dtype=np.int64).ravel()
        if not np.isin(sampled, involved).any():
            return found
        # Not all photos of these are known. Those that matter are the photos of the faces that would join them.
        joining = table.ids[np.isin(table.people, np.setdiff1d(involved, sampled))]
        beside = gallery.companions(joining)
        larger = _joined(table, _rows(beside, np.isin(beside.people, sampled)))
        if len(larger) == len(table):
            return found
        table = larger


def _joined(first: FaceTable, second: FaceTable) -> FaceTable:
    """Both tables' faces, each once, as the first has it where both do; ordered by photo."""
    second = _rows(second, ~np.isin(second.ids, first.ids))
    columns = [
        np.concatenate([getattr(first, name), getattr(second, name)])
        for name in ("ids", "photos", "quality", "people", "vectors")
    ]
    return _rows(FaceTable(*columns), np.argsort(columns[1], kind="stable"))


def _people_apart(
    placed: FaceTable, gallery: Gallery, apart: Collection[tuple[FaceId, FaceId]]
) -> list[tuple[int, int]]:
    if not apart:
        return []
    table = _joined(placed, gallery.table(np.unique(np.array([*apart], dtype=np.int64))))
    return [(int(table.people[one]), int(table.people[other])) for one, other in _rows_apart(table, apart)]


def _with_rows(items: Iterable[Assignment], table: FaceTable) -> list[tuple[Assignment, int]]:
    items = list(items)
    rows = rows_of(table.ids, np.array([item.face for item in items], dtype=np.int64))
    return list(zip(items, rows.tolist(), strict=True))


def _renamed(people: IntArray, into: Mapping[int, int]) -> IntArray:
    return np.array([into.get(person, person) for person in people.tolist()], dtype=np.int64)


def _assignments(
    table: FaceTable, people: IntArray, scores: Sequence[float], settings: People
) -> tuple[Assignment, ...]:
    """The places of the faces that had none, from everybody's place; a group must still be fit to found a person."""
    good = voters(table, settings)
    numbers: dict[int, int] = {}
    assignments = []
    for row in np.flatnonzero((table.people <= 0) & (people != 0)).tolist():
        person = int(people[row])
        group = None
        if person < 0:
            rows = people == person
            if rows.sum() < 2 or not good[rows].any():
                continue
            group = numbers.setdefault(person, len(numbers))
        face = FaceId(int(table.ids[row]))
        assignments.append(Assignment(face, PersonId(person) if group is None else None, group, scores[row]))
    return tuple(assignments)
