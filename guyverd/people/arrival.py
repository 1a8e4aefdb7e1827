"""New faces arrive: find their neighbourhood (`neighbourhood`), let only that whisper, and say what follows.

Its attached faces stand as anchors. Rows are ordered by photo and place in it, so the result does not depend on how
faces are numbered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from guyverd.config import People
from guyverd.model import NOTHING_SAID, Assignment, FaceId, FaceTable, Merge, PersonId, Standing
from guyverd.people.directions import unit
from guyverd.people.evidence import DOUBT, FEW, Measure, belonging, sums
from guyverd.people.folding import Folded, fold
from guyverd.people.graph import Edges, linked_share, rows_of
from guyverd.people.identity import anchors, decide, voters
from guyverd.people.index import FaceIndex
from guyverd.people.neighbourhood import SAMPLE, Book, Gallery, Neighbourhood
from guyverd.people.recognition import Recognition, recognise
from guyverd.people.rules import Rules, faces_of
from guyverd.people.whispers import whisper

if TYPE_CHECKING:
    from guyverd.model import IntArray

__all__ = ["SAMPLE", "Gallery", "Outcome", "Recognition", "arrive", "recognise"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What follows from an arrival."""

    assignments: tuple[Assignment, ...]
    """In the order of (photo, ordinal); `group` is numbered from 0 within this outcome."""
    merges: tuple[Merge, ...]
    """Of people that stood before; each absorbed one once and no survivor absorbed, so their order does not matter."""
    alike: tuple[tuple[FaceId, FaceId], ...] = ()
    """Faces of one photo that are evidently one face seen twice, the smaller number first."""


def arrive(
    new: IntArray,
    gallery: Gallery,
    index: FaceIndex,
    measure: Measure,
    *,
    seed: int,
    said: Standing = NOTHING_SAID,
) -> Outcome:
    """Where the faces `new` (ids, int64[n]) belong, and what else their arrival settles.

    They must be in the gallery and in the index. `said` is what the user decided. Faces that are attached already are
    never moved, except that whole people without a name may be merged. Raises ValueError for a new face that is not in
    the index.
    """
    missing = [face for face in new.tolist() if face not in index]
    if missing:
        raise ValueError(f"face {missing[0]} is not in the index")
    settings = measure.settings
    hood = Neighbourhood(new, gallery, index, Book(measure), said)
    table, scales, rule = hood.table, hood.scales, hood.rules
    if not len(table):
        return Outcome((), ())
    edges = hood.edges()
    labels = whisper(
        len(table),
        edges,
        seed=seed,
        photos=table.photos,
        spans=table.spans,
        anchors=anchors(table),
        voters=voters(table, settings),
        apart=rule.apart,
        together=rule.waived,
        barred=rule.barred,
    )
    decided = decide(table, edges, labels, scales=scales, measure=measure, rules=rule)
    placed = _placed(table, labels, decided)
    folded = fold(placed, gallery, hood.book, said, seed)
    found = folded.merges
    into = {int(item.absorbed): int(item.into) for item in found}
    people = _renamed(placed.people, into)
    # A face that waited because it was between two people has its answer if they are one.
    standing = {person: other for person, other in into.items() if person > 0}
    labels = np.where(people > 0, people, _renamed(labels, standing))
    settled = replace(table, people=people)
    again = [
        item
        for item, row in _with_rows(decide(settled, edges, labels, scales=scales, measure=measure, rules=rule), table)
        if item.person is not None and people[row] == 0
    ]
    for item, row in _with_rows(again, table):
        people[row] = item.person or 0
    people[_doubtful(table, people, edges, folded, measure)] = 0
    people[_against(table, people, standing, rule)] = 0
    scores = {int(item.absorbed): item.score for item in found if item.absorbed < 0}
    own = {item.face: item.score for item in (*decided, *again)}
    scored = [
        own.get(FaceId(face), scores.get(was, 0.0))
        for face, was in zip(table.ids.tolist(), placed.people.tolist(), strict=True)
    ]
    return Outcome(
        _assignments(table, people, scored, settings),
        tuple(item for item in found if item.absorbed > 0),
        tuple(sorted(faces_of(table, rule.waived - rule.together))),
    )


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


def _doubtful(table: FaceTable, people: IntArray, edges: Edges, folded: Folded, measure: Measure) -> IntArray:
    """The rows of free faces that are like no appearance of the people they would join."""
    looks, owners = folded.looks.table, folded.looks.owners
    into = {int(item.absorbed): int(item.into) for item in folded.merges}
    rows = rows_of(looks.ids, table.ids)
    place = looks.people.copy()
    # Who found their person only now counts there too, and the first look decides which appearance that is.
    late = np.flatnonzero((place[rows] == 0) & (people != 0))
    place[rows[late]] = people[late]
    place = np.array([into.get(number, number) if number not in owners else number for number in place.tolist()])
    numbers, groups = np.unique(place, return_inverse=True)
    groups = np.where(place == 0, -1, groups)
    told = belonging(looks.vectors, folded.scales, groups.astype(np.int64))[rows]
    least = measure.join - DOUBT
    whose = np.array([owners.get(number, number) for number in numbers.tolist()])
    everyone, person = np.unique(whose, return_inverse=True)
    sizes = np.bincount(person, weights=np.bincount(groups[groups >= 0], minlength=len(numbers))).astype(np.int64)
    mine = np.where(people != 0, np.searchsorted(everyone, people), -1)
    few = linked_share(edges, mine, sizes) < FEW
    free = np.flatnonzero((table.people <= 0) & (people != 0) & (told < least) & few)
    if not len(free) or not owners:
        return free
    # Unlike the largest appearance, but perhaps like another one of the same person.
    every = sums(looks.vectors, folded.scales, groups.astype(np.int64), len(numbers))
    doubtful = []
    for row in free.tolist():
        mine = np.flatnonzero((whose == people[row]) & (numbers != people[row]))
        if (
            not len(mine)
            or float(every.to(unit(table.vectors[[row]])[0], folded.scales.of(rows[[row]]), mine).max()) < least
        ):
            doubtful.append(row)
    return np.array(doubtful, dtype=np.int64)


def _against(table: FaceTable, people: IntArray, into: Mapping[int, int], rule: Rules) -> list[int]:
    """The rows of free faces that a word keeps from where they would be, now that some people are one."""
    free = table.people <= 0
    found = [row for row, person in rule.barred if free[row] and people[row] == into.get(person, person)]
    # Who was said to be one is not parted: who is attached says where, else who joins somebody, else the first.
    homes: dict[int, int] = {}
    for row in sorted(rule.kin, key=lambda row: (bool(free[row]), people[row] <= 0, row)):
        home = int(people[row])
        if home and row not in found and homes.setdefault(rule.kin[row], home) != home and free[row]:
            found.append(row)
    return found


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
