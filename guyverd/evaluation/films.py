"""Films made of labelled photos: who is to be seen when and where, decided before a frame of them is drawn; pure.

A film is a list of appearances: a photo that is somewhere in the picture for some frames, still or moving, faded in and
out. A cut is an appearance that ends in the frame in which the next begins; a fade from one to the other are two that
overlap. So the truth follows from the script alone, exact to the frame.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from guyverd.evaluation.moments import Span, joined
from guyverd.model import Box

SIZE = (640, 360)
"""Width and height of a film, in pixels."""
RATE = 25
"""Frames a second."""
WIDTHS = (0.12, 0.3)
"""How wide a face is, as a share of the film's width: from someone standing in a room to a close-up."""
SHOTS = 12
"""Shots of a film."""
FULL, FAINT = 0.85, 0.25
"""A face is seen while such a share of its box lies in the picture, and it has such a share in what is seen there: less
is a shadow."""
EACH, ABSENT = 3, 5
"""Most photos of one person in films, where there are people enough; of so many who are asked for one is in none."""
SECONDS = (2.0, 5.0)
"""Of a shot."""
_FADE = (0.4, 1.2)
_AWAY = (1.0, 3.0)


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


# ---- who is in them --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cast:
    """Who is in the films, and whom they are asked for by another photo."""

    stills: tuple[Still, ...]
    """What the films are made of."""
    asked: tuple[Still, ...]
    """One photo each of those who are to be in them, and of some who are in none; no film shows any of these."""


