"""Photos arrive, people are named and corrected, everybody is grouped anew at any strictness, the program ends and
begins again: whatever the order, no word is violated, nobody with a name is lost, and a plan can be taken back.

The faces are real in what matters: vectors around strangers, each with a sibling who is taken for them unless the
grouping is strict. They go through the real index, the real grouping and the real catalogue.
"""

from __future__ import annotations

import functools
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from guyverd.catalogue.rows import ReadPhoto
from guyverd.config import People
from guyverd.model import DecisionKind, DetectedFace, FaceId, PersonId
from guyverd.people.coherence import Spoken
from guyverd.people.decisions import held_of
from guyverd.people.evidence import Measure
from guyverd.service.pipeline.evaluation.rehearsing import Material, Rehearsal
from guyverd.service.pipeline.reclustering import Made, make
from guyverd.service.pipeline.words.albums import Albums
from guyverd.service.pipeline.words.deciding import log_of, standing
from tests.people.helpers import NO_FACES, SETTINGS, beside, directions
from tests.promises import scaled
from tests.service.material import made_up
from tests.service.test_any_decisions import PHOTOS, AnyDecisions, Trying

SHOWN = [[0, 2, 0], [0, 2], [1, 3], [1, 3], [0], [2], [1]]
"""Whom each photo shows, as many as in `AnyDecisions`; in the first there is a mirror."""
STRICTNESS = st.sampled_from([-3.0, -1.0, 0.0, 0.5, 1.0, 2.0])


@functools.cache
def material() -> Material:
    """Persons 0 and 2 are strangers; 1 is nearly taken for 0 and 3 for 2."""
    asked = Measure(SETTINGS, 0, NO_FACES)
    strangers = directions(2, seed=4)
    near = [beside(strangers[0], asked.link + 0.3), beside(strangers[1], asked.join - 0.3)]
    looks = [strangers[0], near[0], strangers[1], near[1]]
    chance = np.random.default_rng(11)
    photos: list[ReadPhoto] = []
    for photo, shown in zip(made_up(SHOWN).photos, SHOWN, strict=True):
        faces: list[DetectedFace] = []
        for face, person in zip(photo.reading.faces, shown, strict=True):
            if person in shown[: len(faces)]:
                faces.append(replace(face, embedding=np.float32(1.2) * faces[shown.index(person)].embedding))
                continue
            noise = 0.06 * chance.standard_normal(128) / np.sqrt(128)
            quality = replace(face.quality, score=float(chance.choice([0.1, 0.5, 0.9])))
            faces.append(replace(face, embedding=(looks[person] + noise).astype(np.float32), quality=quality))
        photos.append(replace(photo, reading=replace(photo.reading, faces=tuple(faces))))
    return Material(photos)


