"""What workers are asked to read, and what they answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from guyverd import config
from guyverd.model import Box, PhotoReading

if TYPE_CHECKING:
    from guyverd.faces.tracks import VideoPart

MOST_BYTES = 2_000_000_000
"""Files larger than this are no photos; a worker holds a file's bytes while it decodes them."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A photo to read."""

    paths: tuple[bytes, ...]
    """Absolute paths that should all hold the photo; the first that can be read is taken."""
    hash: bytes | None = None
    """The hash its bytes must have; None for a picture outside the library."""
    boxes: tuple[Box, ...] = ()
    """Where a face is to be described, found or not; in pixels of the upright original."""
    search: bool = True
    """Whether other faces are looked for."""
    at: float | None = None
    """Seconds: what the video at the path shows then, instead of a picture. Its bytes are not compared with `hash`, as
    that would take minutes."""


@dataclass(frozen=True, slots=True)
class ReadJob:
    """Photos for one worker, with what it must know of the settings."""

    photos: tuple[Wanted, ...]
    faces: config.Faces


@dataclass(frozen=True, slots=True)
class Read:
    """What became of one photo in a worker, with which models, and what that cost."""

    found: PhotoReading | BaseException
    engine: str
    seconds: float
    """Of the worker's time, for this photo alone."""
    memory: int
    """The most bytes the worker ever held, up to then."""
    warm: bool = True
    """Whether the worker had everything loaded; the first photos of a process take longer."""

    @property
    def reading(self) -> PhotoReading:
        """What was found. Raises what hindered it: a PictureError, mostly."""
        if isinstance(self.found, BaseException):
            raise self.found
        return self.found


@dataclass(frozen=True, slots=True)
class PartWanted:
    """One part of a film to look at."""

    paths: tuple[bytes, ...]
    """Absolute paths that should all hold the film; the first that can be read is taken."""
    size: int
    """Bytes that the file must have."""
    number: int
    """From 0."""
    videos: config.Videos


@dataclass(frozen=True, slots=True)
class PartJob:
    """A part of a film for one worker, with what it must know of the settings."""

    wanted: PartWanted
    faces: config.Faces


@dataclass(frozen=True, slots=True)
class PartRead:
    """What became of one part of a film in a worker, as `Read` tells of a photo."""

    found: VideoPart | BaseException
    engine: str
    seconds: float
    """Of the worker's time."""
    memory: int
    """The most bytes the worker ever held, up to then."""

    @property
    def part(self) -> VideoPart:
        """What was found. Raises what hindered it: a PictureError, mostly."""
        if isinstance(self.found, BaseException):
            raise self.found
        return self.found
