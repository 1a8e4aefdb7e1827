"""Which track is which when a video is read a second time: by when and where it is seen.

Pure. A video's bytes never change, so whoever is seen at a time and a place is the one that was seen there before. But
other frames may be looked at, so the best frames of two tracks of one person are seldom the same ones; and a shot may
end a little earlier, or fall into two.
"""

from __future__ import annotations

from collections.abc import Sequence

from guyverd.catalogue.position import best_pairs, same_place
from guyverd.model import Box, Frame, Track

_LEAST = 0.3
"""Tracks that share less than this of their common time are two."""
_NEAR = 1.5
"""Seconds within which somebody in a video stays about where they were."""
_UNKNOWN_PLACE = 0.5
"""What a pair counts, of one whose places agree, that was never looked at within so short a time."""

Seen = tuple[Box, Track | None]


def matched_tracks(before: Sequence[Seen], after: Sequence[Seen]) -> list[tuple[int, int]]:
    """Pairs of indices of tracks that are the same person's at the same time; by rising first index.

    Each track is in one pair at most, and of all ways to pair them it is the one that agrees best. What has no times
    is in no pair.
    """
    gains = {
        (one, other): gain
        for one, (_, old) in enumerate(before)
        for other, (_, new) in enumerate(after)
        if old is not None and new is not None and (gain := _gain(old, new)) > 0
    }
    return best_pairs(gains)


def _gain(one: Track, other: Track) -> float:
    common = min(one.end, other.end) - max(one.start, other.start)
    if common <= 0:
        return 0.0
    share = common / min(one.end - one.start, other.end - other.start)
    if share < _LEAST:
        return 0.0
    # Of two parts of what was one track, the longer is it.
    together = max(one.end, other.end) - min(one.start, other.start)
    agree = _places(one, other)
    return 0.0 if agree == 0.0 else agree * (share + common / together) / 2


def _places(one: Track, other: Track) -> float:
    """1 where both are seen at one place at about one time, 0 where at two, something between where nobody knows."""
    near: tuple[float, Frame, Frame] | None = None
    for old in one.frames:
        for new in other.frames:
            apart = abs(old.time - new.time)
            if apart <= _NEAR and same_place(old.box, new.box):
                return 1.0
            if near is None or apart < near[0]:
                near = apart, old, new
    return 0.0 if near is not None and near[0] <= _NEAR / 3 else _UNKNOWN_PLACE
