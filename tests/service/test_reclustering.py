"""Plans for a whole library, shown, applied, taken back: made-up faces in a real catalogue with a real index."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from guyverd import config_file
from guyverd.catalogue.store import Catalogue
from guyverd.config import Config
from guyverd.errors import CannotDecide
from guyverd.model import DecisionKind, FaceId, Move, PersonId, PhotoId, Stamp
from guyverd.people.decisions import held_of
from guyverd.service.access import open_library
from guyverd.service.api import Row
from guyverd.service.control import RemoteLibrary
from guyverd.service.lock import Holder
from guyverd.service.pipeline.checking import check
from guyverd.service.pipeline.coordinator import Coordinator
from guyverd.service.pipeline.evaluation.rehearsing import put
from guyverd.service.pipeline.queries import LocalLibrary
from guyverd.service.pipeline.words.agreeing import disagreements
from guyverd.service.pipeline.words.deciding import Deciding, log_of, standing
from guyverd.service.pipeline.words.undoing import undo
from guyverd.service.serving import Server
from tests.cli.fake import FakeLibrary
from tests.service.conftest import ASTRONAUT, eventually, groups, scan, tree
from tests.service.material import made_up

PHOTOS = [[1, 2], [1, 2], [1, 2], [1], [1], [3], [3], [3], [2]]
"""Whom each photo shows, from left to right; faces are numbered in this order."""
ONE, TWO, THREE = (1, 3, 5, 7, 8), (2, 4, 6, 12), (9, 10, 11)


class Shelf:
    """A library whose photos were read and grouped; nothing watches it."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.open()

    def open(self) -> None:
        self.work = Coordinator(self.config)
        self.catalogue = self.work.catalogue
        self.library = LocalLibrary(self.work, daemon=False)
        self.deciding = Deciding(self.catalogue)

    def close(self) -> None:
        self.library.stop()

    def whose(self) -> dict[int, int]:
        now = self.catalogue.photos.whose()
        return dict(zip(now.ids.tolist(), now.people.tolist(), strict=True))

    def of(self, faces: tuple[int, ...]) -> set[int]:
        whose = self.whose()
        return {whose[face] for face in faces}

    def mix(self) -> None:
        """Put faces where they do not belong, as a bad grouping would: two of person THREE with ONE, one left alone."""
        wrong = [Move(FaceId(face), PersonId(self.whose()[face]), PersonId(self.whose()[1])) for face in THREE[:2]]
        self.deciding.apply(wrong)

    def sound(self) -> None:
        assert disagreements(self.catalogue) == self.catalogue.contradictions() == self.catalogue.integrity() == []
        bad = [row for row in check(self.work, repair=False)["checks"] if not row["ok"]]
        assert all(row["name"] == "people folder" for row in bad), bad


@pytest.fixture
def shelf(tmp_path: Path, write_config: Callable[..., Path]) -> Iterator[Shelf]:
    photos = tmp_path / "photos"
    photos.mkdir()
    for at in range(len(PHOTOS)):
        (photos / f"{at}.jpg").write_bytes(b"%d" % at)
    material = made_up(PHOTOS)
    config = config_file.load(write_config(photos))
    config.state.mkdir(parents=True)
    with Catalogue(os.fsencode(config.state / "catalogue.db")) as catalogue:
        files = [(b"%d.jpg" % at, photo, _stamp(photos / f"{at}.jpg")) for at, photo in enumerate(material.photos)]
        put(catalogue, os.fsencode(photos), files)
        readings = [(PhotoId(at), photo.reading) for at, photo in enumerate(material.photos, 1)]
        catalogue.photos.read(readings, "rehearsal", catalogue.now())
    made = Shelf(config)
    while made.work.grouping.advance(first_unread=None):
        pass
    assert [len(made.of(faces)) for faces in (ONE, TWO, THREE)] == [1, 1, 1]
    yield made
    made.close()


def _stamp(path: Path) -> Stamp:
    found = path.stat()
    return Stamp(found.st_size, found.st_mtime_ns, found.st_ino)


def moved(row: Row) -> dict[int, tuple[int | None, int | None, int | None]]:
    def number(person: Row | None) -> int | None:
        return None if person is None else person["id"]

    return {move["face"]: (number(move["was"]), number(move["now"]), move["group"]) for move in row["moves"]}


def test_a_library_that_is_as_it_was_grouped_has_nothing_to_plan(shelf: Shelf) -> None:
    plan = shelf.library.recluster()
    assert (plan["moved"], plan["moves"], plan["appearing"], plan["vanishing"]) == (0, [], [], [])
    assert (plan["faces"], plan["people"], plan["decision"]) == (12, 3, None)
    log = log_of(shelf.catalogue)
    assert shelf.library.recluster(apply=True)["decision"] is None
    assert log_of(shelf.catalogue) == log, "nothing was recorded"


