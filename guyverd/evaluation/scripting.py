"""Which labelled photos films are made of, who is asked for, and shot after shot of what is to be seen; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from guyverd.evaluation.films import RATE, Appearance, Place, Script, Still

WIDTHS = (0.12, 0.3)
"""How wide a face is, as a share of the film's width: from someone standing in a room to a close-up."""
SHOTS = 12
"""Shots of a film."""
EACH, ABSENT = 3, 5
"""Most photos of one person in films, where there are people enough; of so many who are asked for one is in none."""
SECONDS = (2.0, 5.0)
"""Of a shot."""
_FADE = (0.4, 1.2)
_AWAY = (1.0, 3.0)


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
