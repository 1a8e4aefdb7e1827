"""How long what is left to read will take, and what is told of a long pass meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Callable

from guyverd.catalogue.store import Catalogue
from guyverd.media.kinds import VIDEO_EXTENSIONS
from guyverd.service.pipeline.filming import Filming
from guyverd.service.pipeline.looking import Looking
from guyverd.service.pipeline.meter import FilmMeter, Meter, amounts, class_bounds

log = logging.getLogger(__name__)

_VIDEOS = sorted(name.decode() for name in VIDEO_EXTENSIONS)
_REPORT = 60.0
"""Seconds between two lines in the log about a long pass."""
_ESTIMATE = 1.0
"""Seconds, at least, between two looks at what is left to read; they take a fiftieth of the time at most."""


class Estimating:
    """Learns from what was read. To be asked from any thread, and told by one."""

    def __init__(
        self, catalogue: Catalogue, looking: Looking, filming: Filming, workers: int, clock: Callable[[], float]
    ) -> None:
        self._catalogue = catalogue
        self._looking = looking
        self._filming = filming
        self._meter = Meter(workers)
        self._film_meter = FilmMeter()
        self._film_bytes = 0.0
        """Of the videos that are to be read, what was read of them not taken off."""
        self._clock = clock
        self._next_report = clock() + _REPORT
        self._next_estimate = 0.0
        self._left: tuple[float, float | None] = (0.0, 0.0)
        """When it was reckoned, and the seconds that were left then; None where nobody knew."""

    def rate(self) -> float:
        """Photos a second over the last minute."""
        return self._meter.rate()

    def eta(self) -> float | None:
        """Seconds until everything is read; None where nobody knows: files are still being found, or none was read."""
        at, left = self._left
        return None if left is None else max(0.0, left - (self._clock() - at))

    def learn(self, now: float, *, identifying: bool, surveying: bool, quiet: bool) -> None:
        """Learn from what was read how long the rest will take, and have a few of each size read early to know it.

        `identifying` tells that files are being identified, `surveying` that they are still being found, `quiet` that
        photos wait.
        """
        self._meter.learn(now, self._looking.take_costs())
        if parts := self._filming.take_costs():
            for size, seconds in parts:
                self._film_meter.learn(size, seconds)
            self._meter.also(now, sum(seconds for _, seconds in parts))
        if not (self._looking.busy or self._filming.busy or identifying):
            self._meter.pause()
            self._left = (now, None if quiet else 0.0)
            self._next_estimate = now
            return
        if now >= self._next_estimate:
            began = self._clock()
            waiting = self._catalogue.photos.waiting(_VIDEOS)
            self._next_estimate = now + max(_ESTIMATE, 50 * (self._clock() - began))
            self._meter.left(amounts(waiting.photos, waiting.files, waiting.new))
            self._film_bytes = waiting.videos[0] + waiting.new * waiting.videos[1]
            readable = {kind: found.photos for kind, found in amounts(waiting.photos, {}, 1.0).items()}
            for kind, count in self._meter.samples(readable).items():
                self._looking.sample(class_bounds(kind), count)
        films = self._film_meter.work(self._film_bytes - self._filming.bytes_done)
        self._left = (now, None if surveying or quiet else self._meter.eta(now, films))

    def report(self, now: float) -> None:
        """A line in the log, now and then, as long as photos are read."""
        if now < self._next_report:
            return
        self._next_report = now + _REPORT
        if self._looking.busy:
            left = self._catalogue.counts().pending_photos
            eta = self.eta()
            until = "" if eta is None else f", about {eta / 60:.0f} min left"
            log.info("%d photos read, %d to go, %.1f a second%s.", self._looking.tally.photos, left, self.rate(), until)
        elif self._filming.busy:
            films = self._catalogue.films.backlog()
            eta = self.eta()
            until = "" if eta is None else f", about {eta / 60:.0f} min left"
            log.info("%d videos read, %d to go%s.", self._looking.tally.videos, films, until)
