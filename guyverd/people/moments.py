"""From faces that were found to what is shown of them: one row for each photo, and for each moment of a video. Pure.

Two faces of one photo are two people, so of several that were found in it the surest stands for it. So it is with
tracks of a video that are seen at the same time. Tracks that follow one another, as from shot to shot of a talk, are
one moment.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

Span = tuple[float, float]
"""From when to when, in seconds."""

NEARLY = 1.0
"""Seconds that may lie between two tracks of one moment."""
_ALMOST = 0.5
"""Of the confidence of one track of a moment, that the next must have: who is hardly found does not make a moment of
somebody who is found longer."""
_FAINT = 0.05
"""Below it two tracks that are as good as nobody's do not make one moment, however equal they are."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A face that was found."""

    row: int
    """What the caller calls it."""
    photo: int
    order: tuple[float, ...]
    """The larger, the surer."""
    confidence: float
    start: float | None = None
    """Seconds from the beginning of the video; None in a photo."""
    end: float | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """A photo, or a part of a video, that shows the one asked about."""

    rows: tuple[int, ...]
    """Its faces, the surest first: one of a photo, one or several tracks of a video."""
    start: float | None
    end: float | None
    order: tuple[float, ...]
    """That of the surest."""


def moments(found: Iterable[Seen]) -> list[Moment]:
    """What is shown, surest first."""
    by_photo: dict[int, list[Seen]] = defaultdict(list)
    for one in found:
        by_photo[one.photo].append(one)
    shown: list[Moment] = []
    for faces in by_photo.values():
        faces.sort(key=_surest)
        still = [one for one in faces if one.start is None]
        if still:
            shown.append(_moment(still[:1]))
        shown += _of_video([one for one in faces if one.start is not None])
    # Equally sure ones stay in the order in which they were found.
    return sorted(shown, key=lambda moment: [-value for value in moment.order])


def as_one(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """When somebody is seen: spans of seconds, by their beginning, as one where they touch or nearly touch."""
    found: list[tuple[float, float]] = []
    for start, end in spans:
        if found and start - found[-1][1] <= NEARLY:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def beside(span: Span, company: Iterable[Iterable[Span]]) -> list[Span]:
    """The parts of a time, in order, at which everybody of a company is seen too; each is told by when they are."""
    parts = [span]
    for spans in company:
        parts = [
            (max(start, since), min(end, until))
            for start, end in parts
            for since, until in sorted(spans)
            if max(start, since) < min(end, until)
        ]
    return parts


def _surest(one: Seen) -> tuple[list[float], int]:
    return [-value for value in one.order], one.row


def _of_video(tracks: Sequence[Seen]) -> list[Moment]:
    kept: list[Seen] = []
    for track in tracks:
        if not any(_overlap(track, other) for other in kept):
            kept.append(track)
    kept.sort(key=lambda track: (track.start or 0.0, track.row))
    runs: list[list[Seen]] = [kept[:1]] if kept else []
    for before, track in pairwise(kept):
        if _follows(before, track):
            runs[-1].append(track)
        else:
            runs.append([track])
    return [_moment(sorted(run, key=_surest)) for run in runs]


def _overlap(one: Seen, other: Seen) -> bool:
    assert one.start is not None
    assert one.end is not None
    assert other.start is not None
    assert other.end is not None
    return one.start < other.end and other.start < one.end


def _follows(before: Seen, track: Seen) -> bool:
    assert before.end is not None
    assert track.start is not None
    low, high = sorted((before.confidence, track.confidence))
    return track.start - before.end <= NEARLY and low >= max(_FAINT, _ALMOST * high)


def _moment(faces: Sequence[Seen]) -> Moment:
    starts = [one.start for one in faces if one.start is not None]
    ends = [one.end for one in faces if one.end is not None]
    return Moment(tuple(one.row for one in faces), min(starts, default=None), max(ends, default=None), faces[0].order)
