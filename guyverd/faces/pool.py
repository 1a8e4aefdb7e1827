"""Expendable processes for work that may crash, hang or eat all memory.

A job that kills its worker costs that job and nothing else. Workers are spawned, never forked (the daemon has
threads), bound by `limits`, replaced after a number of jobs, and die with the daemon whatever kills it.

While a pool has processes, pebble's threads wake ten times a second: close the pool when there is nothing to do. It
may be used again afterwards; the next job starts new processes.
"""
# ruff: noqa: S301  what is unpickled was pickled by this module, here or in its own worker

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, InvalidStateError
from typing import Any, Generic, TypeVar

from pebble import ProcessExpired, ProcessPool

from guyverd.errors import DeadlineExceeded, GuyverError, WorkerDied
from guyverd.faces import limits
from guyverd.faces.limits import cores

__all__ = ["DeadlineExceeded", "WorkerDied", "WorkerPool", "cores"]

Job = TypeVar("Job")
Result = TypeVar("Result")

_JOBS_PER_WORKER = 500
"""Then it is replaced: decoders leak, and a heap that held a large picture stays large."""
_LOOK = 0.5
"""Seconds between two looks at whether the pool is whole."""


class WorkerPool(Generic[Job, Result]):
    """Runs `task` on jobs in `count` processes.

    `task` and `initializer` are pickled once, here, and unpickled once per process, so what they load stays loaded.
    `initializer` runs in a process before its first job; what it raises becomes the result of that job, and it is
    tried again at the next. A job may take `deadline` seconds, a process `memory` bytes of address space; `gentle`
    processes let every other program go first. All methods may be called from any thread.
    """

    def __init__(
        self,
        task: Callable[[Job], Result],
        *,
        count: int,
        deadline: float,
        memory: float,
        gentle: bool,
        initializer: Callable[[], None] | None = None,
    ) -> None:
        self._recipe = pickle.dumps((task, initializer))
        self._count = count
        self._deadline = deadline
        self._limits = (os.getpid(), memory, gentle)
        self._lock = threading.Lock()
        self._crew: _Crew | None = None
        self._leaving: list[_Crew] = []

    def submit(self, job: Job) -> Future[Result]:
        """Have `job` done; processes start if none run.

        The future gives what `task` returned or raises what it raised; WorkerDied when its process crashed or was
        killed; DeadlineExceeded; or CancelledError after `stop_now`. Cancelling it, at any time, stops the work.
        """
        payload = pickle.dumps(job)
        future: Future[Result] = Future()
        with self._lock:
            if self._crew is None or not self._crew.whole:
                self._leaving = [crew for crew in [*self._leaving, self._crew] if crew and crew.is_alive()]
                self._crew = _Crew(self._count, self._deadline, (*self._limits, self._recipe))
            self._crew.take(payload, future)
        return future

    def close(self, wait: bool) -> None:
        """Let the processes go after the jobs already submitted; with `wait`, return when they are gone."""
        crews = self._dismiss()
        for crew in crews:
            crew.dismiss(at_once=False)
        if wait:
            for crew in crews:
                crew.join()

    def stop_now(self) -> None:
        """Kill the processes and cancel every job that is not done. Returns when they are gone."""
        crews = self._dismiss()
        for crew in crews:
            crew.dismiss(at_once=True)
        for crew in crews:
            crew.join()

    def _dismiss(self) -> list[_Crew]:
        with self._lock:
            self._leaving = [crew for crew in [*self._leaving, self._crew] if crew and crew.is_alive()]
            self._crew = None
            return list(self._leaving)


