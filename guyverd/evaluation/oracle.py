"""How many answers it takes until nearly every face bears the right name, where an oracle answers; pure.

Faces are rows 0..n−1; `truth`, int64[n], is who each of them is (above 0; 0 for a face that nobody knows). What counts
are the faces of people who have two or more: the goal is reached when `GOAL` of them bear the right name.

The baseline is what any program can offer: asking cluster by cluster, the largest first. A review is measured by
`needed` with a callback that asks one question at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from guyverd.evaluation.metrics import alone

if TYPE_CHECKING:
    from guyverd.model import BoolArray, IntArray

GOAL = 0.95
"""Share of the faces of people with two or more that must bear the right name."""


@dataclass(frozen=True, slots=True)
class Effort:
    """What it took."""

    answers: int
    """Given until the goal was reached, or until nothing more was asked."""
    reached: bool
    share: float
    """Of the faces that count, how many bore the right name in the end, 0..1."""


class Oracle:
    """Knows who everybody is, and counts how often it is asked. Rows are int64[k]; at least one."""

    def __init__(self, truth: IntArray) -> None:
        self._truth = truth
        self.answers = 0

    def who(self, rows: IntArray) -> int:
        """Who these faces are: the person who has most of them, 0 where that is nobody known. One answer."""
        self.answers += 1
        return self._majority(rows)

    def is_person(self, rows: IntArray, person: int) -> bool:
        """Whether these faces are, for the most part, that person. One answer."""
        self.answers += 1
        return person != 0 and self._majority(rows) == person

    def same(self, rows: IntArray, others: IntArray) -> bool | None:
        """Whether two groups are, for the most part, one person; None (skip) where either is nobody known. One answer.

        Of a group without a majority the person with most faces counts, as somebody who looks at it would say.
        """
        self.answers += 1
        one, other = self._majority(rows), self._majority(others)
        return None if not one or not other else one == other

    def which(self, rows: IntArray, others: Sequence[IntArray]) -> list[bool]:
        """Which of several groups are, for the most part, the person of the first.

        One answer for all, and one more for each that differs from what most of them are.
        """
        person = self._majority(rows)
        found = [person != 0 and self._majority(some) == person for some in others]
        self.answers += 1 + min(sum(found), len(found) - sum(found))
        return found

    def _majority(self, rows: IntArray) -> int:
        people, counts = np.unique(self._truth[rows], return_counts=True)
        return int(people[np.argmax(counts)])


def counting(truth: IntArray) -> BoolArray:
    """Which faces count: those of known people who have two or more."""
    _, rows, sizes = np.unique(truth, return_inverse=True, return_counts=True)
    found: BoolArray = (sizes[rows] >= 2) & (truth != 0)
    return found


def baseline(truth: IntArray, found: IntArray, goal: float = GOAL) -> Effort:
    """The answers that asking cluster by cluster takes, the largest first (of equals, the one with the first face).

    "Who is this?" names a cluster for the person who has most faces in it: one answer. Each face in it that is
    somebody else takes one answer more, which tells who it is. A face in no cluster (0 in `found`) is one of its own.
    """
    counts = counting(truth)
    wanted = goal * counts.sum()
    right, answers = 0, 0
    for rows in _largest_first(alone(found)):
        if right >= wanted:
            break
        people, sizes = np.unique(truth[rows], return_counts=True)
        person = people[np.argmax(sizes)]
        answers += 1
        right += int((counts[rows] & (truth[rows] == person)).sum())
        for row in rows[truth[rows] != person].tolist():
            if right >= wanted:
                break
            answers += 1
            right += bool(counts[row])
    return _effort(answers, right, int(counts.sum()), goal)


def least(truth: IntArray, goal: float = GOAL) -> int:
    """Fewer answers cannot do: each person must be named once, and the largest go furthest."""
    counts = counting(truth)
    sizes = np.sort(np.unique(truth[counts], return_counts=True)[1])[::-1]
    wanted = goal * counts.sum()
    return int(np.searchsorted(np.cumsum(sizes), wanted)) + 1 if wanted else 0


def needed(
    step: Callable[[Oracle], IntArray | None], truth: IntArray, goal: float = GOAL, limit: int | None = None
) -> Effort:
    """The answers that a review takes.

    `step` asks the oracle its next question and returns the name that each face bears then, int64[n]: the number of a
    person of `truth`, or 0 for none. It returns None when it has nothing more to ask. After `limit` answers it is
    stopped; that is one for each face unless told. Raises RuntimeError for a step that asks nothing.
    """
    counts, oracle = counting(truth), Oracle(truth)
    wanted, most = goal * counts.sum(), len(truth) if limit is None else limit
    right = 0
    while right < wanted and oracle.answers < most:
        before = oracle.answers
        names = step(oracle)
        if names is None:
            break
        if oracle.answers == before:
            raise RuntimeError("the review went on without a question")
        right = int((counts & (names == truth)).sum())
    return _effort(oracle.answers, right, int(counts.sum()), goal)


def _effort(answers: int, right: int, faces: int, goal: float) -> Effort:
    return Effort(answers, right >= goal * faces, right / faces if faces else 1.0)


def _largest_first(groups: IntArray) -> list[IntArray]:
    """The rows of each group."""
    order = np.argsort(groups, kind="stable")
    _, starts = np.unique(groups[order], return_index=True)
    members = np.split(order.astype(np.int64), starts[1:]) if len(order) else []
    return sorted(members, key=lambda rows: (-len(rows), int(rows[0])))
