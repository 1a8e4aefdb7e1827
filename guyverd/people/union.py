"""Groups that turn out to be one person: average linkage over the evidence between all their faces.

Links ask whether two faces are one person; here whole groups are compared, by the mean evidence over all pairs, which
one chance likeness cannot sway. That mean follows from sums over each group, so groups of any size cost the same.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from guyverd.company import companions
from guyverd.model import FaceTable, Merge, PersonId
from guyverd.pairs import partners
from guyverd.people.evidence import Scales, Sums, sums
from guyverd.people.rules import NO_RULES, Rules

if TYPE_CHECKING:
    from guyverd.model import BoolArray, FloatArray, IntArray

_BLOCK = 512


@dataclass(frozen=True, slots=True)
class Ranks:
    """What is known of the people whose numbers stand in a table."""

    named: Collection[int] = ()
    """Those with a name, or who are otherwise the user's: two of them never become one."""
    sampled: Collection[int] = ()
    """Those so large that not all their photos are known here: they are never absorbed."""
    owners: Mapping[int, int] | None = None
    """Several numbers may be one person's appearances: whose each of those is."""


NOTHING_KNOWN = Ranks()


def merges(
    table: FaceTable,
    scales: Scales,
    *,
    least: float,
    least_of_two: float | None = None,
    good: BoolArray,
    ranks: Ranks = NOTHING_KNOWN,
    rules: Rules = NO_RULES,
    apart: Collection[tuple[int, int]] = (),
    candidates: IntArray | None = None,
) -> tuple[Merge, ...]:
    """Which of the people in `table.people` are one, each absorbed one once, with the survivor as `into`.

    Numbers above 0 are people that stand, numbers below 0 groups that are not people yet; rows with 0 are passed over.
    Two become one where the mean evidence between their faces is above `least`. The survivor has the name, or else
    stands, or else is sampled, or else has the number nearest to 0 (the older). Two named people never become one, nor
    two who are seen together (but for what `rules` waive) or stand `apart` (pairs of numbers). Who has several
    appearances is never absorbed; others join one of them, and what speaks against any speaks against all. Somebody
    without a name joins a named person only if there is not as much as `least` for another named one too. Faces that
    are not `good`, bool[n], are not counted, and groups of nothing else only join others. Two single faces take
    `least_of_two`, if given: less is asked of groups because chance evens out over many pairs, and between two faces
    there is but one.
    `candidates`, int64[m, 2], are the pairs of numbers to compare, where comparing all would be too many.
    """
    if not table.people.any():
        return ()
    union = _Union(table, scales, least=least, good=good, ranks=ranks, rules=rules, apart=apart)
    pairs = union.all_pairs() if candidates is None else union.these(candidates)
    return union.found(pairs if least_of_two is None else union.without_lone(pairs, least_of_two))


