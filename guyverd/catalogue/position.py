"""Which face is which when a photo is read a second time: by where they are in it.

Pure. The bytes of a photo never change, so a face stays where it is, whatever finds it; only the boxes that detectors
draw around it differ, by up to a third in size and a fifth in place. What is known of a face (who it is, what was said
of it) therefore goes to the new face at its place and not to the one that looks most like it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from guyverd.model import Box

_SAME_OVERLAP = 0.35
"""Boxes whose overlap is this share of their union are about one face; neighbours in a crowd stay well below."""
_LARGEST_RATIO = 2.0
"""Boxes of which one is more than so many times as large as the other, in width and height, are about two: a child
held before a chest, a face on a shirt."""


def same_place(one: Box, other: Box) -> bool:
    """Whether two boxes in one photo are about one face.

    They are of like size, and they overlap by enough or each holds the other's centre.
    """
    common = _common(one, other)
    if common <= 0:
        return False
    areas = one.width * one.height, other.width * other.height
    if max(areas) > _LARGEST_RATIO**2 * min(areas):
        return False
    enough = common >= _SAME_OVERLAP * (sum(areas) - common)
    return enough or (_holds_centre(one, other) and _holds_centre(other, one))


def matched(before: Sequence[Box], after: Sequence[Box]) -> list[tuple[int, int]]:
    """Pairs of indices of boxes that are about the same face, each box in one pair at most; by rising first index.

    Of all ways to pair boxes of the same place it is the one with the most overlap in all, so the result does not
    depend on the order of boxes, unless two of them are equal.
    """
    old = sorted(range(len(before)), key=lambda index: (_corners(before[index]), index))
    new = sorted(range(len(after)), key=lambda index: (_corners(after[index]), index))
    overlaps = {
        (one, other): before[one].overlap(after[other])
        for one in old
        for other in new
        if same_place(before[one], after[other])
    }
    # In the order of places, so that ties fall alike whatever the order given.
    return best_pairs(overlaps, old, new)


def best_pairs(
    gains: Mapping[tuple[int, int], float], ones: Sequence[int] | None = None, others: Sequence[int] | None = None
) -> list[tuple[int, int]]:
    """Of pairs that could be, each with what it counts (above 0), those that count most in all; each index once.

    By rising first index. `ones` and `others` are the order of the indices by which ties are broken.
    """
    ones = sorted({one for one, _ in gains}) if ones is None else ones
    others = sorted({other for _, other in gains}) if others is None else others
    found: list[tuple[int, int]] = []
    for rows, columns in _islands(gains):
        ours = [index for index in ones if index in rows]
        theirs = [index for index in others if index in columns]
        counts = [[gains.get((one, other), 0.0) for other in theirs] for one in ours]
        pairs = ((ours[row], theirs[column]) for row, column in _assigned(counts))
        found += [pair for pair in pairs if pair in gains]
    return sorted(found)


def _islands(pairs: Iterable[tuple[int, int]]) -> list[tuple[set[int], set[int]]]:
    """The boxes that hang together, as (before, after): in most photos one of each."""
    islands: list[tuple[set[int], set[int]]] = []
    for one, other in pairs:
        joined: tuple[set[int], set[int]] = ({one}, {other})
        apart = []
        for island in islands:
            if one in island[0] or other in island[1]:
                joined = (joined[0] | island[0], joined[1] | island[1])
            else:
                apart.append(island)
        islands = [*apart, joined]
    return islands


def _assigned(gains: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    """Pairs (row, column), each once, whose gains add up to the most: the Hungarian method with potentials."""
    if len(gains) > len(gains[0]):
        turned = [list(column) for column in zip(*gains, strict=True)]
        return [(row, column) for column, row in _assigned(turned)]
    height, width = len(gains), len(gains[0])
    # Row and column 0 stand for "none yet"; costs are negative gains.
    row_price, column_price = [0.0] * (height + 1), [0.0] * (width + 1)
    row_of = [0] * (width + 1)
    for row in range(1, height + 1):
        row_of[0] = row
        least = [math.inf] * (width + 1)
        came_from = [0] * (width + 1)
        seen = [False] * (width + 1)
        column = 0
        while row_of[column]:
            seen[column] = True
            current, step, following = row_of[column], math.inf, 0
            for other in range(1, width + 1):
                if seen[other]:
                    continue
                cost = -gains[current - 1][other - 1] - row_price[current] - column_price[other]
                if cost < least[other]:
                    least[other], came_from[other] = cost, column
                if least[other] < step:
                    step, following = least[other], other
            for other in range(width + 1):
                if seen[other]:
                    row_price[row_of[other]] += step
                    column_price[other] -= step
                else:
                    least[other] -= step
            column = following
        while column:
            previous = came_from[column]
            row_of[column] = row_of[previous]
            column = previous
    return [(row_of[column] - 1, column - 1) for column in range(1, width + 1) if row_of[column]]


def _common(one: Box, other: Box) -> int:
    across = min(one.right, other.right) - max(one.left, other.left)
    down = min(one.bottom, other.bottom) - max(one.top, other.top)
    return max(0, across) * max(0, down)


def _holds_centre(one: Box, other: Box) -> bool:
    return (
        2 * one.left <= other.left + other.right < 2 * one.right
        and 2 * one.top <= other.top + other.bottom < 2 * one.bottom
    )


def _corners(box: Box) -> tuple[int, int, int, int]:
    return (box.left, box.top, box.right, box.bottom)
