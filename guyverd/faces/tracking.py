"""Which faces on the frames of one shot are one person: from frame to frame, by likeness and by place.

Pure, but for `probe`, which is asked to look at a frame in between. Frames are a second apart or so: who moved may be
anywhere by then, and who sits in the same place after a jump may be somebody else. So a face goes on where both the
likeness and the place allow it, each the less the more the other says.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from guyverd.faces.tracks import Piece, Sight, best_of

if TYPE_CHECKING:
    from guyverd.model import Box, DetectedFace, DoubleArray

ALIKE = 0.32
"""Distance of unit vectors up to which two faces of one shot are one person wherever they are. In half of LFW one
pair of strangers in 37,000 is nearer, and two thirds of the pairs of photos of one person, taken years apart."""
LIKELY = 0.43
"""The same where they are also in about the same place: one pair of strangers in 73 is nearer, 99 % of the others."""
_BLURRED = 0.30
"""Quality below which a vector tells little: then the place counts, up to `_UNLIKE`."""
_UNLIKE = 0.62
_NEAR = 1.0
"""Widths of a face between two middles that are about the same place."""
_SIZES = 1.8
"""How many times as wide a face may be that is in about the same place."""
_PATIENCE = 2.5
"""Seconds for which somebody may turn away within a shot and still be the same track."""
_PLACE_COUNTS = 0.15
"""Distance that lying on the same place is worth, where several could be the one."""
_BLINK = 0.25
"""Seconds between the end of one track and the beginning of another in the same place that is the same face."""
_RUNS = 1.5
"""Widths that it may have moved meanwhile."""
_MOVING = 0.6
"""Quality below which that is true of faces that hardly look alike: who moves is blurred."""
_PROBES = 40
"""Looks in between for all faces of one sample: a crowd at the limit of what is seen would take for ever."""

Probe = Callable[[int, "Box"], "Sequence[DetectedFace]"]
"""The faces near a place on a frame in between, by the frame's place in the list of times."""


@dataclass
class _Track:
    """A person in the shot that goes on."""

    start: float
    first: Box
    opens: bool
    sights: list[Sight]
    seen: int = 1
    last_time: float = 0.0
    """When it was seen last."""
    last: DetectedFace | None = None
    end: float | None = None
    """From when on it was not seen, if it is not seen now."""
    anchors: list[DoubleArray] = field(default_factory=list)
    """Unit vectors that it is compared with: its best and its latest."""

    @property
    def face(self) -> DetectedFace:
        assert self.last is not None
        return self.last

    def add(self, time: float, face: DetectedFace) -> None:
        if time >= self.last_time or self.last is None:
            self.last_time, self.last = time, face
        self.sights = best_of([*self.sights, Sight(time, face)])
        best = self.sights[:3] if self.sights else []
        self.anchors = [_unit(sight.face) for sight in best]
        self.anchors.append(_unit(self.face))

    def go_on_as(self, other: _Track) -> None:
        """Be one with a track that began where this one seemed to end."""
        self.seen += other.seen
        self.sights = best_of([*self.sights, *other.sights])
        self.anchors = [*self.anchors, *other.anchors]
        self.last_time, self.last, self.end = other.last_time, other.last, None

    def distance(self, vector: DoubleArray) -> float:
        return min(float(np.linalg.norm(vector - anchor)) for anchor in self.anchors)


