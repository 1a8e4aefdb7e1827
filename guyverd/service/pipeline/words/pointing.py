"""Which face somebody means: a number as `guyverd faces` lists it, a picture of the library, or a moment of a video."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guyverd.catalogue.store import Catalogue
from guyverd.errors import FaceChoice, NobodyThen, NoFaceKnown, NoSuchFace, NoTime, Unread, WhichFace, WhichTrack
from guyverd.media.kinds import is_video
from guyverd.model import FaceId, PersonId, PhotoId, RootId
from guyverd.service.pipeline.meant import seconds

if TYPE_CHECKING:
    from guyverd.catalogue.rows import Holding


def face_at(catalogue: Catalogue, text: str, of: PersonId | None = None) -> FaceId:
    """The face of that number; or the one in the file of that absolute path; or, for FILE#N, its Nth.

    For VIDEO@TIME the one that is seen then, for VIDEO@TIME#N the Nth from the left; faces of videos are numbered by
    when they begin. A link stands for what it leads to. Where several faces may be meant and none is named, the one of
    person `of` is. Raises NoSuchFace, Unread, FaceChoice, WhichFace, WhichTrack, NobodyThen, or NoFaceKnown.
    """
    found = faces_at(catalogue, text, of)
    if len(found) > 1:
        raise _which_track(text, catalogue.people.holdings(found).values())
    return found[0]


def faces_at(catalogue: Catalogue, text: str, of: PersonId | None = None) -> tuple[FaceId, ...]:
    """The same where several may be meant: a video alone is all its tracks of person `of`, or of whom all of them are.

    Else it is one face. Raises as `face_at` does.
    """
    if text.isascii() and text.isdigit():
        face = FaceId(int(text)) if len(text) < 19 else None
        if face is None or face not in catalogue.people.holdings([face]):
            raise NoSuchFace(face=text)
        return (face,)
    there, place = _taken_apart(catalogue, text)
    if there.photo is None:
        raise Unread(path=there.path)
    faces = catalogue.people.in_photo(there.photo)
    if not faces:
        raise NoFaceKnown(path=there.path)
    if there.at is not None:
        faces = _seen_at(there.path, faces, there.at)
    if place is not None:
        if not 1 <= place <= len(faces):
            raise FaceChoice(path=there.path, count=len(faces), face=place)
        return (faces[place - 1].face,)
    theirs = [one for one in faces if of is not None and one.person == of]
    if len(faces) == 1 or len(theirs) == 1:
        return ((theirs or faces)[0].face,)
    if there.at is not None or faces[0].starts is None:
        raise WhichFace(path=text, count=len(faces))
    people = {one.person for one in faces}
    if not theirs and (len(people) > 1 or None in people):
        raise _which_track(there.path, faces)
    return tuple(one.face for one in theirs or faces)


@dataclass(frozen=True, slots=True)
class _There:
    """What a text without the number of a face leads to."""

    path: str
    photo: PhotoId | None
    """None where no such file is known."""
    at: float | None = None
    """Seconds from the beginning of the video."""


def _taken_apart(catalogue: Catalogue, text: str) -> tuple[_There, int | None]:
    """What FILE, FILE#N, VIDEO@TIME or VIDEO@TIME#N leads to, and N; a file of that very name comes first."""
    photo = _photo_at(catalogue, text)
    head, mark, tail = text.rpartition("#")
    if photo is None and mark and tail.isascii() and tail.isdigit() and len(tail) < 10:
        return _led_to(catalogue, head, _photo_at(catalogue, head)), int(tail)
    return _led_to(catalogue, text, photo), None


def _led_to(catalogue: Catalogue, text: str, photo: PhotoId | None) -> _There:
    video, mark, time = text.rpartition("@")
    if photo is None and mark and is_video(os.fsencode(video)):
        at = seconds(time)
        if at is None:
            raise NoTime(path=video, time=time or "nothing")
        return _There(video, _photo_at(catalogue, video), at)
    return _There(text, photo)


def _seen_at(path: str, faces: Sequence[Holding], at: float) -> list[Holding]:
    """Who is seen at that time, from left to right."""
    found = [one for one in faces if one.starts is None or one.ends is None or one.starts <= at < one.ends]
    if not found:
        nearest = min(faces, key=lambda one: min(abs((one.starts or 0.0) - at), abs((one.ends or 0.0) - at)))
        raise NobodyThen(path=path, time=_clock(at), near=_clock(nearest.starts or 0.0))
    return sorted(found, key=lambda one: (one.left, one.face))


def _which_track(path: str, faces: Iterable[Holding]) -> WhichTrack:
    some = list(faces)
    starts = min((one.starts for one in some if one.starts is not None), default=0.0)
    return WhichTrack(path=path, count=len(some), time=_clock(starts))


def _clock(time: float) -> str:
    """A time as it can be given again: 83.5 is 1:23.5. Never before that time, for nobody is seen before they come."""
    hundredths = math.ceil(round(time * 100, 4))
    whole, part = divmod(hundredths, 100)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    told = f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
    return told + f".{part:02}".rstrip("0").rstrip(".")


def locate(catalogue: Catalogue, path: bytes) -> tuple[RootId, bytes] | None:
    """The root in which an absolute path lies, and the path in it; what is known there comes first."""
    given = os.path.normpath(path)
    paths = dict.fromkeys((given, os.path.realpath(given)))
    places = [
        (root, one[len(base.rstrip(b"/")) + 1 :])
        for root, where in [
            *((root.id, root.path) for root in catalogue.files.roots()),
            *((root, where) for where, root in catalogue.files.own().items()),
        ]
        for base in dict.fromkeys((where, os.path.realpath(where)))
        for one in paths
        if one.startswith(base.rstrip(b"/") + b"/")
    ]
    return next((place for place in places if catalogue.files.at(*place) is not None), places[0] if places else None)


def _photo_at(catalogue: Catalogue, text: str) -> PhotoId | None:
    place = locate(catalogue, os.fsencode(text))
    return None if place is None else catalogue.files.photo_of(*place)