def test_a_plan_moves_nothing_and_what_is_applied_is_what_was_shown(shelf: Shelf) -> None:
    shelf.mix()
    before, log = shelf.whose(), log_of(shelf.catalogue)
    one, three = before[1], before[THREE[2]]
    plan = shelf.library.recluster()
    assert (shelf.whose(), log_of(shelf.catalogue)) == (before, log)
    assert moved(plan) == {9: (one, three, None), 10: (one, three, None)}
    assert [os.path.basename(move["files"][0]) for move in plan["moves"]] == ["5.jpg", "6.jpg"]
    done = shelf.library.recluster(apply=True, stamp=plan["stamp"])
    assert moved(done) == moved(plan)
    assert done["decision"] == log[-1].id + 1
    assert shelf.of(THREE) == {three}
    assert log_of(shelf.catalogue)[-1].kind is DecisionKind.APPLY
    shelf.sound()
    assert shelf.library.recluster()["moved"] == 0


def test_an_undo_takes_all_of_it_back_and_a_redo_makes_it_again(shelf: Shelf) -> None:
    shelf.mix()
    before = shelf.whose()
    done = shelf.library.recluster(apply=True)
    after = shelf.whose()
    back = shelf.library.undo(done["decision"])
    assert (back["moved"], back["kept"]) == (2, 0)
    assert shelf.whose() == before
    shelf.library.redo(done["decision"])
    assert shelf.whose() == after
    shelf.sound()


def test_the_log_tells_of_it(shelf: Shelf) -> None:
    shelf.mix()
    before = shelf.whose()
    done = shelf.library.recluster(apply=True)
    rows = [row for row in shelf.library.log() if row["decision"] == done["decision"]]
    assert [(row["kind"], row["moved"]) for row in rows] == [("apply", 2)]
    story = [row for row in shelf.library.log(face="9") if row["decision"] == done["decision"]]
    assert [row["moves"] for row in story] == [[{"face": 9, "was": before[1], "now": before[11]}]]
    assert done["decision"] in [row["decision"] for row in shelf.library.log(person=str(before[1]))]


def test_who_appears_has_a_number_when_it_is_done(shelf: Shelf) -> None:
    whose = shelf.whose()
    # All of THREE with ONE: nobody is left who could have them back.
    shelf.deciding.apply([Move(FaceId(face), PersonId(whose[face]), PersonId(whose[1])) for face in THREE])
    plan = shelf.library.recluster()
    assert plan["appearing"] == [{"group": 1, "id": None, "faces": 3}]
    assert moved(plan) == dict.fromkeys(THREE, (whose[1], None, 1))
    done = shelf.library.recluster(apply=True)
    (new,) = shelf.of(THREE)
    assert done["appearing"] == [{"group": 1, "id": new, "faces": 3}]
    assert new > max(whose.values())
    assert moved(done) == dict.fromkeys(THREE, (whose[1], new, 1))
    shelf.sound()


def test_who_vanishes_has_no_folder_and_has_it_again_when_it_is_undone(shelf: Shelf) -> None:
    whose = shelf.whose()
    # ONE is torn in two: a bad grouping gave three of its faces to somebody new.
    shelf.deciding.apply([Move(FaceId(face), PersonId(whose[1]), None, 0) for face in ONE[2:]])
    part = shelf.whose()[ONE[2]]
    shelf.work.publishing.publish()
    people = shelf.config.people
    folders = {row["id"]: row["folder"] for row in shelf.library.people()}
    assert folders[part] is not None
    plan = shelf.library.recluster()
    assert plan["vanishing"] == [{"id": whose[1], "faces": 2}], "the larger part keeps its number"
    done = shelf.library.recluster(apply=True)
    assert whose[1] not in [row["id"] for row in shelf.library.people()]
    assert groups(people) == {
        frozenset(f"{at}.jpg" for at, who in enumerate(PHOTOS) if one in who) for one in (1, 2, 3)
    }
    shelf.library.undo(done["decision"])
    after = {frozenset(photos) for photos in tree(people).values()}
    assert frozenset({"2.jpg", "3.jpg", "4.jpg"}) in after
    assert {row["id"]: row["folder"] for row in shelf.library.people()}[part] == folders[part]
    assert len(shelf.of(ONE)) == 2


def test_names_and_words_stay(shelf: Shelf) -> None:
    shelf.mix()
    whose = shelf.whose()
    one, three = PersonId(whose[1]), PersonId(whose[11])
    shelf.library.name(str(one), "Ada")
    shelf.library.confirm(str(one), ["9"])
    shelf.library.reject(str(three), ["10"])
    shelf.library.reject(str(one), ["10"])
    done = shelf.library.recluster(apply=True)
    assert 9 not in moved(done), "she said who that is"
    assert shelf.whose()[10] not in (one, three)
    assert shelf.catalogue.people.names()[one] == "Ada"
    shelf.sound()


