"""`Library.search`: from a path or a name to rows."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from guyverd.errors import FaceChoice, LibraryEmpty, NoFaceFound
from guyverd.model import PhotoReading
from guyverd.service.api import Row
from guyverd.service.pipeline.asked import Asked
from guyverd.service.pipeline.searching.asking import AskedFace, Picture, picture
from guyverd.service.pipeline.searching.search import Answer, Question, Search
from guyverd.service.pipeline.searching.showing import result
from guyverd.service.pipeline.searching.wishes import whom

if TYPE_CHECKING:
    from guyverd.people.index import FaceIndex
    from guyverd.service.pipeline.coordinator import Coordinator


class Finding:
    """To be used from any thread."""

    def __init__(self, coordinator: Coordinator, asked: Asked) -> None:
        self._at_work = coordinator
        self._asked = asked
        self._catalogue = coordinator.catalogue
        self._search = Search(self._catalogue, self._index, coordinator.grouping.measuring.lately)

    def of_picture(
        self,
        path: str,
        question: Question,
        within: str | None,
        *,
        face: int | None,
        at: float | None,
        opened: int | None,
    ) -> Row:
        """What shows somebody who is in a picture, or in a video at a time.

        Raises what reading it does, NoFaceFound, FaceChoice, LibraryEmpty.
        """
        seen = picture(self._catalogue, path, opened, at, lambda: self._read(path, opened, at))
        if not seen.faces:
            raise NoFaceFound(path=path, smallest=f"{100 * self._at_work.config.faces.smallest:g} %")
        count = len(seen.faces)
        if face is not None and not 1 <= face <= count:
            raise FaceChoice(path=path, count=count, face=face)
        self._check_anything()
        chosen = face if face is not None else 1 if count == 1 else None
        answer = Answer((), None, None)
        if chosen is not None:
            answer = self._search.of_face(seen.vectors[chosen - 1], seen.faces[chosen - 1].number, question)
        about = {"path": path, "at": at, "person": None, "width": seen.width, "height": seen.height}
        return {**about, "faces": _numbered(seen), "face": chosen, **self._told(answer, within)}

    def of_person(self, text: str, question: Question, within: str | None) -> Row:
        """What shows a person, by name or number. Raises UnknownPerson, AmbiguousPerson, LibraryEmpty."""
        person = whom(self._catalogue, text)
        self._check_anything()
        answer = self._search.of_person(person, question)
        who = {"id": person, "name": self._catalogue.searching.names([person]).get(person)}
        about = {"path": None, "at": None, "person": who, "width": None, "height": None}
        return {**about, "faces": [], "face": None, **self._told(answer, within)}

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _index(self) -> FaceIndex:
        return self._at_work.grouping.index

    def _read(self, path: str, opened: int | None, at: float | None) -> PhotoReading:
        read = self._asked.read(path, opened) if at is None else self._asked.read(path, opened, at=at)
        reading = read.reading
        self._at_work.renewing.check_comparable(read.engine)
        return reading

    def _check_anything(self) -> None:
        if not self._catalogue.searching.has_faces():
            raise LibraryEmpty

    def _told(self, answer: Answer, within: str | None) -> Row:
        every = [one for row in answer.shown for one in (row, *row.duplicates)]
        files = self._catalogue.files.paths_of(sorted({one.face.photo for one in every}))
        people = {one.face.person for one in every if one.face.person is not None}
        through = answer.through
        if through is not None:
            people.add(through.person)
        names = self._catalogue.searching.names(people)
        first = None if within is None else os.fsencode(os.path.normpath(within)).rstrip(b"/")
        whom_ = None
        if through is not None:
            name = names.get(through.person)
            whom_ = {"id": through.person, "name": name, "confidence": round(through.confidence, 4)}
        results = [result(row, files, names, first) for row in answer.shown]
        return {"through": whom_, "total": answer.total, "results": results}


def _numbered(seen: Picture) -> list[Row]:
    return [_face(number, face) for number, face in enumerate(seen.faces, 1)]


def _face(number: int, face: AskedFace) -> Row:
    box = face.box
    return {
        "number": number,
        "box": [box.left, box.top, box.right, box.bottom],
        "confidence": round(face.confidence, 4),
        "quality": round(face.quality, 4),
    }
