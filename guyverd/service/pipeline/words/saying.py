"""What can be said about people: the part of the `Library` that decides, done on the coordinator's thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from guyverd.errors import CannotDecide, UnknownPerson
from guyverd.model import DecisionId, FaceId, PersonId
from guyverd.service.api import Row
from guyverd.service.pipeline.listing import Listing, person_row
from guyverd.service.pipeline.words.deciding import Decided, Deciding
from guyverd.service.pipeline.words.pointing import face_at
from guyverd.service.pipeline.words.telling import answer
from guyverd.service.pipeline.words.undoing import redo, undo

if TYPE_CHECKING:
    from guyverd.service.pipeline.coordinator import Coordinator


class Saying(Listing):
    """Every method may be called from any thread."""

    def __init__(self, coordinator: Coordinator) -> None:
        super().__init__(coordinator.catalogue, coordinator.config.people)
        self._at_work = coordinator
        self._deciding = Deciding(coordinator.catalogue)

    def name(self, person: str, name: str) -> Row:
        """See `Library.name`."""
        wanted = " ".join(name.split())
        if not wanted:
            raise UnknownPerson(person=repr(name))

        def job() -> Row:
            found = self._resolved(person)
            self._deciding.name(found.id, wanted)
            return {"id": found.id, "name": wanted, "previous": found.name}

        done = self._at_work.decide(job)
        return {**done, "folder": self._folders().get(done["id"])}

    def merge(self, person: str, other: str) -> Row:
        """See `Library.merge`."""

        def job() -> tuple[PersonId, PersonId, int]:
            into, absorbed = self._whom(person), self._whom(other)
            moves = self._deciding.merge(into, absorbed).moves
            return into, absorbed, sum(1 for move in moves if move.was == absorbed and move.now is None)

        into, absorbed, left_out = self._at_work.decide(job)
        merged = person_row(self._catalogue.people.get(into), self._folders())
        return {**merged, "absorbed": absorbed, "left_out": left_out}

    def confirm(self, person: str, faces: Sequence[str] = ()) -> Row:
        """See `Library.confirm`."""

        def job() -> Decided:
            whom = self._whom(person)
            return self._deciding.confirm(whom, self._faces_at(faces, whom) if faces else None)

        return self._said("confirm", job)

    def reject(self, person: str, faces: Sequence[str]) -> Row:
        """See `Library.reject`."""

        def job() -> Decided:
            whom = self._whom(person)
            return self._deciding.reject(whom, self._faces_at(faces, whom))

        return self._said("reject", job)

    def split(self, person: str, faces: Sequence[str]) -> Row:
        """See `Library.split`."""

        def job() -> Decided:
            whom = self._whom(person)
            return self._deciding.split(whom, self._faces_at(faces, whom))

        return self._said("split", job)

    def hide(self, person: str) -> Row:
        """See `Library.hide`."""
        return self._said("hide", lambda: self._deciding.hide(self._whom(person)))

    def unhide(self, person: str) -> Row:
        """See `Library.unhide`."""
        return self._said("unhide", lambda: self._deciding.hide(self._whom(person), hidden=False))

    def same(self, face: str, other: str) -> Row:
        """See `Library.same`."""
        return self._said("same", lambda: self._deciding.same(self._face(face), self._face(other)))

    def different(self, face: str, other: str, people: bool = False) -> Row:
        """See `Library.different`."""

        def job() -> Decided:
            if people:
                return self._deciding.different_people(self._whom(face), self._whom(other))
            return self._deciding.different(self._face(face), self._face(other))

        return self._said("different", job)

    def undo(self, decision: int | None = None) -> Row:
        """See `Library.undo`."""
        return self._said("undo", lambda: self._taken_back(undo, decision))

    def redo(self, decision: int | None = None) -> Row:
        """See `Library.redo`."""
        return self._said("undo", lambda: self._taken_back(redo, decision))

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _taken_back(self, act: Callable[..., Decided], decision: int | None) -> Decided:
        return act(self._catalogue, None if decision is None else DecisionId(decision))

    def _said(self, kind: str, job: Callable[[], Decided]) -> Row:
        return answer(self._catalogue, self._at_work.decide(job), kind)

    def _whom(self, text: str) -> PersonId:
        return self._resolved(text).id

    def _face(self, text: str) -> FaceId:
        return face_at(self._catalogue, text)

    def _faces_at(self, texts: Sequence[str], person: PersonId) -> list[FaceId]:
        if not texts:
            raise CannotDecide(detail="no face was named", hint="`guyverd faces` lists them.")
        return [face_at(self._catalogue, text, person) for text in texts]