def test_a_named_person_is_never_given_to_another(shelf: Shelf) -> None:
    whose = shelf.whose()
    shelf.library.name(str(whose[1]), "Ada")
    shelf.deciding.apply([Move(FaceId(face), PersonId(whose[1]), None, 0) for face in ONE[2:]])
    shelf.library.name(str(shelf.whose()[ONE[2]]), "Bea")
    before = shelf.whose()
    assert shelf.library.recluster(apply=True)["moved"] == 0, "the grouping cannot tell them apart, she can"
    assert shelf.whose() == before


def test_people_the_user_made_of_several_are_held(shelf: Shelf) -> None:
    whose = shelf.whose()
    two, three = PersonId(whose[2]), PersonId(whose[9])
    merged = shelf.deciding.merge(two, three)
    assert held_of(log_of(shelf.catalogue), standing(shelf.catalogue)) == {two}
    assert shelf.library.recluster()["moved"] == 0
    assert merged.decision is not None
    undo(shelf.catalogue, merged.decision.id)
    assert held_of(log_of(shelf.catalogue), standing(shelf.catalogue)) == set()
    shelf.deciding.same(FaceId(4), FaceId(10))
    assert held_of(log_of(shelf.catalogue), standing(shelf.catalogue)) == {min(two, three)}
    assert shelf.library.recluster()["moved"] == 0


def test_strictness_counts_this_once(shelf: Shelf) -> None:
    loose, strict = shelf.library.recluster(strictness=-3.0), shelf.library.recluster(strictness=3.0)
    assert (loose["strictness"], strict["strictness"]) == (-3.0, 3.0)
    assert shelf.library.recluster()["strictness"] == 0.0
    assert shelf.library.recluster()["moved"] == 0
    for wrong in (3.5, -4.0, float("nan"), float("inf")):
        with pytest.raises(CannotDecide, match="strictness"):
            shelf.library.recluster(strictness=wrong)


def test_a_plan_that_would_be_another_by_now_is_refused(shelf: Shelf) -> None:
    shelf.mix()
    shown = shelf.library.recluster()
    shelf.library.confirm(str(shelf.whose()[1]), ["9"])
    before = shelf.whose()
    with pytest.raises(CannotDecide, match=shown["stamp"]) as refused:
        shelf.library.recluster(apply=True, stamp=shown["stamp"])
    assert "guyverd recluster" in refused.value.advice
    assert shelf.whose() == before
    again = shelf.library.recluster()
    assert again["stamp"] != shown["stamp"]
    assert shelf.library.recluster(apply=True, stamp=again["stamp"])["decision"] is not None


def test_what_changes_nothing_in_the_plan_does_not_spoil_it(shelf: Shelf) -> None:
    shelf.mix()
    shown = shelf.library.recluster()
    shelf.library.hide(str(shelf.whose()[2]))
    assert shelf.library.recluster(apply=True, stamp=shown["stamp"])["moved"] == 2


