"""What somebody did to the people folder, as far as it means something."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from guyverd.model import PhotoId, Stamp
from guyverd.published import OwnerId, PublishedLink


@dataclass(frozen=True, slots=True)
class Shift:
    """A link of ours that is not where it was."""

    link: PublishedLink
    """As it was published."""
    path: bytes | None
    """Where it is now; None where it is gone, or something else stands in its place."""


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that was done, and which of our links it moved."""

    shifts: tuple[Shift, ...]
    source: str
    """In words: what a person would say they did."""

    def paths(self) -> Iterator[bytes]:
        """All that is concerned, where it was and where it is, relative to the people folder."""
        for shift in self.shifts:
            yield shift.link.path
            if shift.path is not None:
                yield shift.path


@dataclass(frozen=True, slots=True)
class Rearranged(Act):
    """Links are elsewhere in their own folder, or gone in a way that says nothing: no decision."""


@dataclass(frozen=True, slots=True)
class Moved(Act):
    """A folder lies elsewhere, or is called otherwise."""

    owner: OwnerId
    old: bytes
    new: bytes
    name: str | None
    """What its owner is called from now on; None where that did not change."""

    def paths(self) -> Iterator[bytes]:
        """See `Act.paths`."""
        yield from (self.old, self.new, *Act.paths(self))


@dataclass(frozen=True, slots=True)
class Merged(Act):
    """All of one person's links are in another's folder, or a folder was given the other's name."""

    owner: OwnerId
    into: OwnerId


@dataclass(frozen=True, slots=True)
class Given(Act):
    """Links of one owner are in another person's folder: the faces they stand for are that person's."""

    owner: OwnerId
    to: OwnerId


@dataclass(frozen=True, slots=True)
class Refused(Act):
    """Links were deleted: not this person."""

    owner: OwnerId


@dataclass(frozen=True, slots=True)
class Parted(Act):
    """Links were moved into a new folder: what they stand for is a new person."""

    folder: bytes
    name: str | None

    def paths(self) -> Iterator[bytes]:
        """See `Act.paths`."""
        yield from (self.folder, *Act.paths(self))


@dataclass(frozen=True, slots=True)
class Hidden(Act):
    """The owner's folder was deleted."""

    owner: OwnerId


@dataclass(frozen=True, slots=True)
class Returned(Act):
    """The folder of somebody hidden is there again."""

    owner: OwnerId
    folder: bytes

    def paths(self) -> Iterator[bytes]:
        """See `Act.paths`."""
        yield from (self.folder, *Act.paths(self))


@dataclass(frozen=True, slots=True)
class Shared(Act):
    """A link of others was copied into a person's folder: that person is in the photo too, or instead."""

    to: OwnerId
    photo: PhotoId
    owners: tuple[OwnerId, ...]
    """In whose folders it still is."""
    path: bytes

    def paths(self) -> Iterator[bytes]:
        """See `Act.paths`."""
        yield from (self.path, *Act.paths(self))


@dataclass(frozen=True, slots=True)
class Dropped(Act):
    """Something that is not ours was put into a person's folder."""

    to: OwnerId
    path: bytes
    seen: bytes | Stamp
    """What a link says, or the stamp of a file."""

    def paths(self) -> Iterator[bytes]:
        """See `Act.paths`."""
        yield from (self.path, *Act.paths(self))
