"""Which groups hold several people, and which people lie in several groups: the worst first; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from guyverd.evaluation.metrics import alone

if TYPE_CHECKING:
    from guyverd.model import IntArray


@dataclass(frozen=True, slots=True)
class Part:
    """Faces that are one person in one group."""

    person: int
    """As in `truth`."""
    group: int
    """As in `found`; 0 for a face that is attached to nobody."""
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Confusion:
    """A group of several people, or a person in several groups."""

    number: int
    """Of the group, or of the person."""
    parts: tuple[Part, ...]
    """The largest first."""

    @property
    def faces(self) -> int:
        """How many there are in all."""
        return sum(len(part.rows) for part in self.parts)

    @property
    def wrong(self) -> int:
        """How many are not in the largest part."""
        return self.faces - len(self.parts[0].rows)


def mixes(truth: IntArray, found: IntArray) -> list[Confusion]:
    """The groups that hold faces of several people; those with most faces beside the largest part first."""
    return _confusions(truth, found, by_group=True)


def splits(truth: IntArray, found: IntArray) -> list[Confusion]:
    """The people whose faces lie in several groups, each face without a group by itself; in the same order."""
    return _confusions(truth, found, by_group=False)


def _confusions(truth: IntArray, found: IntArray, *, by_group: bool) -> list[Confusion]:
    groups = alone(found)
    keys = np.stack([groups, truth] if by_group else [truth, groups]).astype(np.int64)
    order = np.lexsort((keys[1], keys[0])).astype(np.int64)
    parts: dict[int, list[Part]] = {}
    for rows in _runs(keys[:, order]):
        own = order[rows]
        part = Part(int(truth[own[0]]), int(found[own[0]]), tuple(sorted(own.tolist())))
        parts.setdefault(int(keys[0, own[0]]), []).append(part)
    found_ones = [
        Confusion(number, tuple(sorted(each, key=lambda part: (-len(part.rows), part.rows[0]))))
        for number, each in parts.items()
        if len(each) > 1
    ]
    return sorted(found_ones, key=lambda item: (-item.wrong, -item.faces, item.number))


def _runs(keys: IntArray) -> list[IntArray]:
    """The places of each run of equal columns."""
    count = keys.shape[1]
    if not count:
        return []
    changes = np.flatnonzero((keys[:, 1:] != keys[:, :-1]).any(axis=0)) + 1
    return np.split(np.arange(count, dtype=np.int64), changes)
