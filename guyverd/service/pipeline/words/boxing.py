"""Faces drawn by hand: where a detector misses a face, somebody says where it is, and may say whose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guyverd.catalogue.store import Catalogue
from guyverd.errors import BoxRefused, CannotDecide, PersonError, Unread
from guyverd.model import Author, Box, Decision, DecisionId, DecisionKind, DetectedFace, FaceId, PersonId, PhotoId
from guyverd.service.pipeline.jobs import Read
from guyverd.service.pipeline.words.deciding import Decided, record

if TYPE_CHECKING:
    from guyverd.service.pipeline.coordinator import Coordinator

SMALLEST = 20
"""Pixels; with less there is no telling who it is."""
_LARGEST = 1_000_000
"""Pixels; no picture is as large."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A face that was added, or would be."""

    number: FaceId
    photo: PhotoId
    face: DetectedFace
    done: Decided


def draw(
    work: Coordinator,
    read_photo: Callable[..., Read],
    path: str,
    box: Box,
    *,
    person: PersonId | None,
    name: str | None,
    dry: bool = False,
) -> Drawn:
    """Add the face in a box of a photo: it is `person`, or somebody new of that `name`, or is grouped like any other.

    `read_photo` reads the photo, given `boxes`. From any thread; it waits for a worker. With `dry` it is only tried.
    Raises BoxRefused for a box that is none, that reaches past the picture, or where a face is known already; Unread
    for a picture that is not in the library; CannotDecide for a name that is taken; PersonError for one that is no
    text; and what hinders the reading.
    """
    _check_size(path, box)
    if name is not None:
        _check_name(work.catalogue, name)
    read = read_photo(boxes=(box,))
    _ = read.reading  # or what hindered it
    return work.decide(lambda: _decided(work.catalogue, path, read, person, name, dry=dry), of_new_faces=True, dry=dry)


def _check_size(path: str, box: Box) -> None:
    if box.width <= 0 or box.height <= 0:
        raise BoxRefused(path=path, detail="its right edge must lie right of the left one, its bottom below its top")
    if min(box.width, box.height) < SMALLEST:
        size = f"{box.width} × {box.height} pixels"
        raise BoxRefused(path=path, detail=f"{size} do not tell who it is; {SMALLEST} is the least")
    if max(map(abs, (box.left, box.top, box.right, box.bottom))) > _LARGEST:
        raise BoxRefused(path=path, detail="no picture is as large as that")


def _check_name(catalogue: Catalogue, name: str) -> None:
    if not name or not name.isprintable():
        raise PersonError(detail=f"{name!a} is no name")
    if taken := catalogue.people.named(name):
        raise CannotDecide(detail=f"{name} is person {taken[0]} already", hint=f"Say `--person {taken[0]}` for them.")


def _decided(
    catalogue: Catalogue, path: str, read: Read, person: PersonId | None, name: str | None, *, dry: bool
) -> Drawn:
    (face,) = read.reading.asked
    photo = catalogue.boxes.photo(read.reading.hash)
    if photo is None:
        raise Unread(path=path)
    there = catalogue.boxes.at(photo, face.box)
    if there is not None:
        whose = "nobody's yet" if there.person is None else _whose(catalogue, there.person)
        raise BoxRefused(path=path, detail=f"face {there.face} is there already, and it is {whose}")
    founded = None
    if name is not None:
        _check_name(catalogue, name)
        founded = catalogue.decisions.next_person()
    number = catalogue.boxes.next_face()
    drawn = Decision(DecisionId(0), "", DecisionKind.BOX, Author.USER, founded or person, None, name, (number,))
    adding = catalogue.boxes.adding(photo, number, face, read.engine)
    done = record(catalogue, drawn, founded=founded, first=adding, always=True, dry=dry)
    return Drawn(number, photo, face, done)


def _whose(catalogue: Catalogue, person: PersonId) -> str:
    name = catalogue.people.get(person).name
    return f"person {person}" if name is None else f"{name} (person {person})"
