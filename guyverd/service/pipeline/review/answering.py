"""An answer becomes decisions of the user's. To be used on the coordinator's thread."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guyverd.catalogue.store import Catalogue
from guyverd.errors import AmbiguousPerson, CannotDecide, GuyverError, NameTaken
from guyverd.model import Author, Decision, DecisionId, DecisionKind, FaceId, PersonId
from guyverd.people.asking.questions import Kind, Question
from guyverd.service.pipeline.review.hearing import Hearing
from guyverd.service.pipeline.words.deciding import Deciding, record, standing
from guyverd.service.pipeline.words.undoing import undo

if TYPE_CHECKING:
    from guyverd.catalogue.decisions import Job

ANSWERS = ("yes", "no", "skip", "hide")
SEEN = 6
"""Faces of each side that are shown: what a yes is said of, where it is about many."""


@dataclass(frozen=True, slots=True)
class Word:
    """What somebody answered."""

    yes: bool
    but: Collection[int] = ()
    """Numbers, from 1, of the parts to which the opposite applies. In a no to two halves of a person, 1 says that it is
    the other faces that are not the person."""
    name: str | None = None
    """Who it is, where that was asked: somebody who bears no name yet."""
    person: PersonId | None = None
    """Or somebody who is known."""


class Answering:
    """Turns answers into decisions, all of them or none."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._deciding = Deciding(catalogue)
        self._hearing = Hearing(catalogue)

    def answer(self, question: Question, word: Word) -> tuple[DecisionId, ...]:
        """Record what follows; the numbers of the decisions, oldest first.

        Raises CannotDecide for what is no answer to it, NameTaken for a name that somebody else bears, and what
        decisions raise.
        """
        acts: dict[Kind, Callable[[Question, Word], None]] = {
            Kind.WHO: self._who,
            Kind.SAME: self._same,
            Kind.BELONG: self._belong,
            Kind.ONE: self._one,
        }
        if question.kind is not Kind.WHO and (word.name is not None or word.person is not None):
            raise CannotDecide(detail=f"question {question.id} does not ask for a name", hint="Answer yes or no.")
        self._check(question, word.but, halves=not word.yes)
        return self._all_or_none(lambda: acts[question.kind](question, word))

    def hide(self, question: Question, but: Collection[int] = ()) -> tuple[DecisionId, ...]:
        """The person asked about is to have no folder; faces of those numbers are not the person."""
        person = question.person
        if question.kind is not Kind.WHO or person is None:
            raise CannotDecide(detail="there is nobody to hide in this question", hint="Skip it.")
        self._check(question, but)

        def act() -> None:
            self._except(question, person, but)
            self._deciding.hide(person)

        return self._all_or_none(act)

    def take_back(self, decisions: Collection[DecisionId]) -> None:
        """Undo those, the youngest first."""
        for decision in sorted(decisions, reverse=True):
            undo(self._catalogue, decision)

    # ---- inside ------------------------------------------------------------------------------------------------------

    @staticmethod
    def _check(question: Question, but: Collection[int], *, halves: bool = False) -> None:
        """Raises CannotDecide for parts that the question does not have."""
        count = len(question.others) + len(question.faces)
        if question.kind is Kind.ONE:
            count = int(halves)
        elif question.kind is Kind.WHO and question.person is None:
            count = 0
        if not set(but) <= set(range(1, count + 1)):
            raise CannotDecide(
                detail=f"question {question.id} has {count} parts to except", hint="They are numbered from 1."
            )

    def _except(self, question: Question, person: PersonId, but: Collection[int]) -> None:
        """Faces of a person who was asked about are not them."""
        if but:
            self._deciding.reject(person, [question.faces[number - 1] for number in but])

    def _all_or_none(self, act: Callable[[], object]) -> tuple[DecisionId, ...]:
        before = self._catalogue.decisions.last()
        try:
            act()
        except GuyverError:
            self.take_back(self._since(before))
            raise
        return self._since(before)

    def _since(self, before: DecisionId) -> tuple[DecisionId, ...]:
        return tuple(one.id for one in self._catalogue.decisions.log(before))

    def _who(self, question: Question, word: Word) -> None:
        if not word.yes or (word.name is None) == (word.person is None):
            raise CannotDecide(
                detail=f"question {question.id} asks who it is",
                hint="Say yes with a name or with a person, one of them; or skip it, or hide the person.",
            )
        known = word.person
        if word.name is not None and (taken := [one for one in self._named(word.name) if one != question.person]):
            if len(taken) > 1:
                raise AmbiguousPerson(person=word.name, ids=", ".join(map(str, taken)))
            raise NameTaken(name=word.name, person=taken[0], other=question.person or question.faces[0])
        if question.person is not None:
            self._except(question, question.person, word.but)
        if known is not None and question.person is not None:
            self._deciding.merge(known, question.person)
        elif known is not None:
            self._deciding.confirm(known, question.faces)
        elif word.name is not None:
            person = question.person if question.person is not None else self._founded(question.faces)
            self._deciding.name(person, word.name)

    def _named(self, name: str) -> list[PersonId]:
        return self._catalogue.people.named(name)

    def _founded(self, faces: tuple[FaceId, ...]) -> PersonId:
        """Somebody new, who has these faces."""
        new = self._catalogue.decisions.next_person()
        record(
            self._catalogue,
            Decision(DecisionId(0), "", DecisionKind.CONFIRM, Author.USER, new, None, None, faces),
            founded=new,
        )
        return new

    def _same(self, question: Question, word: Word) -> None:
        assert question.person is not None
        agreed: dict[bool, list[FaceId]] = {True: [], False: []}
        for number, other in enumerate(question.others, 1):
            if word.yes != (number in word.but):
                self._deciding.merge(question.person, other)
                if question.because is not None and question.person in standing(self._catalogue).hidden:
                    # Somebody wanted them in that folder, so there is to be one.
                    self._deciding.hide(question.person, hidden=False)
            else:
                self._deciding.different_people(question.person, other)
        for number, face in enumerate(question.faces, 1 + len(question.others)):
            agreed[word.yes != (number in word.but)].append(face)
        self._of_faces(question.person, agreed)

    def _belong(self, question: Question, word: Word) -> None:
        assert question.person is not None
        agreed: dict[bool, list[FaceId]] = {True: [], False: []}
        for number, face in enumerate(question.faces, 1):
            agreed[word.yes != (number in word.but)].append(face)
        settled = None
        if question.because is not None:
            settled = self._hearing.settled(question, found=bool(agreed[True]))
            agreed = {yes: self._hearing.all_of(question, faces) if faces else [] for yes, faces in agreed.items()}
        self._of_faces(question.person, agreed, settled)

    def _of_faces(self, person: PersonId, agreed: dict[bool, list[FaceId]], settled: Job | None = None) -> None:
        """With the first word `settled` is done."""
        if agreed[True]:
            self._deciding.confirm(person, agreed[True], first=settled)
        if agreed[False]:
            self._deciding.reject(person, agreed[False], first=None if agreed[True] else settled)

    def _one(self, question: Question, word: Word) -> None:
        assert question.person is not None
        if word.yes:
            self._deciding.confirm(question.person, (*question.shown[:SEEN], *question.beside[:SEEN]))
            return
        leaving = list(question.faces)
        if word.but:
            every = [one.face for one in self._catalogue.people.members(question.person)]
            leaving = [face for face in every if face not in set(question.faces)]
        self._deciding.split(question.person, leaving)
