"""New faces arrive: find their neighbourhood, let only that whisper, and say what follows.

The neighbourhood is the new faces, the unattached faces linked with them (and with those), and the attached faces
nearest to all of these, which stand as anchors. Its size follows from the number of new faces and of neighbours asked
for, not from the library's. Rows are ordered by photo and place in it, so the result does not depend on how faces are
numbered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from guyverd.config import People
from guyverd.model import NOTHING_SAID, Assignment, FaceId, FaceTable, Merge, PersonId, Standing
from guyverd.people.appearances import Appearances, part
from guyverd.people.directions import unit
from guyverd.people.evidence import DOUBT, FEW, Measure, Scales, belonging, evidence, sums
from guyverd.people.graph import Edges, link, linked_share, rows_of, with_certain
from guyverd.people.identity import anchors, decide, voters
from guyverd.people.index import FaceIndex, Neighbours
from guyverd.people.recognition import Recognition, recognise
from guyverd.people.rules import Rules, kin, rules
from guyverd.people.union import Ranks, merges
from guyverd.people.whispers import whisper

if TYPE_CHECKING:
    from guyverd.model import BoolArray, IntArray

__all__ = ["SAMPLE", "Gallery", "Outcome", "Recognition", "arrive", "recognise"]

SAMPLE = 200
"""Most faces of one person that `Gallery.members` gives."""
HOPS = 2
"""How far from a new face unattached faces are asked again."""
SLACK = 2.0
"""A neighbour is looked at when its evidence, by the asking face's own scale, is at most so much short of a join."""


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
    hood = _Neighbourhood(new, gallery, index, _Book(measure), said)
    table, scales, rule = hood.table, hood.scales, hood.rules
    if not len(table):
        return Outcome((), ())
    edges = hood.edges()
    labels = whisper(
        len(table),
        edges,
        seed=seed,
        photos=table.photos,
        anchors=anchors(table),
        voters=voters(table, settings),
        apart=rule.apart,
        together=rule.waived,
        barred=rule.barred,
    )
    decided = decide(table, edges, labels, scales=scales, measure=measure, rules=rule)
    placed = _placed(table, labels, decided)
    folded = _folded(placed, gallery, hood.book, said, seed)
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
        tuple(sorted(_ids(table, one, other) for one, other in rule.waived - rule.together)),
    )


class _Book:
    """A measure that remembers the scales of the faces it was asked about: most are met several times."""

    def __init__(self, measure: Measure) -> None:
        self.measure = measure
        self._ids: IntArray = np.empty(0, dtype=np.int64)
        self._scales = Scales(np.empty(0, np.float32), np.empty(0, np.float32))

    def scales(self, table: FaceTable) -> Scales:
        """The scales of these faces."""
        new = np.flatnonzero(rows_of(self._ids, table.ids) < 0)
        if len(new):
            found = self.measure.scales(table.vectors[new])
            self._ids = np.concatenate([self._ids, table.ids[new]])
            self._scales = Scales(
                np.concatenate([self._scales.centre, found.centre]), np.concatenate([self._scales.width, found.width])
            )
        return self._scales.of(rows_of(self._ids, table.ids))


class _Neighbourhood:
    """The faces that matter to some new ones, and the neighbours of those among them that are free."""

    def __init__(
        self,
        new: IntArray,
        gallery: Gallery,
        index: FaceIndex,
        book: _Book,
        said: Standing,
    ) -> None:
        self._gallery, self._index = gallery, index
        self.book, self._measure = book, book.measure
        asked, attached = self._reached(new)
        self.table = gallery.table(np.empty(0, dtype=np.int64))
        if len(asked):
            attached.append(_attached(gallery.companions(asked)))
            ends = np.array([*said.apart], dtype=np.int64).reshape(-1, 2)
            same = np.array([*kin(said.together).items()], dtype=np.int64).reshape(-1, 2)
            of_asked = np.isin(same[:, 1], same[np.isin(same[:, 0], asked), 1])
            partners = [ends[np.isin(ends, asked).any(axis=1)].ravel(), same[of_asked, 0]]
            attached.append(_attached(gallery.table(np.unique(np.concatenate(partners)))))
            self.table = gallery.table(np.unique(np.concatenate([asked, *attached])))
        self._asked = asked
        self.scales: Scales = book.scales(self.table)
        self.rules: Rules = rules(self.table, said)

    def _reached(self, new: IntArray) -> tuple[IntArray, list[IntArray]]:
        """The free faces that are asked, whose neighbours are kept; and the attached ones near them."""
        measure, gallery = self._measure, self._gallery
        free = gallery.table(np.unique(new))
        attached = [free.ids[free.people > 0]]
        free = _rows(free, free.people <= 0)
        asked, self._ids, self._similarity = [free.ids], [], []
        for hop in range(HOPS + 1):
            found = self._index.neighbours(free.vectors, self._measure.settings.neighbours + 1)
            self._ids.append(found.ids)
            self._similarity.append(found.similarity)
            scales = self.book.scales(free)
            column = Scales(scales.centre[:, None], scales.width[:, None])
            near = np.unique(found.ids[(column.alone(found.similarity) > measure.join - SLACK) & (found.ids >= 0)])
            around = gallery.table(np.setdiff1d(near, np.concatenate(asked)))
            attached.append(around.ids[around.people > 0])
            if hop == HOPS:
                break
            rows = rows_of(around.ids, found.ids)
            told = evidence(found.similarity, column, self.book.scales(around).of(rows)) if len(around) else None
            linked = np.unique(rows[(rows >= 0) & (told > measure.link)]) if told is not None else rows.ravel()[:0]
            free = _rows(around, linked)
            free = _rows(free, free.people <= 0)
            asked.append(free.ids)
        return np.concatenate(asked), attached

    def edges(self) -> Edges:
        """The links between the faces of the table, with those that the user made."""
        rows = rows_of(self._asked, self.table.ids)
        ids = np.where(rows[:, None] >= 0, np.concatenate(self._ids)[rows], -1)
        similarity = np.where(rows[:, None] >= 0, np.concatenate(self._similarity)[rows], np.float32(-1))
        near = Neighbours(ids, similarity)
        edges = link(self.table, near, self.scales, self._measure.link, self.rules.waived)
        return with_certain(edges, self.rules.together)


