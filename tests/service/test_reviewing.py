"""Reviews of libraries: what is asked as the library stands, answers over the API, and how many answers it takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from guyverd.config import Config, People
from guyverd.errors import CannotDecide, NameTaken, NoSuchQuestion
from guyverd.evaluation.metrics import agreement
from guyverd.model import PersonId
from guyverd.people.asking.questions import Kind, Question
from guyverd.people.asking.suggestions import suggest
from guyverd.service.access import open_library
from guyverd.service.pipeline.evaluation.rehearsing import Rehearsal
from guyverd.service.pipeline.review import reviewing
from guyverd.service.pipeline.review.answering import Answering, Word
from guyverd.service.pipeline.review.asking import effort
from guyverd.service.pipeline.review.reviewing import Reviewing
from guyverd.service.pipeline.words.agreeing import disagreements
from guyverd.service.pipeline.words.deciding import Deciding, standing
from tests.service.conftest import place, scan, variations
from tests.service.material import made_up

if TYPE_CHECKING:
    from guyverd.model import FloatArray, IntArray

PHOTOS = [[1, 2], [1], [1, 2], [1], [2], [3], [1], [2, 3], [3], [1], [4]]
TRUTH = np.array([who for photo in PHOTOS for who in photo], np.int64)


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Rehearsal]:
    """Person 1 has the six faces of the first, person 2 the four of the second, person 3 three; one face waits."""
    material = made_up(PHOTOS)
    with Rehearsal(tmp_path / "library", material, People(), np.arange(len(PHOTOS), dtype=np.int64)) as opened:
        opened.arrive()
        assert agreement(TRUTH, opened.people()) == 1.0
        yield opened


def asking(library: Rehearsal) -> Reviewing:
    return Reviewing(library.catalogue, library.grouping.measuring.now)


def ids(asked: Reviewing, limit: int | None = None) -> list[str]:
    return [question.id for question in asked.questions(limit)]


def test_what_is_asked_follows_the_library(library: Rehearsal) -> None:
    asked = asking(library)
    assert ids(asked) == ["who-1", "who-2", "who-3", "who-f14"]
    assert ids(asked, 2) == ["who-1", "who-2"]
    library.name({2: "Bob"})
    assert ids(asked, 2) == ["who-1", "who-3"]
    with pytest.raises(NoSuchQuestion):
        asked.question("who-2")
    Answering(library.catalogue).answer(asked.question("who-f14"), Word(True, person=PersonId(2)))
    assert ids(asked) == ["who-1", "who-3"]
    asked.let_go()
    assert ids(asked) == ["who-1", "who-3"]
    asked.let_go()


def test_a_question_can_be_answered_without_having_been_listed(library: Rehearsal) -> None:
    asked = asking(library)
    assert asked.question("who-3").person == 3
    with pytest.raises(NoSuchQuestion):
        asked.question("who-9")
    asked.let_go()


def test_what_was_skipped_comes_back_after_a_month(library: Rehearsal, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, catalogue = asking(library), library.catalogue
    monkeypatch.setattr(catalogue, "now", lambda: "2024-05-01T12:00:00+00:00")
    asked.skip(asked.question("who-1"))
    asked.forget()
    assert "who-1" not in ids(asked)
    monkeypatch.setattr(catalogue, "now", lambda: "2024-05-31T11:00:00+00:00")
    asked.forget()
    assert "who-1" not in ids(asked)
    monkeypatch.setattr(catalogue, "now", lambda: "2024-05-31T13:00:00+00:00")
    asked.forget()
    assert "who-1" in ids(asked)
    asked.skip(asked.question("who-1"))
    asked.unskip("who-1")
    assert "who-1" in ids(asked)
    asked.let_go()


def test_vectors_are_loaded_once(library: Rehearsal, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, loaded = asking(library), []
    really = library.catalogue.questions.vectors

    def counted(ids_: IntArray) -> FloatArray:
        loaded.append(len(ids_))
        return really(ids_)

    monkeypatch.setattr(library.catalogue.questions, "vectors", counted)
    asked.questions()
    library.name({1: "Al"})
    asked.questions()
    assert loaded == [14]
    # A photo that is read again has new vectors.
    library.catalogue._db.write(lambda db: db.execute("UPDATE photos SET read_at = '2031-01-01T00:00:00' WHERE id = 1"))
    library.name({2: "Bo"})
    asked.questions()
    assert loaded == [14, 2]
    asked.let_go()


def test_a_large_library_s_list_serves_for_several_answers(library: Rehearsal, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, made = asking(library), []

    def counted(*given: Any, **more: Any) -> tuple[Question, ...]:
        made.append(given)
        return suggest(*given, **more)

    monkeypatch.setattr(reviewing, "suggest", counted)
    monkeypatch.setattr(reviewing, "_AT_ONCE", 5)
    answering = Answering(library.catalogue)
    for number in (1, 2):
        question = asked.questions(1)[0]
        answering.answer(question, Word(True, name=f"P{number}"))
        asked.answered(question, ())
    assert len(made) == 1
    assert ids(asked, 1) == ["who-3"]
    library.name({3: "elsewhere"})
    assert ids(asked, 1) == ["who-f14"]
    assert len(made) == 2, "somebody else decided something"
    asked.let_go()


def test_an_empty_library_is_not_asked_about(tmp_path: Path) -> None:
    with Rehearsal(tmp_path / "library", made_up([]), People(), np.empty(0, np.int64)) as opened:
        asked = asking(opened)
        assert ids(asked) == []
        asked.let_go()


# ---- how many answers it takes ---------------------------------------------------------------------------------------


def test_a_review_of_people_who_are_right_takes_a_name_each(library: Rehearsal) -> None:
    told = effort(library.catalogue, library.grouping, library.material.faces(), TRUTH)
    assert told == {
        "answers": 3,
        "reached": True,
        "share": 1.0,
        "baseline": 3,
        "baseline_share": 1.0,
        "least": 3,
    }
    assert set(standing(library.catalogue).names.values()) == {"1", "2", "3"}
    assert disagreements(library.catalogue) == []


def test_a_review_of_two_people_in_one_ends_in_the_right_names(library: Rehearsal) -> None:
    catalogue = library.catalogue
    Deciding(catalogue).name(PersonId(1), "1")

    # Photos show both 2 and 3, and 1 and 2; so 3 becomes 1's: nothing speaks against it but likeness.
    Deciding(catalogue).merge(PersonId(1), PersonId(3))
    told = effort(catalogue, library.grouping, library.material.faces(), TRUTH)
    assert told["reached"]
    assert told["share"] == 1.0
    assert any(one.kind.value == "split" for one in catalogue.decisions.log())
    assert disagreements(catalogue) == []


def test_labels_that_cannot_be_do_not_stop_a_review(library: Rehearsal) -> None:
    truth = TRUTH.copy()
    truth[truth == 2] = 1  # "one person", twice in a photo
    told = effort(library.catalogue, library.grouping, library.material.faces(), truth)
    assert told["answers"] <= len(truth)
    assert disagreements(library.catalogue) == []


# ---- over the API, with real photos ----------------------------------------------------------------------------------


@pytest.mark.timeout(600)
def test_a_review_of_real_photos(config: Config, photos: Path, grace_hopper: Path, tmp_path: Path) -> None:
    scan(config)
    with open_library(config) as library:
        rows = list(library.review())
        assert {row["kind"] for row in rows} == {"who"}
        first, second = rows[:2]
        assert (first["person"]["name"], first["others"]) == (None, [])
        assert [face["face"] for face in first["beside"]] == first["faces"], "all of few can be told apart"
        face = first["shown"][0]
        assert Path(face["file"]).parent == photos
        left, top, right, bottom = face["box"]
        assert 0 < right - left < face["width"]
        assert 0 < bottom - top < face["height"]
        assert len(list(library.review(1))) == 1

        done = library.answer(first["question"], "yes", name=" Ada  Lovelace ")
        assert done["answer"] == "yes"
        assert len(done["decisions"]) == 1
        assert (config.people / "Ada Lovelace").is_dir()
        with pytest.raises(NoSuchQuestion):
            library.answer(first["question"], "yes", name="Eve")
        with pytest.raises(NameTaken):
            library.answer(second["question"], "yes", name="ada lovelace")
        with pytest.raises(CannotDecide):
            library.answer(second["question"], "perhaps")

        library.answer(second["question"], "skip")
        assert second["question"] not in {row["question"] for row in library.review()}
        library.answer(second["question"], "undo")
        assert second["question"] in {row["question"] for row in library.review()}

        library.answer(first["question"], "undo", decisions=done["decisions"])
        assert not (config.people / "Ada Lovelace").exists()
        assert first["question"] in {row["question"] for row in library.review()}
        assert library.answer(second["question"], "hide")["decisions"]
        assert second["question"] not in {row["question"] for row in library.review()}

        # Nothing can be looked at of photos that are gone.
        for photo in photos.iterdir():
            photo.unlink()
        assert list(library.review()) != [], "until it is noticed"
    place_one(grace_hopper, photos, tmp_path)
    scan(config)
    with open_library(config) as library:
        for row in library.review():
            assert all(Path(face["file"]).exists() for face in row["shown"])


def place_one(portrait: Path, photos: Path, aside: Path) -> None:
    """One new photo, so that the folder is not empty."""
    variations(portrait, aside / "aside", "new", 1)
    place(aside / "aside" / "new0.jpg", photos / "new0.jpg")


def test_kinds_have_the_names_of_the_api() -> None:
    assert {kind.value for kind in Kind} == {"who", "same", "belong", "one"}
