"""Expendable processes for work that may crash, hang or eat all memory.

A job that kills its worker costs that job and nothing else. Workers are new programs, never forks (the daemon has
threads), bound by `limits`, replaced when they have grown, and die with the daemon whatever kills it. What goes on
inside of them stands in `worker`.

Each worker has a thread here that owns it: it starts the process (`process`), hands it one job at a time, and notices
at once when it dies. So it is always known whose job died with it, and a process is let go or replaced only between two
jobs. A pool at rest wakes nobody.
"""

from __future__ import annotations

import os
import pickle
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from guyverd.errors import WorkerNotStarted
from guyverd.faces.process import Process
from guyverd.faces.worker import Terms

Job = TypeVar("Job")
Result = TypeVar("Result")

_GROWTH = 256_000_000
"""Bytes a worker may hold between two jobs beyond what it held after its first. Photos of up to 100 MP, of all sizes in
turn, leave it 100 to 150 MB larger, once and for all: what grows beyond that leaks."""
_DIE = 6.0
"""Seconds within which workers that were killed are gone, unless they hang in the kernel."""
_STARTS = 3
"""How many processes are tried for a job, where they die before it begins: killed at rest, or while they start."""


class WorkerPool(Generic[Job, Result]):
    """Runs `task` on jobs in up to `count` processes.

    `task` and `initializer` are pickled once, here, and unpickled once per process, so what they load stays loaded.
    `initializer` runs in a process before its first job; what it raises becomes the result of that job, and it is
    tried again at the next. A job, or each part of it where the task tells of them (`worker.another_part`), may take
    `deadline` seconds, a process `memory` bytes of address space; `gentle` processes let every other program go
    first. All methods may be called from any thread.
    """

    def __init__(
        self,
        task: Callable[[Job], Result],
        *,
        count: int,
        deadline: float,
        memory: float,
        gentle: bool,
        growth: float = _GROWTH,
        initializer: Callable[[], None] | None = None,
    ) -> None:
        """Start nothing yet. A worker that has grown by `growth` bytes is replaced after its job."""
        self._recipe = pickle.dumps((task, initializer))
        self._count = count
        self._deadline = deadline
        self._memory = int(memory)
        self._growth = int(growth)
        self._gentle = gentle
        self._lock = threading.Lock()
        self._crew: _Crew | None = None
        self._leaving: list[_Crew] = []

    def submit(self, job: Job, *, urgent: bool = False) -> Future[Result]:
        """Have `job` done; processes start if none is free. What is `urgent` goes before what waits.

        The future gives what `task` returned or raises what it raised; WorkerDied when its process crashed or was
        killed; WorkerNotStarted when there was none to begin it; DeadlineExceeded; or CancelledError after `stop_now`.
        Cancelling it, at any time, stops the work.
        """
        order = _Order(pickle.dumps(job))
        with self._lock:
            if self._crew is None:
                self._crew = _Crew(self._count, self._deadline, self._terms())
            crew = self._crew
            crew.take(order, urgent=urgent)
        order.future.add_done_callback(lambda done: crew.drop(order) if done.cancelled() else None)
        return order.future

    def set_gentle(self, gentle: bool) -> None:
        """Choose the priority anew: each process is replaced before its next job, and no job is lost."""
        with self._lock:
            self._gentle = gentle
            if self._crew is not None:
                self._crew.terms = self._terms()

    def _terms(self) -> Terms:
        return Terms(os.getpid(), self._memory, self._growth, self._gentle, self._recipe)

    def close(self, wait: bool) -> None:
        """Let the processes go after the jobs already submitted; with `wait`, return when they are gone."""
        crews = self._dismiss()
        for crew in crews:
            crew.dismiss(at_once=False)
        if wait:
            for crew in crews:
                crew.join()

    def stop_now(self) -> None:
        """Kill the processes and cancel every job that is not done.

        Returns when they are gone, or after some seconds where the kernel cannot end one, as at a disk that is dead.
        """
        crews = self._dismiss()
        for crew in crews:
            crew.dismiss(at_once=True)
        for crew in crews:
            crew.join(_DIE)

    def _dismiss(self) -> list[_Crew]:
        with self._lock:
            self._leaving = [crew for crew in [*self._leaving, self._crew] if crew and crew.at_work()]
            self._crew = None
            return list(self._leaving)


@dataclass(eq=False, slots=True)
class _Order:
    """One job on its way."""

    payload: bytes
    future: Future[Any] = field(default_factory=Future)
    process: Process | None = None
    """Where it is being done."""


