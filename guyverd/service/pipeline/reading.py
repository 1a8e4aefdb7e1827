"""The pool of workers that read, and that rests when there is nothing to do."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from functools import partial

from guyverd import config
from guyverd.errors import ControlError, DeadlineExceeded, WorkerDied
from guyverd.faces import limits
from guyverd.faces.pool import WorkerPool
from guyverd.model import PhotoReading
from guyverd.service.metrics import Metrics
from guyverd.service.pipeline.jobs import PartJob, PartRead, PartWanted, Read, ReadJob, Wanted
from guyverd.service.pipeline.working import do, engine_name, prepare, prepare_soon, read_photos

log = logging.getLogger(__name__)


def _of_part(answer: list[Read] | PartRead) -> PartRead:
    """The answer, if it is one; a worker whose memory is damaged may give any."""
    if not isinstance(answer, PartRead):
        raise WorkerDied(detail="it gave an answer to another question")
    return answer


def _complete(answers: list[Read] | PartRead, count: int) -> list[Read]:
    """The answers, if there is one for each photo; a worker whose memory is damaged may give any."""
    if isinstance(answers, PartRead):
        raise WorkerDied(detail="it gave an answer to another question")
    if len(answers) != count:
        raise WorkerDied(detail=f"it gave {len(answers)} answers for {count} photos")
    return answers


_Pool = WorkerPool[ReadJob | PartJob, list[Read] | PartRead]


class Reader:
    """Workers on demand: processes start with the first job and end when there was none for a while.

    Safe to use from several threads.
    """

    def __init__(
        self,
        workers: config.Workers,
        faces: config.Faces,
        clock: Callable[[], float] = time.monotonic,
        task: Callable[[ReadJob], list[Read]] = read_photos,
        initializer: Callable[[config.Faces], None] | None = prepare,
        *,
        namer: Callable[[config.Faces], str] = engine_name,
        metrics: Metrics | None = None,
        begun: Callable[[], object] = lambda: None,
    ) -> None:
        """Start nothing yet. `task`, `initializer` and `namer` are what processes do; all must be found by name.

        `begun` is called when workers begin, from any thread: whoever has them `rest` must know of it.
        """
        self.width = workers.count or limits.workers()
        """How many photos can be read at once."""
        self._metrics = metrics or Metrics()
        self._workers = workers
        self._faces = faces
        self._clock = clock
        self._begun = begun
        self._task = task
        self._namer = namer
        self._asked: WorkerPool[config.Faces, str] | None = None
        self._initializer = None if initializer is None else partial(initializer, faces)
        self._hasty = partial(prepare_soon, faces) if initializer is prepare else self._initializer
        self._guard = threading.Lock()
        self._pool: _Pool | None = None
        self._questions: _Pool | None = None
        """One worker more, for somebody who waits while all others have something in hand or rest."""
        self._gentle = workers.speed == "gentle"
        self._stopped = False
        self._under_way = 0
        self._last_used = clock()

    @property
    def awake(self) -> bool:
        """Whether worker processes exist."""
        return self._pool is not None or self._questions is not None

    @property
    def gentle(self) -> bool:
        """Whether every other program goes first."""
        return self._gentle

    def set_gentle(self, gentle: bool) -> None:
        """Choose that anew; each process is replaced before its next photos, and what it has in hand is not lost."""
        with self._guard:
            if gentle != self._gentle:
                self._gentle = gentle
                if self._pool is not None:
                    self._pool.set_gentle(gentle)

    def submit(self, photos: Sequence[Wanted], *, urgent: bool = False) -> list[Future[Read]]:
        """Have photos read by one worker, one after the other; what is `urgent` goes before what waits.

        Each photo's future gives what became of it, or raises WorkerDied or DeadlineExceeded where the photo, read by
        itself, killed its worker or took too long. Where several were read together nobody can tell which it was: they
        are read again, each by itself. All futures are cancelled by `stop`.
        """
        futures: list[Future[Read]] = [Future() for _ in photos]
        self._hand_out(tuple(photos), futures, urgent=urgent)
        return futures

    def submit_part(self, wanted: PartWanted, *, urgent: bool = False) -> Future[PartRead]:
        """Have a part of a film read by one worker; what is `urgent` goes before what waits.

        The future gives what became of it, or raises WorkerDied or DeadlineExceeded; `stop` cancels it.
        """
        future: Future[PartRead] = Future()
        job = self._submit(PartJob(wanted, self._faces), urgent=urgent)
        if job is None:
            future.cancel()
        else:
            job.add_done_callback(lambda done: self._answer_part(future, done))
        return future

    def read(self, path: bytes) -> PhotoReading:
        """Read one picture now and wait for it. Raises what hindered it."""
        return self.one(Wanted((path,))).reading

    def one(self, picture: Wanted) -> Read:
        """The same, with what read it. It waits for nothing that was handed out before, but other such pictures."""
        return self.submit([picture], urgent=True)[0].result()

    def engine(self) -> str:
        """What would read photos now, by name; asked of a process of its own, which ends at once.

        Raises EngineError where the models are not there, or why no process can be started.
        """
        with self._guard:
            if self._stopped:
                raise ControlError(detail="it is stopping")
            if self._asked is None:
                self._asked = WorkerPool(
                    self._namer,
                    count=1,
                    deadline=self._workers.deadline,
                    memory=self._workers.memory,
                    gentle=self._gentle,
                )
            pool = self._asked
            asked = pool.submit(self._faces)
        try:
            return asked.result()
        except CancelledError:
            raise ControlError(detail="it is stopping") from None
        finally:
            pool.close(wait=False)

    def _hand_out(self, photos: tuple[Wanted, ...], futures: list[Future[Read]], *, urgent: bool) -> None:
        job = self._submit(ReadJob(photos, self._faces), urgent=urgent)
        if job is None:
            for future in futures:
                future.cancel()
        else:
            job.add_done_callback(lambda done: self._answer(photos, futures, done))

    def _submit(self, job: ReadJob | PartJob, *, urgent: bool) -> Future[list[Read] | PartRead] | None:
        """Hand a job to the workers, who begin if they rest; None where nothing is read any more."""
        with self._guard:
            if self._stopped:
                return None
            pool = self._pool_for(urgent and isinstance(job, ReadJob))
            self._under_way += 1
            return pool.submit(job, urgent=urgent)

    def _pool_for(self, somebody_waits: bool) -> _Pool:
        # A worker that is there and has nothing to do is ready sooner than one that must begin.
        if somebody_waits and (self._questions or self._pool is None or self._under_way >= self.width):
            if self._questions is None:
                self._questions = self._made(1, self._hasty, gentle=False)
            return self._questions
        if self._pool is None:
            self._pool = self._made(self.width, self._initializer, gentle=self._gentle)
        return self._pool

    def _made(self, count: int, initializer: Callable[[], None] | None, *, gentle: bool) -> _Pool:
        self._begun()
        return WorkerPool(
            partial(do, self._task),
            count=count,
            deadline=self._workers.deadline,
            memory=self._workers.memory,
            gentle=gentle,
            initializer=initializer,
        )

    def _answer_part(self, future: Future[PartRead], job: Future[list[Read] | PartRead]) -> None:
        try:
            answer = _of_part(job.result())
        except CancelledError:
            future.cancel()
        except Exception as problem:
            if isinstance(problem, WorkerDied | DeadlineExceeded):
                self._metrics.count("workers_died" if isinstance(problem, WorkerDied) else "workers_overdue")
            future.set_exception(problem)
        else:
            future.set_result(answer)
        finally:
            self._done_one()

    def _done_one(self) -> None:
        with self._guard:
            self._under_way -= 1
            self._last_used = self._clock()

    def _answer(
        self, photos: tuple[Wanted, ...], futures: list[Future[Read]], job: Future[list[Read] | PartRead]
    ) -> None:
        try:
            answers = _complete(job.result(), len(photos))
        except CancelledError:
            for future in futures:
                future.cancel()
        except (WorkerDied, DeadlineExceeded) as problem:
            self._metrics.count("workers_died" if isinstance(problem, WorkerDied) else "workers_overdue")
            if len(photos) > 1:
                log.debug("%s The %d photos it had are read again, each by itself.", problem.message, len(photos))
                for photo, future in zip(photos, futures, strict=True):
                    self._hand_out((photo,), [future], urgent=False)
            else:
                futures[0].set_exception(problem)
        except Exception as problem:
            for future in futures:
                future.set_exception(problem)
        else:
            for future, answer in zip(futures, answers, strict=True):
                future.set_result(answer)
        finally:
            # Last: what was handed out again must not seem to be nothing.
            self._done_one()

    def rest(self) -> float | None:
        """End the workers if they were idle long enough; else how many seconds until then, None when there are none."""
        with self._guard:
            pools = self._pools()
            if not pools:
                return None
            left = self._last_used + self._workers.idle - self._clock()
            if self._under_way or left > 0:
                return max(left, 1.0)
            self._pool = self._questions = None
        for pool in pools:
            pool.close(wait=True)
        return None

    def stop(self) -> None:
        """End the workers now; what they had in hand is cancelled and will be read again another time."""
        with self._guard:
            self._stopped = True
            pools = self._pools()
            self._pool = self._questions = None
            asked = self._asked
        if asked is not None:
            asked.stop_now()
        for pool in pools:
            pool.stop_now()

    def _pools(self) -> list[_Pool]:
        return [pool for pool in (self._pool, self._questions) if pool is not None]
