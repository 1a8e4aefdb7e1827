"""A plan for the whole library: what would change if all faces were grouped anew. It moves nothing by itself.

Groups have no names; people have. So each group is given to somebody whose faces it holds, who keeps that number for
life. Two kinds of people are told apart:

- People who last are somebody's word: they have a name, are hidden, were made one of several, or have a pinned face.
  Such a person is at home in the group that holds most of their faces, and that group is theirs. Where two of them
  are at home in one group, or one is and most of it is another's, the grouping cannot tell them apart and has no say:
  all in it stays as it is. So nobody who lasts ever vanishes, however alike two are.
- The others are what was grouped before. Where nobody who lasts is at home, a group goes to the one it has most faces
  of, each of them getting one group at most; what is left founds somebody new.

A face without a group stays where it is. What was said holds in all of it (`fitting`). A plan that was applied leaves
nothing to be done: planning again from the same grouping moves no face.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from guyverd.company import companions
from guyverd.model import FaceId, FaceTable, Move, PersonId, Standing
from guyverd.pairs import components
from guyverd.people.fitting import NEW, Fitting
from guyverd.people.grouping import Grouped
from guyverd.people.rules import faces_of

if TYPE_CHECKING:
    from guyverd.model import BoolArray, IntArray

_ROUNDS = 20
"""A round may set free what keeps another face from its place; more than three were never seen."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What would change."""

    moves: tuple[Move, ...]
    """In the order of the table's rows; each face at most once."""
    appearing: dict[int, int]
    """Each new person's number of faces, two at least, by `Move.group`."""
    vanishing: tuple[PersonId, ...]
    """People who would have no face left, rising. None of them lasts."""
    alike: tuple[tuple[FaceId, FaceId], ...]
    """Faces that are seen together, evidently one face twice, and are one person then; the smaller number first."""


def plan(table: FaceTable, grouped: Grouped, said: Standing, *, held: Collection[PersonId] = ()) -> Plan:
    """The moves that lead from where the faces are (`table.people`) to the groups.

    `held` are people the user made of several: they, and those who are to be kept whole, may have several groups.
    Where the table goes against a word, the plan puts that right.
    """
    pinned = np.array([said.pinned.get(face, 0) for face in table.ids.tolist()], dtype=np.int64)
    fitting = Fitting(table, grouped.rules, pinned, grouped.labels)
    held = {*held, *said.whole}
    lasting = {*said.names, *said.hidden, *held, *said.pinned.values()}
    now = fitting.fit(table.people, table.people)
    for _ in range(_ROUNDS):
        before = now
        now = fitting.fit(before, _wanted(fitting.labels, before, lasting, held))
        now = _without_remnants(now, before, fitting.labels != 0, lasting)
        if (now == before).all():
            break
    return _told(table, now, grouped, said)


def _wanted(labels: IntArray, people: IntArray, lasting: Collection[int], held: Collection[int]) -> IntArray:
    """Whose each face should be: the owner of its group, a number from `NEW` on for somebody new, else as it is."""
    groups, which = np.unique(labels, return_inverse=True)
    owners, frozen = _owners(groups, _shares(which, people, groups != 0), lasting, held)
    return np.where((labels == 0) | frozen[which], people, owners[which])


@dataclass(frozen=True, slots=True)
class _Shares:
    """How many faces of each group are whose, one row for each pair; nobody's are not counted."""

    groups: IntArray
    people: IntArray
    counts: IntArray


def _shares(which: IntArray, people: IntArray, real: BoolArray) -> _Shares:
    rows = np.flatnonzero(real[which] & (people > 0))
    everyone, who = np.unique(people[rows], return_inverse=True)
    pairs, counts = np.unique(which[rows] * max(1, len(everyone)) + who, return_counts=True)
    at, person = np.divmod(pairs, max(1, len(everyone)))
    return _Shares(at, everyone[person], counts)


