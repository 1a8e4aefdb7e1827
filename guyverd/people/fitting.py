"""Wishes for whole tables of faces, carried out as far as words and photos allow: each face has its place, or yields.

What may not be: a face with somebody it is barred from, faces that are seen together (in one photo, or at one moment of
a video) and are one person without being one face twice, faces that were said to be two people in one, a face that goes
over between two people who were said to be two.
Of two faces that cannot both be there the firmer stays; the other goes back to where it was, or to nobody.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from guyverd.company import companions
from guyverd.pairs import components, partners
from guyverd.people.rules import Pair, Rules

if TYPE_CHECKING:
    from guyverd.model import FaceTable, FloatArray, IntArray

NEW = 1 << 48
"""People who do not stand yet have numbers from here on: they are founded by two faces at least."""


class Fitting:
    """The faces of one table, what was said of them, and what the grouping found."""

    def __init__(self, table: FaceTable, rules: Rules, pinned: IntArray, labels: IntArray) -> None:
        """`pinned`, int64[n]: whose each row is by the user's word, 0 where nothing was said. `labels`: 0 for none."""
        self._table, self._rules, self._pinned = table, rules, pinned
        self._kin = components(rules.waived)
        self._beside = _in_company(table.photos)
        quality = np.clip(np.nan_to_num(table.quality), 0, 1)
        self._worth: FloatArray = 4.0 * (pinned > 0) + 0.5 * quality
        self.labels: IntArray = labels.copy()
        """The group of each; faces said to be one person have the same."""
        self._together: dict[int, list[int]] = defaultdict(list)
        for row, first in components(rules.together).items():
            self._together[first].append(row)
        for rows in self._together.values():
            leader = min(rows, key=lambda row: (pinned[row] <= 0, not labels[row], -self._worth[row], row))
            self.labels[rows] = labels[leader]

    def fit(self, present: IntArray, wanted: IntArray) -> IntArray:
        """Where each face is to be, int64[n]: `wanted`, else where it is at `present`, else 0, which is nobody.

        The firmest are those that are pinned; then those that the grouping puts where they are wanted; then those that
        are there already; then the better ones. Faces said to be one person go where the firmest of them is.
        """
        wanted = np.where(self._pinned > 0, self._pinned, wanted)
        units = self._units(wanted)
        wanted = self._without_going_over(wanted, present, units)
        now = wanted.copy()
        unit_of = {row: unit for unit in units for row in unit}
        refused: set[Pair] = set()
        fallen: set[int] = set()
        while True:
            for leader, *others in units:
                for row in others:
                    now[row] = 0 if (row, int(now[leader])) in refused else now[leader]
            losers = self._losers(now, wanted, present)
            if not losers:
                return now
            lost = {row: int(now[row]) for row in losers}
            for row, place in lost.items():
                unit = unit_of.get(row, [row])
                if now[row] != place:
                    continue  # it went with its unit
                if row != unit[0]:
                    refused.add((row, place))
                    now[row] = 0
                    continue
                home = int(present[unit].max())
                back = row not in fallen and place != home
                if back:
                    unit.sort(key=lambda row: not present[row])
                now[unit] = home if back else 0
                fallen.update(unit)

    def _units(self, wanted: IntArray) -> list[list[int]]:
        """The faces that were said to be one person, the one that the others follow first."""

        def rank(row: int) -> tuple[bool, bool, float, int]:
            return self._pinned[row] <= 0, not wanted[row], -float(self._worth[row]), row

        return [sorted(rows, key=rank) for rows in self._together.values()]

    def _without_going_over(self, wanted: IntArray, present: IntArray, units: list[list[int]]) -> IntArray:
        """The wishes, without those by which a face would go from one to the other of two people who are two."""
        pairs = self._rules.apart_people
        if not pairs:
            return wanted

        def over(row: int, to: int) -> bool:
            person = int(present[row])
            return self._pinned[row] <= 0 and (min(person, to), max(person, to)) in pairs

        people = np.unique(np.array([*pairs], dtype=np.int64))
        rows = np.flatnonzero((wanted != present) & np.isin(wanted, people) & np.isin(present, people))
        staying = [row for row in rows.tolist() if over(row, int(wanted[row]))]
        wanted = wanted.copy()
        wanted[staying] = present[staying]
        for unit in units:
            if any(over(row, int(wanted[unit[0]])) for row in unit):
                unit.sort(key=lambda row: not present[row])
                wanted[unit] = present[unit]
        return wanted

    # ---- who has to yield --------------------------------------------------------------------------------------------

    def _losers(self, now: IntArray, wanted: IntArray, present: IntArray) -> list[int]:
        out = {row for row, person in self._rules.barred if now[row] == person}
        out |= _alone(now)
        against = self._conflicts(now)
        if against:
            rows = np.array(sorted(against), dtype=np.int64)
            firm = self._worth[rows] + 2.0 * ((self.labels[rows] != 0) & (now[rows] == wanted[rows]))
            firm += 1.0 * (now[rows] == present[rows])
            inside: set[int] = set()
            for row in rows[np.lexsort((rows, -firm))].tolist():
                if row not in out and against[row] & inside:
                    out.add(row)
                elif row not in out:
                    inside.add(row)
        return sorted(out)

    def _conflicts(self, now: IntArray) -> dict[int, set[int]]:
        """For each face that cannot be where it is beside some others: these."""
        return partners((*self._said_apart(now), *self._seen_together(now)))

    def _said_apart(self, now: IntArray) -> Iterator[Pair]:
        return ((one, other) for one, other in self._rules.apart if now[one] and now[one] == now[other])

    def _seen_together(self, now: IntArray) -> Iterator[Pair]:
        rows = self._beside[now[self._beside] != 0]
        # Photo and person are one number: only who is with the same person is in the way.
        _, person = np.unique(now[rows], return_inverse=True)
        place = self._table.photos[rows] * (int(person.max(initial=0)) + 1) + person
        spans = self._table.spans
        pairs = companions(place, None if spans is None else spans.of(rows))
        for one, other in zip(*(rows[ends].tolist() for ends in pairs), strict=True):
            if one not in self._kin or self._kin[one] != self._kin.get(other):
                yield one, other


def _in_company(photos: IntArray) -> IntArray:
    """The rows whose photo has other faces too."""
    _, inverse, counts = np.unique(photos, return_inverse=True, return_counts=True)
    found: IntArray = np.flatnonzero(counts[inverse] > 1).astype(np.int64)
    return found


def _alone(now: IntArray) -> set[int]:
    """Faces that would found somebody without any other."""
    rows = np.flatnonzero(now >= NEW)
    _, inverse, counts = np.unique(now[rows], return_inverse=True, return_counts=True)
    return set(rows[counts[inverse] < 2].tolist())
