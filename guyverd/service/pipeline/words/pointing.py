"""Which face somebody means: a number as `guyverd faces` lists it, or a picture of the library."""

from __future__ import annotations

import os

from guyverd.catalogue.store import Catalogue
from guyverd.errors import FaceChoice, NoFaceKnown, NoSuchFace, Unread, WhichFace
from guyverd.model import FaceId, PersonId, PhotoId, RootId


def face_at(catalogue: Catalogue, text: str, of: PersonId | None = None) -> FaceId:
    """The face of that number; or the one in the file of that absolute path; or, for FILE#N, its Nth from the left.

    A link stands for what it leads to. Where a file shows several faces and none is named, the one of person `of` is
    meant. Raises NoSuchFace, Unread, FaceChoice, WhichFace, or NoFaceKnown.
    """
    if text.isascii() and text.isdigit():
        face = FaceId(int(text)) if len(text) < 19 else None
        if face is None or face not in catalogue.people.holdings([face]):
            raise NoSuchFace(face=text)
        return face
    path, number = text, None
    photo = _photo_at(catalogue, path)
    head, mark, tail = text.rpartition("#")
    if photo is None and mark and tail.isascii() and tail.isdigit() and len(tail) < 10:
        path, number = head, int(tail)
        photo = _photo_at(catalogue, path)
    faces = [] if photo is None else catalogue.people.in_photo(photo)
    if photo is None:
        raise Unread(path=path)
    if not faces:
        raise NoFaceKnown(path=path)
    if number is not None:
        if not 1 <= number <= len(faces):
            raise FaceChoice(path=path, count=len(faces), face=number)
        return faces[number - 1].face
    theirs = [one for one in faces if of is not None and one.person == of]
    if len(faces) == 1 or len(theirs) == 1:
        return (theirs or faces)[0].face
    raise WhichFace(path=path, count=len(faces))


def locate(catalogue: Catalogue, path: bytes) -> tuple[RootId, bytes] | None:
    """The root in which an absolute path lies, and the path in it; what is known there comes first."""
    given = os.path.normpath(path)
    places = [
        (root, one[len(base.rstrip(b"/")) + 1 :])
        for root, where in [
            *((root.id, root.path) for root in catalogue.files.roots()),
            *((root, where) for where, root in catalogue.files.own().items()),
        ]
        for base in dict.fromkeys((where, os.path.realpath(where)))
        for one in dict.fromkeys((given, os.path.realpath(given)))
        if one.startswith(base.rstrip(b"/") + b"/")
    ]
    return next((place for place in places if catalogue.files.at(*place) is not None), places[0] if places else None)


def _photo_at(catalogue: Catalogue, text: str) -> PhotoId | None:
    place = locate(catalogue, os.fsencode(text))
    return None if place is None else catalogue.files.photo_of(*place)
