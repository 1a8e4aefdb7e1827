"""Search over a catalogue and an index of made-up faces: photos, moments, duplicates, and what is left out."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from guyverd import config_file
from guyverd.catalogue.searching import Filter
from guyverd.catalogue.store import Catalogue
from guyverd.errors import BadRequest, FolderElsewhere, UnknownPerson
from guyverd.model import FaceId, PersonId, PhotoId, PhotoKind
from guyverd.service.pipeline.grouping import Grouping
from guyverd.service.pipeline.searching.company import together
from guyverd.service.pipeline.searching.search import Answer, Question, Search
from guyverd.service.pipeline.searching.showing import Shown
from guyverd.service.pipeline.searching.wishes import wishes
from guyverd.service.pipeline.words.deciding import Deciding
from tests.catalogue.conftest import NOW, OTHER, ROOT
from tests.catalogue.gallery import Content, Shot, gallery
from tests.people.helpers import faces_of

if TYPE_CHECKING:
    from guyverd.model import FloatArray
    from guyverd.people.index import Neighbours

ADA, BOB = PersonId(1), PersonId(2)
PEOPLE = 8
K = Question(5, every=False, least=None, sure=0.9)
EVERY = replace(K, every=True)

CONTENTS = [
    *(Content([Shot(0)], f"2020-0{month}-01T12:00:00") for month in range(1, 7)),  # photos 1 to 6: Ada
    Content([Shot(0), Shot(1)], "2021-01-01T12:00:00", [b"party/both.jpg"]),  # 7
    Content([Shot(0, 0, 10), Shot(1, 5, 15), Shot(0, 10.5, 20), Shot(0, 60, 70)], "2021-02-01", [b"film.mp4"]),  # 8
    # 9 to 11: one shot, saved again and made smaller.
    Content([Shot(0, like=3)], "2022-01-01T12:00:00", look=0, width=640),
    Content([Shot(0, like=3)], "2022-01-01T12:00:00", look=1, width=4000),
    Content([Shot(0, like=3)], None, look=3, width=100),
    Content([Shot(0, grouped=False)], "2023-01-01T12:00:00"),  # 12: nobody's yet
    *(Content([Shot(who)]) for who in range(1, PEOPLE) for _ in range(6)),  # 13 on
]
ALONE = 12
"""The photo whose face waits."""


def another_of(who: int) -> FloatArray:
    """A face of somebody as it would be in a photo from outside."""
    shots = [shot.who for one in CONTENTS for shot in one.faces]
    found: FloatArray = faces_of(np.array([*shots, who], np.int64), spread=0.2)[-1]
    return found


@dataclass
class Library:
    catalogue: Catalogue
    search: Search
    numbers: list[int]

    def ask(self, who: int, question: Question = K) -> Answer:
        return self.search.of_face(another_of(who), -1, question)


def photos(answer: Answer) -> list[int]:
    return [one.face.photo for one in answer.shown]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """It is only read."""
    with filled(tmp_path_factory.mktemp("searched")) as made:
        yield made


@contextlib.contextmanager
def filled(folder: Path, contents: Sequence[Content] = CONTENTS) -> Iterator[Library]:
    (folder / "state").mkdir()
    config = config_file.make([folder / "photos"], folder / "People", folder / "state", folder / "config.yaml")
    with Catalogue(os.fsencode(folder / "state" / "catalogue.db"), clock=lambda: NOW) as catalogue:
        catalogue.files.configure([ROOT, OTHER])
        numbers = gallery(catalogue, contents)
        grouping = Grouping(config, catalogue)
        yield Library(catalogue, Search(catalogue, lambda: grouping.index, grouping.measuring.now), numbers)


def test_every_photo_and_moment_of_somebody_is_found(library: Library) -> None:
    answer = library.ask(0, EVERY)
    assert answer.through is not None
    assert answer.through.person == ADA
    assert answer.through.confidence > 0.9
    assert {*range(1, 9), 10} <= set(photos(answer)) <= {*range(1, 9), 10, ALONE}
    assert answer.total == len(answer.shown)
    sure = [one.confidence for one in answer.shown if not one.duplicates]
    assert sure == sorted(sure, reverse=True)
    assert min(sure) >= EVERY.sure
    assert all(one.face.person in (ADA, None) for one in answer.shown)
    assert all(one.margin is not None and one.margin > 0 for one in answer.shown if one.through)


def test_moments_that_touch_are_one_and_somebody_else_is_none(library: Library) -> None:
    moments = [one for one in library.ask(0, EVERY).shown if one.face.kind is PhotoKind.VIDEO]
    assert sorted((one.start, one.end) for one in moments) == [(0, 20), (60, 70)]


def test_in_company_a_moment_is_when_both_are_seen(library: Library) -> None:
    together_ = replace(EVERY, wanted=Filter(company=(BOB,), kind=PhotoKind.VIDEO))
    assert [(one.start, one.end) for one in library.ask(0, together_).shown] == [(5, 15)]
    assert [(one.start, one.end) for one in library.search.of_person(ADA, together_).shown] == [(5, 15)]


def test_near_identical_pictures_are_one_row_shown_by_the_largest(library: Library) -> None:
    [one] = [one for one in library.ask(0, EVERY).shown if one.duplicates]
    assert one.face.photo == 10
    assert {other.face.photo for other in one.duplicates} == {9, 11}
    each = library.ask(0, replace(EVERY, duplicates=True))
    assert {9, 10, 11} <= set(photos(each))
    assert not any(one.duplicates for one in each.shown)


@pytest.mark.parametrize("k", [1, 5, 20])
def test_whoever_wants_so_many_gets_them(library: Library, k: int) -> None:
    answer = library.ask(0, replace(K, k=k))
    assert len(answer.shown) == k
    every = photos(library.ask(0, EVERY))
    assert photos(answer)[: len(every)] == every[:k], "the surest, and then others"
    far = library.ask(0, replace(K, k=1000))
    assert len(far.shown) >= len(CONTENTS) - 2, "all there are but duplicates"


def test_what_is_less_sure_is_left_out_where_that_is_asked(library: Library) -> None:
    some = library.ask(0, replace(K, k=1000, least=0.5))
    assert {one.confidence >= 0.5 for one in some.shown} == {True}
    assert len(library.ask(0, replace(EVERY, least=0.0)).shown) > len(some.shown)
    assert library.ask(0, replace(EVERY, least=1.0)).shown == ()


def test_no_more_is_looked_at_than_is_wanted(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    from guyverd.people.index import FaceIndex
    from guyverd.service.pipeline.searching import search

    asked: list[int] = []
    real = FaceIndex.neighbours

    def counting(index: FaceIndex, vectors: FloatArray, k: int, *, thorough: bool = False) -> Neighbours:
        asked.append(k)
        return real(index, vectors, k, thorough=thorough)

    monkeypatch.setattr(FaceIndex, "neighbours", counting)
    monkeypatch.setattr(search, "SPARE", 4)
    for question in (replace(K, k=2), replace(K, k=2, least=0.5)):
        assert len(library.ask(0, question).shown) == 2
    assert asked == [6, 6], "though there are more who are as sure"


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (Filter(since="2020-03", until="2020-05"), [3, 4, 5]),
        (Filter(kind=PhotoKind.VIDEO), [8, 8]),
        (Filter(company=(BOB,)), [7, 8]),
        (Filter(since="2020", until="2020-12", without=(BOB,)), [1, 2, 3, 4, 5, 6]),
    ],
)
def test_only_what_is_wanted_is_found(library: Library, choice: Filter, expected: list[int]) -> None:
    assert sorted(photos(library.ask(0, replace(EVERY, wanted=choice)))) == expected
    first = library.ask(0, replace(K, k=len(expected), wanted=choice))
    assert sorted(photos(first)) == expected
    assert set(photos(library.ask(5, replace(K, k=9, wanted=choice)))) == set(expected), "also what shows somebody else"


def test_a_selective_filter_is_looked_through_one_by_one(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    from guyverd.service.pipeline.searching import search

    monkeypatch.setattr(search, "WIDEST", 1)
    monkeypatch.setattr(search, "SPARE", 0)
    choice = Filter(kind=PhotoKind.VIDEO)
    assert photos(library.ask(5, replace(K, k=1, wanted=choice))) == [8], "who is not near those asked about"
    monkeypatch.setattr(search, "FEW", 1)
    assert photos(library.ask(5, replace(K, k=1, wanted=choice))) == [8], "nor are there few"


def test_by_likeness_alone_nobody_is_found(library: Library) -> None:
    answer = library.ask(0, replace(EVERY, direct=True))
    assert answer.through is None
    assert photos(answer)
    assert not any(one.through for one in answer.shown)
    assert all(one.face.person in (ADA, None) for one in answer.shown)


def test_a_face_of_the_library_finds_itself_first(library: Library) -> None:
    number = library.numbers[0]
    [vector] = library.catalogue.searching.sought([number]).vectors
    first: Shown = library.search.of_face(vector, number, K).shown[0]
    assert int(first.face.face) == number
    assert first.distance < 1e-3
    assert first.confidence > 0.9


def test_a_person_is_found_by_all_their_faces(library: Library) -> None:
    answer = library.search.of_person(ADA, EVERY)
    assert answer.through is None
    assert {*range(1, 9), 10} <= set(photos(answer)) <= {*range(1, 9), 10, ALONE}
    assert all(one.distance > 0.01 for one in answer.shown if not one.duplicates), "no face is compared with itself"
    nobody = library.search.of_person(PersonId(999), EVERY)
    assert nobody.shown == ()


def test_what_somebody_said_is_obeyed(tmp_path: Path) -> None:
    with filled(tmp_path) as library:
        third, alone = (FaceId(library.catalogue.searching.in_photo(PhotoId(photo))[0]) for photo in (3, ALONE))
        assert 3 in photos(library.ask(0, EVERY))
        Deciding(library.catalogue).reject(ADA, [third])
        assert 3 not in photos(library.ask(0, EVERY))
        Deciding(library.catalogue).confirm(ADA, [alone])
        assert ALONE in photos(library.ask(0, EVERY))


def test_an_empty_library_finds_nothing(tmp_path: Path) -> None:
    with filled(tmp_path, [Content([])]) as library:
        for question in (K, EVERY):
            assert library.ask(0, question) == Answer((), None, 0)


def test_a_question_changes_nothing(library: Library) -> None:
    before = library.catalogue.written
    library.ask(0, EVERY)
    library.search.of_person(ADA, EVERY)
    list(together(library.catalogue, [ADA, BOB], Filter()))
    assert library.catalogue.written == before


def test_lists_load_no_arrays() -> None:
    code = "import sys, guyverd.service.pipeline.listing; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ---- words -----------------------------------------------------------------------------------------------------------


def test_words_become_a_filter(library: Library) -> None:
    catalogue = library.catalogue
    root = catalogue.files.roots()[0].id
    found = wishes(catalogue, since="2020", kind="video", within="/photos/party/", company=["1 & 2"], without=["3"])
    assert found == Filter("2020", None, ((root, b"party"),), (ADA, BOB), (PersonId(3),), PhotoKind.VIDEO)
    assert wishes(catalogue, within="/photos").places == ((root, b""),)
    assert {place for _, place in wishes(catalogue, within="/").places or ()} == {b""}, "it holds all roots"
    with pytest.raises(FolderElsewhere):
        wishes(catalogue, within="/photographs")
    with pytest.raises(UnknownPerson):
        wishes(catalogue, company=["Nemo"])
    with pytest.raises(BadRequest):
        wishes(catalogue, kind="page")


def test_who_is_seen_together_is_told_in_moments(library: Library) -> None:
    photo, moment = together(library.catalogue, [ADA, BOB], Filter())
    assert (photo["file"], photo["kind"], photo["start"]) == ("/photos/party/both.jpg", "photo", None)
    assert [one["id"] for one in photo["people"]] == [1, 2]
    assert (moment["start"], moment["end"]) == (5, 15), "two shots that nearly touch"
