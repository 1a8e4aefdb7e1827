"""What somebody did in the people folder and has to say more about: photos that show several, merges that cannot be."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np

from guyverd.catalogue.heard import Enrolment, settling
from guyverd.catalogue.store import Catalogue
from guyverd.model import FaceId, PersonId, PhotoId, PhotoState
from guyverd.people.asking.folder import nearest, whether, which
from guyverd.people.asking.questions import AT_ONCE, Question
from guyverd.people.asking.survey import SHOWN
from guyverd.people.asking.whose import choices, meant
from guyverd.people.directions import unit
from guyverd.service.pipeline.words.deciding import standing

if TYPE_CHECKING:
    from guyverd.catalogue.decisions import Job
    from guyverd.catalogue.rows import Holding

_COMPARED = 48
"""Most faces of a person with whom those of a photo are compared."""


class Hearing:
    """Everything is read from the catalogue anew. From any thread."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def questions(self, skipped: Collection[str] = ()) -> list[Question]:
        """What to ask before anything else, in the order in which it was done; without what has such a key."""
        made = [*self._which(), *self._whether()]
        by_name = {one.id: one for one in made if not set(one.keys) & set(skipped)}
        return list(by_name.values())

    def settled(self, question: Question, *, found: bool) -> Job | None:
        """What is settled by the word that one of the faces asked about is the person, or that none is.

        None where nothing is: none of them is, but there are others in the photo.
        """
        assert question.person is not None
        (photo,) = {held.photo for held in self._catalogue.people.holdings(question.faces).values()}
        paths = []
        for one in self._catalogue.heard.open():
            if one.photo != photo or self._catalogue.people.survivor(one.person) != question.person:
                continue
            if found or set(self._candidates(one, question.person)) <= set(question.faces):
                paths.append(one.path)
        if not paths:
            return None
        return lambda db: [settling(path, "done" if found else "vain")(db) for path in paths]

    def all_of(self, question: Question, faces: Sequence[FaceId]) -> list[FaceId]:
        """These faces of a question about a photo, with all that each of them stands for."""
        assert question.person is not None
        held = self._catalogue.people.holdings(faces)
        photos = {one.photo for one in held.values()}
        every = [choice for photo in photos for choice in self._choices(photo, question.person)]
        return sorted({*faces, *(face for choice in every if not set(faces).isdisjoint(choice) for face in choice)})

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _which(self) -> list[Question]:
        made, hidden = [], standing(self._catalogue).hidden
        for one in self._catalogue.heard.open():
            person = self._catalogue.people.survivor(one.person)
            if one.state != "asked" or person is None or person in hidden:
                continue
            if one.photo is None or one.photo_state is not PhotoState.DONE or not one.grouped:
                continue
            if faces := self._candidates(one, person):
                members = self._catalogue.people.members(person)
                some = self._nearest(faces, members) if len(faces) > AT_ONCE else faces
                made.append(which(person, one.photo, some, shown=_telling(members), because=f"you {one.source}"))
        return made

    def _candidates(self, one: Enrolment, person: PersonId) -> list[FaceId]:
        """One face of everybody in the photo who may be meant, from left to right; none where the person is in it."""
        return [] if one.photo is None else [choice[0] for choice in self._choices(one.photo, person)]

    def _choices(self, photo: PhotoId, person: PersonId) -> tuple[tuple[FaceId, ...], ...]:
        there = self._catalogue.people.in_photo(photo)
        faces = {face.face: face.person for face in there}
        if person in faces.values():
            return ()
        video = any(face.starts is not None for face in there)
        return choices(meant(faces, person, standing(self._catalogue)), faces, video=video)

    def _nearest(self, faces: Sequence[FaceId], members: Sequence[Holding]) -> tuple[FaceId, ...]:
        best = [one.face for one in sorted(members, key=_typical)[:_COMPARED]]
        every = unit(self._catalogue.questions.vectors(np.array([*faces, *best], dtype=np.int64)))
        return nearest(faces, dict(zip(faces, every, strict=False)), every[len(faces) :])

    def _whether(self) -> list[Question]:
        made, hidden = [], standing(self._catalogue).hidden
        for one in self._catalogue.heard.proposals():
            if one.other in hidden:
                continue
            ours, theirs = (self._catalogue.people.members(person) for person in (one.person, one.other))
            question = whether(
                one.person,
                one.other,
                len(theirs),
                shown=_telling(ours),
                beside=_telling(theirs),
                because=f"you {one.source}, but {one.reason}",
            )
            # Faces that are gone since can show nothing.
            if ours and theirs:
                made.append(question)
        return made


def _typical(one: Holding) -> tuple[float, int]:
    """Who was said to be somebody comes first, then what is most like their others."""
    return (-np.inf if one.score is None else -one.score, one.face)


def _telling(members: Sequence[Holding]) -> tuple[FaceId, ...]:
    """Faces that show somebody: the best pictures among the more typical half."""
    ordered = sorted(members, key=_typical)
    half = ordered[: max(SHOWN, len(ordered) // 2)]
    best = sorted(half, key=lambda one: (-one.quality, one.face))
    return tuple(one.face for one in best[:SHOWN])