class AnyLibrary(AnyDecisions):
    """Everything that can be decided, on a library that comes about by itself."""

    def __init__(self) -> None:
        # Not that of `AnyDecisions`: here the photos are still to come.
        RuleBasedStateMachine.__init__(self)
        assert [len(shown) for shown in SHOWN] == PHOTOS
        self.folder = tempfile.TemporaryDirectory()
        self.place = Path(self.folder.name) / "library"
        self.shown: Made | None = None
        self.begin(list(range(len(SHOWN))), 0)

    @initialize(order=st.permutations(range(len(SHOWN))), came=st.integers(0, len(SHOWN)))
    def some_came(self, order: list[int], came: int) -> None:
        self.library.catalogue.close()
        shutil.rmtree(self.place)
        self.begin(order, 0)
        if came:
            self.library.arrive(came)

    def begin(self, order: Sequence[int], arrived: int) -> None:
        at = np.array(order, dtype=np.int64)
        self.library = Rehearsal(self.place, material(), People(), at, arrived=arrived)
        self.catalogue = self.library.catalogue
        self.deciding = Trying(self.catalogue)
        self.albums = Albums(self.catalogue)

    # ---- what happens to a library -----------------------------------------------------------------------------------

    @rule(count=st.integers(1, 3))
    def arrive(self, count: int) -> None:  # the real thing, instead of any assignments
        before, said = self.whose(), standing(self.catalogue)
        self.library.arrive(count)
        into = self.catalogue.people.forwards()
        # Whom nobody spoke of may turn out to be several, and then neighbours change too, of whom nobody spoke either.
        parted = {one.person for one in self.catalogue.decisions.log(said.last) if one.kind is DecisionKind.APPLY}
        spoken = Spoken(said, held_of(log_of(self.catalogue), said))
        assert not parted & spoken.people
        after = self.whose()
        for face, was in before.items():
            if was is not None and (not parted or spoken.of(was, [face])):
                assert after[face] in (was, into.get(was), None), "what is attached only moves with all the rest"
        self.keeps_its_word(said)

    @rule(strictness=STRICTNESS)
    def plan(self, strictness: float) -> None:
        before = (self.whose(), self.people(), self.catalogue.decisions.log())
        self.shown = self.planned(strictness)
        assert (self.whose(), self.people(), self.catalogue.decisions.log()) == before, "a plan moves nothing"

    @rule(strictness=STRICTNESS, regret=st.booleans())
    def apply(self, strictness: float, regret: bool) -> None:  # a real plan, and not any
        self.carry_out(self.planned(strictness), regret=regret)
        if not regret:
            again = self.planned(strictness).plan
            assert again.moves == (), "it leaves nothing to do"

    @rule()
    def apply_what_was_shown(self) -> None:
        """However long ago: it is done as shown, or not at all."""
        if self.shown is not None and self.shown.plan.moves:
            what, whose = self.shown.plan, self.whose()
            done = self.attempt(lambda: self.deciding.apply(what.moves, what.alike))
            if done is not None:
                assert all(whose[move.face] == move.was for move in what.moves)
                assert all(self.whose()[move.face] == move.now for move in what.moves if move.group is None)

    @rule(lost=st.booleans())
    def restart(self, lost: bool) -> None:
        before = (self.whose(), self.people(), standing(self.catalogue))
        self.library.grouping.save(now=True)
        self.catalogue.close()
        if lost:
            shutil.rmtree(self.place / "index", ignore_errors=True)
        self.begin(self.library.order.tolist(), self.library.arrived)
        assert (self.whose(), self.people(), standing(self.catalogue)) == before

    # ---- inside ------------------------------------------------------------------------------------------------------

    def planned(self, strictness: float) -> Made:
        everybody = self.catalogue.photos.everybody()
        setting = replace(self.library.settings, strictness=strictness)
        return make(self.catalogue, setting, self.library.grouping.index, standing(self.catalogue), everybody)

    def carry_out(self, made: Made, *, regret: bool) -> None:
        what, before, said = made.plan, self.whose(), standing(self.catalogue)
        lasting = {*said.names, *said.hidden, *held_of(log_of(self.catalogue), said)} & {*before.values()}
        assert not lasting & {*what.vanishing}
        if not what.moves:
            return
        # What was found to be alike stays when the plan is taken back.
        done = self.say(lambda: self.deciding.apply(what.moves, what.alike), regret and not what.alike)
        if done is None:
            assert regret, "a plan of this moment can be done"
            return
        after = self.whose()
        assert {face for face in after if after[face] != before[face]} == {move.face for move in what.moves}
        assert all(after[move.face] == move.now for move in what.moves if move.group is None)
        assert {*before.values()} - {*after.values()} - {None} == {*what.vanishing}
        assert lasting <= {*after.values()}
        new = {person for person in after.values() if person is not None and person not in before.values()}
        assert len(new) == len(what.appearing)
        assert all(sum(person == one for person in after.values()) >= 2 for one in new)
        self.keeps_its_word(said)

    @invariant()
    def whoever_is_pinned_is_there(self) -> None:
        whose = self.whose()
        for face, person in standing(self.catalogue).pinned.items():
            assert whose.get(FaceId(face), person) == person

    @invariant()
    def the_index_holds_what_was_grouped(self) -> None:
        held, wanted = self.library.grouping.index.ids(), self.catalogue.photos.grouped_ids()
        assert np.isin(wanted, held).all()

    @invariant()
    def nobody_absorbed_has_a_face(self) -> None:
        gone = set(self.catalogue.people.forwards())
        assert not gone & {PersonId(person) for person in self.whose().values() if person is not None}


AnyLibrary.TestCase.settings = settings(
    max_examples=scaled(25, 200), stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestAnyLibrary = pytest.mark.promise("any-order")(AnyLibrary.TestCase)


def test_strictness_matters_to_these_faces() -> None:
    """Else the machine would try nothing."""
    found = set()
    for strictness in (-3.0, 0.0, 1.0):
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / "library"
            with Rehearsal(
                place, material(), People(strictness=strictness), np.arange(len(SHOWN), dtype=np.int64)
            ) as library:
                library.arrive()
                found.add(tuple(library.people().tolist()))
    assert len(found) == 3, found