def _owners(
    groups: IntArray, shares: _Shares, lasting: Collection[int], held: Collection[int]
) -> tuple[IntArray, BoolArray]:
    """For each group whose it is, and whether it is to be left as it is."""
    owners = np.where(groups > 0, groups, NEW - 1 - groups)
    frozen = np.zeros(len(groups), dtype=bool)
    stays = np.isin(shares.people, np.array([*lasting], dtype=np.int64))
    # Whom a group has most faces of; of equals the older.
    order = np.lexsort((shares.people, -shares.counts, shares.groups))
    top = dict(zip(shares.groups[order][::-1].tolist(), shares.people[order][::-1].tolist(), strict=True))
    # Where most faces of each of those who last are; of equals the first.
    order = np.lexsort((shares.groups, -shares.counts, shares.people))
    order = order[stays[order]]
    main = dict(zip(shares.people[order][::-1].tolist(), shares.groups[order][::-1].tolist(), strict=True))
    home: dict[int, set[int]] = defaultdict(set)
    for person, at in main.items():
        home[at].add(person)
    for at in np.flatnonzero(groups > 0).tolist():
        home[at].add(int(groups[at]))
    for at, people in home.items():
        person = min(people)
        first = top.get(at, person)
        frozen[at] = len(people) > 1 or (first != person and first in lasting)
        owners[at] = person
    _deal(owners, home, shares, stays & ~np.isin(shares.people, np.array([*held], dtype=np.int64)), held)
    return owners, frozen


def _deal(
    owners: IntArray, home: Collection[int], shares: _Shares, passed_over: BoolArray, held: Collection[int]
) -> None:
    """Give the groups where nobody is at home to those they have most faces of; it is a stable matching."""
    taken: set[int] = set()
    given = set(home)
    order = np.lexsort((shares.groups, shares.people, -shares.counts))
    order = order[~passed_over[order]]
    for at, person in zip(shares.groups[order].tolist(), shares.people[order].tolist(), strict=True):
        if at not in given and person not in taken:
            owners[at] = person
            given.add(at)
            if person not in held:
                taken.add(person)


def _without_remnants(now: IntArray, before: IntArray, grouped: BoolArray, lasting: Collection[int]) -> IntArray:
    """Without people of whom the grouping left a single face that it found nothing for: that face waits."""
    lost = np.unique(before[(before > 0) & (now != before)])
    values, inverse, counts = np.unique(now, return_inverse=True, return_counts=True)
    small = (counts < 2) & np.isin(values, lost) & ~np.isin(values, np.array([*lasting], dtype=np.int64))
    return np.where(small[inverse] & ~grouped, 0, now)


def _told(table: FaceTable, now: IntArray, grouped: Grouped, said: Standing) -> Plan:
    rows = np.flatnonzero(now != table.people)
    moves = tuple(
        _move(*values)
        for values in zip(table.ids[rows].tolist(), table.people[rows].tolist(), now[rows].tolist(), strict=True)
    )
    before, after = np.unique(table.people[table.people > 0]), np.unique(now[now > 0])
    return Plan(
        moves,
        dict(sorted(Counter((now[now >= NEW] - NEW).tolist()).items())),
        tuple(PersonId(person) for person in np.setdiff1d(before, after).tolist()),
        _alike(table, now, grouped, said),
    )


def _alike(table: FaceTable, now: IntArray, grouped: Grouped, said: Standing) -> tuple[tuple[FaceId, FaceId], ...]:
    """What has to be known so that faces that are seen together may be one person, and is not yet."""
    kin = components(grouped.rules.waived)
    rows = np.array(sorted(kin), dtype=np.int64)
    spans = None if table.spans is None else table.spans.of(rows)
    pairs = zip(*(rows[ends].tolist() for ends in companions(table.photos[rows], spans)), strict=True)
    needed = {kin[one] for one, other in pairs if now[one] and now[one] == now[other] and kin[one] == kin[other]}
    told = faces_of(table, (pair for pair in grouped.rules.waived if kin[pair[0]] in needed))
    return tuple(sorted(told - said.alike - said.together))


def _move(face: int, was: int, now: int) -> Move:
    before = PersonId(was) if was > 0 else None
    if now >= NEW:
        return Move(FaceId(face), before, None, now - NEW)
    return Move(FaceId(face), before, PersonId(now) if now > 0 else None)
