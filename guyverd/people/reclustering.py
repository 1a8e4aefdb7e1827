"""A plan for the whole library: what would change if all faces were grouped anew. It moves nothing by itself.

Groups have no names; people have. So each group is given to the person most of whose faces it holds, and keeps that
number for life. What was said stands: pinned faces stay, nobody who is barred comes back, people the user made one stay
one, and whoever has a name never vanishes.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from guyverd.model import FaceId, FaceTable, Move, PersonId, Standing
from guyverd.people.grouping import Grouped

if TYPE_CHECKING:
    from guyverd.model import IntArray


@dataclass(frozen=True, slots=True)
class Plan:
    """What would change."""

    moves: tuple[Move, ...]
    """In the order of the table's rows."""
    appearing: dict[int, int]
    """Each new person's number of faces, by `Move.group`."""
    vanishing: tuple[PersonId, ...]
    """People who would have no face left."""
    alike: tuple[tuple[FaceId, FaceId], ...]
    """Faces of one photo that are evidently one face seen twice, the smaller number first."""


def plan(table: FaceTable, grouped: Grouped, said: Standing, *, held: Collection[PersonId] = ()) -> Plan:
    """The moves that lead from where the faces are (`table.people`) to the groups.

    `held` are people the user made of several: they may consist of several groups. A face that belongs to no group
    stays where it is. Hidden and named people, and those in `held`, never lose their last face.
    """
    now = _people(table, grouped.labels, said, held)
    now = _lawful(table, now, grouped, said)
    lasting = set(said.names) | said.hidden | set(held)
    before, after = set(table.people[table.people > 0].tolist()), set(now[now > 0].tolist())
    for person in sorted((before - after) & {int(one) for one in lasting}):
        # All it had went elsewhere: it is somebody's word that it exists, so it keeps what it had.
        mine = table.people == person
        now[mine & (_pinned_elsewhere(table, said, person) == 0)] = person
    now = _lawful(table, now, grouped, said)
    now = _large_enough(now)
    moved = np.flatnonzero(now != table.people)
    moves = tuple(_move(int(table.ids[row]), int(table.people[row]), int(now[row])) for row in moved.tolist())
    groups, counts = np.unique(now[now < 0], return_counts=True)
    after = set(now[now > 0].tolist())
    return Plan(
        moves,
        {-1 - number: count for number, count in zip(groups.tolist(), counts.tolist(), strict=True)},
        tuple(PersonId(person) for person in sorted(before - after)),
        tuple(sorted(_ids(table, *pair) for pair in grouped.rules.waived - grouped.rules.together)),
    )


def _people(table: FaceTable, labels: IntArray, said: Standing, held: Collection[PersonId]) -> IntArray:
    """Each row's person, or −1 − g where group g is a new one; a face without a group stays where it is."""
    rows = np.flatnonzero((labels < 0) & (table.people > 0))
    key, counts = np.unique(np.stack([labels[rows], table.people[rows]], axis=1), axis=0, return_counts=True)
    # Who has a name is asked first, then the largest share; the older of equals.
    named = np.isin(key[:, 1], np.array([*said.names], dtype=np.int64))
    order = np.lexsort((key[:, 1], -key[:, 0], -counts, ~named))
    most = _plurality(key, counts)
    owner: dict[int, int] = {}
    taken: set[int] = set()
    for at in order.tolist():
        label, person = int(key[at, 0]), int(key[at, 1])
        if label in owner or most[label] != person:
            continue
        if person not in taken or person in held:
            owner[label] = person
            taken.add(person)
    for at in order.tolist():
        # What is left of a group whose largest part is taken elsewhere may still be somebody smaller.
        label, person = int(key[at, 0]), int(key[at, 1])
        if label not in owner and person not in taken:
            owner[label] = person
            taken.add(person)
    values, inverse = np.unique(labels, return_inverse=True)
    mapped = np.array([owner.get(value, value) for value in values.tolist()], dtype=np.int64)
    return np.where(labels == 0, table.people, mapped[inverse])


def _plurality(key: IntArray, counts: IntArray) -> dict[int, int]:
    """For each group the person it holds most faces of; the older of equals."""
    order = np.lexsort((-key[:, 1], counts))
    return {int(key[at, 0]): int(key[at, 1]) for at in order.tolist()}


def _lawful(table: FaceTable, now: IntArray, grouped: Grouped, said: Standing) -> IntArray:
    """Without what a word or a photo speaks against: of two who cannot both be there the firmer stays."""
    now = now.copy()
    rule = grouped.rules
    for row, person in rule.barred:
        if now[row] == person:
            now[row] = 0
    pinned = np.array([face in said.pinned for face in table.ids.tolist()], dtype=bool)
    grouped_here = grouped.labels != 0
    settled = table.people == now
    firm = pinned * 4.0 + grouped_here * 2.0 + settled * 1.0 + table.quality * 0.5
    pairs = set(rule.apart)
    order = np.lexsort((now, table.photos))
    same = (table.photos[order][1:] == table.photos[order][:-1]) & (now[order][1:] == now[order][:-1])
    for photo in np.unique(table.photos[order][1:][same & (now[order][1:] != 0)]).tolist():
        rows = np.flatnonzero(table.photos == photo).tolist()
        pairs |= {
            (one, other)
            for place, one in enumerate(rows)
            for other in rows[place + 1 :]
            if now[one] == now[other] and (one, other) not in rule.waived
        }
    for one, other in sorted(pairs, key=lambda pair: (-max(firm[pair[0]], firm[pair[1]]), pair)):
        if now[one] and now[one] == now[other]:
            loser = one if (firm[one], -one) < (firm[other], -other) else other
            now[loser] = 0
    for one, other in rule.together:
        if now[one] != now[other]:
            firmer, softer = (one, other) if firm[one] >= firm[other] else (other, one)
            now[softer] = now[firmer]
    return now


def _pinned_elsewhere(table: FaceTable, said: Standing, person: int) -> IntArray:
    """1 for each row that is somebody else by the user's word."""
    return np.array(
        [int(said.pinned.get(FaceId(face), person) != person) for face in table.ids.tolist()], dtype=np.int64
    )


def _large_enough(now: IntArray) -> IntArray:
    """A new person has two faces at least; what is left of a smaller group waits."""
    groups, counts = np.unique(now[now < 0], return_counts=True)
    small = np.isin(now, groups[counts < 2])
    return np.where(small, 0, now)


def _move(face: int, was: int, now: int) -> Move:
    before = PersonId(was) if was > 0 else None
    if now < 0:
        return Move(FaceId(face), before, None, -1 - now)
    return Move(FaceId(face), before, PersonId(now) if now > 0 else None)


def _ids(table: FaceTable, one: int, other: int) -> tuple[FaceId, FaceId]:
    first, second = sorted((int(table.ids[one]), int(table.ids[other])))
    return FaceId(first), FaceId(second)
