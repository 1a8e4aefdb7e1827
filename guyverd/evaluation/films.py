"""Films made of labelled photos: who is to be seen when and where, decided before a frame of them is drawn; pure.

A film is a list of appearances: a photo that is somewhere in the picture for some frames, still or moving, faded in and
out. A cut is an appearance that ends in the frame in which the next begins; a fade from one to the other are two that
overlap. So the truth follows from the script alone, exact to the frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from guyverd.evaluation.moments import Span, joined
from guyverd.model import Box

SIZE = (640, 360)
"""Width and height of a film, in pixels."""
RATE = 25
"""Frames a second."""
FULL, FAINT = 0.85, 0.25
"""A face is seen while such a share of its box lies in the picture, and it has such a share in what is seen there: less
is a shadow."""


@dataclass(frozen=True, slots=True)
class Still:
    """A photo that shows one face."""

    number: int
    """Which photo it is, for whoever draws it."""
    person: int
    width: int
    height: int
    """Of the photo, in pixels."""
    face: Box
    """Where its face is, in pixels of the photo."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a photo is in the picture: the middle of its face, and how large it is."""

    across: float
    """0 at the left edge of the picture, 1 at the right."""
    down: float
    """0 at the top, 1 at the bottom."""
    wide: float
    """Width of the face as a share of the picture's."""


@dataclass(frozen=True, slots=True)
class Appearance:
    """A photo in the picture, from frame `first` up to `last`, which is the first one without it."""

    still: Still
    first: int
    last: int
    begin: Place
    end: Place
    """Where it is in its first and its last frame; between them it moves evenly."""
    fade_in: int = 0
    fade_out: int = 0
    """Frames over which it comes and goes."""
    half: int = 0
    """−1 and 1: it is seen in the left or the right half alone; 0 in all of the picture."""

    def opacity(self, frame: int) -> float:
        """Its share, 0..1, in what is seen where it is; while one fades into another both make 1."""
        coming = (frame - self.first + 1) / (self.fade_in + 1)
        going = (self.last - frame) / (self.fade_out + 1)
        return max(0.0, min(1.0, coming, going))

    def rectangle(self, frame: int) -> tuple[float, float, float]:
        """Left, top and the scale of the whole photo in that frame, in pixels of the film."""
        share = (frame - self.first) / max(1, self.last - 1 - self.first)
        across, down, wide = (
            one + (other - one) * share
            for one, other in (
                (self.begin.across, self.end.across),
                (self.begin.down, self.end.down),
                (self.begin.wide, self.end.wide),
            )
        )
        face = self.still.face
        scale = wide * SIZE[0] / face.width
        left = across * SIZE[0] - scale * (face.left + face.right) / 2
        top = down * SIZE[1] - scale * (face.top + face.bottom) / 2
        return left, top, scale

    def window(self) -> tuple[int, int]:
        """From which to which column of the picture it may be seen."""
        middle = SIZE[0] // 2
        return (0 if self.half <= 0 else middle, SIZE[0] if self.half >= 0 else middle)

    def seen(self, frame: int) -> bool:
        """Whether its face is to be seen in that frame."""
        if not self.first <= frame < self.last or self.opacity(frame) < FAINT:
            return False
        left, top, scale = self.rectangle(frame)
        face, (begin, end) = self.still.face, self.window()
        across = min(end, left + scale * face.right) - max(begin, left + scale * face.left)
        down = min(SIZE[1], top + scale * face.bottom) - max(0.0, top + scale * face.top)
        return across > 0 and down > 0 and across * down >= FULL * scale * face.width * scale * face.height


@dataclass(frozen=True, slots=True)
class Script:
    """A film that is still to be drawn."""

    appearances: tuple[Appearance, ...]
    """In the order in which they lie upon one another."""
    frames: int

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.frames / RATE

    def at(self, frame: int) -> tuple[Appearance, ...]:
        """What is in the picture in that frame."""
        return tuple(each for each in self.appearances if each.first <= frame < each.last)

    def truth(self) -> dict[int, tuple[Span, ...]]:
        """For each person when they are seen, in seconds; spans that touch are one."""
        spans: dict[int, list[Span]] = {}
        for each in self.appearances:
            for start, end in _runs(each):
                spans.setdefault(each.still.person, []).append((start / RATE, end / RATE))
        return {person: joined(each, 1e-6) for person, each in spans.items()}


def _runs(appearance: Appearance) -> Iterator[tuple[int, int]]:
    """From which frame up to which its face is seen."""
    begin = None
    for frame in range(appearance.first, appearance.last + 1):
        if appearance.seen(frame):
            begin = frame if begin is None else begin
        elif begin is not None:
            yield begin, frame
            begin = None
