"""How much of a grouping stays when more photos arrive; pure, over the same faces before and after.

`before` and `after`, int64[n], are the numbers of people that each face is attached to, and 0 for nobody; a number is
a person for life, so equal numbers mean the same person.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from guyverd.evaluation.metrics import alone

if TYPE_CHECKING:
    from guyverd.model import IntArray


@dataclass(frozen=True, slots=True)
class Churn:
    """What became of the faces that were there before."""

    faces: int
    moved: int
    """Faces that had a person and now have another, or none."""
    settled: int
    """Faces that had nobody and now have a person: what they waited for."""
    company: int
    """Faces that are not together with exactly those they were together with before, newcomers not counted. Where two
    groups become one, that is every face of both."""

    @property
    def share(self) -> float:
        """Of the faces, how many changed person, 0..1."""
        return self.moved / self.faces if self.faces else 0.0

    @property
    def company_share(self) -> float:
        """Of the faces, how many are in another company, 0..1."""
        return self.company / self.faces if self.faces else 0.0

    def __add__(self, other: Churn) -> Churn:
        """Of several arrivals together: shares become means over faces and arrivals."""
        return Churn(
            self.faces + other.faces,
            self.moved + other.moved,
            self.settled + other.settled,
            self.company + other.company,
        )


def churn(before: IntArray, after: IntArray) -> Churn:
    """How the faces' people changed. Raises ValueError where there are not as many faces after as before."""
    if len(before) != len(after):
        raise ValueError(f"{len(before)} faces before, {len(after)} after")
    moved = (before != 0) & (after != before)
    settled = (before == 0) & (after != 0)
    return Churn(len(before), int(moved.sum()), int(settled.sum()), int((~_same_company(before, after)).sum()))


def _same_company(before: IntArray, after: IntArray) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Whether the group of each face has the same members before and after."""
    _, was, was_size = np.unique(alone(before), return_inverse=True, return_counts=True)
    _, now, now_size = np.unique(alone(after), return_inverse=True, return_counts=True)
    _, both, both_size = np.unique(was * max(1, len(now_size)) + now, return_inverse=True, return_counts=True)
    same: np.ndarray[tuple[int], np.dtype[np.bool_]] = (both_size[both] == was_size[was]) & (
        both_size[both] == now_size[now]
    )
    return same


def affected(before: IntArray, after: IntArray, named: Collection[int]) -> int:
    """How many of the named people lost a face to somebody else or to nobody, or all of them."""
    lost = set(before[(before != 0) & (after != before)].tolist())
    return len(lost & set(named))
