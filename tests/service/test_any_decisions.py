"""Any sequence of decisions, undos, redos and groupings, however wrong: no word is ever violated, no name is lost.

The machine is made to be extended: whatever else changes people (arrivals, a plan applied, other settings) becomes one
more rule; the invariants are asked after each.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from guyverd.catalogue.store import Catalogue
from guyverd.errors import GuyverError
from guyverd.model import (
    AlbumId,
    Assignment,
    Author,
    Decision,
    DecisionId,
    DecisionKind,
    FaceId,
    Merge,
    Move,
    PersonId,
    PhotoId,
    Standing,
)
from guyverd.pairs import components
from guyverd.people.decisions import replay, undone
from guyverd.service.pipeline.words.agreeing import disagreements
from guyverd.service.pipeline.words.albums import Albums, people_in, photos_in
from guyverd.service.pipeline.words.deciding import Decided, Deciding, log_of, record, standing
from guyverd.service.pipeline.words.undoing import redo, undo
from tests.catalogue.conftest import NOW, ROOT, library
from tests.catalogue.conftest import face as detected
from tests.promises import scaled

PHOTOS = [3, 2, 2, 2, 1, 1, 1]
"""Faces in each photo; the more are in one, the more is forbidden."""
FACES = st.integers(1, sum(PHOTOS) + 2).map(FaceId)
"""The last two are drawn by hand, or not there."""
PEOPLE = st.integers(1, 6).map(PersonId)
SOME = st.lists(FACES, min_size=1, max_size=3)
NAMES = st.sampled_from(["Al", "Bo", "Cy"])
ALBUMS = st.integers(1, 12).map(AlbumId)
PAIRS = st.lists(st.tuples(FACES, FACES), max_size=2)


class Trying(Deciding):
    """Tries each word before it says it: nothing must change by that, and it must come as it was told."""

    def _decide(self, kind: DecisionKind, **given: Any) -> Decided:
        return tried(self._catalogue, lambda dry: super(Trying, self)._decide(kind, **{**given, "dry": dry}))


def tried(catalogue: Catalogue, act: Callable[[bool], Decided]) -> Decided:
    """Do it after it was only tried, and compare."""
    before = everything(catalogue)
    told = _outcome(lambda: act(True))
    assert everything(catalogue) == before
    assert list(log_of(catalogue)) == catalogue.decisions.log()
    done = _outcome(lambda: act(False))
    if isinstance(done, GuyverError):
        assert isinstance(told, GuyverError)
        assert (type(done), done.message) == (type(told), told.message)
        raise done
    assert not isinstance(told, GuyverError)
    assert _timeless(told) == replace(_timeless(done), dry=True)
    return done


def _timeless(decided: Decided) -> Decided:
    """Without the second in which it was, which may end between two tries."""
    decision = decided.decision
    return decided if decision is None else replace(decided, decision=replace(decision, at=""))


def _outcome(act: Callable[[], Decided]) -> Decided | GuyverError:
    try:
        return act()
    except GuyverError as problem:
        return problem


def everything(catalogue: Catalogue) -> list[str]:
    """Every byte of every table, so to say, but for the note that it is open: it comes with the first transaction."""
    with catalogue._db.reading() as reader:
        reader.row_factory = None
        try:
            return [line for line in reader.iterdump() if not line.startswith('INSERT INTO "custody"')]
        finally:
            reader.row_factory = sqlite3.Row


class AnyDecisions(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.catalogue = Catalogue(os.fsencode(Path(self.folder.name) / "c.db"), clock=lambda: NOW)
        self.catalogue.files.configure([ROOT])
        library(self.catalogue, self.catalogue.files.roots()[0], PHOTOS)
        self.deciding: Deciding = Trying(self.catalogue)
        self.albums = Albums(self.catalogue)

    @initialize(films=st.booleans())
    def some_are_videos(self, films: bool) -> None:
        """The first two photos are: one comes while the one before is still seen, or long after."""
        if films:
            self.catalogue._db.write(
                lambda db: db.execute(
                    "UPDATE faces SET starts = ordinal * (photo_id * 2 - 1), ends = ordinal * (photo_id * 2 - 1) + 1.5"
                    " WHERE photo_id < 3"
                )
            )
            self.catalogue._db.write(lambda db: db.execute("UPDATE photos SET kind = 'video' WHERE id < 3"))

    def teardown(self) -> None:
        self.catalogue.close()
        self.folder.cleanup()

    # ---- what is asked of the catalogue ------------------------------------------------------------------------------

    def whose(self) -> dict[FaceId, PersonId | None]:
        every = self.catalogue.people.holdings([FaceId(face) for face in range(1, self.catalogue.boxes.next_face())])
        return {face: held.person for face, held in every.items()}

    def people(self) -> tuple[object, ...]:
        people = self.catalogue.people
        return {who: name for who, name in people.names().items() if name}, people.forwards(), people.hidden()

    def attempt(self, act: Callable[[], Decided]) -> Decided | None:
        """Do it, or be told in words why not, and then nothing has changed."""
        before = (self.whose(), self.people(), self.catalogue.decisions.log())
        problem: GuyverError | None = None
        try:
            done = act()
        except GuyverError as raised:
            problem = raised
        if problem is not None:
            assert problem.exit_code in (5, 6), problem
            assert problem.advice
            assert (self.whose(), self.people(), self.catalogue.decisions.log()) == before
            return None
        after = self.whose()
        changed = {face: (before[0].get(face), person) for face, person in after.items()}
        changed = {face: change for face, change in changed.items() if change[0] != change[1]}
        assert {move.face: (move.was, move.now) for move in done.moves} == changed, "it tells what it moved"
        last = self.catalogue.decisions.last()
        assert [*self.catalogue.decisions.moves(last)] == [*done.moves] or done.decision is None
        return done

    def say(self, act: Callable[[], Decided], regret: bool) -> Decided | None:
        """Decide; with regret, take it back and find everything as it was."""
        whose, people, said = self.whose(), self.people(), standing(self.catalogue)
        done = self.attempt(act)
        if done is not None and done.decision is not None and regret:
            after, then = self.whose(), standing(self.catalogue)
            assert self.attempt(lambda: undo(self.catalogue)) is not None
            assert (self.whose(), self.people(), standing(self.catalogue)) == (whose, people, said)
            assert self.attempt(lambda: redo(self.catalogue)) is not None
            assert (self.whose(), standing(self.catalogue)) == (after, then)
            again = done.decision.id
            assert self.attempt(lambda: undo(self.catalogue, again)) is not None
            assert (self.whose(), self.people()) == (whose, people)
            return None
        return done

    # ---- what the user says ------------------------------------------------------------------------------------------

    @rule(person=PEOPLE, name=NAMES, regret=st.booleans())
    def name(self, person: PersonId, name: str, regret: bool) -> None:
        if self.say(lambda: self.deciding.name(person, name), regret):
            assert self.catalogue.people.names()[person] == name

    @rule(into=PEOPLE, absorbed=PEOPLE, regret=st.booleans())
    def merge(self, into: PersonId, absorbed: PersonId, regret: bool) -> None:
        if self.say(lambda: self.deciding.merge(into, absorbed), regret):
            assert self.catalogue.people.survivor(absorbed) == into

    @rule(person=PEOPLE, faces=st.none() | SOME, regret=st.booleans())
    def confirm(self, person: PersonId, faces: list[FaceId] | None, regret: bool) -> None:
        if self.say(lambda: self.deciding.confirm(person, faces), regret):
            assert all(self.whose()[face] == person for face in faces or [])

    @rule(person=PEOPLE, faces=SOME, regret=st.booleans())
    def reject(self, person: PersonId, faces: list[FaceId], regret: bool) -> None:
        if self.say(lambda: self.deciding.reject(person, faces), regret):
            assert all(self.whose()[face] != person for face in faces)

    @rule(person=PEOPLE, faces=SOME, name=st.none() | NAMES, regret=st.booleans())
    def split(self, person: PersonId, faces: list[FaceId], name: str | None, regret: bool) -> None:
        done = self.say(lambda: self.deciding.split(person, faces, name), regret)
        if done is not None and done.decision is not None:
            assert {self.whose()[face] for face in faces} == {done.decision.other}
            assert name in (None, standing(self.catalogue).names.get(done.decision.other or PersonId(0)))

    @rule(person=PEOPLE, hidden=st.booleans(), regret=st.booleans())
    def hide(self, person: PersonId, hidden: bool, regret: bool) -> None:
        if self.say(lambda: self.deciding.hide(person, hidden=hidden), regret):
            assert (person in self.catalogue.people.hidden()) == hidden
            assert person not in {int(shelf.owner) for shelf in self.catalogue.shelves.of_people(1)} or not hidden

    @rule(one=FACES, other=FACES, regret=st.booleans())
    def same(self, one: FaceId, other: FaceId, regret: bool) -> None:
        if self.say(lambda: self.deciding.same(one, other), regret):
            assert self.whose()[one] == self.whose()[other] is not None

    @rule(one=FACES, other=FACES, regret=st.booleans())
    def different(self, one: FaceId, other: FaceId, regret: bool) -> None:
        before = self.whose()
        if self.say(lambda: self.deciding.different(one, other), regret):
            after = self.whose()
            assert after[one] is None or after[one] != after[other]
            if before[one] is not None and before[one] == before[other]:
                assert before[one] in (after[one], after[other]), "one of them stays"

    @rule(one=PEOPLE, other=PEOPLE, regret=st.booleans())
    def different_people(self, one: PersonId, other: PersonId, regret: bool) -> None:
        self.say(lambda: self.deciding.different_people(one, other), regret)

    @rule(
        photo=st.integers(1, len(PHOTOS)).map(PhotoId),
        person=st.none() | PEOPLE,
        name=st.none() | NAMES,
        regret=st.booleans(),
    )
    def draw(self, photo: PhotoId, person: PersonId | None, name: str | None, regret: bool) -> None:
        number = self.catalogue.boxes.next_face()
        founded = None if name is None else self.catalogue.decisions.next_person()
        drawn = Decision(DecisionId(0), "", DecisionKind.BOX, Author.USER, founded or person, None, name, (number,))
        adding = self.catalogue.boxes.adding(photo, number, detected(number, left=100 * number), "engine 1")

        def act(dry: bool) -> Decided:
            return record(self.catalogue, drawn, founded=founded, first=adding, always=True, dry=dry)

        if self.say(lambda: tried(self.catalogue, act), regret):
            assert self.whose()[number] == (founded or person)
            assert name is None or self.catalogue.people.names()[self.whose()[number] or PersonId(0)] == name

    @rule(decision=st.none() | st.integers(1, 12).map(DecisionId))
    def undo(self, decision: DecisionId | None) -> None:
        done = self.attempt(lambda: tried(self.catalogue, lambda dry: undo(self.catalogue, decision, dry=dry)))
        if done is not None and done.decision is not None and decision is not None:
            assert undone(self.catalogue.decisions.log())[decision] == done.decision.id

    @rule(decision=st.none() | st.integers(1, 12).map(DecisionId))
    def redo(self, decision: DecisionId | None) -> None:
        done = self.attempt(lambda: tried(self.catalogue, lambda dry: redo(self.catalogue, decision, dry=dry)))
        if done is not None and decision is not None:
            log = {one.id: one for one in self.catalogue.decisions.log()}
            assert log[decision].kind is DecisionKind.UNDO or decision not in undone(log.values())

    # ---- albums ------------------------------------------------------------------------------------------------------

    def tell(self, act: Callable[[bool], tuple[AlbumId, Decided]], regret: bool) -> AlbumId | None:
        """What is said of an album is a word like any other, and moves nobody; returns which it is about."""
        about: list[AlbumId] = []

        def said(dry: bool) -> Decided:
            album, done = act(dry)
            about.append(album)
            assert done.moves == ()
            return done

        return about[-1] if self.say(lambda: tried(self.catalogue, said), regret) is not None else None

    @rule(
        people=st.lists(PEOPLE, max_size=3),
        title=st.none() | st.sampled_from(["Us", "US", "Al"]),
        since=st.none() | st.sampled_from(["2020", "2020-01-04"]),
        regret=st.booleans(),
    )
    def save_album(self, people: list[PersonId], title: str | None, since: str | None, regret: bool) -> None:
        album = self.tell(lambda dry: self.albums.save(people, title, since, dry=dry), regret)
        if album is not None:
            said = standing(self.catalogue)
            assert set(people_in(said.albums[album], said)) == {said.survivor(person) for person in people}
            assert said.albums[album].since == since

    @rule(album=ALBUMS, title=st.sampled_from(["Us", "We", "US"]), regret=st.booleans())
    def rename_album(self, album: AlbumId, title: str, regret: bool) -> None:
        if self.tell(lambda dry: self.albums.rename(album, title, dry=dry), regret) is not None:
            assert standing(self.catalogue).albums[album].title == title

    @rule(
        album=ALBUMS,
        photos=st.sets(st.integers(1, len(PHOTOS)).map(PhotoId)),
        out=st.booleans(),
        regret=st.booleans(),
    )
    def leave_out_or_take_back(self, album: AlbumId, photos: set[PhotoId], out: bool, regret: bool) -> None:
        act = self.albums.leave_out if out else self.albums.take_back
        if self.tell(lambda dry: act(album, photos, dry=dry), regret) is not None:
            saved = standing(self.catalogue).albums[album]
            assert photos <= saved.without if out else photos.isdisjoint(saved.without)
            shown = {photo.photo for photo in photos_in(self.catalogue, saved, standing(self.catalogue))}
            assert shown.isdisjoint(saved.without)

    @rule(album=ALBUMS, regret=st.booleans())
    def remove_album(self, album: AlbumId, regret: bool) -> None:
        if self.tell(lambda dry: self.albums.remove(album, dry=dry), regret) is not None:
            assert album not in standing(self.catalogue).albums

    # ---- what grouping finds, however wrong --------------------------------------------------------------------------

    @rule(
        places=st.lists(st.tuples(FACES, st.none() | PEOPLE, st.integers(0, 2)), max_size=8),
        merges=st.lists(st.tuples(PEOPLE, PEOPLE), max_size=2),
        alike=PAIRS,
    )
    def arrive(
        self,
        places: list[tuple[FaceId, PersonId | None, int]],
        merges: list[tuple[PersonId, PersonId]],
        alike: list[tuple[FaceId, FaceId]],
    ) -> None:
        before, names = self.whose(), self.catalogue.people.names()
        said = standing(self.catalogue)
        assignments = [Assignment(face, who, group if who is None else None, 0.5) for face, who, group in places]
        real = [
            Merge(absorbed, into, 0.9)
            for into, absorbed in merges
            if into in names and absorbed in names and into != absorbed
        ]
        pairs = [pair for pair in alike if pair[0] != pair[1]]
        self.catalogue.people.assign(assignments, real[:1], 99, NOW, said=said, alike=pairs)
        into = self.catalogue.people.forwards()
        for face, person in self.whose().items():
            was = before[face]
            assert was is None or person in (was, into.get(was), None), "what is attached only moves with all the rest"
        self.keeps_its_word(said)

    @rule(
        moves=st.lists(st.tuples(FACES, st.none() | PEOPLE, st.none() | st.integers(0, 1)), max_size=6),
        alike=PAIRS,
        regret=st.booleans(),
    )
    def apply(
        self,
        moves: list[tuple[FaceId, PersonId | None, int | None]],
        alike: list[tuple[FaceId, FaceId]],
        regret: bool,
    ) -> None:
        whose = self.whose()
        plan = {
            face: Move(face, whose.get(face), None if group is not None else person, group)
            for face, person, group in moves
        }
        said = standing(self.catalogue)
        pairs = [pair for pair in alike if pair[0] != pair[1]]
        if regret:
            pairs = []  # what was found to be alike stays when the plan is taken back
        done = self.say(lambda: self.deciding.apply(list(plan.values()), pairs), regret)
        if done is not None:
            assert all(self.whose()[face] == move.now for face, move in plan.items() if move.group is None), (
                "as planned or not at all"
            )
        self.keeps_its_word(said)

    def keeps_its_word(self, said: Standing) -> None:
        """Nothing that the user said is otherwise than before grouping."""
        now = standing(self.catalogue)
        assert now.names == said.names
        assert now.hidden == {now.survivor(person) for person in said.hidden}
        assert {*now.pinned} == {*said.pinned}, "whoever they are by now"
        assert {face for face, _ in now.barred} == {face for face, _ in said.barred}
        assert (now.together, now.apart) == (said.together, said.apart)
        assert len(now.apart_people) <= len(said.apart_people)

    # ---- always ------------------------------------------------------------------------------------------------------

    @invariant()
    def agrees_with_the_log(self) -> None:
        assert disagreements(self.catalogue) == []
        assert standing(self.catalogue) == replay(self.catalogue.decisions.log())
        assert list(log_of(self.catalogue)) == self.catalogue.decisions.log()

    @invariant()
    def is_sound(self) -> None:
        said = standing(self.catalogue)
        assert self.catalogue.contradictions(said.together | said.alike) == []
        assert self.catalogue.integrity() == []

    @invariant()
    def nobody_is_seen_twice_at_once(self) -> None:
        said = standing(self.catalogue)
        kin = components([*said.together, *said.alike])
        every = [FaceId(face) for face in range(1, self.catalogue.boxes.next_face())]
        for one, other in combinations(self.catalogue.people.holdings(every).values(), 2):
            if one.photo != other.photo or one.person is None or one.person != other.person:
                continue
            times = (one.starts, one.ends, other.starts, other.ends)
            begins, ends, begins_too, ends_too = (-1.0 if time is None else time for time in times)
            apart = None not in times and (ends <= begins_too or ends_too <= begins)
            assert apart or kin.get(one.face, one.face) == kin.get(other.face, other.face)

    @invariant()
    def no_two_albums_have_one_title(self) -> None:
        titles = [saved.title.casefold() for saved in standing(self.catalogue).albums.values()]
        assert len(titles) == len(set(titles))

    @invariant()
    def a_decision_of_the_user_is_refused_by_no_later_one(self) -> None:
        log = {one.id: one for one in self.catalogue.decisions.log()}
        assert all(log[one].author is Author.GUYVERD for one in standing(self.catalogue).refused)


AnyDecisions.TestCase.settings = settings(
    max_examples=scaled(35, 300), stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestAnyDecisions = pytest.mark.promise("any-order")(AnyDecisions.TestCase)
