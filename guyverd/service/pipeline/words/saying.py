"""What can be said about people: the part of the `Library` that decides, done on the coordinator's thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from guyverd.errors import AmbiguousPerson, CannotDecide, UnknownPerson
from guyverd.model import AlbumId, DecisionId, FaceId, Person, PersonId
from guyverd.published import of_album
from guyverd.service.api import Row
from guyverd.service.pipeline.listing import Listing, person_row
from guyverd.service.pipeline.words.albums import Albums, album_named, photos_in
from guyverd.service.pipeline.words.company import named
from guyverd.service.pipeline.words.deciding import Decided, Deciding, standing
from guyverd.service.pipeline.words.pointing import face_at, faces_at
from guyverd.service.pipeline.words.telling import answer, number, outcome
from guyverd.service.pipeline.words.undoing import redo, undo

if TYPE_CHECKING:
    from guyverd.service.pipeline.coordinator import Coordinator


class Saying(Listing):
    """Every method may be called from any thread."""

    def __init__(self, coordinator: Coordinator) -> None:
        super().__init__(coordinator.catalogue, coordinator.config.people)
        self._at_work = coordinator
        self._deciding = Deciding(coordinator.catalogue)
        self._albums = Albums(coordinator.catalogue)

    def name(self, person: str, name: str, dry: bool = False) -> Row:
        """See `Library.name`."""
        wanted = " ".join(name.split())
        if not wanted:
            raise UnknownPerson(person=repr(name))

        def job() -> tuple[Person, Decided]:
            found = self._resolved(person)
            return found, self._deciding.name(found.id, wanted, dry=dry)

        was, done = self._at_work.decide(job, dry=dry)
        told = {"id": was.id, "name": wanted, "previous": was.name, "folder": self._folders().get(was.id)}
        return {**told, **number(done)}

    def merge(self, person: str, other: str, dry: bool = False) -> Row:
        """See `Library.merge`."""

        def job() -> tuple[Person, PersonId, Decided]:
            into, absorbed = self._whom(person), self._whom(other)
            done = self._deciding.merge(into, absorbed, dry=dry)
            return outcome(self._catalogue, done, into), absorbed, done

        merged, absorbed, done = self._at_work.decide(job, dry=dry)
        left_out = sum(1 for move in done.moves if move.was == absorbed and move.now is None)
        told = {**person_row(merged, self._folders()), "absorbed": absorbed, "left_out": left_out}
        return {**told, **number(done)}

    def confirm(self, person: str, faces: Sequence[str] = (), dry: bool = False) -> Row:
        """See `Library.confirm`."""

        def job() -> Decided:
            whom = self._whom(person)
            return self._deciding.confirm(whom, self._faces_at(faces, whom) if faces else None, dry=dry)

        return self._said("confirm", job, dry=dry)

    def reject(self, person: str, faces: Sequence[str], dry: bool = False) -> Row:
        """See `Library.reject`."""

        def job() -> Decided:
            whom = self._whom(person)
            return self._deciding.reject(whom, self._faces_at(faces, whom), dry=dry)

        return self._said("reject", job, dry=dry)

    def split(self, person: str, faces: Sequence[str], name: str | None = None, dry: bool = False) -> Row:
        """See `Library.split`."""
        wanted = None if name is None else " ".join(name.split()) or None

        def job() -> Decided:
            whom = self._whom(person)
            return self._deciding.split(whom, self._faces_at(faces, whom), wanted, dry=dry)

        return self._said("split", job, dry=dry)

    def hide(self, person: str, dry: bool = False) -> Row:
        """See `Library.hide`."""
        return self._said("hide", lambda: self._deciding.hide(self._whom(person), dry=dry), dry=dry)

    def unhide(self, person: str, dry: bool = False) -> Row:
        """See `Library.unhide`."""

        def job() -> Decided:
            return self._deciding.hide(self._whom(person), hidden=False, dry=dry)

        return self._said("unhide", job, dry=dry)

    def same(self, face: str, other: str, dry: bool = False) -> Row:
        """See `Library.same`."""

        def job() -> Decided:
            return self._deciding.same(self._face(face), self._face(other), dry=dry)

        return self._said("same", job, dry=dry)

    def different(self, face: str, other: str, people: bool = False, dry: bool = False) -> Row:
        """See `Library.different`."""

        def job() -> Decided:
            if people:
                return self._deciding.different_people(self._whom(face), self._whom(other), dry=dry)
            return self._deciding.different(self._face(face), self._face(other), dry=dry)

        return self._said("different", job, dry=dry)

    def undo(self, decision: int | None = None, dry: bool = False) -> Row:
        """See `Library.undo`."""
        return self._said("undo", lambda: self._taken_back(undo, decision, dry=dry), dry=dry)

    def redo(self, decision: int | None = None, dry: bool = False) -> Row:
        """See `Library.redo`."""
        return self._said("undo", lambda: self._taken_back(redo, decision, dry=dry), dry=dry)

    # ---- albums ------------------------------------------------------------------------------------------------------

    def album(
        self,
        people: Sequence[str],
        title: str | None = None,
        since: str | None = None,
        until: str | None = None,
        dry: bool = False,
    ) -> Row:
        """See `Library.album`."""

        def job() -> tuple[AlbumId, Decided]:
            whom = [self._whom(one) for text in people for one in named(text, self._is_somebody)]
            return self._albums.save(whom, None if title is None else " ".join(title.split()), since, until, dry=dry)

        return self._album_told(job, dry=dry)

    def album_rename(self, album: str, title: str, dry: bool = False) -> Row:
        """See `Library.album_rename`."""
        wanted = " ".join(title.split())
        return self._album_told(lambda: self._albums.rename(self._album(album), wanted, dry=dry), dry=dry)

    def album_remove(self, album: str, dry: bool = False) -> Row:
        """See `Library.album_remove`."""
        return self._album_told(lambda: self._albums.remove(self._album(album), dry=dry), dry=dry)

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _taken_back(self, act: Callable[..., Decided], decision: int | None, *, dry: bool) -> Decided:
        return act(self._catalogue, None if decision is None else DecisionId(decision), dry=dry)

    def _said(self, kind: str, job: Callable[[], Decided], *, dry: bool) -> Row:
        return answer(self._catalogue, self._at_work.decide(job, dry=dry), kind)

    def _album_told(self, job: Callable[[], tuple[AlbumId, Decided]], *, dry: bool) -> Row:
        album, done = self._at_work.decide(job, dry=dry)
        saved, home = done.said.albums.get(album), self._catalogue.links.homes().get(of_album(album))
        return {
            **answer(self._catalogue, done, "album"),
            "photos": 0 if saved is None else len(photos_in(self._catalogue, saved, done.said)),
            "folder": self._folder_at(home),
        }

    def _album(self, text: str) -> AlbumId:
        return album_named(standing(self._catalogue), text)

    def _is_somebody(self, text: str) -> bool:
        try:
            self._resolved(text)
        except AmbiguousPerson:
            return True
        except UnknownPerson:
            return False
        return True

    def _whom(self, text: str) -> PersonId:
        return self._resolved(text).id

    def _face(self, text: str) -> FaceId:
        return face_at(self._catalogue, text)

    def _faces_at(self, texts: Sequence[str], person: PersonId) -> list[FaceId]:
        if not texts:
            raise CannotDecide(detail="no face was named", hint="`guyverd faces` lists them.")
        return [face for text in texts for face in faces_at(self._catalogue, text, person)]