def cast(photos: Sequence[Still], most: int, seed: int) -> Cast:
    """Choose up to `most` photos for films out of these.

    Whoever has two photos or more is asked for with one of them. Of the others half, one at least, may be in films: up
    to `EACH`, or more where there are few people. One in `ABSENT` of these people stays out of all films. A quarter are
    photos of people who have only one, where there are such: passers-by.
    """
    chance = np.random.default_rng(seed)
    of: dict[int, list[Still]] = {}
    for at in chance.permutation(len(photos)).tolist():
        of.setdefault(photos[at].person, []).append(photos[at])
    passing = [each[0] for each in of.values() if len(each) == 1][: most // 4]
    stills, asked = list(passing), []
    several = [each for each in of.values() if len(each) > 1]
    each_has = max(EACH, most // max(1, len(several)))
    for number, (first, *others) in enumerate(several):
        if len(stills) >= most:
            break
        asked.append(first)
        if number % ABSENT != ABSENT - 1:
            stills += others[: min(each_has, (len(others) + 1) // 2)]
    return Cast(tuple(stills[:most]), tuple(asked))


# ---- scripts ---------------------------------------------------------------------------------------------------------


def scripts(stills: Sequence[Still], most: int, seed: int, shots: int = SHOTS) -> list[Script]:
    """Up to `most` films of so many shots; each photo is in one shot at most, and nobody twice in one shot.

    A person may come again in the same film, with another photo. Every kind of shot is in turn: still, closer and
    closer, farther and farther, moving through the picture, coming in from the side, two people side by side, and one
    to whom another comes; between them cuts, fades, and times without anybody.
    """
    chance = np.random.default_rng(seed)
    order = chance.permutation(len(stills)).tolist()
    left = [stills[at] for at in order]
    made: list[Script] = []
    while left and len(made) < most:
        writer = _Writer(chance, number=len(made))
        while left and writer.shots < shots:
            writer.shoot(left)
        made.append(writer.script())
    return made


class _Writer:
    """Puts shot after shot."""

    def __init__(self, chance: np.random.Generator, number: int) -> None:
        self._chance = chance
        self._now = 0
        self._made: list[Appearance] = []
        self.shots = 0
        # Films do not all begin alike.
        self._turn = 2 * number

    def script(self) -> Script:
        """What was put so far, and a second of nobody, so that the last one is seen to go."""
        return Script(tuple(self._made), self._now + RATE)

    def shoot(self, left: list[Still]) -> None:
        """One shot of the next of these, which are taken away, and what comes between it and the shot before."""
        kind = (self._still, self._closer, self._beside, self._along, self._joined, self._farther, self._enters)
        bridge = (self._cut, self._cut, self._away, self._cut, self._fade)
        frames = self._between(*SECONDS)
        shot = kind[self._turn % len(kind)](left, self._now, frames)
        # What comes between may change what was put before.
        put = bridge[self._turn % len(bridge)](shot)
        self._made += put
        self._now = max(each.last for each in put)
        self._turn += 1
        self.shots += 1

    def _between(self, low: float, high: float) -> int:
        """Frames of a time between so many seconds."""
        return round(RATE * float(self._chance.uniform(low, high)))

    def _wide(self) -> float:
        return float(self._chance.uniform(*WIDTHS))

    # ---- between two shots -------------------------------------------------------------------------------------------

    def _cut(self, shot: list[Appearance]) -> list[Appearance]:
        return shot

    def _away(self, shot: list[Appearance]) -> list[Appearance]:
        """The last one fades away, nobody is there for a while, and the next fades in."""
        fade, empty = self._between(*_FADE), self._between(*_AWAY)
        self._made = [
            replace(each, fade_out=min(fade, (each.last - each.first) // 3)) if each.last == self._now else each
            for each in self._made
        ]
        return [replace(_later(each, empty), fade_in=min(fade, (each.last - each.first) // 3)) for each in shot]

    def _fade(self, shot: list[Appearance]) -> list[Appearance]:
        """The next one comes over the last one while that is still there."""
        fade = self._between(*_FADE)
        before = [each for each in self._made if each.last == self._now]
        # Nobody is in the picture twice at once.
        if {each.still.person for each in before} & {each.still.person for each in shot}:
            return shot
        self._made = [
            replace(each, last=each.last + fade, fade_out=fade) if each.last == self._now else each
            for each in self._made
        ]
        return [replace(each, fade_in=fade) if each.first == self._now else each for each in shot]

    # ---- shots -------------------------------------------------------------------------------------------------------

    def _still(self, left: list[Still], first: int, frames: int) -> list[Appearance]:
        place = Place(float(self._chance.uniform(0.35, 0.65)), 0.5, self._wide())
        return [Appearance(left.pop(), first, first + frames, place, place)]

    def _closer(self, left: list[Still], first: int, frames: int) -> list[Appearance]:
        far, near = Place(0.5, 0.5, WIDTHS[0]), Place(0.5, 0.5, WIDTHS[1])
        return [Appearance(left.pop(), first, first + frames, far, near)]

    def _farther(self, left: list[Still], first: int, frames: int) -> list[Appearance]:
        return [replace(each, begin=each.end, end=each.begin) for each in self._closer(left, first, frames)]

    def _along(self, left: list[Still], first: int, frames: int) -> list[Appearance]:
        wide = min(self._wide(), 0.22)
        return [Appearance(left.pop(), first, first + frames, Place(0.25, 0.45, wide), Place(0.75, 0.55, wide))]

    def _enters(self, left: list[Still], first: int, frames: int) -> list[Appearance]:
        """In from one side: at first nothing of the face is to be seen."""
        wide, side = min(self._wide(), 0.25), float(self._chance.choice((-1, 1)))
        outside = Place(0.5 + side * (0.5 + wide), 0.5, wide)
        return [Appearance(left.pop(), first, first + frames, outside, Place(0.5, 0.5, wide))]

    def _beside(self, left: list[Still], first: int, frames: int) -> list[Appearance]:
        one = left.pop()
        return self._two(one, _another(left, one.person), first, first, frames)

    def _joined(self, left: list[Still], first: int, frames: int) -> list[Appearance]:
        """The second comes when the first has been there for a while."""
        one = left.pop()
        return self._two(one, _another(left, one.person), first, first + frames // 2, frames)

    def _two(self, one: Still, other: Still | None, first: int, then: int, frames: int) -> list[Appearance]:
        wide = float(self._chance.uniform(WIDTHS[0], 0.2))
        places = (Place(0.25, 0.5, wide), Place(0.75, 0.5, wide))
        shot = [Appearance(one, first, first + frames, places[0], places[0], half=-1)]
        if other is not None:
            shot.append(Appearance(other, then, first + frames, places[1], places[1], half=1))
        return shot


def _another(left: list[Still], person: int) -> Still | None:
    """The next one who is not that person, taken away; None where there is none."""
    for at in range(len(left) - 1, -1, -1):
        if left[at].person != person:
            return left.pop(at)
    return None


def _later(appearance: Appearance, frames: int) -> Appearance:
    return replace(appearance, first=appearance.first + frames, last=appearance.last + frames)