class Tracker:
    """The tracks of one part of a film, from samples in the order of time."""

    def __init__(self) -> None:
        self._open: list[_Track] = []
        self._done: list[_Track] = []
        self._started = False

    def sample(
        self,
        time: float,
        faces: Sequence[DetectedFace],
        between: Sequence[float],
        probe: Probe,
        begins: float | None = None,
        *,
        steady: bool = True,
    ) -> None:
        """The faces on the frame at `time`, in the same shot as the sample before.

        `between` has the times of the frames since then that can still be looked at, ascending. After a cut there are
        none, and the shot `begins` then, which may be before the first frame of it that is known. Where it is not
        `steady`, much of the picture changed since then, and somebody in the same place may well be somebody else.
        """
        opens = not self._started
        self._started = True
        self._open, left = self._lapsed(time)
        self._done += left
        pairs = self._going_on(faces, steady=steady)
        looks = _Looks(between, probe, steady=steady)
        for at, place in pairs.items():
            track = self._open[at]
            track.add(time, faces[place])
            track.seen += 1
            track.end = None
        for at, track in enumerate(self._open):
            if at not in pairs and track.end is None:
                track.end = looks.vanished(track, time)
        gone = [track for at, track in enumerate(self._open) if at not in pairs]
        for place, face in enumerate(faces):
            if place not in pairs.values():
                track = _Track(time, face.box, opens, [])
                track.add(time, face)
                if begins is not None:
                    track.start = begins
                elif not opens:
                    looks.appeared(track, time)
                    if (same := next((other for other in gone if _runs_into(other, track)), None)) is not None:
                        same.go_on_as(track)
                        gone.remove(same)
                        continue
                    _come_after(track, gone)
                self._open.append(track)

    def _going_on(self, faces: Sequence[DetectedFace], *, steady: bool) -> dict[int, int]:
        """Which face, by its place, each open track goes on with.

        Who was away does so only where whoever came meanwhile is here as well. Else nobody knows which of the two this
        is, and mostly they are one person, who moved; but tracks that overlap are two people for ever.
        """
        came = {
            at: [other for other, one in enumerate(self._open) if track.end is not None and one.start >= track.end]
            for at, track in enumerate(self._open)
        }
        every = range(len(faces))
        found = _assigned(self._open, faces, [at for at in came if not came[at]], every, steady=steady)
        while True:
            free = [place for place in every if place not in found.values()]
            back = [at for at in came if at not in found and all(other in found for other in came[at])]
            more = _assigned(self._open, faces, back, free, steady=steady)
            if not more:
                return found
            found |= more

    def cut(self, time: float) -> None:
        """Another shot begins at `time`."""
        for track in self._open:
            if track.end is None:
                track.end = time
        self._done += self._open
        self._open = []

    def pieces(self, end: float, *, last: bool) -> tuple[Piece, ...]:
        """All tracks. `end` is when the frame at the edge is shown, or when the film ends, where this is the `last`."""
        staying = {id(track) for track in self._open if track.end is None and not last}
        for track in self._open:
            if track.end is None:
                track.end = end
        found = [*self._done, *self._open]
        return tuple(_piece(track, id(track) in staying) for track in sorted(found, key=lambda one: one.start))

    def _lapsed(self, time: float) -> tuple[list[_Track], list[_Track]]:
        """The open tracks, and those that nobody waits for any more."""
        # Who was seen on the sample before is still there, as far as anybody knows, however long ago that was.
        stay = [track for track in self._open if track.end is None or time - track.last_time <= _PATIENCE]
        return stay, [track for track in self._open if track.end is not None and time - track.last_time > _PATIENCE]


class _Looks:
    """Looks at the frames between two samples."""

    def __init__(self, times: Sequence[float], probe: Probe, *, steady: bool) -> None:
        self._steady = steady
        self._times = times
        self._probe = probe
        self._left = _PROBES

    def vanished(self, track: _Track, now: float) -> float:
        """From when on the track, seen before the frames in between and not seen `now`, was not seen any more."""
        times = self._times
        low, high = -1, len(times)
        while high - low > 1 and self._left:
            middle = (low + high) // 2
            if self._found(track, middle) is not None:
                low = middle
            else:
                high = middle
        if self._left:
            return times[high] if high < len(times) else now
        return (track.last_time + now) / 2

    def appeared(self, track: _Track, now: float) -> None:
        """The same for the beginning of a track that is seen `now` first."""
        times = self._times
        low, high = -1, len(times)
        earliest = track.face
        while high - low > 1 and self._left:
            middle = (low + high) // 2
            found = self._found(track, middle, earliest.box)
            if found is None:
                low = middle
            else:
                high, earliest = middle, found
        track.start = times[high] if high < len(times) else now
        track.first = earliest.box

    def _found(self, track: _Track, at: int, box: Box | None = None) -> DetectedFace | None:
        self._left -= 1
        near = track.face.box if box is None else box
        costs = [(_cost(track, face, near, steady=self._steady), face) for face in self._probe(at, near)]
        good = [(cost, face) for cost, face in costs if cost is not None]
        if not good:
            return None
        face = min(good, key=lambda one: one[0])[1]
        track.seen += 1
        track.add(self._times[at], face)
        return face


