"""The second look at an arrival, at whole groups: which of them, and of the people near them, are one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from guyverd.model import FaceTable, Merge, PersonId, Standing
from guyverd.people.appearances import Appearances, part
from guyverd.people.evidence import Scales
from guyverd.people.graph import rows_of
from guyverd.people.identity import voters
from guyverd.people.neighbourhood import SAMPLE, Book, Gallery, joined
from guyverd.people.rules import rules
from guyverd.people.union import Ranks, merges

if TYPE_CHECKING:
    from guyverd.model import IntArray


@dataclass(frozen=True, slots=True)
class Folded:
    """What the second look found, and what it looked at."""

    merges: tuple[Merge, ...]
    looks: Appearances
    scales: Scales


def fold(placed: FaceTable, gallery: Gallery, book: Book, said: Standing, seed: int) -> Folded:
    """What the second look, at whole groups, makes one."""
    measure = book.measure
    standing = np.unique(placed.people[placed.people > 0])
    members = gallery.members(standing)
    people, counts = np.unique(members.people, return_counts=True)
    sampled = people[counts >= SAMPLE]
    table = joined(placed, members)
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
            return Folded(found, looks, scales)
        # Not all photos of these are known. Those that matter are the photos of the faces that would join them.
        joining = table.ids[np.isin(table.people, np.setdiff1d(involved, sampled))]
        beside = gallery.companions(joining)
        larger = joined(table, beside.of(np.isin(beside.people, sampled)))
        if len(larger) == len(table):
            return Folded(found, looks, scales)
        table = larger


def _of_people(found: tuple[Merge, ...], owners: Mapping[int, int]) -> tuple[Merge, ...]:
    """Merges of appearances as merges of the people they are."""
    return tuple(
        replace(item, into=PersonId(owners.get(item.into, item.into)))
        for item in found
        if item.absorbed not in owners and owners.get(item.into) != item.absorbed
    )


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
    every = joined(table, gallery.table(np.unique(np.append(pairs, barred[:, 0]))))

    def people_of(faces: IntArray) -> IntArray:
        rows = rows_of(every.ids, faces)
        return np.where(rows >= 0, every.people[rows], 0)

    ends = np.concatenate([people_of(pairs), np.stack([people_of(barred[:, 0]), barred[:, 1]], axis=1)])
    return [(one, other) for one, other in ends.tolist() if one and other]
