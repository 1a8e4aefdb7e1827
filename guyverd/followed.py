"""Saved searches and what is delivered for them: values that pass between the catalogue, `folders` and the service.

No I/O.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NewType

from guyverd.model import FaceId, PersonId, PhotoId

if TYPE_CHECKING:
    from guyverd.model import FloatArray

FollowId = NewType("FollowId", int)
DeliveryId = NewType("DeliveryId", int)

Ranges = tuple[tuple[int, int | None], ...]
"""Numbers from one to another, both included, or from one on; ascending and apart."""


class Form(StrEnum):
    """What is put into the folder of a saved search."""

    LINK = "link"
    """A symbolic link to the photo or video, with its absolute path."""
    COPY = "copy"


@dataclass(frozen=True, slots=True)
class Follow:
    """A saved search: what shows somebody is put into a folder when it enters the library."""

    id: FollowId
    name: str
    folder: bytes
    """Absolute path."""
    mounted: bool
    """Whether a disk was mounted at that very folder; while none is, something else stands in its place."""
    form: Form
    clips: bool
    """Of videos, the moments that show the person are cut out and put there, instead of the whole."""
    shows: str
    """What was asked for: a picture's path, a person's number or name."""
    person: PersonId | None
    """Who was asked for; None where it was a face in a picture."""
    embedding: FloatArray | None
    """float32[128], raw: of the face that was asked for; None where it was a person."""
    network: str | None
    """What made it: vectors of another network cannot be compared with it."""
    through: PersonId | None
    """Whom that face was found to show when it was looked last; for people to read."""
    first: FaceId
    """Faces from this number on count: the others were known before."""
    photos: Ranges
    """Photos with these numbers count: the others were read before."""
    compared: FaceId
    """Faces up to this number were compared with that face."""
    at: str

    def reaches(self, face: int, photo: int) -> bool:
        """Whether a face in that photo entered the library since, or is to be delivered all the same."""
        return face >= self.first and any(low <= photo and (high is None or photo <= high) for low, high in self.photos)


@dataclass(frozen=True, slots=True)
class Shown:
    """A face that a saved search found, and where it is."""

    face: FaceId
    photo: PhotoId
    hash: bytes
    """The photo's bytes, by which it is known even when it was forgotten and came back."""
    video: bool
    start: float | None
    """Of a track: seconds from the beginning of the video."""
    end: float | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """One file that is to be put into the folder of a saved search."""

    hash: bytes
    """Of the photo or video."""
    start: float | None = None
    """Of a moment that is cut out: seconds from the beginning of the video; None where the whole is wanted."""
    end: float | None = None


class Progress(StrEnum):
    """How far a delivery is."""

    WANTED = "wanted"
    BEGUN = "begun"
    """It has its name and may stand there already, or not."""
    MADE = "made"
    """It was put there once, and never is again, whatever became of it."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is to be put into the folder of a saved search, or was."""

    id: DeliveryId
    follow: FollowId
    wanted: Wanted
    state: Progress
    name: bytes | None = None
    """In the folder; None until it is begun."""
    target: bytes | None = None
    """Absolute path of the file that it was made of."""
    inode: int | None = None
    """By which a file of ours that just got its name is known; None for links, and until it has one."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file that holds a photo or video."""

    path: bytes
    """Absolute."""
    size: int
    """Bytes."""
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Tally:
    """How much of a saved search is done."""

    delivered: int
    waiting: int


def outside(numbers: Iterable[int], most: int) -> Ranges:
    """The given numbers up to `most`, as ranges, and all above it."""
    found: list[tuple[int, int | None]] = []
    start = end = None
    for number in sorted({number for number in numbers if number <= most}):
        if start is not None and end is not None and number == end + 1:
            end = number
            continue
        if start is not None:
            found.append((start, end))
        start = end = number
    if start is not None:
        if end == most:
            return (*found, (start, None))
        found.append((start, end))
    return (*found, (most + 1, None))
