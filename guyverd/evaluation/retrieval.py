"""How well "all photos of this person" is answered, asked with one photo of them; pure, over arrays.

One row is one labelled face: `truth`, int64[n], its real person; `photos`, int64[n], the photo it is in. Faces that
were not found are rows too: nobody can ask with them, and no answer can hold them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from guyverd.model import IntArray


@dataclass(frozen=True, slots=True)
class Retrieval:
    """What came of all queries: every labelled face of a person who is labelled in two photos or more.

    The means count each query alike; pooled, each pair of a query and a photo does, so people with many photos count
    more.
    """

    queries: int
    answered: int
    """Queries that were answered with any labelled face of another photo."""
    sensitivity: float | None
    """Share, 0..1, of the person's other photos that the answer held; 0 where nothing was answered, or the query's own
    face was not found. None without queries."""
    precision: float | None
    """Share, 0..1, of the photos in the answer that do show the person: the mean over answered queries. Photos in which
    nobody is labelled do not count. None where nothing was answered."""
    hit_rate: float | None
    """Share, 0..1, of queries for which one of the most alike faces was the person, in another photo."""
    pooled_sensitivity: float | None
    """Share, 0..1, of all photos to be found, query by query, that were. None without queries."""
    pooled_precision: float | None
    """Share, 0..1, of all photos in all answers, so far as anybody in them is labelled, that were right. None where
    nothing was answered."""


def queries(truth: IntArray, photos: IntArray) -> IntArray:
    """The rows to ask with, int64[q]: those whose person is in at least one other photo."""
    numbers, rows = np.unique(truth, return_inverse=True)
    pairs = np.unique(np.stack([rows, photos]), axis=1)
    count = np.bincount(pairs[0], minlength=len(numbers))
    found: IntArray = np.flatnonzero(count[rows] >= 2).astype(np.int64)
    return found


def outsiders(truth: IntArray, photos: IntArray, count: int, seed: int) -> IntArray:
    """Up to `count` rows to ask with from outside, int64[q]: one face each of as many photos, by chance.

    Without all these photos, everybody who is asked for is still in another one.
    """
    remain: dict[int, int] = {}
    inside: dict[int, set[int]] = {}
    for person, photo in set(zip(truth.tolist(), photos.tolist(), strict=True)):
        remain[person] = remain.get(person, 0) + 1
        inside.setdefault(photo, set()).add(person)
    chosen: list[int] = []
    taken: set[int] = set()
    asked: set[int] = set()
    for row in np.random.default_rng(seed).permutation(len(truth)).tolist():
        photo, person = int(photos[row]), int(truth[row])
        if len(chosen) >= count:
            break
        # Nobody in the photo may be left without one who is, or was, asked for.
        if photo in taken or any(remain[other] < 2 for other in inside[photo] & asked | {person}):
            continue
        for other in inside[photo]:
            remain[other] -= 1
        taken.add(photo)
        asked.add(person)
        chosen.append(row)
    return np.array(sorted(chosen), dtype=np.int64)


def score(
    truth: IntArray,
    photos: IntArray,
    asked: IntArray,
    answers: Sequence[IntArray],
    most_alike: Sequence[IntArray],
    *,
    away: IntArray | None = None,
) -> Retrieval:
    """What the answers to the queries `asked`, int64[q], were worth.

    Each answer, and each list of the most alike, holds rows; those of the query's own photo are passed over. Photos
    that are `away`, int64, are not in the library: nobody can be expected to find them.
    """
    gone = set() if away is None else set(away.tolist())
    everyone = np.unique(truth[asked]).tolist()
    everywhere = {person: set(photos[truth == person].tolist()) - gone for person in everyone}
    sensitivity, precision, hits = [], [], 0
    wanted = answered = found = 0
    for row, answer, near in zip(asked.tolist(), answers, most_alike, strict=True):
        person, own = int(truth[row]), {int(photos[row])}
        told = set(photos[answer].tolist()) - own
        right = len(_showing(person, answer, truth, photos) - own)
        others = len(everywhere[person] - own)
        wanted, answered, found = wanted + others, answered + len(told), found + right
        sensitivity.append(right / others)
        if told:
            precision.append(right / len(told))
        hits += bool(_showing(person, near, truth, photos) - own)
    count = len(asked)
    return Retrieval(
        count,
        len(precision),
        float(np.mean(sensitivity)) if count else None,
        float(np.mean(precision)) if precision else None,
        hits / count if count else None,
        found / wanted if count else None,
        found / answered if answered else None,
    )


def _showing(person: int, rows: IntArray, truth: IntArray, photos: IntArray) -> set[int]:
    """The photos of those of the rows that are the person: the face itself counts, not who else is in its photo."""
    return set(photos[rows[truth[rows] == person]].tolist())
