"""How well a grouping of faces matches the truth; pure functions over label arrays.

Everywhere `truth` is int64[n], one number per real person, and `found` is int64[n], one number per group found, where
0 means attached to nobody: such a face counts as a group of its own. All is computed from the contingency table of
the two, so nothing is ever of the size n².
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from guyverd.model import IntArray

    Shares = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scores:
    """Precision and recall, 0..1; 1 where there is nothing to get wrong."""

    precision: float
    recall: float

    @property
    def f(self) -> float:
        """Their harmonic mean, 0..1."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that is measured about one grouping."""

    faces: int
    people: int
    """Real ones."""
    clusters: int
    """Groups found, faces on their own included."""
    unattached: int
    """Faces attached to nobody."""
    pairwise: Scores
    bcubed: Scores
    collisions: int
    misplaced: float

    @property
    def surplus(self) -> float:
        """How many more groups there are than people, as a share of the people: 0.07 is 7 % too many, -0.02 too few."""
        return (self.clusters - self.people) / self.people if self.people else 0.0


def evaluate(truth: IntArray, found: IntArray, photos: IntArray) -> Report:
    """All of this module's measures; `photos`, int64[n], is the photo each face is in."""
    return Report(
        len(truth),
        len(np.unique(truth)),
        clusters(found),
        int((found == 0).sum()),
        pairwise(truth, found),
        bcubed(truth, found),
        collisions(photos, found),
        misplaced(truth, found),
    )


def pairwise(truth: IntArray, found: IntArray) -> Scores:
    """Of all pairs put together, how many belong together (precision); of all that belong, how many are (recall)."""
    table = _Table(truth, found)
    both = _pairs(table.cells)
    return Scores(_share(both, _pairs(table.found)), _share(both, _pairs(table.truth)))


def bcubed(truth: IntArray, found: IntArray) -> Scores:
    """Mean over faces: the share of its group that is the same person, and of its person that is in the same group.

    After Bagga and Baldwin (1998). Unlike pairs, it does not let one large group decide.
    """
    precision, recall = bcubed_of_each(truth, found)
    return mean_scores(precision, recall)


def bcubed_of_each(truth: IntArray, found: IntArray) -> tuple[Shares, Shares]:
    """The two shares of every face, float64[n] each: what `bcubed` is the mean of, for those who choose faces."""
    table = _Table(truth, found)
    cells = table.cells.astype(np.float64)
    precision: Shares = (cells / table.found[table.column])[table.cell]
    recall: Shares = (cells / table.truth[table.row])[table.cell]
    return precision, recall


def mean_scores(precision: Shares, recall: Shares) -> Scores:
    """The means over faces of what `bcubed_of_each` gave, or of some of it."""
    if not len(precision):
        return Scores(1.0, 1.0)
    return Scores(float(precision.mean()), float(recall.mean()))


def agreement(one: IntArray, other: IntArray) -> float:
    """How alike two groupings of the same faces are, 0..1: the BCubed F of either against the other.

    Faces that a grouping attaches to nobody are groups of their own in it.
    """
    return bcubed(alone(one), other).f


def clusters(found: IntArray) -> int:
    """How many groups there are, faces on their own included."""
    return len(np.unique(alone(found)))


def collisions(photos: IntArray, found: IntArray) -> int:
    """Pairs of faces in one photo that are in the same group: each is certainly wrong (mirrors and collages apart)."""
    return int(_pairs(_Table(photos, found).cells))


def misplaced(truth: IntArray, found: IntArray) -> float:
    """Share of faces, 0..1, in a group that is mostly somebody else: another person has more faces in it."""
    table = _Table(truth, found)
    most = np.zeros(len(table.found), dtype=np.int64)
    np.maximum.at(most, table.column, table.cells)
    return float(table.cells[table.cells < most[table.column]].sum()) / len(truth) if len(truth) else 0.0


class _Table:
    """The contingency table of two labellings, sparse: cell c counts the faces in truth row[c] and found column[c].

    `cell`, int64[n], is the cell of each face.
    """

    def __init__(self, truth: IntArray, found: IntArray) -> None:
        if len(truth) != len(found):
            raise ValueError(f"{len(truth)} true labels for {len(found)} found ones")
        _, rows, self.truth = np.unique(truth, return_inverse=True, return_counts=True)
        _, columns, self.found = np.unique(alone(found), return_inverse=True, return_counts=True)
        cells, self.cell, self.cells = np.unique(
            rows * max(1, len(self.found)) + columns, return_inverse=True, return_counts=True
        )
        self.row, self.column = np.divmod(cells, max(1, len(self.found)))


def alone(found: IntArray) -> IntArray:
    """The labels with a new one for each face that has none: no 0 is left."""
    labels = found.astype(np.int64, copy=True)
    none = np.flatnonzero(found == 0)
    labels[none] = (int(found.max()) if len(found) else 0) + 1 + np.arange(len(none))
    return labels


def _pairs(counts: IntArray) -> float:
    exact = counts.astype(np.float64)
    return float((exact * (exact - 1) / 2).sum())


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 1.0
