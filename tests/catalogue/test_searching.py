"""What a search looks up, and what it leaves out."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from guyverd.catalogue.searching import ANYTHING, Filter, Month
from guyverd.catalogue.store import Catalogue
from guyverd.model import PersonId, PhotoId, PhotoKind, RootId, Stamp
from tests.catalogue.conftest import NOW, OTHER, ROOT
from tests.catalogue.gallery import Content, Shot, gallery

ADA, BOB = PersonId(1), PersonId(2)

CONTENTS = [
    Content([Shot(0)], "2020-01-31T10:00:00", [b"2020/one.jpg", b"copies/one.jpg"]),  # face 1
    Content([Shot(0), Shot(1)], "2020-12-31T23:59:00", [b"2020/party/two.jpg"]),  # 2, 3
    Content([Shot(1)], None, [b"2020-more/three.jpg"]),  # 4
    Content([Shot(0, 0, 5), Shot(1, 3, 9), Shot(0, 20, 30), Shot(1, 40, 50)], "2021-05-01", [b"film.mp4"]),  # 5 to 8
    Content([Shot(0)], "2021-05-02"),  # 9
]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    """It is only read."""
    path = os.fsencode(tmp_path_factory.mktemp("filled") / "catalogue.db")
    with Catalogue(path, clock=lambda: NOW) as opened:
        opened.files.configure([ROOT, OTHER])
        assert gallery(opened, CONTENTS) == list(range(1, 10))
        yield opened


@pytest.fixture
def place(filled: Catalogue) -> RootId:
    return filled.files.roots()[0].id


def wanted(catalogue: Catalogue, choice: Filter) -> list[int]:
    found = catalogue.searching.sought(range(1, 10), choice)
    assert [face.face for face in found.faces] == list(range(1, 10)), "all are told, and which are wanted"
    of_wanted: list[int] = [face.face for face in found.of_wanted().faces]
    listed = catalogue.searching.all_wanted(choice, 99)
    assert listed is not None
    assert sorted(listed) == of_wanted, "whichever way they are asked for"
    mine = [face for face in of_wanted if face in (1, 2, 5, 7, 9)]
    assert catalogue.searching.some_of(ADA, None, choice) == mine
    return of_wanted


def test_everything_is_wanted_by_default(filled: Catalogue) -> None:
    assert wanted(filled, ANYTHING) == list(range(1, 10))
    assert not ANYTHING
    assert Filter(since="2020")


def test_days_are_whole_and_without_a_date_nothing_is_sure(filled: Catalogue) -> None:
    assert wanted(filled, Filter(since="2020-12")) == [2, 3, 5, 6, 7, 8, 9]
    assert wanted(filled, Filter(until="2020")) == [1, 2, 3]
    assert wanted(filled, Filter(until="2020-12-31")) == [1, 2, 3]
    assert wanted(filled, Filter(since="2021-05-01", until="2021-05-01")) == [5, 6, 7, 8]


def test_a_folder_holds_what_lies_below_it_and_no_more(filled: Catalogue, place: RootId) -> None:
    def within(path: bytes) -> list[int]:
        return wanted(filled, Filter(places=((place, path),)))

    assert within(b"2020") == [1, 2, 3], "not 2020-more"
    assert within(b"2020/party") == [2, 3]
    assert within(b"copies") == [1], "one of its files is there"
    assert within(b"") == list(range(1, 10))
    assert within(b"nowhere") == []
    assert wanted(filled, Filter(places=())) == []


def test_company_is_seen_in_the_same_photo_or_at_the_same_time(filled: Catalogue) -> None:
    assert wanted(filled, Filter(company=(BOB,))) == [2, 5], "6 and 8 have nobody but Bob himself"
    assert wanted(filled, Filter(without=(BOB,))) == [1, 3, 4, 6, 7, 8, 9]
    assert wanted(filled, Filter(company=(ADA, BOB))) == []


def test_photos_and_videos_are_told_apart(filled: Catalogue) -> None:
    assert wanted(filled, Filter(kind=PhotoKind.VIDEO)) == [5, 6, 7, 8]
    assert wanted(filled, Filter(kind=PhotoKind.PHOTO)) == [1, 2, 3, 4, 9]


def test_what_is_away_is_not_found(catalogue: Catalogue) -> None:
    gallery(catalogue, CONTENTS)
    catalogue.files.gone(PhotoId(2), NOW)
    assert [face.face for face in catalogue.searching.sought([1, 2, 3, 4]).faces] == [1, 4]
    assert catalogue.searching.some_of(ADA) == [1, 5, 7, 9]
    assert catalogue.searching.months(ADA) == [Month("2020-01", 1, 0), Month("2021-05", 1, 1)]


def test_some_faces_of_many_are_from_all_over(catalogue: Catalogue) -> None:
    numbers = gallery(catalogue, [Content([Shot(0)]) for _ in range(40)])
    assert catalogue.searching.some_of(ADA) == numbers
    assert catalogue.searching.some_of(ADA, 40) == numbers
    some = catalogue.searching.some_of(ADA, 8)
    assert len(set(some)) == 8
    assert min(some) <= 5
    assert max(some) >= 35
    assert catalogue.searching.some_of(ADA, 8, Filter(kind=PhotoKind.VIDEO)) == []


def test_some_faces_of_several_people(filled: Catalogue) -> None:
    def members(*people: PersonId, at_most: int) -> list[int]:
        return sorted(face.face for face in filled.searching.members(people, at_most).faces)

    assert members(ADA, BOB, at_most=5) == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert members(BOB, PersonId(77), at_most=5) == [3, 4, 6, 8]
    assert members(at_most=5) == []
    few = members(ADA, BOB, at_most=2)
    assert len(few) == 4
    assert len({*few} & {1, 2, 5, 7, 9}) == 2, "two of each"


def test_too_many_to_compare_one_by_one(filled: Catalogue) -> None:
    assert filled.searching.all_wanted(ANYTHING, 8) is None
    assert filled.searching.all_wanted(ANYTHING, 9) is not None


def test_who_is_seen_together_and_when(filled: Catalogue) -> None:
    photo, moment = filled.searching.together([BOB, ADA])
    assert (photo.photo, photo.start, photo.faces) == (2, None, (3, 2)), "in the order asked for"
    assert (moment.photo, moment.kind, moment.start, moment.end, moment.faces) == (4, PhotoKind.VIDEO, 3, 5, (6, 5))
    assert [one.photo for one in filled.searching.together([ADA, BOB], Filter(kind=PhotoKind.PHOTO))] == [2]
    assert [one.photo for one in filled.searching.together([ADA, ADA])] == [1, 2, 4, 4, 5], "one person, and oneself"
    assert not list(filled.searching.together([ADA, PersonId(77)]))


def test_months_of_somebody_those_without_a_date_last(filled: Catalogue) -> None:
    assert filled.searching.months(ADA) == [Month("2020-01", 1, 0), Month("2020-12", 1, 0), Month("2021-05", 1, 1)]
    assert filled.searching.months(BOB)[-1] == Month(None, 1, 0)
    assert filled.searching.months(PersonId(77)) == []


def test_a_file_that_is_as_it_was_read_is_known(filled: Catalogue, place: RootId) -> None:
    as_read = Stamp(10, 1, 7)
    assert filled.searching.known(place, b"2020/one.jpg", as_read) == 1
    assert filled.searching.known(place, b"2020/one.jpg", Stamp(10, 2, 7)) is None, "it was written since"
    assert filled.searching.known(place, b"2020/other.jpg", as_read) is None


def test_names_of_a_few(filled: Catalogue) -> None:
    assert filled.searching.names([1, 2, 77]) == {1: None, 2: None}
    assert filled.searching.has_faces()
