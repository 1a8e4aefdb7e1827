"""What a worker does with one part of a film: frames by time, the faces on some of them, and their tracks.

A frame is looked at every so often, on both sides of a cut, and sooner where much changes. Frames in between are kept,
packed, until the next is looked at: where somebody came or went meanwhile, some of them are looked at as well, near
that face alone.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from guyverd.errors import PictureError, PictureMissing, PictureUnreadable, VideoUnreadable
from guyverd.faces.tracking import Tracker
from guyverd.faces.tracks import LENGTH, VideoPart
from guyverd.media.cuts import Shots, changed, difference, unchanged
from guyverd.media.video import Film, Moment, opened_film
from guyverd.model import Box, DetectedFace

if TYPE_CHECKING:
    from guyverd.faces.find import FaceFinder, Sighting
    from guyverd.model import Pixels
    from guyverd.service.pipeline.jobs import PartWanted

_KEPT = 128_000_000
"""Bytes of frames that are kept in between; of larger or more frames every other is let go."""
_SOONEST = 0.3
"""Of the time between two looks: the least between two where much changes."""
_WORTH = 0.4
"""Of the time between two looks: how long ago the last must be for the last frame of a shot to be worth one."""
_EXTRA, _MOST_EXTRA = 0.5, 4.0
"""Such looks that may be made for each of the others, and how many may be made one after the other: where all of it
changes all the time, as in a film out of a moving car, nothing is won by ever more of them."""
_UNPACKED = 6
"""Unpacked frames that are kept while faces are looked for on them again."""
_NEXT = 1.6
"""Of the time from one frame to the next: where less lies between two frames, there is none in between."""
_CUTS = 40
"""Cuts in a part that are looked for among all frames, where only some are decoded."""
_LAST = 0.25
"""Seconds at the end of a film in which no frame may be decoded, as nothing depends on them."""
_SHORT, _SHORT_SOUND = 1.0, 3.0
"""Seconds by which a film may be shorter than announced, as times are rounded, and where sound may go on for longer."""
_BEAT = 5.0
"""Seconds of film after which the pool hears that it goes on."""


def view(wanted: PartWanted, finder: FaceFinder, beat: Callable[[], None]) -> VideoPart:
    """Look at one part. `beat` is called now and then.

    Raises PictureMissing when none of the paths exists, ContentChanged when the file is another, VideoUnreadable when
    it cannot be read, is no film or goes on for too long, MemoryError, EngineError.
    """
    problem: PictureError | None = None
    for path in wanted.paths:
        try:
            with ExitStack() as open_:
                film = open_.enter_context(opened_film(path, wanted.size))
                return _View(film, path, wanted, finder, beat=beat, open_=open_).part()
        except PictureMissing:
            continue
        except PictureError as error:
            problem = error
            # Another copy may have the right bytes, or lie on a disk that gives them.
            if isinstance(error, PictureUnreadable):
                break
    raise problem or PictureMissing(path=os.fsdecode(wanted.paths[0]))


class _View:
    def __init__(
        self,
        film: Film,
        path: bytes,
        wanted: PartWanted,
        finder: FaceFinder,
        *,
        beat: Callable[[], None],
        open_: ExitStack,
    ) -> None:
        self._film = film
        self._wanted = wanted
        self._finder = finder
        self._beat = beat
        self._tracker = Tracker()
        self._path = path
        self._open = open_
        self._again: Film | None = None
        self._cuts_left = _CUTS
        self._faces: tuple[DetectedFace, ...] = ()
        self._extra = _MOST_EXTRA
        self._between: list[Moment] = []
        self._each = 1
        self._passed = 0
        self._ends = 0.0

    def part(self) -> VideoPart:
        film, videos, number = self._film, self._wanted.videos, self._wanted.number
        facts, duration = film.facts, film.facts.duration
        start, end = number * LENGTH, (number + 1) * LENGTH
        if max(start, duration or 0.0) > videos.longest:
            detail = f"it goes on for more than {videos.longest / 3600:g} hours (videos.longest)"
            raise VideoUnreadable(path=os.fsdecode(self._path), detail=detail)
        edge = self._through(start, end)
        last = edge is None
        until = self._ends if edge is None else edge
        if last and duration is not None and until < duration < until + _LAST:
            # The very last frames were not decoded.
            until = duration
        cut_off = film.broken if last else None
        slack = _SHORT if facts.sure else _SHORT_SOUND
        if last and cut_off is None and duration is not None and until < min(duration - slack, 0.99 * duration):
            cut_off = f"it is cut off after {until:.0f} of {duration:.0f} seconds"
        pieces = self._tracker.pieces(until, last=last)
        told = facts.width, facts.height, facts.format, facts.taken_at, duration
        return VideoPart(number, start, until, last, *told, cut_off, pieces)

    def _through(self, start: float, end: float) -> float | None:
        """Look at all that lies between; the time of the first frame from `end` on, None where there is none."""
        rate = self._wanted.videos.rate
        shots = Shots()
        before = looked = thumb_looked = None
        due = beat = start
        for moment in self._film.frames(start):
            thumb = moment.thumb()
            over = moment.time >= end
            if shots.begins(thumb) and before is not None:
                if looked is not None and before.time - looked.time >= _WORTH / rate:
                    self._look(before)
                begins = self._cut_between(before, moment)
                self._tracker.cut(begins)
                self._clear()
                self._look(moment, begins)
                looked, thumb_looked = moment, thumb
            elif looked is None or thumb_looked is None or over or moment.time >= due:
                if thumb_looked is not None and unchanged(thumb_looked, thumb):
                    self._see_again(moment)
                else:
                    self._look(moment, steady=thumb_looked is None or not changed(thumb_looked, thumb))
                    thumb_looked = thumb
                looked = moment
                self._extra = min(_MOST_EXTRA, self._extra + _EXTRA)
            elif self._extra >= 1 and moment.time - looked.time >= _SOONEST / rate and changed(thumb_looked, thumb):
                self._look(moment, steady=False)
                looked, thumb_looked = moment, thumb
                self._extra -= 1
            else:
                self._keep(moment)
            if over:
                return moment.time
            if looked is moment:
                due = (math.floor(moment.time * rate + 1e-6) + 1) / rate
            before = moment
            self._ends = moment.time + (moment.lasts or 1 / self._film.facts.rate)
            if moment.time - beat >= _BEAT:
                beat = moment.time
                self._beat()
        if before is not None and looked is not None and before.time - looked.time >= _WORTH / rate:
            # Whoever left in the last moments.
            self._look(before)
        return None

    def _cut_between(self, before: Moment, moment: Moment) -> float:
        """When the shot begins that `moment` is the first known frame of."""
        known = moment.key and not self._film.alone
        if known or moment.time - before.time < _NEXT / self._film.facts.rate or not self._cuts_left:
            # Encoders begin anew with a shot, if they see it.
            return moment.time
        self._cuts_left -= 1
        if self._again is None:
            # The same file once more, for all its frames: this one must stay where it is.
            self._again = self._open.enter_context(opened_film(self._path, self._wanted.size))
        old, new = before.thumb(), moment.thumb()
        for one in self._again.frames(before.time, every=True):
            if one.time >= moment.time:
                break
            thumb = one.thumb()
            if one.time > before.time and difference(thumb, new) < difference(thumb, old):
                return one.time
        return moment.time

    def _look(self, moment: Moment, begins: float | None = None, *, steady: bool = True) -> None:
        """Find the faces of a frame, with which a shot begins, at that time, where it is told."""
        between = [one for one in self._between if one.time < moment.time]
        self._clear()
        self._faces = self._described(self._finder.look(*self._film.picture(moment, self._finder.decoded)))
        unpacked: dict[int, tuple[Pixels, float]] = {}

        def probe(at: int, box: Box) -> Sequence[DetectedFace]:
            if at not in unpacked:
                while len(unpacked) >= _UNPACKED:
                    del unpacked[next(iter(unpacked))]
                unpacked[at] = self._film.picture(between[at], self._finder.decoded)
            return self._described(self._finder.look_near(*unpacked[at], box))

        times = [one.time for one in between]
        self._tracker.sample(moment.time, self._faces, times, probe, begins, steady=steady)

    def _see_again(self, moment: Moment) -> None:
        """Take the faces of the frame before: nothing changed since."""
        self._clear()
        self._tracker.sample(moment.time, self._faces, (), lambda _at, _box: ())

    def _described(self, sighting: Sighting) -> tuple[DetectedFace, ...]:
        return self._finder.describe([sighting])[0]

    def _clear(self) -> None:
        self._between, self._each, self._passed = [], 1, 0

    def _keep(self, moment: Moment) -> None:
        """Keep a frame until the next one is looked at: all of them, or every so many where they are large."""
        self._passed += 1
        if self._passed % self._each == 0:
            self._between.append(moment)
        if len(self._between) * moment.held > _KEPT:
            self._between = self._between[1::2]
            self._each *= 2
