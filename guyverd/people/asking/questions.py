"""What can be asked of the user, and how much an answer is worth."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from guyverd.model import FaceId, PersonId

if TYPE_CHECKING:
    from guyverd.model import FloatArray

AT_ONCE = 9
"""Most that one question asks about: each has a digit of its own."""
LEAST = 0.15
"""Questions that are likely to settle less than so many faces are not asked."""
PREPARES = 0.5
"""A face counts for so much where nobody bears a name after the answer: it is about people without one, or only takes
faces away."""


class Kind(StrEnum):
    """What is asked."""

    WHO = "who"
    """Who is `person`, with all their `faces` where these are few; or, where there is none, the one of `faces`?"""
    SAME = "same"
    """Are `others` and `faces` all `person`? Faces may wait, or be attached to somebody they are less like."""
    BELONG = "belong"
    """Are `faces`, which are attached to `person`, all them? Or, where `because` tells that the person is in a photo,
    which of its `faces` is it?"""
    ONE = "one"
    """Are `faces`, which are attached to `person`, and the person's other faces one person?"""


@dataclass(frozen=True, slots=True)
class Question:
    """Something to ask."""

    id: str
    """The same for the same question as long as it makes sense."""
    kind: Kind
    person: PersonId | None
    others: tuple[PersonId, ...]
    """People asked about."""
    faces: tuple[FaceId, ...]
    """Faces asked about."""
    settles: int
    """How many faces are settled when it is answered."""
    likely: float
    """The chance, 0 to 1, of a yes for each part; of who, that they are one person at all."""
    evidence: float | None
    """The mean evidence for a yes."""
    worth: float
    """Faces that one key is likely to settle; what the list is ranked by."""
    shown: tuple[FaceId, ...]
    """Faces that show `person`, the most telling first."""
    beside: tuple[FaceId, ...]
    """Faces that show what is asked about: where that is one person, several, the most telling first; else one for
    each of `others` and then `faces`."""
    keys: tuple[str, ...]
    """What it is about, part by part: while one of these is skipped, it is asked about in no other company either."""
    because: str | None = None
    """What somebody did in the people folder that it comes from, and what speaks against it: "you …"."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A question that is made only if it comes far enough up in the list."""

    worth: float
    kind: Kind
    about: int
    """The number of the person, or minus that of the face."""
    made: Callable[[], Question]


def prospect(parts: Sequence[tuple[float, float]]) -> float:
    """Faces that a key is likely to settle: each part has a chance, 0 to 1, and what it gains.

    Several are answered with a key for all, and one for each to which the opposite applies.
    """
    gain = sum(chance * worth for chance, worth in parts)
    if len(parts) == 1:
        return gain
    yes = sum(chance for chance, _ in parts)
    return gain / (1 + min(yes, len(parts) - yes))


def chance(value: FloatArray) -> FloatArray:
    """The logistic curve."""
    found: FloatArray = (1 / (1 + np.exp(-np.clip(value, -30, 30)))).astype(np.float32)
    return found


def identity(kind: Kind, about: int, keys: Sequence[str]) -> str:
    """What a question is called: its key where it has one, else after what it is about."""
    if len(keys) == 1:
        return keys[0]
    told = hashlib.blake2b(" ".join(sorted(keys)).encode(), digest_size=3).hexdigest()
    return f"{kind.value}-{about}-{told}"