class _Crew:
    """The workers between one start and one stop, and the orders that wait for them."""

    def __init__(self, count: int, deadline: float, terms: Terms) -> None:
        self.terms = terms
        self.deadline = deadline
        self._count = count
        self._changed = threading.Condition()
        self._orders: deque[_Order] = deque()
        self._members: set[_Member] = set()
        self._free = 0
        self._closing = False
        self._at_once = False

    def take(self, order: _Order, *, urgent: bool) -> None:
        """Put an order down, with one more worker if none is free for it."""
        with self._changed:
            if urgent:
                self._orders.appendleft(order)
            else:
                self._orders.append(order)
            if len(self._orders) > self._free and len(self._members) < self._count:
                member = _Member(self)
                try:
                    member.start()
                    self._members.add(member)
                except RuntimeError as problem:
                    if not self._members:
                        self._orders.remove(order)
                        _settle(order.future, error=WorkerNotStarted(detail=f"no thread ({problem})"))
            self._changed.notify()

    def next(self) -> _Order | None:
        """Wait for an order; None when there will be none any more."""
        with self._changed:
            self._free += 1
            while not self._orders and not self._closing:
                self._changed.wait()
            self._free -= 1
            return self._orders.popleft() if self._orders else None

    def hand_over(self, order: _Order, process: Process) -> bool:
        """Note that `process` will do this; false where nobody wants it done any more."""
        with self._changed:
            if self._at_once or order.future.done():
                return False
            order.process = process
            return True

    def take_back(self, order: _Order) -> None:
        """Note that no process does it now."""
        with self._changed:
            order.process = None

    def drop(self, order: _Order) -> None:
        """Somebody cancelled it: it is not begun, or what does it dies."""
        with self._changed:
            if order in self._orders:
                self._orders.remove(order)
            if order.process is not None:
                order.process.kill()

    def dismiss(self, *, at_once: bool) -> None:
        """Let the workers go when no order waits any more, or now."""
        left: list[_Order] = []
        with self._changed:
            self._closing = True
            if at_once:
                self._at_once = True
                left = list(self._orders)
                self._orders.clear()
                for member in self._members:
                    member.kill()
            self._changed.notify_all()
        # Outside of the lock: whoever waits for these may do anything now.
        for order in left:
            order.future.cancel()
            _settle(order.future)

    @property
    def stopped(self) -> bool:
        """Whether nothing is to be begun any more."""
        return self._at_once

    def at_work(self) -> bool:
        """Whether there are workers left."""
        with self._changed:
            return bool(self._members)

    def left(self, member: _Member) -> None:
        """A worker's thread is about to end."""
        with self._changed:
            self._members.discard(member)

    def join(self, patience: float | None = None) -> None:
        """Wait until every worker is gone, at most `patience` seconds."""
        until = None if patience is None else time.monotonic() + patience
        with self._changed:
            members = list(self._members)
        for member in members:
            member.join(None if until is None else max(0.0, until - time.monotonic()))


class _Member(threading.Thread):
    """The thread that owns one worker.

    The kernel kills a worker when the *thread* that started it ends, so this one stays as long as its process.
    """

    def __init__(self, crew: _Crew) -> None:
        super().__init__(name="worker", daemon=True)
        self._crew = crew
        self._process: Process | None = None

    def run(self) -> None:
        """Carry out orders until there are none any more."""
        try:
            while (order := self._crew.next()) is not None:
                self._carry_out(order)
        finally:
            self._let_go()
            self._crew.left(self)

    def kill(self) -> None:
        """End the process, whatever it does."""
        if (process := self._process) is not None:
            process.kill()

    def _carry_out(self, order: _Order) -> None:
        cause = ""
        for _ in range(_STARTS):
            if self._crew.stopped or order.future.done():
                break
            try:
                process = self._ready()
            except OSError as problem:
                cause = f"no process could be started ({problem.strerror or problem})"
                continue
            if not self._crew.hand_over(order, process):
                break
            try:
                outcome = process.do(order.payload, self._crew.deadline)
            finally:
                self._crew.take_back(order)
            if outcome.begun and not (outcome.cause and self._crew.stopped):
                _settle(order.future, outcome.value, outcome.error)
            if not outcome.stays:
                self._let_go()
            if outcome.begun:
                break
            cause = outcome.cause
        if self._crew.stopped:
            order.future.cancel()
        # Nobody saw the job: it is not to blame.
        _settle(order.future, error=WorkerNotStarted(detail=cause))

    def _ready(self) -> Process:
        """A living process with the priority that is wanted now."""
        terms = self._crew.terms
        if self._process is not None and not (self._process.alive and self._process.terms is terms):
            self._let_go()
        if self._process is None:
            self._process = Process(terms)
        return self._process

    def _let_go(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.end()


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
