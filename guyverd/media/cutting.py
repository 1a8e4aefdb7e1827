"""What is cut out of a film, the file it is written into, and what both ways of doing that need."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, BinaryIO, cast

import av

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.stream import Stream
    from av.video.stream import VideoStream

NEAR = Fraction(1, 2000)
"""Seconds: times that differ by less are one, whichever way they were rounded."""
LOOSE = {"fflags": "bitexact"}
"""The same moment twice gives the same bytes: no random numbers, no dates of today."""


class Misfit(Exception):
    """The packets cannot stand in a file of that kind."""


class Target:
    """The file that is written, and why it could not be."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.problem: OSError | None = None

    def write(self, data: bytes) -> int:
        """Write where it stands."""
        try:
            return self._file.write(data)
        except OSError as problem:
            self.problem = problem
            raise

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to another place."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Where it stands."""
        return self._file.tell()

    def clear(self) -> None:
        """Begin anew."""
        self._file.seek(0)
        self._file.truncate()


@dataclass(frozen=True, slots=True)
class Part:
    """What is cut, and into what."""

    start: float
    end: float
    into: Target
    format: str
    alive: Callable[[], object]


def sound_of(container: InputContainer) -> AudioStream | None:
    """What there is to hear, if it can be told what it is."""
    found = container.streams.best("audio")
    return found if isinstance(found, av.AudioStream) and _is_known(found) else None


def _is_known(stream: Stream) -> bool:
    """Whether there is a decoder for it here, whatever the types say."""
    return getattr(stream, "codec_context", None) is not None


def origin_of(container: InputContainer, film: VideoStream) -> Fraction:
    """When the film begins, as `media.video` has it."""
    begins = cast("int | None", container.start_time)
    if begins is not None:
        return Fraction(begins, av.time_base)
    return (film.start_time or 0) * (film.time_base or Fraction(0))


def date(container: InputContainer, made: OutputContainer, start: float) -> None:
    """When the moment was filmed, where the film tells it of itself."""
    told = container.metadata.get("creation_time")
    if told is None:
        return
    try:
        at = datetime.datetime.fromisoformat(told) + datetime.timedelta(seconds=start)
    except (ValueError, OverflowError):
        return
    made.metadata["creation_time"] = at.isoformat()
