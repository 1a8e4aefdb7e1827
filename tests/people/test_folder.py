"""Questions about the people folder: what they are called, and which of many faces are asked about."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guyverd.model import FaceId, PersonId, PhotoId
from guyverd.people.asking.folder import nearest, whether, which
from guyverd.people.asking.questions import AT_ONCE, Kind, Question

ADA, BOB = PersonId(1), PersonId(2)


def of(*faces: int, person: PersonId = ADA, photo: int = 7) -> Question:
    some = [FaceId(face) for face in faces]
    return which(person, PhotoId(photo), some, shown=(FaceId(99),), because="you put it there")


def test_a_question_is_called_after_all_that_its_answer_is_about() -> None:
    assert of(1, 2) == of(1, 2)
    others = [of(1, 3), of(1, 2, 3), of(2), of(1, 2, person=BOB), of(1, 2, photo=8)]
    assert len({of(1, 2).id, *(one.id for one in others)}) == 6
    assert of(1, 2).id.startswith("belong-1-")
    assert of(1, 2).keys == of(3).keys, "what is skipped is the photo, whoever is asked about"
    assert of(1, 2).likely == pytest.approx(0.5)


def test_a_merge_is_another_question_than_a_likeness() -> None:
    asked = whether(ADA, BOB, 4, shown=(FaceId(1),), beside=(FaceId(2),), because="you moved it")
    assert (asked.kind, asked.person, asked.others, asked.settles) == (Kind.SAME, ADA, (BOB,), 4)
    assert asked.id == "moved-1-2"
    assert asked.keys == ("moved-1-2",)


@given(st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=15), st.integers(0, 3))
def test_the_nearest_are_chosen_and_stay_in_their_order(likeness: list[float], members: int) -> None:
    person = np.zeros((members, 128), np.float32)
    person[:, 0] = 1
    faces = [FaceId(100 - at) for at in range(len(likeness))]
    vectors = {face: np.zeros(128, np.float32) for face in faces}
    for face, told in zip(faces, likeness, strict=True):
        vectors[face][0] = told
    found = nearest(faces, vectors, person)
    assert len(found) == min(AT_ONCE, len(faces))
    assert list(found) == [face for face in faces if face in found]
    if members:
        left = [float(vectors[face][0]) for face in faces if face not in found]
        assert max(left, default=-2.0) <= min(float(vectors[face][0]) for face in found)
    else:
        assert list(found) == faces[:AT_ONCE], "there is nobody to compare them with"