class _Union:
    """Groups by place: 0 to g − 1. What a group has absorbed is added to it."""

    def __init__(
        self,
        table: FaceTable,
        scales: Scales,
        *,
        least: float,
        good: BoolArray,
        ranks: Ranks,
        rules: Rules,
        apart: Collection[tuple[int, int]],
    ) -> None:
        self.least = least
        self.rules = rules
        self.table = table
        self.numbers: IntArray = np.unique(table.people[table.people != 0])
        g = len(self.numbers)
        place = np.where(table.people != 0, np.searchsorted(self.numbers, table.people), -1)
        heard = np.bincount(place[good & (place >= 0)], minlength=g)
        self.mute: BoolArray = heard == 0
        """Groups of poor faces only."""
        speaking = np.where((place >= 0) & (good | self.mute[place]), place, -1)
        self.sums: Sums = sums(table.vectors, scales, speaking, g)
        owners = ranks.owners or {}
        self.owner = [owners.get(number, number) for number in self.numbers.tolist()]
        named, sampled = set(ranks.named), set(ranks.sampled)
        self.named = np.array([number in named for number in self.numbers.tolist()], dtype=bool)
        self.sampled = np.array([number in sampled for number in self.numbers.tolist()], dtype=bool)
        first: dict[int, int] = {}
        self.whole: IntArray = np.array([first.setdefault(owner, at) for at, owner in enumerate(self.owner)], np.int64)
        """For each group the place of the person's first appearance, where all that speaks against anybody is kept."""
        self.several: BoolArray = np.bincount(self.whole, minlength=g)[self.whole] > 1
        self.rows: list[list[int]] = _listed(self._whole_of(place), g)
        self.photos: list[set[int]] = [set(table.photos[rows].tolist()) for rows in self.rows]
        self.films: set[int] = set()
        """Those of the photos that are videos: two groups that share one may still never be seen together."""
        if table.spans is not None:
            self.films = set(table.photos[~np.isneginf(table.spans.starts)].tolist())
        self.known: list[set[int]] = [{owner} for owner in self.owner]
        """Who has become one here."""
        self.enemies: dict[int, set[int]] = defaultdict(set)
        self.barred: dict[int, set[int]] = defaultdict(set)
        self._say(place, apart)
        self.version = [0] * g
        self.alive = np.ones(g, dtype=bool)
        self.near: dict[int, set[int]] = defaultdict(set)

    def _whole_of(self, place: IntArray) -> IntArray:
        """`whole` of each of these places, −1 for −1."""
        return np.where(place >= 0, self.whole[place], -1)

    def _say(self, place: IntArray, apart: Collection[tuple[int, int]]) -> None:
        at = dict(zip(self.numbers.tolist(), self.whole.tolist(), strict=True))
        place = self._whole_of(place)
        pairs = [(at[one], at[other]) for one, other in (*apart, *self.rules.apart_people) if one in at and other in at]
        pairs += [(int(place[one]), int(place[other])) for one, other in self.rules.apart]
        self.enemies |= partners((one, other) for one, other in pairs if one != other and min(one, other) >= 0)
        for row, person in self.rules.barred:
            if place[row] >= 0:
                self.barred[int(place[row])].add(person)

    # ---- who is compared ---------------------------------------------------------------------------------------------

    def all_pairs(self) -> Iterator[tuple[int, int, float]]:
        """Every pair with enough evidence, block by block to bound the memory."""
        vectors, scaled, offsets = self.sums.means()
        for start in range(0, len(vectors), _BLOCK):
            some = slice(start, start + _BLOCK)
            told = (vectors[some] @ scaled.T + scaled[some] @ vectors.T - offsets[some, None] - offsets) / 2
            for row, column in np.argwhere(told > self.least).tolist():
                if start + row < column:
                    yield start + row, column, float(told[row, column])

    def these(self, candidates: IntArray) -> Iterator[tuple[int, int, float]]:
        """Those of the given pairs of numbers that have enough.

        They are remembered as near, and no others need be: the mean between groups that have become larger is a mean
        of means, and only exceeds what is asked if one of those did.
        """
        ends = np.searchsorted(self.numbers, candidates)
        low, high = np.minimum(ends[:, 0], ends[:, 1]), np.maximum(ends[:, 0], ends[:, 1])
        key = np.unique((low * len(self.numbers) + high)[low != high])
        low, high = np.divmod(key, max(1, len(self.numbers)))
        vectors, scaled, offsets = self.sums.means()
        for start in range(0, len(low), 100_000):
            a, b = low[start : start + 100_000], high[start : start + 100_000]
            told = np.einsum("ij,ij->i", vectors[a], scaled[b]) + np.einsum("ij,ij->i", scaled[a], vectors[b])
            told = (told - offsets[a] - offsets[b]) / 2
            enough = told > self.least
            for one, other, mean in zip(a[enough].tolist(), b[enough].tolist(), told[enough].tolist(), strict=True):
                self.near[one].add(other)
                self.near[other].add(one)
                yield one, other, mean

    def without_lone(self, pairs: Iterable[tuple[int, int, float]], least: float) -> Iterator[tuple[int, int, float]]:
        """Those pairs but for two single faces with less evidence than that."""
        for one, other, told in pairs:
            if told > least or max(len(self.rows[one]), len(self.rows[other])) > 1:
                yield one, other, told

    def _evidence(self, one: int, others: IntArray) -> FloatArray:
        """Mean evidence between one group and each of some others."""
        mine, theirs = max(1.0, float(self.sums.counts[one])), np.maximum(self.sums.counts[others], 1)
        told = self.sums.vectors[others] @ self.sums.scaled[one] + self.sums.scaled[others] @ self.sums.vectors[one]
        found: FloatArray = (
            told / (mine * theirs) - self.sums.offsets[one] / mine - self.sums.offsets[others] / theirs
        ) / 2
        return found

    # ---- who becomes one ---------------------------------------------------------------------------------------------

    def found(self, pairs: Iterable[tuple[int, int, float]]) -> tuple[Merge, ...]:
        """Join the best pair, over and over, and say who became whom."""
        queue = [(-told, one, other, 0, 0) for one, other, told in pairs]
        heapq.heapify(queue)
        into: dict[int, tuple[int, float]] = {}
        while queue:
            negative, one, other, version, version_of_other = heapq.heappop(queue)
            if not (self.alive[one] and self.alive[other]):
                continue
            if (self.version[one], self.version[other]) != (version, version_of_other):
                continue
            survivor, absorbed = (one, other) if self._rank(one) < self._rank(other) else (other, one)
            if not self._may(survivor, absorbed) or self._ambiguous(survivor, absorbed):
                continue
            into[absorbed] = (survivor, -negative)
            self._absorb(survivor, absorbed)
            others = self._others(survivor)
            for place, told in zip(others.tolist(), self._evidence(survivor, others).tolist(), strict=True):
                if told > self.least:
                    a, b = min(survivor, place), max(survivor, place)
                    heapq.heappush(queue, (-told, a, b, self.version[a], self.version[b]))
        number = self.numbers.tolist()
        return tuple(
            Merge(PersonId(number[gone]), PersonId(number[_end(gone, into)]), score)
            for gone, (_, score) in sorted(into.items())
        )

    def _rank(self, place: int) -> tuple[bool, bool, bool, int]:
        """Smallest survives."""
        number = int(self.numbers[place])
        stays = bool(self.sampled[place] or self.several[place])
        return (not self.named[place], number < 0, not stays, abs(number))

    def _may(self, survivor: int, absorbed: int) -> bool:
        one, other = int(self.whole[survivor]), int(self.whole[absorbed])
        return not (
            self.named[absorbed]
            or self.sampled[absorbed]
            or self.several[absorbed]
            or (self.mute[survivor] and self.mute[absorbed])
            or one in self.enemies[other]
            or self.known[one] & self.barred[other]
            or self.known[other] & self.barred[one]
            or self._seen_together(one, other)
        )

    def _seen_together(self, one: int, other: int) -> bool:
        """Whether any photo, or any moment of a video, shows both, but for those that show one face twice."""
        shared = self.photos[one] & self.photos[other]
        if not shared:
            return False
        if not self.rules.waived and not shared <= self.films:
            return True
        photos = np.array(sorted(shared), dtype=np.int64)
        both = [np.array(self.rows[place], dtype=np.int64) for place in (one, other)]
        mine, theirs = (rows[np.isin(self.table.photos[rows], photos)] for rows in both)
        rows = np.concatenate([mine, theirs])
        spans = self.table.spans
        first, second = companions(self.table.photos[rows], None if spans is None else spans.of(rows))
        between = (first < len(mine)) & (second >= len(mine))
        pairs = zip(rows[first[between]].tolist(), rows[second[between]].tolist(), strict=True)
        return any((min(pair), max(pair)) not in self.rules.waived for pair in pairs)

    def _ambiguous(self, survivor: int, absorbed: int) -> bool:
        """Whether there is a second name that the absorbed group could bear."""
        if not self.named[survivor]:
            return False
        rivals = [
            place
            for place in self._others(absorbed).tolist()
            if self.named[place] and self.owner[place] != self.owner[survivor]
        ]
        return bool(rivals) and bool((self._evidence(absorbed, np.array(rivals)) > self.least).any())

    def _absorb(self, survivor: int, absorbed: int) -> None:
        parts = (self.sums.vectors, self.sums.scaled, self.sums.offsets, self.sums.counts)
        if self.mute[survivor]:
            for part in parts:
                part[survivor] = part[absorbed]
        elif not self.mute[absorbed]:
            for part in parts:
                part[survivor] += part[absorbed]
        self.mute[survivor] &= self.mute[absorbed]
        self.version[survivor] += 1
        self.alive[absorbed] = False
        one, other = int(self.whole[survivor]), int(self.whole[absorbed])
        self.photos[one] |= self.photos[other]
        self.rows[one] += self.rows[other]
        self.known[one] |= self.known[other]
        for enemy in self.enemies[other]:
            self.enemies[enemy].add(one)
        self.enemies[one] |= self.enemies[other]
        self.barred[one] |= self.barred[other]
        if self.near:
            self.near[survivor] |= self.near[absorbed]
            for place in self.near[absorbed]:
                self.near[place].add(survivor)
            self.near[survivor] -= {survivor, absorbed}

    def _others(self, place: int) -> IntArray:
        if self.near:
            self.near[place] = {other for other in self.near[place] if self.alive[other]}
            return np.array(sorted(self.near[place]), dtype=np.int64)
        others = np.flatnonzero(self.alive)
        rest: IntArray = others[others != place]
        return rest


def _listed(place: IntArray, count: int) -> list[list[int]]:
    """The rows of each group."""
    order = np.argsort(place, kind="stable")
    order = order[place[order] >= 0]
    ends = np.searchsorted(place[order], np.arange(count + 1))
    every = order.tolist()
    return [every[start:end] for start, end in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)]


def _end(place: int, into: dict[int, tuple[int, float]]) -> int:
    while place in into:
        place = into[place][0]
    return place
