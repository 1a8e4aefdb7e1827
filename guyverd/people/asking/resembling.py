"""Questions about who is the same: somebody, and the people and faces that are most like them.

Asked are people who may be one, faces that wait, and faces that are with somebody whom they are less like. Each is
asked about together with the one person that it is most like and may be.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from guyverd.people.asking.likening import Pairs
from guyverd.people.asking.questions import AT_ONCE, PREPARES, Draft, Kind, Question, chance, identity, prospect

if TYPE_CHECKING:
    from guyverd.model import BoolArray, FloatArray, IntArray
    from guyverd.people.asking.survey import Survey

FOCUS = 1024
"""So many of the largest people, and of the largest with a name, are compared with everybody."""
SLACK = 3.0
"""By so much less evidence than a join takes may somebody be like a person who is asked about."""

# How likely a yes is follows a logistic curve. Its figures are rounded from what came true on labelled sets: of what
# grouping left apart hardly anything is the same person, the less so the nearer somebody else is.
_SAME, _BY_MARGIN, _MOST_MARGIN, _BY_COMPANY = -3.0, 0.8, 4.0, 1.2
_ELSEWHERE, _LOOSE, _NEARLY = -1.4, 1.5, 0.5
"""A face that is with somebody: how likely it is somebody else whom it is as much like; it is looked at when it is like
its own person by at most so much more evidence than a join takes, and by at most so much more than like the other."""


@dataclass(frozen=True, slots=True)
class _Part:
    at: int
    """A row, or the place of a group."""
    is_face: bool
    told: float
    likely: float
    worth: float


class Resembling:
    """Makes the questions of `Kind.SAME`."""

    def __init__(self, survey: Survey) -> None:
        self._survey = survey
        self._groups = survey.groups

    def drafts(self) -> Iterator[Draft]:
        """One for each person whom something resembles."""
        focus = self._focus()
        if not len(focus):
            return
        parts: defaultdict[int, list[_Part]] = defaultdict(list)
        self._people(focus, parts)
        self._waiting(focus, parts)
        self._elsewhere(focus, parts)
        for place, found in parts.items():
            chosen = self._together(found)
            weight = 1.0 if self._survey.named[place] else PREPARES
            worth = weight * prospect([(part.likely, part.worth) for part in chosen])
            person = int(self._groups.numbers[place])
            yield Draft(worth, Kind.SAME, person, lambda p=place, c=chosen, w=worth: self._question(p, c, w))  # type: ignore[misc]

    def _focus(self) -> IntArray:
        """The people who are compared with everybody."""
        order = np.lexsort((self._groups.numbers, -self._groups.sizes))
        return np.unique(np.concatenate([order[:FOCUS], order[self._survey.named[order]][:FOCUS]]))

    # ---- who is like whom --------------------------------------------------------------------------------------------

    def _people(self, focus: IntArray, parts: dict[int, list[_Part]]) -> None:
        survey, groups = self._survey, self._groups
        pairs = groups.alike(focus, survey.join - SLACK)
        margin = _margin(pairs, survey.join - SLACK)
        both = survey.named[pairs.one] & survey.named[pairs.group]
        free = self._stays(pairs.group, pairs.one) & ~survey.obstacles.of_people(pairs)
        # Whoever gave two people two names has looked at them; so they must be as like as one person is.
        free &= ~both | (pairs.told > survey.join)
        best = _best(pairs, free & self._wanted(pairs, is_face=False))
        gain = groups.sizes[pairs.one[best]] * np.where(both[best], PREPARES, 1.0)
        self._add(parts, pairs.of(best), self._likely(pairs.of(best), margin[best]), gain.astype(np.float32), False)

    def _waiting(self, focus: IntArray, parts: dict[int, list[_Part]]) -> None:
        survey, groups = self._survey, self._groups
        pairs = groups.like(groups.waiting, focus, survey.join - SLACK)
        margin = _margin(pairs, survey.join - SLACK)
        best = _best(pairs, ~survey.obstacles.of_faces(pairs) & self._wanted(pairs, is_face=True))
        self._add(
            parts, pairs.of(best), self._likely(pairs.of(best), margin[best]), np.ones(len(best), np.float32), True
        )

    def _elsewhere(self, focus: IntArray, parts: dict[int, list[_Part]]) -> None:
        survey, groups = self._survey, self._groups
        loose = (groups.place >= 0) & ~survey.pinned & (survey.own < survey.join + _LOOSE)
        loose &= groups.sizes[groups.place] >= 3
        pairs = groups.like(np.flatnonzero(loose), focus, survey.join - SLACK)
        more = pairs.told - survey.own[pairs.one]
        free = (groups.place[pairs.one] != pairs.group) & (more > -_NEARLY) & ~survey.obstacles.of_faces(pairs)
        best = _best(pairs, free & self._wanted(pairs, is_face=True))
        self._add(parts, pairs.of(best), chance(_ELSEWHERE + more[best]), np.ones(len(best), np.float32), True)

    def _likely(self, pairs: Pairs, margin: FloatArray) -> FloatArray:
        by_margin = _BY_MARGIN * np.minimum(margin, _MOST_MARGIN)
        by_company = _BY_COMPANY * (self._groups.sizes[pairs.group] > 2)
        return chance(_SAME + (pairs.told - self._survey.join) + by_margin + by_company)

    def _stays(self, one: IntArray, other: IntArray) -> BoolArray:
        """Whether the first of two groups is the one that would stay: it has a name, or else more faces."""
        mine, theirs = self._survey.named[one], self._survey.named[other]
        sizes, numbers = self._groups.sizes, self._groups.numbers
        larger = (sizes[one] > sizes[other]) | ((sizes[one] == sizes[other]) & (numbers[one] < numbers[other]))
        found: BoolArray = (mine & ~theirs) | ((mine == theirs) & larger)
        return found

    def _wanted(self, pairs: Pairs, *, is_face: bool) -> BoolArray:
        """Those that are not skipped."""
        if not self._survey.skipped:
            return np.ones(len(pairs), dtype=bool)
        ends = zip(pairs.one.tolist(), pairs.group.tolist(), strict=True)
        return np.array([self._key(at, place, is_face) not in self._survey.skipped for at, place in ends], dtype=bool)

    @staticmethod
    def _add(parts: dict[int, list[_Part]], pairs: Pairs, likely: FloatArray, gain: FloatArray, is_face: bool) -> None:
        columns = (pairs.one, pairs.group, pairs.told, likely, gain)
        for at, place, told, chance_, gained in zip(*(column.tolist() for column in columns), strict=True):
            parts[place].append(_Part(at, is_face, told, chance_, gained))

    # ---- the question ------------------------------------------------------------------------------------------------

    def _together(self, parts: list[_Part]) -> list[_Part]:
        """Which of somebody's parts are asked about at once, the likeliest first; of faces seen together only one."""
        chosen: list[_Part] = []
        faces: list[int] = []
        for part in sorted(parts, key=lambda part: (-part.likely * part.worth, part.at)):
            if len(chosen) == AT_ONCE:
                break
            if part.is_face:
                rows = np.array(faces, dtype=np.int64)
                if self._survey.table.beside(np.full(len(rows), part.at), rows).any():
                    continue
                faces.append(part.at)
            chosen.append(part)
        prospects = [
            prospect([(part.likely, part.worth) for part in chosen[:count]]) for count in range(1, len(chosen) + 1)
        ]
        # Of equal prospects the longer list: one look at it instead of several.
        return chosen[: max(range(len(chosen)), key=lambda at: (round(prospects[at], 2), at)) + 1]

    def _key(self, at: int, place: int, is_face: bool) -> str:
        told = str(self._survey.table.ids[at]) if is_face else f"p{self._groups.numbers[at]}"
        return f"same-{self._groups.numbers[place]}-{told}"

    def _question(self, place: int, parts: list[_Part], worth: float) -> Question:
        survey, person = self._survey, self._survey.person(place)
        people = [part.at for part in parts if not part.is_face]
        rows = [part.at for part in parts if part.is_face]
        keys = (*(self._key(at, place, False) for at in people), *(self._key(at, place, True) for at in rows))
        if len(people) == 1 and not rows:
            beside = survey.typical(people[0])
        else:
            beside = tuple(survey.typical(at)[0] for at in people) + survey.faces(rows)
        return Question(
            id=identity(Kind.SAME, person, keys),
            kind=Kind.SAME,
            person=person,
            others=tuple(survey.person(at) for at in people),
            faces=survey.faces(rows),
            settles=sum(int(self._groups.sizes[at]) for at in people) + len(rows),
            likely=sum(part.likely for part in parts) / len(parts),
            evidence=sum(part.told for part in parts) / len(parts),
            worth=worth,
            shown=survey.typical(place),
            beside=beside,
            keys=keys,
        )


def _margin(pairs: Pairs, least: float) -> FloatArray:
    """For each pair by how much it beats the best other one of the same thing, which may be at most `least`."""
    margin = np.empty(len(pairs), np.float32)
    if not len(pairs):
        return margin
    order = np.lexsort((-pairs.told, pairs.one))
    one, told = pairs.one[order], pairs.told[order]
    first = np.concatenate([[True], one[1:] != one[:-1]])
    starts = np.flatnonzero(first)
    counts = np.diff(np.append(starts, len(one)))
    second = np.full(len(starts), np.float32(least))
    second[counts > 1] = told[starts[counts > 1] + 1]
    margin[order] = told - np.where(first, np.repeat(second, counts), np.repeat(told[starts], counts))
    return margin


def _best(pairs: Pairs, free: BoolArray) -> IntArray:
    """For each thing the pair with the most evidence of those that are free."""
    rows = np.flatnonzero(free)
    rows = rows[np.lexsort((pairs.group[rows], -pairs.told[rows], pairs.one[rows]))]
    one = pairs.one[rows]
    return rows[np.concatenate([[True], one[1:] != one[:-1]])] if len(rows) else rows
