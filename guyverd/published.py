"""What stands in the people folder: values that pass between the catalogue, `folders` and the service. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from guyverd.model import AlbumId, PersonId, PhotoId, Stamp

OwnerId = NewType("OwnerId", int)
"""Whose a folder is: a person's number, or the number of a saved album with a minus."""


def of_person(person: PersonId) -> OwnerId:
    """The owner of a person's folder."""
    return OwnerId(person)


def of_album(album: AlbumId) -> OwnerId:
    """The owner of an album's folder."""
    return OwnerId(-album)


def person_of(owner: OwnerId) -> PersonId | None:
    """Whose folder it is; None where it is an album's."""
    return PersonId(owner) if owner > 0 else None


def album_of(owner: OwnerId) -> AlbumId | None:
    """Which album's folder it is; None where it is a person's."""
    return AlbumId(-owner) if owner < 0 else None


# ---- what a folder should show ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ShelfPhoto:
    """A photo that belongs into a folder."""

    photo: PhotoId
    target: bytes
    """Absolute path of one file that holds it."""
    taken_at: str | None
    """ISO 8601, or None where the picture does not tell."""
    companions: tuple[bytes, ...] = ()
    """Absolute paths of files that belong to that one: the video of a live photo, the raw picture, a sidecar."""
    own: bool = False
    """Somebody put it into the very folder: a link to it that stands there stays, but none is made."""
    beside: bool = False
    """It is linked as a companion of another photo: only a link that somebody put somewhere stays."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """A folder that should be, and the photos it should show."""

    owner: OwnerId
    name: str | None
    """What it is called; None for a person without a name."""
    photos: tuple[ShelfPhoto, ...]


# ---- what was published ----------------------------------------------------------------------------------------------


class LinkKind(StrEnum):
    """What stands at a link's path."""

    SYMBOLIC = "symbolic"
    HARD = "hard"
    """The photo's own file under a second name."""
    COPY = "copy"
    """A file with the same bytes; it may share its blocks with the photo (reflink)."""
    PAGE = "page"
    """A contact sheet of ours; its `target` tells what it was made of."""
    COVER = "cover"
    """A face cut from a photo; its `target` tells which."""


@dataclass(frozen=True, slots=True)
class PublishedLink:
    """A link, or a file in a link's stead, that guyverd made in the people folder."""

    path: bytes
    """Relative to the people folder."""
    target: bytes
    """Of a symbolic link what it says: absolute, or relative to the link's own folder; else the file it was made of."""
    owner: OwnerId
    photo: PhotoId | None = None
    """What it shows; None for a page, and where an earlier version made it."""
    kind: LinkKind = LinkKind.SYMBOLIC
    companion: bool = False
    """It belongs to the link of the same photo beside it."""
    placed: bool = False
    """Somebody put it there, or gave it its name: there it stays."""
    stamp: Stamp | None = None
    """What is no symbolic link: how it was found when it was made; None until then."""
    made: bool = True
    """False while it is about to be made, moved or taken away: then it tells nothing that it is missing."""


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of a person or an album."""

    owner: OwnerId
    path: bytes
    """Relative to the people folder."""
    name: str | None
    """What the owner was called when it got its path. While they still are, it keeps that path, whatever that is."""
    inode: int | None = None
    """By which it is found again when somebody renames it; None until it was seen."""