class _Crew(threading.Thread):
    """The processes between one start and one stop, and the thread that owns them.

    The kernel kills a worker when the *thread* that started it ends, so processes are started from here (and, later
    ones, from pebble's own thread), never from whichever thread submitted a job. The thread also notices when the
    pool breaks, and sees to it that no future is left without an answer.
    """

    def __init__(self, count: int, deadline: float, recipe: tuple[int, float, bool, bytes]) -> None:
        super().__init__(name="worker-pool", daemon=True)
        self._deadline = deadline
        self._pool: Any = ProcessPool(
            max_workers=count,
            max_tasks=_JOBS_PER_WORKER,
            initializer=_enter,
            initargs=recipe,
            context=multiprocessing.get_context("spawn"),
        )
        self._orders = threading.Event()
        self._at_once = threading.Event()
        self._started = threading.Event()
        self._lock = threading.Lock()
        self._waiting: dict[Future[Any], Future[bytes]] = {}
        self.whole = True
        self.start()
        self._started.wait()

    def take(self, payload: bytes, future: Future[Any]) -> None:
        """Hand one job to the processes; `future` gets its result."""
        try:
            inner: Any = self._pool.schedule(_work, args=(payload,), timeout=self._deadline)
        except RuntimeError as problem:
            self.whole = False
            _settle(future, error=WorkerDied(detail=f"no process could be started ({problem})"))
            return
        with self._lock:
            self._waiting[future] = inner
        future.add_done_callback(lambda outer: inner.cancel() if outer.cancelled() else None)
        inner.add_done_callback(lambda done: self._answer(future, done))

    def dismiss(self, *, at_once: bool) -> None:
        """Stop after the jobs that wait, or at once."""
        self.whole = False
        if at_once:
            self._at_once.set()
            # Ends the wait for jobs that still run; pebble joins the rest.
            self._pool.stop()
        self._orders.set()

    def run(self) -> None:
        """Start the processes, stay while they run, take them down, answer what is left."""
        limits.one_thread_each()
        try:
            usable = self._pool.active
        except Exception:
            usable = False
        self.whole = self.whole and usable
        self._started.set()
        while usable and not self._orders.wait(_LOOK):
            usable = self._pool.active
        broken = not self._orders.is_set()
        self.whole = False
        try:
            if broken or self._at_once.is_set():
                self._pool.stop()
            else:
                self._pool.close()
            self._pool.join()
        finally:
            self._answer_the_rest(broken)

    def _answer(self, future: Future[Any], done: Future[bytes]) -> None:
        with self._lock:
            self._waiting.pop(future, None)
        try:
            succeeded, value = pickle.loads(done.result())
        except CancelledError:
            future.cancel()
            _settle(future)
        except TimeoutError:
            _settle(future, error=DeadlineExceeded(seconds=f"{self._deadline:g}"))
        except ProcessExpired as problem:
            _settle(future, error=WorkerDied(detail=_cause(problem.exitcode)))
        except Exception as problem:
            _settle(future, error=WorkerDied(detail=f"{type(problem).__name__}: {problem}"))
        else:
            _settle(future, value) if succeeded else _settle(future, error=value)

    def _answer_the_rest(self, broken: bool) -> None:
        with self._lock:
            left, self._waiting = list(self._waiting), {}
        for future in left:
            if broken:
                _settle(future, error=WorkerDied(detail="the processes could not be kept running"))
            else:
                future.cancel()
                _settle(future)


def _settle(future: Future[Any], value: object = None, error: BaseException | None = None) -> None:
    """Give `future` its answer, unless it has one or was cancelled."""
    try:
        if future.done() or not future.set_running_or_notify_cancel():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(value)
    except (InvalidStateError, RuntimeError):
        return


def _cause(code: int | None) -> str:
    """What an exit code says."""
    if code is not None and code < 0:
        try:
            return f"killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"killed by signal {-code}"
    return f"exit code {code}"


# ---- in the worker process -------------------------------------------------------------------------------------------

_recipe: bytes = b""
_task: Callable[[Any], Any] | None = None


def _enter(parent: int, memory: float, gentle: bool, recipe: bytes) -> None:
    global _recipe  # noqa: PLW0603  a process is prepared once
    _recipe = recipe
    limits.restrain(parent, memory, gentle)


def _work(payload: bytes) -> bytes:
    """Do one job. Result or error go back pickled here, so that what cannot travel is one job's error."""
    try:
        return pickle.dumps((True, _ready()(pickle.loads(payload))))
    except GuyverError as problem:
        return pickle.dumps((False, problem))
    except MemoryError:
        return pickle.dumps((False, MemoryError("it takes more memory than a worker may use")))
    except BaseException as problem:
        return pickle.dumps((False, _portable(problem)))


def _ready() -> Callable[[Any], Any]:
    global _task  # noqa: PLW0603
    if _task is None:
        task, initializer = pickle.loads(_recipe)
        if initializer is not None:
            initializer()
        _task = task
    assert _task is not None
    return _task


def _portable(problem: BaseException) -> BaseException:
    """`problem`, if it survives the way to the parent, else its text. An exit is no answer but a death."""
    if not isinstance(problem, Exception):
        return WorkerDied(detail=f"{type(problem).__name__}: {problem}")
    try:
        pickle.loads(pickle.dumps(problem))
    except Exception:
        return RuntimeError(f"{type(problem).__name__}: {problem}")
    return problem
