"""Questions about what somebody did in the people folder that cannot be decided without a word. Pure.

They are asked before all others: they are answers that somebody began to give.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from guyverd.model import FaceId, PersonId, PhotoId
from guyverd.people.asking.questions import AT_ONCE, Kind, Question, identity

if TYPE_CHECKING:
    from guyverd.model import FloatArray


def which(
    person: PersonId, photo: PhotoId, faces: Sequence[FaceId], *, shown: tuple[FaceId, ...], because: str
) -> Question:
    """Ask which of these faces of a photo, `AT_ONCE` of them at most, is the person who is in it."""
    key = f"put-{person}-{photo}"
    return Question(
        # Other faces are another question: numbers of parts mean something else then.
        id=identity(Kind.BELONG, person, [key, *map(str, faces)]),
        kind=Kind.BELONG,
        person=person,
        others=(),
        faces=tuple(faces),
        settles=len(faces),
        likely=1 / len(faces),
        evidence=None,
        worth=1.0,
        shown=shown,
        beside=tuple(faces),
        keys=(key,),
        because=because,
    )


def whether(
    person: PersonId,
    other: PersonId,
    count: int,
    *,
    shown: tuple[FaceId, ...],
    beside: tuple[FaceId, ...],
    because: str,
) -> Question:
    """Ask whether these two are one person, though something speaks against it; the other has `count` faces."""
    key = f"moved-{person}-{other}"
    return Question(
        id=key,
        kind=Kind.SAME,
        person=person,
        others=(other,),
        faces=(),
        settles=count,
        likely=0.5,
        evidence=None,
        worth=float(count),
        shown=shown,
        beside=beside,
        keys=(key,),
        because=because,
    )


def nearest(faces: Sequence[FaceId], of: Mapping[FaceId, FloatArray], person: FloatArray) -> tuple[FaceId, ...]:
    """Those, `AT_ONCE` at most, that are most like a person, in the order they came in.

    `of` has the faces' vectors, float32[128], and `person`, float32[n, 128], some of the person's; all of unit length.
    """
    if not len(person):
        return tuple(faces[:AT_ONCE])
    likeness = np.array([float((person @ of[face]).mean()) for face in faces])
    chosen = np.sort(np.argsort(-likeness, kind="stable")[:AT_ONCE])
    return tuple(faces[at] for at in chosen.tolist())
