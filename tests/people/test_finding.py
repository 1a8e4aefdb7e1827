"""Which faces show somebody, by likeness and through the person they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from guyverd.people import finding
from guyverd.people.evidence import Measure
from guyverd.people.finding import LIKELY, Claim, Faces, Judged, claims, judged, most_alike, nearest
from tests.people.helpers import SETTINGS, faces_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guyverd.model import FloatArray

WHO = np.repeat(np.arange(6), 8)
"""Six people, eight faces each; person N + 1 is who N is."""
VECTORS = faces_of(WHO, spread=0.17)
MEASURE = Measure(SETTINGS, len(VECTORS), VECTORS)
NOBODY = np.empty(0, np.int64)


def library(people: Sequence[int] | None = None, said: Sequence[int] = ()) -> Faces:
    ids = np.arange(1, len(WHO) + 1, dtype=np.int64)
    whose = WHO + 1 if people is None else np.array(people, np.int64)
    return finding.faces(ids, whose, VECTORS, np.isin(ids, said), MEASURE)


def somebody(vector: FloatArray, number: int = -1, person: int = 0) -> Faces:
    one = np.array([number], np.int64)
    return finding.faces(one, np.array([person], np.int64), vector[None], one == 0, MEASURE)


def another_of(who: int) -> FloatArray:
    """A face of somebody that is not in the library."""
    found: FloatArray = faces_of(np.array([*WHO, who]), spread=0.17)[-1]
    return found


def found(asked: Faces, all_: Faces, barred: Sequence[tuple[int, int]] = ()) -> tuple[list[Claim], Judged]:
    known = claims(asked, all_, all_, MEASURE)
    told = judged(asked, all_, near=all_, members=all_, claimed=known, measure=MEASURE, barred=barred)
    return known, told


def test_somebody_is_found_to_be_who_they_are_and_all_of_theirs_are_found() -> None:
    known, told = found(somebody(another_of(2)), library())
    assert known[0].person == 3
    assert known[0].confidence > 0.9
    assert all(claim.confidence < 0.1 for claim in known[1:])
    mine = WHO == 2
    assert (told.confidence[mine] > 0.9).all(), "also those that are less like the one asked about"
    assert (told.confidence[~mine] < 0.1).all()
    assert told.through.tolist() == mine.tolist()
    assert (told.margin[mine] > 0).all()
    assert (told.margin[~mine] < 0).all()


def test_likeness_alone_finds_the_most_alike() -> None:
    all_, asked = library(), somebody(another_of(2))
    told = judged(asked, all_, near=all_, members=all_.of(NOBODY), claimed=None, measure=MEASURE)
    assert not told.through.any()
    order = np.argsort(-told.evidence)
    assert set(WHO[order[:8]].tolist()) == {2}
    assert (np.diff(told.confidence[order]) <= 0).all()
    as_nobodys = library(people=[0] * len(WHO))
    same = judged(asked, as_nobodys, near=as_nobodys, members=all_.of(NOBODY), claimed=None, measure=MEASURE)
    assert same.confidence.tolist() == told.confidence.tolist(), "whoever they were found to be"


def test_a_face_vouches_not_for_itself() -> None:
    all_ = library()
    told = nearest(all_.of(np.arange(8)), all_.of(np.arange(8)))
    assert (told.distance > 0.01).all()
    alone = nearest(all_.of(np.arange(1)), all_.of(np.arange(1)))
    assert (alone.evidence[0], alone.distance[0], alone.mean[0]) == (-np.inf, 2, np.inf)
    nothing = nearest(all_, all_.of(NOBODY))
    assert np.isinf(nothing.evidence).all()
    # In the library as in the wrong person's: the others of that one do not speak for it.
    wrong = [1, *(WHO[1:] + 1).tolist()]
    wrong[16] = 1
    known, _ = found(somebody(VECTORS[16], 17, 1), library(people=wrong))
    by_person = {int(claim.person): claim.confidence for claim in known}
    assert by_person[1] < LIKELY < by_person[3]


def test_what_somebody_said_is_believed() -> None:
    wrong = (WHO + 1).tolist()
    wrong[0] = 3  # said to be somebody whom it does not resemble
    asked = somebody(another_of(2))
    assert found(asked, library(people=wrong))[1].confidence[0] < LIKELY
    assert found(asked, library(people=wrong, said=[1]))[1].confidence[0] > 0.9
    not_them = found(asked, library(), barred=[(17, 3), (18, 1)])[1].confidence
    assert not_them[16] < 0.1, "somebody said that it is not that person"
    assert not_them[17] > 0.9, "of that person nothing was said"


def test_the_people_who_come_into_question_are_the_most_alike() -> None:
    few = most_alike(somebody(another_of(4)), library())
    assert few[0] == 5
    assert len(few) == finding.CONSIDERED
    assert most_alike(somebody(another_of(4)), library(people=[0] * len(WHO))) == []


def test_among_nobodys_faces_likeness_counts() -> None:
    known, told = found(somebody(another_of(2)), library(people=[0] * len(WHO)))
    assert known == []
    assert told.confidence[WHO == 2].max() > LIKELY
    assert told.confidence[WHO != 2].max() < LIKELY
    assert np.isinf(told.margin).all(), "there is nobody to compare with"


def test_many_faces_are_compared_piece_by_piece() -> None:
    all_ = library()
    many = all_.of(np.tile(np.arange(len(all_)), 60))
    told = nearest(many, all_.of(np.arange(5)))
    assert np.allclose(told.evidence[: len(all_)], told.evidence[-len(all_) :])


def test_two_tables_as_one() -> None:
    all_ = library(said=[3])
    both = finding.joined(all_.of(np.arange(4)), all_.of(np.arange(4, len(all_))))
    assert both.ids.tolist() == all_.ids.tolist()
    assert both.said.tolist() == all_.said.tolist()
    assert (both.scales.centre == all_.scales.centre).all()
