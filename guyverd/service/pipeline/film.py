"""A video on its way through the workers: which parts are there, which come next, where it ends. No I/O, no clock."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field

from guyverd.catalogue.films import HeldTrack
from guyverd.catalogue.rows import PendingPhoto
from guyverd.faces.tracks import LENGTH, VideoPart, parts_of, whole
from guyverd.model import DetectedFace, FaceId
from guyverd.service.pipeline.verdicts import MOST_ATTEMPTS


@dataclass(eq=False)
class Film:
    """A video that is being read."""

    photo: PendingPhoto
    numbers: set[int] = field(default_factory=set)
    """The parts that are there."""
    flying: set[int] = field(default_factory=set)
    """Those that are with the workers."""
    newest: VideoPart | None = None
    """The part that came last."""
    reason: str | None = None
    """Why it is not read beyond a part that says nothing of that."""
    asked: dict[FaceId, HeldTrack] = field(default_factory=dict)
    """Tracks that the workers have to describe."""
    answers: list[DetectedFace] = field(default_factory=list)
    """Those that were described."""
    described: bool = False
    """Whether that was asked for."""
    _engines: dict[int, tuple[str, str]] = field(default_factory=dict)
    """By part: what read it, and its network."""
    _end: int | None = None
    """The number of the last part."""
    _told_end: int | None = None
    """The same where that part told it itself."""
    _expected: int | None = None
    """How many parts there should be, as the container tells."""
    _deaths: dict[int, int] = field(default_factory=dict)

    # ---- what is known -----------------------------------------------------------------------------------------------

    @property
    def engine(self) -> str:
        """What read it: its first part, as that was read first."""
        return self._engines[0][0]

    def engine_of(self, number: int) -> str:
        """What read a part that is there."""
        return self._engines[number][0]

    @staticmethod
    def fits(part: VideoPart, number: int) -> bool:
        """Whether that is the part of this number, of parts as long as ours."""
        return part.number == number and part.start == number * LENGTH

    @property
    def count(self) -> int:
        """How many parts it has; to be asked of one that misses none."""
        assert self._end is not None
        return self._end + 1

    @property
    def missing(self) -> bool:
        """Whether parts are still to come."""
        return self._end is None or not self.numbers.issuperset(range(self._end + 1))

    @property
    def share(self) -> float:
        """How much of it was read, 0..1, as far as anybody knows."""
        return min(1.0, len(self.numbers) / max(1, self._parts()))

    @property
    def bytes_of_a_part(self) -> float:
        """Of its bytes, so many are in one part, mostly."""
        return self.photo.size / max(1, self._parts())

    def _parts(self) -> int:
        if self._end is not None:
            return self._end + 1
        known = max([*self.numbers, *self.flying], default=0) + 1
        return max(known, self._expected or 0)

    def ends_before(self, number: int) -> bool:
        """Whether there is no such part, as is known by now."""
        return self._end is not None and number > self._end

    def next(self, ahead: int) -> int | None:
        """The part to ask for next; None where none is to be asked for now.

        The first tells how many there should be, and is waited for. Beyond those, and where nobody knows, parts are
        asked for that lie at most so many `ahead` of what is there without a gap.
        """
        if 0 not in self.numbers:
            return None if self.flying else 0
        whole_up_to = next(at for at in range(len(self.numbers) + 1) if at not in self.numbers)
        beyond = whole_up_to + (ahead if self._expected is None else 1)
        limit = max(beyond, self._expected or 0) if self._end is None else self._end + 1
        return next((at for at in range(limit) if at not in self.numbers and at not in self.flying), None)

    # ---- what happens ------------------------------------------------------------------------------------------------

    def add(self, part: VideoPart, engine: str, network: str) -> list[int]:
        """Note a part. Returns the numbers of parts that are to be read anew: another network made their vectors."""
        if self.ends_before(part.number):
            return []
        stale = [number for number, (_, other) in self._engines.items() if other != network]
        for number in stale:
            self.numbers.discard(number)
            del self._engines[number]
        if self._told_end in stale:
            self._told_end = self._end = None
        self.numbers.add(part.number)
        self._engines[part.number] = engine, network
        self.newest = part
        if part.number == 0 and part.duration is not None:
            self._expected = parts_of(part.duration)
        if part.last:
            self._told_end = self._end = part.number
            self.reason = None
        return stale

    def lose(self, number: int) -> None:
        """Have a part read anew that could not be kept."""
        self.numbers.discard(number)
        self._engines.pop(number, None)
        if self._told_end == number:
            self._told_end = self._end = None
        if self.newest is not None and self.newest.number == number:
            self.newest = None

    def cut(self, number: int, reason: str) -> None:
        """Let it end before a part that cannot be read."""
        if not self.ends_before(number):
            start = int(number * LENGTH)
            self._end = number - 1
            clock = f"{start // 3600}:{start // 60 % 60:02}:{start % 60:02}"
            self.reason = f"it could not be read from {clock} on: {reason}"

    def died(self, number: int) -> bool:
        """Note that a worker died of a part, or hung over it; tells whether that was once too often."""
        self._deaths[number] = self._deaths.get(number, self.photo.attempts if number == 0 else 0) + 1
        return self._deaths[number] >= MOST_ATTEMPTS


def assembled(parts: Sequence[VideoPart]) -> tuple[DetectedFace, ...]:
    """The tracks of a film from its parts, of which the last need not know that it is. Raises ValueError."""
    if not parts:
        raise ValueError("a film without parts")
    return whole([*parts[:-1], dataclasses.replace(parts[-1], last=True)])
