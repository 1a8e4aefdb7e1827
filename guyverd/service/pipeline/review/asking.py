"""How many answers the real review takes until nearly every face of a labelled set bears the right name.

An oracle answers, and what it says is recorded as a user's word would be, in a copy of the library.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from guyverd.catalogue.store import Catalogue
from guyverd.errors import PersonError
from guyverd.evaluation.oracle import Oracle, baseline, least, needed
from guyverd.model import PersonId
from guyverd.people.asking.questions import Kind, Question
from guyverd.people.graph import rows_of
from guyverd.service.api import Row
from guyverd.service.pipeline.grouping import Grouping
from guyverd.service.pipeline.review.answering import Answering, Word
from guyverd.service.pipeline.review.reviewing import Reviewing

if TYPE_CHECKING:
    from guyverd.model import IntArray

_AT_ONCE = 16
"""Questions that are answered before the next are made, where none touches what another was about."""


def effort(catalogue: Catalogue, grouping: Grouping, faces: IntArray, truth: IntArray) -> Row:
    """The answers of a review, of asking group by group, and the least there can be.

    `truth`, int64[n], is who each of the `faces` is, 0 for nobody known. People of the catalogue are named on the way.
    Keys: `answers`, `reached`, `share`, `baseline`, `baseline_share`, `least`.
    """
    review = _Review(catalogue, grouping, faces, truth)
    before = baseline(truth, review.people())
    try:
        done = needed(review.step, truth)
    finally:
        review.close()
    return {
        "answers": done.answers,
        "reached": done.reached,
        "share": done.share,
        "baseline": before.answers,
        "baseline_share": before.share,
        "least": least(truth),
    }


class _Review:
    def __init__(self, catalogue: Catalogue, grouping: Grouping, faces: IntArray, truth: IntArray) -> None:
        self._catalogue = catalogue
        self._reviewing = Reviewing(catalogue, grouping.measuring.now)
        self._answering = Answering(catalogue)
        self._faces = faces
        self._truth = truth
        self._queue: list[Question] = []
        self._touched: set[int] = set()
        self._people = self.people()

    def close(self) -> None:
        self._reviewing.let_go()

    def people(self) -> IntArray:
        """Whose each face is, 0 for nobody."""
        glance = self._catalogue.questions.glance()
        rows = rows_of(glance.ids, self._faces)
        found: IntArray = np.where(rows >= 0, glance.people[rows], 0) if len(glance.ids) else np.zeros_like(rows)
        return found

    def step(self, oracle: Oracle) -> IntArray | None:
        """Ask one question; the name that each face bears then."""
        question = self._next()
        if question is None:
            return None
        if question.kind is Kind.WHO:
            self._who(oracle, question)
        else:
            self._whether(oracle, question)
        self._reviewing.forget()
        self._people = self.people()
        return self._names()

    def _next(self) -> Question | None:
        for fresh in (False, True):
            if fresh:
                self._queue = self._reviewing.questions(_AT_ONCE)
                self._touched.clear()
            while self._queue:
                question = self._queue.pop(0)
                concerned = {int(one) for one in (question.person, *question.others) if one is not None}
                concerned |= {-int(face) for face in question.faces}
                if not concerned & self._touched:
                    self._touched |= concerned
                    return question
        return None

    def _names(self) -> IntArray:
        names = self._catalogue.people.names()
        values, back = np.unique(self._people, return_inverse=True)
        told = [int(names.get(PersonId(value)) or 0) if value else 0 for value in values.tolist()]
        found: IntArray = np.array(told, dtype=np.int64)[back]
        return found

    def _rows(self, question: Question) -> list[IntArray]:
        """The rows of each thing asked about."""
        of_faces = [rows_of(self._faces, np.array([face], dtype=np.int64)) for face in question.faces]
        return [np.flatnonzero(self._people == other) for other in question.others] + of_faces

    def _who(self, oracle: Oracle, question: Question) -> None:
        mine = np.flatnonzero(self._people == question.person) if question.person else self._rows(question)[0]
        who, but = oracle.who(mine), []
        if not who and question.person is not None and question.faces:
            # Most of them are nobody known. Somebody known among them is named, and the others left out, one by one.
            each = [int(self._truth[row][0]) for row in self._rows(question)]
            who = max(sorted({*each} - {0}), key=each.count, default=0)
            but = [number for number, one in enumerate(each, 1) if who and one != who]
            oracle.answers += len(but)
        known = self._catalogue.people.named(str(who)) if who else []
        if not who and question.person is not None and not self._truth[mine].any():
            self._answering.hide(question)
        elif not who:
            self._reviewing.skip(question)
        elif known:
            self._touched.add(int(known[0]))
            self._say(question, Word(True, but, person=known[0]))
        else:
            self._say(question, Word(True, but, name=str(who)))

    def _whether(self, oracle: Oracle, question: Question) -> None:
        mine = np.flatnonzero(self._people == question.person)
        if question.kind is Kind.ONE:
            part = rows_of(self._faces, np.array(question.faces, dtype=np.int64))
            told = oracle.same(np.setdiff1d(mine, part), part)
            if told is None:
                self._reviewing.skip(question)
            else:
                self._say(question, Word(told, self._swapped(oracle, question, part) if not told else ()))
            return
        told_each = oracle.which(mine, self._rows(question))
        yes = 2 * sum(told_each) >= len(told_each)
        but = [number for number, one in enumerate(told_each, 1) if one != yes]
        self._say(question, Word(yes, but))

    def _say(self, question: Question, word: Word) -> None:
        try:
            self._answering.answer(question, word)
        except PersonError:
            # Labels may say what no photo can show, such as one person twice.
            self._reviewing.skip(question)

    def _swapped(self, oracle: Oracle, question: Question, part: IntArray) -> Sequence[int]:
        """Of two people under one name it takes one answer more to tell who of them bears it."""
        assert question.person is not None
        name = self._catalogue.people.names().get(question.person)
        return [1] if name is not None and oracle.is_person(part, int(name)) else []