def _attached(table: FaceTable) -> IntArray:
    return table.ids[table.people > 0]


def _rows(table: FaceTable, kept: BoolArray | IntArray) -> FaceTable:
    return FaceTable(table.ids[kept], table.photos[kept], table.quality[kept], table.people[kept], table.vectors[kept])


def _ids(table: FaceTable, one: int, other: int) -> tuple[FaceId, FaceId]:
    first, second = sorted((int(table.ids[one]), int(table.ids[other])))
    return FaceId(first), FaceId(second)


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


@dataclass(frozen=True, slots=True)
class _Folded:
    """What the second look found, and what it looked at."""

    merges: tuple[Merge, ...]
    looks: Appearances
    scales: Scales


def _doubtful(table: FaceTable, people: IntArray, edges: Edges, folded: _Folded, measure: Measure) -> IntArray:
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


def _folded(placed: FaceTable, gallery: Gallery, book: _Book, said: Standing, seed: int) -> _Folded:
    """What the second look, at whole groups, makes one."""
    measure = book.measure
    standing = np.unique(placed.people[placed.people > 0])
    members = gallery.members(standing)
    people, counts = np.unique(members.people, return_counts=True)
    sampled = people[counts >= SAMPLE]
    table = _joined(placed, members)
    named = frozenset(said.names) | said.hidden
    # Who was made of several, or of faces that the user named one by one, may look like several.
    several = np.intersect1d(standing, np.array([*said.forwards.values(), *said.pinned.values()], np.int64)).tolist()
    while True:
        scales, good = book.scales(table), voters(table, measure.settings)
        looks = part(table, scales, measure, good=good, several=several, seed=seed)
        numbers = np.unique(looks.table.people).tolist()
        ranks = Ranks(
            {number for number in numbers if looks.owners.get(number, number) in named},
            {number for number in numbers if looks.owners.get(number, number) in sampled},
            looks.owners,
        )
        found = _of_people(
            merges(
                looks.table,
                scales,
                least=measure.join,
                least_of_two=measure.pair,
                good=good,
                ranks=ranks,
                rules=rules(looks.table, said),
                apart=_people_apart(table, gallery, said),
            ),
            looks.owners,
        )
        involved = np.array([(item.absorbed, item.into) for item in found], dtype=np.int64).ravel()
        if not np.isin(sampled, involved).any():
            return _Folded(found, looks, scales)
        # Not all photos of these are known. Those that matter are the photos of the faces that would join them.
        joining = table.ids[np.isin(table.people, np.setdiff1d(involved, sampled))]
        beside = gallery.companions(joining)
        larger = _joined(table, _rows(beside, np.isin(beside.people, sampled)))
        if len(larger) == len(table):
            return _Folded(found, looks, scales)
        table = larger


def _of_people(found: tuple[Merge, ...], owners: Mapping[int, int]) -> tuple[Merge, ...]:
    """Merges of appearances as merges of the people they are."""
    return tuple(
        replace(item, into=PersonId(owners.get(item.into, item.into)))
        for item in found
        if item.absorbed not in owners and owners.get(item.into) != item.absorbed
    )


def _joined(first: FaceTable, second: FaceTable) -> FaceTable:
    """Both tables' faces, each once, as the first has it where both do; ordered by photo."""
    second = _rows(second, ~np.isin(second.ids, first.ids))
    columns = [
        np.concatenate([getattr(first, name), getattr(second, name)])
        for name in ("ids", "photos", "quality", "people", "vectors")
    ]
    return _rows(FaceTable(*columns), np.argsort(columns[1], kind="stable"))


def _people_apart(table: FaceTable, gallery: Gallery, said: Standing) -> list[tuple[int, int]]:
    """Pairs of people or groups of the table of whom a face here and one elsewhere were said to be apart.

    The face elsewhere may also be one of a large person, not all of whose faces are here.
    """
    pairs = np.array([*said.apart], dtype=np.int64).reshape(-1, 2)
    pairs = pairs[np.isin(pairs, table.ids).any(axis=1)]
    barred = np.array([*said.barred], dtype=np.int64).reshape(-1, 2)
    barred = barred[np.isin(barred[:, 1], table.people) & ~np.isin(barred[:, 0], table.ids)]
    if not len(pairs) and not len(barred):
        return []
    every = _joined(table, gallery.table(np.unique(np.append(pairs, barred[:, 0]))))

    def people_of(faces: IntArray) -> IntArray:
        rows = rows_of(every.ids, faces)
        return np.where(rows >= 0, every.people[rows], 0)

    ends = np.concatenate([people_of(pairs), np.stack([people_of(barred[:, 0]), barred[:, 1]], axis=1)])
    return [(one, other) for one, other in ends.tolist() if one and other]


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
