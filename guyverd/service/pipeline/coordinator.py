"""The thread that owns the library: it takes each stage a step at a time and sleeps when there is nothing to do.

Everything it works through is durable in the catalogue first; its queue holds only hints. So it can be stopped, or
killed, between any two steps, and what was lost is found again by the next survey.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from guyverd.catalogue.rows import PendingFile
from guyverd.catalogue.store import Catalogue
from guyverd.config import Config
from guyverd.errors import ControlError, GuyverError, PeopleFolderPaused
from guyverd.model import PhotoKind
from guyverd.service.metrics import Metrics
from guyverd.service.pipeline.clocks import Clocks
from guyverd.service.pipeline.estimating import Estimating
from guyverd.service.pipeline.filming import Filming
from guyverd.service.pipeline.following.following import Following
from guyverd.service.pipeline.forgetting import Forgetting
from guyverd.service.pipeline.grouping import Grouping
from guyverd.service.pipeline.hours import next_change, pace
from guyverd.service.pipeline.identifying import Identifying
from guyverd.service.pipeline.keeping.publishing import Publishing
from guyverd.service.pipeline.looking import Looking
from guyverd.service.pipeline.metering import measure
from guyverd.service.pipeline.observing import Observing
from guyverd.service.pipeline.reading import Reader
from guyverd.service.pipeline.renewing import Renewing
from guyverd.service.pipeline.safekeeping.nightly import Nightly
from guyverd.service.pipeline.verdicts import Tally
from guyverd.service.pipeline.watcher import Watcher
from guyverd.watch.debounce import Debouncer
from guyverd.watch.events import EventKind, PathEvent
from guyverd.watch.scanner import Rules

log = logging.getLogger(__name__)
T = TypeVar("T")

_PATIENCE = 30.0
"""Seconds that publishing waits for moved files to be identified, so that links are moved and not lost meanwhile."""
_BACK_OFF = 10.0
"""Seconds after which a failed step is tried again."""
_MOST_FAULTS = 5
"""Unexpected errors in a row after which the daemon gives up and leaves it to its supervisor."""

Message = PathEvent | tuple[Callable[[], Any], "Future[Any]"] | None


def time_of_day() -> float:
    """Seconds since midnight by the clock on the wall here."""
    now = time.localtime()
    return 3600.0 * now.tm_hour + 60.0 * now.tm_min + now.tm_sec


class Coordinator:
    """One library at work. Make it, `start` it, `stop` it; or call `publish` and the like without starting it."""

    def __init__(
        self,
        config: Config,
        *,
        clock: Callable[[], float] = time.monotonic,
        day: Callable[[], float] = time_of_day,
    ) -> None:
        self.config = config
        self.clock = clock
        self._day = day
        self.catalogue = Catalogue(os.fsencode(config.state / "catalogue.db"))
        self.metrics = Metrics()
        """What is counted and timed, since the start."""
        self.reader = Reader(config.workers, config.faces, clock, metrics=self.metrics, begun=self.wake)
        self.observing = Observing(config, self.catalogue, self._unsettled, time.time)
        self._clocks = Clocks(self.catalogue, config.watch.removal_grace)
        lost = self.observing.displaced
        self.identifying = Identifying(self.catalogue, self.wake, self._unsettled_file, self.metrics, lost)
        self.grouping = Grouping(config, self.catalogue, self.metrics)
        self.renewing = Renewing(self.catalogue, self.reader, self.grouping)
        self.looking = Looking(
            self.catalogue, self.reader, self.wake, clock, self.renewing.kept, metrics=self.metrics, lost=lost
        )
        self.filming = Filming(
            self.catalogue,
            self.reader,
            self.wake,
            config.videos,
            self.looking.verdicts,
            kept=self.renewing.kept,
            metrics=self.metrics,
        )
        self.publishing = Publishing(config, self.catalogue, self.metrics)
        self.following = Following(
            config,
            self.catalogue,
            lambda: self.grouping.index,
            self.grouping.measuring.now,
            wake=self.wake,
            metrics=self.metrics,
        )
        self.backups = Nightly(config, clock)
        self._people = os.fsencode(config.people)
        self.estimating = Estimating(self.catalogue, self.looking, self.filming, self.reader.width, clock)
        self.quiet_until = ""
        """The time of the day until which no photo is read; empty where they are."""
        self.trouble: GuyverError | None = None
        """Why work is paused, such as a full disk; it is tried again by itself."""
        self.fault: BaseException | None = None
        """What made the thread give up."""
        self.ready = threading.Event()
        """Set when the first comparison with the disk is durable."""
        self.ended = threading.Event()
        self.phase = "idle"
        self.forgetting = Forgetting(
            self.catalogue,
            config.watch.removal_limit,
            long_ago=self._clocks.long_ago,
            drop=self.grouping.drop,
            again=self._unsettled,
            there=self.observing.there,
            kept=self.renewing.kept,
        )
        self._inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._debouncer = Debouncer(config.watch.quiet, config.watch.ceiling)
        self.watcher = Watcher(self._notice, Rules(config.watch.ignore).pass_over)
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._dirty_since: float | None = clock()
        self._next_inspection = self._next_try = self._next_publish = 0.0
        self._next_rescan = clock() + config.watch.rescan
        self._faults = 0
        """Unexpected errors in a row."""
        self._housekept = False
        self._at_rest = False
        self._ungrouped = False
        self._before_pass = Tally()
        self._found_before_pass = 0
        self._heeds_quiet = False
        self._surveyed = 0.0
        """Seconds that the comparison under way has taken."""
        measure(self)

    # ---- from other threads ------------------------------------------------------------------------------------------

    def start(self, *, watch: bool) -> None:
        """Begin to work in a thread of its own; with `watch`, follow what happens on disk, and heed quiet hours.

        What is done without watching, somebody asked for, and waits for it.
        """
        self._heeds_quiet = watch
        if watch:
            self.watcher.start()
            self.renewing.look()
            self.grouping.open_early(self.wake)
            self.backups.start()
        self.following.start()
        self._thread = threading.Thread(target=self._run, name="coordinator", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish or roll back the step in hand and leave; everything closes. May be called without `start`."""
        self._stopping.set()
        self.wake()
        self.watcher.stop()
        # Workers first: a photo may take minutes, and whatever they have in hand stays pending.
        self.reader.stop()
        self.publishing.furnishing.stop()
        self.backups.give_up()
        self.grouping.give_up_opening()
        if self._thread is not None:
            self._thread.join()
        self.following.stop()
        self.backups.stop()
        self.identifying.stop()
        try:
            self.grouping.save(now=True)
        finally:
            self.catalogue.close()

    def wake(self) -> None:
        """Have the coordinator look what there is to do."""
        self._inbox.put(None)

    def call(self, job: Callable[[], T]) -> T:
        """Run `job` on the coordinator's thread between two steps and wait; inline where it was not started."""
        if self._thread is None or threading.current_thread() is self._thread:
            return job()
        if self.ended.is_set():
            raise ControlError(detail="it is stopping")
        done: Future[T] = Future()
        self._inbox.put((job, done))
        return done.result(timeout=600)

    def decide(self, job: Callable[[], T], *, of_new_faces: bool = False, dry: bool = False) -> T:
        """Record somebody's word about people, with the folders up to date when this returns.

        It happens between two steps, so that it never meets a grouping that knows nothing of it. A word that is
        `of_new_faces` brings some that are to be grouped; an undo may take faces away, and bring them back.
        What is `dry` changes nothing, and nothing is published.
        """

        def decided() -> T:
            if dry:
                return job()
            # What was done in the people folder came before, as whoever did it sees it.
            self._dirty_if(self._heed())
            before = self.catalogue.boxes.taken_away()
            result = job()
            self._dirty_if(True)
            try:
                after = self.catalogue.boxes.taken_away()
                self.grouping.drop(sorted(after - before))
                if of_new_faces or before - after:
                    self._group()
                self._publish()
            except GuyverError as problem:
                # The word is durable, and nobody may be told otherwise; what follows from it is tried again by itself.
                self.grouping.doubt()
                self._pause(problem)
            return result

        return self.call(decided)

    def publish_now(self) -> None:
        """Make the folders what they should be; on this thread only, between two steps."""
        self._dirty_if(True)
        self._publish()

    def rescan(self, before: Callable[[], object] = lambda: None) -> None:
        """Compare every root with the disk, from now on; what is done `before` belongs to the same pass."""

        def job() -> None:
            before()
            self.publishing.heeding.touch(b"", self.clock())
            self._before_pass = self.looking.tally
            self._found_before_pass = self.observing.found
            self._at_rest = False
            self._inspect()
            self.observing.survey_all()

        self.call(job)
        self.wake()

    @property
    def waiting(self) -> tuple[int, int]:
        """How many messages wait to be taken, and how many paths have not come to rest."""
        return self._inbox.qsize(), len(self._debouncer)

    @property
    def idle(self) -> bool:
        """Whether everything that was noticed is done."""
        return self._at_rest and not self.following.busy

    def pass_so_far(self) -> Tally:
        """What was read since the last request for a scan."""
        return self.looking.tally - self._before_pass

    def files_in_pass(self) -> int:
        """Pictures seen on disk since the last request for a scan."""
        return self.observing.found - self._found_before_pass

    # ---- the thread --------------------------------------------------------------------------------------------------

    def _notice(self, event: PathEvent) -> None:
        # Called by the observer, which must never wait.
        self.metrics.count("events")
        if event.root == self._people or self.observing.concerns(event.root, event.path):
            self._at_rest = False
            self._inbox.put(event)

    def _unsettled(self, root: bytes, path: bytes) -> None:
        if root == self._people:
            self.publishing.heeding.touch(os.path.dirname(path), self.clock())
            return
        self._debouncer.add(PathEvent(EventKind.TOUCHED, root, path), self.clock())

    def _unsettled_file(self, file: PendingFile) -> None:
        self._unsettled(file.root, file.relative)

    def _run(self) -> None:
        try:
            while self.fault is None and not self._stopping.is_set():
                self.step(self._patience())
        finally:
            self.ended.set()
            self.ready.set()
            self._refuse_waiting()

    def step(self, patience: float | None) -> None:
        """Take what comes within `patience` seconds, or whenever it comes; then one turn. Errors pause the work."""
        try:
            self._take(patience)
            if not self._stopping.is_set() and self.clock() >= self._next_try:
                self._turn()
                self._faults = 0
        except GuyverError as problem:
            self._pause(problem)
        except Exception as problem:
            self._faults += 1
            log.exception("An unexpected error; the step is tried again in %.0f s.", _BACK_OFF)
            if self._faults >= _MOST_FAULTS:
                self.fault = problem
            else:
                self._pause(ControlError(detail=f"{type(problem).__name__}: {problem}"))

    def _pause(self, problem: GuyverError) -> None:
        if self.trouble is None or self.trouble.message != problem.message:
            log.error("%s %s", problem.message, problem.advice)
            self.metrics.count("pauses")
        self.trouble = problem
        now = self.clock()
        self._next_try = now + _BACK_OFF
        # What the step had in hand may be lost; the disk still tells.
        self._next_rescan = min(self._next_rescan, self._next_try)

    def _take(self, patience: float | None) -> None:
        """Wait for a message, then take all there are."""
        try:
            # A time limit of nought means: only what is there already.
            message = self._inbox.get(block=patience != 0.0, timeout=patience or None)
            # One moment for all, so that the two halves of a move come to rest together.
            now = self.clock()
            while True:
                self._handle(message, now)
                message = self._inbox.get_nowait()
        except queue.Empty:
            return

    def _handle(self, message: Message, now: float) -> None:
        if isinstance(message, PathEvent) and message.root == self._people:
            self.publishing.heeding.notice(message, now)
        elif isinstance(message, PathEvent):
            self._debouncer.add(message, now)
            if not message.path and not self.watcher.unbroken(message.root):
                self._next_inspection = now
        elif message is not None:
            job, done = message
            try:
                done.set_result(job())
            except BaseException as problem:
                done.set_exception(problem)

    def _refuse_waiting(self) -> None:
        while not self._inbox.empty():
            message = self._inbox.get()
            if isinstance(message, tuple):
                message[1].set_exception(ControlError(detail="it is stopping"))

    def _patience(self) -> float | None:
        """Seconds until there is something to do without being told."""
        now = self.clock()
        if now < self._next_try:
            return self._next_try - now
        if self.observing.surveying:
            return 0.0
        moments = [self._next_inspection, self._next_rescan]
        if (settles := self._debouncer.deadline()) is not None:
            moments.append(settles)
        if self.publishing.furnishing.busy and self._dirty_since is None:
            moments.append(now)
        if self._dirty_since is not None:
            moments.append(max(self._next_publish, self._dirty_since + _PATIENCE if self._is_moving() else now))
        if (reading := self._next_reading()) is not None:
            moments.append(reading)
        if (rest := self.reader.rest()) is not None:
            moments.append(now + rest)
        if (unsaved := self.grouping.save_due()) is not None:
            moments.append(now + unsaved)
        if (again := self.looking.retry()) is not None:
            moments.append(now + again)
        if (change := self._pace_changes()) is not None:
            moments.append(now + change)
        if (backup := self.backups.deadline()) is not None:
            moments.append(backup)
        return max(0.0, min(moments) - now)

    def _pace_changes(self) -> float | None:
        """Seconds until hours begin or end, at most a minute: the clock on the wall may be set, or its zone change."""
        day = self._day()
        change = next_change(self.config.workers, int(day // 60))
        return None if change is None else min(60.0, 60.0 * change - day % 60)

    def _turn(self) -> None:
        """One step of every stage that has something to do."""
        now = self.clock()
        self._clocks.look()
        # Nothing that is not found is taken for gone before it is sure that its disk is there.
        if now >= self._next_inspection or self.observing.displaced():
            self._inspect()
        if now >= self._next_rescan:
            self.observing.survey_all()
            self._next_rescan = now + self.config.watch.rescan
            self._housekept = False
            self.publishing.heeding.touch(b"", now)
            self.publishing.all_anew()
            self._dirty_if(True)
        if due := self._debouncer.due(now):
            self._dirty_if(self.observing.settled(due))
        self._heed_when_due(now)
        self._dirty_if(self._survey())
        self._dirty_if(self.identifying.advance())
        self._keep_pace()
        self._read()
        if gone := self.looking.take_gone():
            self.grouping.drop(gone)
            self._dirty_if(True)
        busy = self.identifying.busy
        self.estimating.learn(now, identifying=busy, surveying=self.observing.surveying, quiet=bool(self.quiet_until))
        self.estimating.report(now)
        self.trouble = None
        if not self.observing.surveying:
            self.ready.set()
        self._group()
        self.following.grouped(self.grouping.batches)
        self._dirty_if(self.publishing.heeding.advance())
        self._publish_when_due()
        self._cover_when_idle()
        self.grouping.save()
        if self._is_idle():
            self._settle_down()
        # Between two steps of a turn nothing may seem to be left, so others are told only now.
        self.phase = self._phase()
        self._at_rest = self._is_idle()
        self.backups.advance(idle=self._at_rest)

    def _read(self) -> None:
        """Keep the workers busy: with photos, and with videos where there are none."""
        quiet, due = bool(self.quiet_until), self.looking.verdicts.hindrance.due
        self.looking.advance(quiet=quiet)
        self.filming.advance(quiet=quiet, plenty=self.looking.plenty, due=due and not self.looking.busy)

    def _survey(self) -> bool:
        """One step of a comparison. Tells whether files changed."""
        if not self.observing.surveying:
            return False
        began, found, done = time.perf_counter(), self.observing.found, self.observing.done
        try:
            return self.observing.advance()
        finally:
            self._surveyed += time.perf_counter() - began
            self.metrics.count("surveyed_files", self.observing.found - found)
            if self.observing.done > done:
                self.metrics.took("survey", self._surveyed)
                self._surveyed = 0.0

    def _keep_pace(self) -> None:
        now = pace(self.config.workers, int(self._day() // 60))
        self.reader.set_gentle(now.gentle)
        self.identifying.set_gentle(now.gentle)
        quiet_until = now.quiet_until if self._heeds_quiet else ""
        if bool(quiet_until) != bool(self.quiet_until):
            if quiet_until:
                log.info("Quiet hours: no photo is read until %s.", quiet_until)
            else:
                log.info("Quiet hours are over.")
        self.quiet_until = quiet_until

    def _inspect(self) -> None:
        now = self.clock()
        self._next_inspection = now + self.config.watch.poll
        for found in self.observing.inspect_roots(self.watcher.unbroken):
            path = found.root.path
            if found.went:
                self.watcher.unwatch(path)
            elif found.came:
                self.watcher.watch(path)
                self.observing.survey(found.root)
            else:
                # What events do not tell of.
                for folder in self.watcher.renew(path):
                    self.observing.survey(found.root, folder)
            self._dirty_if(found.came or found.went)
        self._watch_people_folder()

    def _watch_people_folder(self) -> None:
        """Follow what somebody does there, once it is there; where nothing tells of it, it is read now and then."""
        if not self.watcher.started or not self.publishing.prepared:
            return
        if self.watcher.at(self._people) is None:
            self.watcher.watch(self._people, everything=True)
        elif not self.watcher.renew(self._people):
            return
        # What happened before the watch stood.
        self.publishing.heeding.touch(b"", self.clock())

    def _heed(self) -> bool:
        """Read what somebody did in the people folder. Tells whether anything came of it."""
        if not self.publishing.heeding.pending:
            return False
        heard = self.publishing.heed()
        self._next_publish = 0.0 if self.publishing.problem is None else self.clock() + _BACK_OFF
        return heard

    def _heed_when_due(self, now: float) -> None:
        due = self._next_reading()
        if due is not None and now >= due:
            self._dirty_if(self._heed())

    def _next_reading(self) -> float | None:
        """When to read what somebody did in the people folder; None where nothing was touched."""
        due = self.publishing.heeding.deadline()
        if due is None or isinstance(self.publishing.problem, PeopleFolderPaused):
            # Whoever brings back what was missing goes on with other things right after that.
            return due
        return max(due, self._next_publish)

    def _group(self) -> None:
        self._ungrouped = False
        photos = self.catalogue.photos
        first_unread = photos.first_unread(PhotoKind.PHOTO)
        if first_unread is None and (self.observing.surveying or self.identifying.busy):
            first_unread = photos.next_id()
        # Videos come after all photos, however long they take: nobody waits for a film to see photos sorted.
        kinds = [(PhotoKind.PHOTO, first_unread)]
        if first_unread is None:
            kinds.append((PhotoKind.VIDEO, photos.first_unread(PhotoKind.VIDEO)))
        for kind, first in kinds:
            while self.grouping.advance(first_unread=first, kind=kind):
                self._dirty_if(True)
                if not self._inbox.empty():
                    self._ungrouped = True
                    self.wake()
                    return
        self._ungrouped = self.grouping.waits

    def _dirty_if(self, changed: bool) -> None:
        if changed:
            self._housekept = False
            if self._dirty_since is None:
                self._dirty_since = self.clock()

    def _publish_when_due(self) -> None:
        now = self.clock()
        if self._dirty_since is None or now < self._next_publish:
            return
        if not self._is_moving() or now - self._dirty_since > _PATIENCE:
            self._publish()

    def _is_moving(self) -> bool:
        """Whether publishing waits: files may be on the move, or somebody is at work in the people folder."""
        moving = self.observing.surveying or self.identifying.busy or bool(len(self._debouncer))
        return moving or self.publishing.heeding.deadline() is not None

    def _cover_when_idle(self) -> None:
        if self._dirty_since is None and self._inbox.empty():
            self.publishing.cover()

    def _publish(self) -> None:
        self.following.notice()
        with self.metrics.timing("publish"):
            published = self.publishing.publish()
        if published:
            self._dirty_since = None
            self._next_publish = 0.0
            # What somebody did there was read: photos that were put there are taken up at once.
            self._dirty_if(self.identifying.advance())
            if self.watcher.at(self._people) is None:
                self._watch_people_folder()
        else:
            self._next_publish = self.clock() + _BACK_OFF

    def _is_idle(self) -> bool:
        return not (
            self.observing.surveying
            or self.identifying.busy
            or self.looking.busy
            or self.filming.busy
            or len(self._debouncer)
            or self._ungrouped
            or (self._dirty_since is not None and self.publishing.problem is None)
            or (self.publishing.heeding.deadline() is not None and self.publishing.problem is None)
            or self.publishing.furnishing.busy
            or self.following.busy
            or not self.ready.is_set()
        )

    def _phase(self) -> str:
        if self.observing.surveying or self.identifying.busy or len(self._debouncer):
            return "scanning"
        if self.looking.busy:
            return "reading"
        if self.filming.busy:
            return "filming"
        return "idle" if self._is_idle() else "publishing"

    def _settle_down(self) -> None:
        """Nothing is left to do: forget what has been missing long enough."""
        if self._housekept:
            return
        self._housekept = True
        if self.forgetting.settle():
            self._dirty_if(True)
            self._housekept = True
