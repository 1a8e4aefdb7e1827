"""Saved searches at work: in a thread of its own what entered the library is looked at, noted, and delivered.

The coordinator tells when people or photos changed, and goes on. What is noted in the catalogue is all that there is to
know: whenever this stops, it goes on from there.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from guyverd.catalogue.store import Catalogue
from guyverd.config import Config
from guyverd.errors import DeliveryStopped, GuyverError
from guyverd.followed import Follow, FollowId
from guyverd.people.following import to_deliver
from guyverd.service.metrics import Metrics
from guyverd.service.pipeline.clipping import Clipper
from guyverd.service.pipeline.following.delivering import Delivering, Ended
from guyverd.service.pipeline.following.judging import Judging

if TYPE_CHECKING:
    from guyverd.people.evidence import Measure
    from guyverd.people.index import FaceIndex

log = logging.getLogger(__name__)

_BACK_OFF = 10.0
"""Seconds after which what failed is tried again."""
_SLICE = 10.0
"""Seconds after which the next has its turn, where there is much to deliver."""
_ASIDE = 600.0
"""Seconds after which single files are, that could not be made though their folder is in order."""


class Following:
    """Keeps the folders of all saved searches filled. Any thread may call its methods."""

    def __init__(
        self,
        config: Config,
        catalogue: Catalogue,
        index: Callable[[], FaceIndex],
        measure: Callable[[], Measure],
        *,
        wake: Callable[[], None] = lambda: None,
        metrics: Metrics | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`wake` is called when all that was known is done."""
        self._config = config
        self._catalogue = catalogue
        self._wake = wake
        self._metrics = metrics or Metrics()
        self._clock = clock
        self.judging = Judging(catalogue, index, measure)
        self._clipper = Clipper(config.workers, gentle=config.workers.speed == "gentle")
        self._delivering = Delivering(catalogue, self.sacred, self._clipper, lambda: not self._stopping.is_set())
        self.troubles: dict[FollowId, DeliveryStopped] = {}
        """Why nothing can be put into the folder of a saved search at present; it is tried again by itself."""
        self._told: dict[FollowId, str] = {}
        self._mended: dict[FollowId, tuple[int, int]] = {}
        """The files there were when its links were looked at last."""
        self._guard = threading.Condition()
        self._running = threading.Lock()
        """Held by whoever looks and delivers."""
        self._asked = self._done = self._batches = 0
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._aside_until = 0.0
        self._failed = False

    # ---- from other threads ------------------------------------------------------------------------------------------

    def start(self) -> None:
        """From now on look whenever something is noticed."""
        self._thread = threading.Thread(target=self._run, name="following", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish or put back the file in hand and leave."""
        self._stopping.set()
        with self._guard:
            self._guard.notify_all()
        self._clipper.close()
        if self._thread is not None:
            self._thread.join()

    def notice(self) -> None:
        """People or photos changed, or saved searches did."""
        with self._guard:
            self._asked += 1
            self._guard.notify_all()

    def grouped(self, batches: int) -> None:
        """So many batches of faces were grouped since the start; faces that found nobody may be theirs all the same."""
        if batches != self._batches:
            self._batches = batches
            self.notice()

    @property
    def started(self) -> bool:
        """Whether a thread looks by itself."""
        return self._thread is not None

    @property
    def busy(self) -> bool:
        """Whether something was noticed that is not looked at, or delivered as far as that can be done now."""
        return self._thread is not None and self._done < self._asked and not self._stopping.is_set()

    def sacred(self) -> list[bytes]:
        """The folders into which nothing is ever put: those with photos, the people folder, guyverd's own."""
        return [os.fsencode(path) for path in (*self._config.photos, self._config.people, self._config.state)]

    def notices(self) -> list[str]:
        """What a person should know."""
        found = []
        if troubles := dict(self.troubles):
            names = {one.id: one.name for one in self._catalogue.follows.all()}
            for number in troubles.keys() & names.keys():
                problem = troubles[number]
                found.append(f"The saved search {names[number]!r} waits: {problem.message} {problem.advice}".strip())
        if aside := list(self._delivering.aside.values()):
            some = "1 file" if len(aside) == 1 else f"{len(aside):,} files"
            found.append(f"{some} of saved searches could not be delivered, which is tried again: {aside[0]}")
        return found

    # ---- the work ----------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Look for every saved search and deliver what is found, as far as that can be done now."""
        while self._round():
            pass

    def _round(self) -> bool:
        """Do so for some seconds each; tells whether more can be done."""
        more = False
        with self._running:
            if self._clock() >= self._aside_until:
                self._delivering.aside.clear()
                self._aside_until = self._clock() + _ASIDE
            follows = self._catalogue.follows.all()
            for gone in {*self.troubles, *self._told} - {one.id for one in follows}:
                self.troubles.pop(gone, None)
                self._told.pop(gone, None)
            for follow in follows:
                try:
                    self._look(follow)
                    more |= self._deliver(follow)
                except Ended:
                    continue
            if not more:
                self._clipper.close()
        return more

    def _look(self, follow: Follow) -> None:
        """Note all that is found for it."""
        while True:
            if self._stopping.is_set():
                raise Ended
            found = self.judging.look(follow)
            known = self._catalogue.follows.noted(follow.id, {one.hash for one in found.shown})
            wanted = to_deliver(found.shown, known, clips=follow.clips)
            if found.shown or (found.compared, found.through) != (follow.compared, follow.through):
                faces = [one.face for one in found.shown]
                if not self._catalogue.follows.want(
                    follow.id, wanted, faces, compared=found.compared, through=found.through
                ):
                    raise Ended
            self.judging.noted(follow, found)
            if found.whole:
                return
            follow = self._catalogue.follows.get(follow.id)

    def _deliver(self, follow: Follow) -> bool:
        """Deliver what waits for it for some seconds; tells whether there is more."""
        until = self._clock() + _SLICE
        try:
            made, more = self._delivering.deliver(follow, lambda: self._clock() < until)
            there = self._catalogue.follows.files_there()
            if self._mended.get(follow.id) != there:
                self._delivering.mend(follow)
                self._mended[follow.id] = there
        except DeliveryStopped as problem:
            if self._told.get(follow.id) != problem.message:
                log.warning("%s %s", problem.message, problem.advice)
                self._told[follow.id] = problem.message
            self.troubles[follow.id] = problem
            return False
        self.troubles.pop(follow.id, None)
        self._told.pop(follow.id, None)
        if made:
            self._metrics.count("deliveries", made)
            log.info("Saved search %d: files delivered: %d.", follow.id, made)
        return more

    # ---- the thread --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping.is_set():
            with self._guard:
                self._guard.wait_for(lambda: self._asked > self._done or self._stopping.is_set(), self._patience())
                asked = self._asked
            if self._stopping.is_set():
                return
            self._failed, more = True, False
            try:
                more = self._round()
                self._failed = False
            except GuyverError as problem:
                log.error("Saved searches wait: %s %s", problem.message, problem.advice)
            except Exception:
                log.exception("An unexpected error with saved searches; it is tried again in %.0f s.", _BACK_OFF)
            if more:
                # Whoever waits behind somebody who gets much has their turn, and what came meanwhile is looked at.
                self.notice()
                continue
            with self._guard:
                before, self._done = self._done, asked
            if before < asked:
                self._wake()

    def _patience(self) -> float | None:
        """Seconds until something is tried again that failed; None where nothing did."""
        return _BACK_OFF if self._failed or self._delivering.aside or self.troubles else None
