"""Review: the part of the `Library` that asks the user, and takes the answers."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from guyverd.errors import CannotDecide
from guyverd.model import DecisionId, FaceId, PersonId, PhotoId
from guyverd.people.asking.questions import Kind, Question
from guyverd.service.api import Row
from guyverd.service.pipeline.review.answering import ANSWERS, SEEN, Answering, Word
from guyverd.service.pipeline.review.reviewing import Reviewing
from guyverd.service.pipeline.words.saying import Saying

if TYPE_CHECKING:
    from guyverd.catalogue.rows import FaceRow
    from guyverd.service.pipeline.coordinator import Coordinator


class Inquiring(Saying):
    """Every method may be called from any thread."""

    def __init__(self, coordinator: Coordinator) -> None:
        super().__init__(coordinator)
        self._reviewing = Reviewing(coordinator.catalogue, coordinator.grouping.measuring.now)
        self._answering = Answering(coordinator.catalogue)

    def review(self, limit: int = 20) -> Iterator[Row]:
        """See `Library.review`."""
        return iter(self._rows(self._reviewing.questions(max(0, limit))))

    def answer(
        self,
        question: str,
        answer: str,
        but: Sequence[int] = (),
        *,
        name: str | None = None,
        person: str | None = None,
        decisions: Sequence[int] = (),
    ) -> Row:
        """See `Library.answer`."""
        known = None if person is None else self._whom(person)
        wanted = None if name is None else " ".join(name.split())

        def job() -> list[DecisionId]:
            if answer == "undo":
                self._answering.take_back([DecisionId(one) for one in decisions])
                self._reviewing.unskip(question)
                return []
            asked = self._reviewing.question(question)
            if answer == "skip":
                self._reviewing.skip(asked)
                made: tuple[DecisionId, ...] = ()
            elif answer == "hide":
                made = self._answering.hide(asked, but)
            elif answer in ANSWERS:
                made = self._answering.answer(asked, Word(answer == "yes", but, wanted or None, known))
            else:
                raise CannotDecide(detail=f"{answer!r} is no answer", hint="Answer yes, no, skip or hide.")
            self._reviewing.answered(asked, () if known is None else (known,))
            return list(made)

        made = self._at_work.call(job) if answer == "skip" else self._at_work.decide(job)
        moved = sum(1 for decision in made for _ in self._catalogue.decisions.moves(decision))
        return {"question": question, "answer": answer, "decisions": made, "moved": moved}

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _rows(self, questions: Sequence[Question]) -> list[Row]:
        faces = {face for one in questions for face in (*one.shown, *one.beside)}
        there = self._catalogue.photos.faces_by_id(sorted(faces))
        shown = _Shown(self, there)
        people = {one for item in questions for one in (item.person, *item.others) if one is not None}
        names = self._catalogue.people.names()
        counts = {person: len(self._catalogue.people.members(person)) for person in people}

        def whom(person: PersonId) -> Row:
            return {"id": person, "name": names.get(person), "faces": counts[person]}

        rows = []
        for one in questions:
            mine, theirs = shown.some(one.shown), shown.beside(one)
            if not mine or (one.beside and not any(row["file"] for row in theirs)):
                continue  # the photos are away: there is nothing to look at
            rows.append(
                {
                    "question": one.id,
                    "kind": one.kind.value,
                    "person": None if one.person is None else whom(one.person),
                    "others": [whom(other) for other in one.others],
                    "faces": list(one.faces),
                    "settles": one.settles,
                    "likely": round(one.likely, 3),
                    "evidence": None if one.evidence is None else round(one.evidence, 2),
                    "worth": round(one.worth, 2),
                    "because": one.because,
                    "shown": mine,
                    "beside": theirs,
                }
            )
        return rows

    def pictures(
        self, photos: Collection[PhotoId]
    ) -> tuple[Mapping[int, tuple[bytes, ...]], Mapping[PhotoId, tuple[int, int]]]:
        """The files of photos, and their sizes."""
        return self._catalogue.files.paths_of(sorted(photos)), self._catalogue.questions.sizes(photos)


class _Shown:
    """Faces as a question shows them."""

    def __init__(self, library: Inquiring, there: Mapping[int, FaceRow]) -> None:
        self._there = there
        self._paths, self._sizes = library.pictures({row.photo for row in there.values()})

    def some(self, faces: Sequence[FaceId]) -> list[Row]:
        """The first of them whose photos are there."""
        return [self._row(face) for face in faces if face in self._there][:SEEN]

    def beside(self, question: Question) -> list[Row]:
        """What is asked about: where that are several things, one for each, also of those that are away."""
        several = question.kind is not Kind.ONE and len(question.others) + len(question.faces) > 1
        return [self._row(face) for face in question.beside] if several else self.some(question.beside)

    def _row(self, face: FaceId) -> Row:
        row = self._there.get(face)
        if row is None:
            away = ("photo", "file", "box", "width", "height", "at")
            return {"face": face, **dict.fromkeys(away)}
        width, height = self._sizes[row.photo]
        return {
            "face": face,
            "photo": row.photo,
            "file": os.fsdecode(self._paths[row.photo][0]),
            "box": list(row.box),
            "width": width,
            "height": height,
            "at": row.frame,
        }