def test_a_library_that_changes_meanwhile_is_planned_for_anew(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.mix()
    decide, meanwhile = shelf.work.decide, [FaceId(9), FaceId(10)]

    def interrupted(job: Callable[[], object], **kwargs: bool) -> object:
        if meanwhile:
            shelf.deciding.confirm(PersonId(shelf.whose()[1]), [meanwhile.pop()])
        return decide(job, **kwargs)

    monkeypatch.setattr(shelf.work, "decide", interrupted)
    done = shelf.library.recluster(apply=True)
    assert done["moved"] == 0 or done["decision"] is not None
    assert not {9, 10} & set(moved(done)), "both words came in time"
    shelf.sound()


def test_a_library_that_never_rests_is_told(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.mix()
    decide, hidden = shelf.work.decide, [False]

    def interrupted(job: Callable[[], object], **kwargs: bool) -> object:
        hidden[0] = not hidden[0]
        shelf.deciding.hide(PersonId(shelf.whose()[2]), hidden=hidden[0])
        return decide(job, **kwargs)

    monkeypatch.setattr(shelf.work, "decide", interrupted)
    before = shelf.whose()
    with pytest.raises(CannotDecide, match="changes faster"):
        shelf.library.recluster(apply=True)
    assert shelf.whose() == before


def test_new_faces_that_are_nobody_do_not_stand_in_the_way(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.mix()
    decide = shelf.work.decide

    def arriving(job: Callable[[], object], **kwargs: bool) -> object:
        row = shelf.catalogue.files.roots()[0]
        known = shelf.catalogue.files.known(row.id)
        assert known
        shelf.catalogue.photos.read([(PhotoId(9), made_up([[2, 3]]).photos[0].reading)], "rehearsal", "now")
        return decide(job, **kwargs)

    monkeypatch.setattr(shelf.work, "decide", arriving)
    assert shelf.library.recluster(apply=True)["moved"] == 2
    shelf.sound()


def test_the_last_plan_is_kept_until_something_changes(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.mix()
    shelf.library.recluster()

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("it was made already")

    monkeypatch.setattr("guyverd.service.pipeline.reclustering.group", refuse)
    assert shelf.library.recluster()["moved"] == 2
    with pytest.raises(AssertionError):
        shelf.library.recluster(strictness=1.0)
    assert shelf.library.recluster(apply=True)["moved"] == 2
    with pytest.raises(AssertionError):
        shelf.library.recluster()


def test_photos_that_wait_to_be_read_by_another_model_keep_their_people(shelf: Shelf) -> None:
    whose = shelf.whose()
    shelf.catalogue.renewal.begin("rehearsal, other")
    assert shelf.library.recluster()["moved"] == 0
    reading = made_up(PHOTOS, seed=3).photos[0].reading
    shelf.catalogue.photos.read([(PhotoId(1), reading)], "rehearsal, other", "now")
    assert shelf.library.recluster()["moved"] == 0
    assert shelf.whose() == whose


def test_faces_of_two_models_are_not_compared(shelf: Shelf) -> None:
    reading = made_up(PHOTOS).photos[8].reading
    shelf.catalogue.photos.read([(PhotoId(9), reading)], "rehearsal, other", "now")
    with pytest.raises(CannotDecide, match="another face model"):
        shelf.library.recluster()


def test_an_empty_library(tmp_path: Path, write_config: Callable[..., Path]) -> None:
    (tmp_path / "photos").mkdir()
    with open_library(config_file.load(write_config(tmp_path / "photos"))) as library:
        assert library.recluster()["moved"] == 0
        assert library.recluster(apply=True)["decision"] is None


def test_columns_are_what_the_catalogue_holds(shelf: Shelf) -> None:
    shelf.deciding.reject(PersonId(shelf.whose()[1]), [FaceId(3)])
    everybody = shelf.catalogue.photos.everybody()
    table = shelf.catalogue.photos.table(shelf.catalogue.photos.all_ids())
    for column in ("ids", "photos", "quality", "people", "vectors"):
        assert np.array_equal(getattr(everybody.table, column), getattr(table, column))
        assert getattr(everybody.table, column).dtype == getattr(table, column).dtype
    assert everybody.compared.all()
    assert everybody.last == standing(shelf.catalogue).last == shelf.catalogue.photos.whose().last
    assert shelf.catalogue.photos.whose().ids.tolist() == sorted(table.ids.tolist())


def test_it_is_done_while_the_library_works(shelf: Shelf) -> None:
    shelf.mix()
    shelf.library.start()
    eventually(lambda: shelf.work.idle)
    shown = shelf.library.recluster()
    done = shelf.library.recluster(apply=True, stamp=shown["stamp"])
    assert (done["moved"], shelf.of(THREE)) == (2, {shelf.whose()[11]})
    assert groups(shelf.config.people) == {
        frozenset(f"{at}.jpg" for at, who in enumerate(PHOTOS) if one in who) for one in (1, 2, 3)
    }, "the folders follow before it returns"
    assert all(row["ok"] for row in shelf.library.check()["checks"])


def test_it_can_be_asked_of_a_daemon(tmp_path: Path) -> None:
    fake = FakeLibrary()
    server = Server(fake, tmp_path / "s.sock")
    try:
        remote = RemoteLibrary(Holder(os.getpid(), str(server.path)))
        assert remote.recluster() == fake.recluster()
        assert remote.recluster(apply=True, strictness=0.0, stamp="0a")["decision"] == 42
        assert fake.calls[-1] == ("recluster", True, 0.0, "0a")
    finally:
        server.close()


def test_real_photos(config: Config) -> None:
    scan(config)
    with open_library(config) as library:
        assert library.recluster()["moved"] == 0
        people = {row["id"]: row for row in library.people()}
        faces = list(library.faces())
        hers = [row for row in faces if row["person"] and ASTRONAUT in row["files"][0]]
        other = next(person for person in people if person != hers[0]["person"])
        library.split(str(hers[0]["person"]), [str(row["face"]) for row in hers[:2]])
        assert library.recluster(apply=True)["moved"] == 0, "a split stays"
        library.undo()
        assert library.recluster(apply=True)["moved"] == 0
        assert {row["id"]: row["faces"] for row in library.people()} == {
            person: row["faces"] for person, row in people.items()
        }
        assert other in people