def _runs_into(one: _Track, other: _Track) -> bool:
    """Whether a track that began, traced back over the frames in between, comes from where another was lost.

    Who moves fast is somewhere else a second later and may have turned; from frame to frame it is one face.
    """
    before, after = one.face.box, other.first
    if one.end is None or abs(other.start - one.last_time) > _BLINK or not _about(before, after, _RUNS):
        return False
    poor = min(one.sights[0].face.quality.score, other.sights[0].face.quality.score) < _MOVING
    limit = _UNLIKE if poor and _about(before, after) else LIKELY
    return min(other.distance(anchor) for anchor in one.anchors) <= limit


def _come_after(track: _Track, gone: Sequence[_Track]) -> None:
    """Who comes where somebody goes comes after them: on frames in between the same face was taken for both."""
    for other in gone:
        if other.end is not None and other.start < track.start < other.end and track.first.overlap(other.face.box) > 0:
            track.start = other.end
            track.sights = [sight for sight in track.sights if sight.time >= track.start] or track.sights


def _assigned(
    tracks: Sequence[_Track],
    faces: Sequence[DetectedFace],
    among: Collection[int],
    places: Collection[int],
    *,
    steady: bool,
) -> dict[int, int]:
    """Which of these faces, by place, each of those tracks goes on with: the surest pairs first."""
    pairs = [
        (cost, at, place)
        for at in among
        for place in places
        if (cost := _cost(tracks[at], faces[place], tracks[at].face.box, steady=steady)) is not None
    ]
    found: dict[int, int] = {}
    taken: set[int] = set()
    for _, at, place in sorted(pairs):
        if at not in found and place not in taken:
            found[at] = place
            taken.add(place)
    return found


def _cost(track: _Track, face: DetectedFace, near: Box, *, steady: bool) -> float | None:
    """How little speaks for it that a face is the track's, which was at `near`; None where it cannot be."""
    distance = track.distance(_unit(face))
    shared = near.overlap(face.box)
    limit = ALIKE
    # After a while without anybody, as between two fades, somebody else may stand there.
    if steady and track.end is None and _about(near, face.box):
        limit = LIKELY
        if min(face.quality.score, track.face.quality.score) < _BLURRED and shared > 0:
            limit = _UNLIKE
    return distance - _PLACE_COUNTS * shared if distance <= limit else None


def _about(one: Box, other: Box, near: float = _NEAR) -> bool:
    """Whether two boxes are in about the same place: `near` widths apart at most, and of about one size."""
    wide, narrow = max(one.width, other.width), max(1, min(one.width, other.width))
    across = (one.left + one.right - other.left - other.right) / 2
    down = (one.top + one.bottom - other.top - other.bottom) / 2
    return wide <= _SIZES * narrow and max(abs(across), abs(down)) <= near * wide


def _unit(face: DetectedFace) -> DoubleArray:
    vector = face.embedding.astype(np.float64)
    unit: DoubleArray = vector / max(1e-9, float(np.linalg.norm(vector)))
    return unit


def _piece(track: _Track, stays: bool) -> Piece:
    assert track.end is not None
    end = max(track.end, track.last_time + 1e-3)
    return Piece(track.start, end, track.first, track.face.box, track.opens, stays, track.seen, tuple(track.sights))
