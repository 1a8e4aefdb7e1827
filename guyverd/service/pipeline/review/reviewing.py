"""Questions to the user about the library as it stands, and what becomes of the answers.

Vectors are kept between two questions, since nothing takes longer than to load them; they are let go after a while.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from guyverd.catalogue.store import Catalogue
from guyverd.errors import NoSuchQuestion
from guyverd.model import FaceTable
from guyverd.people.asking.questions import Question
from guyverd.people.asking.suggestions import suggest
from guyverd.people.directions import unit
from guyverd.people.evidence import Measure, Scales
from guyverd.people.graph import rows_of
from guyverd.service.pipeline.review.hearing import Hearing
from guyverd.service.pipeline.words.deciding import standing

if TYPE_CHECKING:
    from guyverd.catalogue.questions import Glance
    from guyverd.model import FloatArray, IntArray

WAITS = timedelta(days=30)
"""So long a question that was skipped is not asked again."""
_KEPT = 600.0
"""Seconds after the last question for which vectors are kept."""
_AT_ONCE = 10_000
"""For every so many faces one more answer is taken before the list is made anew. With 200,000 faces and 20,000 people,
on two busy cores, the first list took 8 s, an answer with the next question 0.01 s, and a list made anew 3 s."""


@dataclass(frozen=True, slots=True)
class _Known:
    """Faces whose vectors were loaded."""

    ids: IntArray
    read: IntArray
    vectors: FloatArray
    """Of unit length."""
    scales: Scales
    measure: Measure


@dataclass(slots=True)
class _Listed:
    """The questions that were made last, as far as they still stand."""

    stamp: tuple[object, ...]
    questions: list[Question]
    complete: bool
    faces: int
    answers: int = 0


class Reviewing:
    """What is to be asked of one library. From any thread."""

    def __init__(self, catalogue: Catalogue, measure: Callable[[], Measure]) -> None:
        self._catalogue = catalogue
        self._measure = measure
        self._hearing = Hearing(catalogue)
        self._guard = threading.RLock()
        self._known: _Known | None = None
        self._listed: _Listed | None = None
        self._rest: threading.Timer | None = None

    def questions(self, limit: int | None = None) -> list[Question]:
        """What to ask: first what was begun in the people folder, then what is most worthwhile."""
        begun = self.begun()
        rest = None if limit is None else limit - len(begun)
        if rest is not None and rest <= 0:
            return begun[:limit]
        with self._guard:
            listed = self._listed
            if listed is None or not self._still_good(listed, rest):
                listed = self._made(rest)
            return [*begun, *listed.questions[:rest]]

    def begun(self) -> list[Question]:
        """What to ask about what was done in the people folder; needs no vectors of the library."""
        return self._hearing.questions(self._skipped())

    def question(self, name: str) -> Question:
        """The question of that id; raises NoSuchQuestion where there is none by now."""
        if (begun := _called(name, self.begun())) is not None:
            return begun
        with self._guard:
            listed = self._listed
            current = listed.questions if listed is not None and listed.stamp == self._stamp() else []
            if (found := _called(name, current) or _called(name, self._made(None).questions)) is not None:
                return found
            raise NoSuchQuestion(question=name)

    def answered(self, question: Question, touched: Collection[int]) -> None:
        """Go on with the questions that do not concern the same people or faces; to be told after the decisions.

        `touched` are people whom the answer turned out to be about.
        """
        with self._guard:
            if self._listed is None:
                return
            people = {question.person, *question.others, *touched} - {None}
            faces = set(question.faces)

            def stands(other: Question) -> bool:
                return not (people & {other.person, *other.others} or faces & set(other.faces))

            self._listed.questions = [one for one in self._listed.questions if stands(one)]
            self._listed.answers += 1
            self._listed.stamp = self._stamp()

    def skip(self, question: Question) -> None:
        """Do not ask it for a while."""
        self._catalogue.questions.skip(question.id, question.keys, self._catalogue.now())

    def unskip(self, question: str) -> None:
        """Ask the question of that id again."""
        self._catalogue.questions.unskip(question)
        self.forget()

    def forget(self) -> None:
        """Make the list anew the next time."""
        with self._guard:
            self._listed = None

    def let_go(self) -> None:
        """Keep nothing in memory."""
        with self._guard:
            self._known = self._listed = None
            if self._rest is not None:
                self._rest.cancel()
                self._rest = None

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _skipped(self) -> frozenset[str]:
        since = datetime.fromisoformat(self._catalogue.now()) - WAITS
        return self._catalogue.questions.skipped(since.isoformat(timespec="seconds"))

    def _stamp(self) -> tuple[object, ...]:
        """Differs when people may be others than before."""
        photos = self._catalogue.photos
        return (self._catalogue.decisions.last(), photos.next_id(), photos.ungrouped_range())

    def _still_good(self, listed: _Listed, limit: int | None) -> bool:
        enough = listed.complete or (limit is not None and len(listed.questions) >= limit)
        few = listed.answers <= listed.faces // _AT_ONCE
        return enough and few and listed.stamp == self._stamp()

    def _made(self, limit: int | None) -> _Listed:
        stamp = self._stamp()
        glance = self._catalogue.questions.glance()
        # More than are asked for, so that some answers can be given before it has to be made again.
        wanted = None if limit is None else limit + 4 * (1 + len(glance.ids) // _AT_ONCE)
        known = self._loaded(glance)
        table = FaceTable(glance.ids, glance.photos, glance.quality, glance.people, known.vectors, glance.spans)
        said = standing(self._catalogue)
        found = suggest(table, known.scales, known.measure, said, skipped=self._skipped(), limit=wanted)
        complete = wanted is None or len(found) < wanted
        self._listed = _Listed(stamp, list(found), complete, len(table))
        return self._listed

    def _loaded(self, glance: Glance) -> _Known:
        """All faces' vectors and scales; only those that are new are loaded and measured."""
        measure, known = self._measure(), self._known
        n = len(glance.ids)
        rows = np.full(n, -1, dtype=np.int64) if known is None else rows_of(known.ids, glance.ids)
        if known is not None:
            rows = np.where((rows >= 0) & (known.read[rows] == glance.read), rows, -1)
        held, new = rows >= 0, np.flatnonzero(rows < 0)
        vectors = np.empty((n, 128), dtype=np.float32)
        if known is not None:
            vectors[held] = known.vectors[rows[held]]
        if len(new):
            vectors[new] = unit(self._catalogue.questions.vectors(glance.ids[new]))
        if known is not None and known.measure is measure:
            centre, width = np.empty(n, np.float32), np.empty(n, np.float32)
            some = known.scales.of(rows[held])
            centre[held], width[held] = some.centre, some.width
            if len(new):
                some = measure.scales(vectors[new])
                centre[new], width[new] = some.centre, some.width
            scales = Scales(centre, width)
        else:
            scales = measure.scales(vectors) if n else Scales(np.empty(0, np.float32), np.empty(0, np.float32))
        self._known = _Known(glance.ids, glance.read, vectors, scales, measure)
        self._tire()
        return self._known

    def _tire(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
        self._rest = threading.Timer(_KEPT, self.let_go)
        self._rest.daemon = True
        self._rest.start()


def _called(name: str, questions: Iterable[Question]) -> Question | None:
    return next((question for question in questions if question.id == name), None)
