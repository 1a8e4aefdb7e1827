"""The worker pool with real processes that really die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import Any

import pytest

from guyverd.errors import DeadlineExceeded, EngineError, PictureUnreadable, WorkerDied, WorkerNotStarted
from guyverd.faces.pool import WorkerPool
from tests.faces import jobs

MEMORY = 2e9
SOON = 60.0


def make(
    count: int = 1,
    deadline: float = 30.0,
    initializer: Callable[[], None] | None = jobs.note_start,
    gentle: bool = True,
    growth: float = 256e6,
) -> WorkerPool[str, Any]:
    return WorkerPool(
        jobs.work,
        count=count,
        deadline=deadline,
        memory=MEMORY,
        gentle=gentle,
        growth=growth,
        initializer=initializer,
    )


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool[str, Any]]:
    pool = make()
    yield pool
    pool.stop_now()


def ask(pool: WorkerPool[str, Any], job: str) -> Any:
    return pool.submit(job).result(SOON)


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


@pytest.mark.parametrize("program", ["/nonexistent/python", "/bin/false"])
def test_where_no_process_can_be_started_no_job_is_to_blame(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", program)
    pool = make()
    try:
        with pytest.raises(WorkerNotStarted):
            ask(pool, "facts")
        monkeypatch.undo()
        assert ask(pool, "facts")["pid"] != os.getpid(), "and the next one is done when they can be started again"
    finally:
        pool.stop_now()


def test_a_worker_is_restrained(pool: WorkerPool[str, Any]) -> None:
    facts = ask(pool, "facts")
    assert facts["pid"] != os.getpid()
    assert facts["nice"] >= 10
    assert facts["memory"] == (MEMORY, MEMORY)
    assert facts["core"] == (0, 0)
    assert facts["sigint"] is True
    assert facts["threads"] == os.environ.get("OMP_NUM_THREADS", "1")
    assert facts["native threads"] == 1
    assert facts["stderr"] == os.devnull
    assert facts["oom"] >= 500, "where memory runs out, the daemon stays"
    assert facts["disk"] in (None, (2 << 13) | 7), "best effort, last"


def test_gentleness_is_a_choice() -> None:
    pool = make(gentle=False)
    try:
        assert ask(pool, "facts")["nice"] == os.nice(0)
    finally:
        pool.stop_now()


def test_a_process_is_prepared_once_and_kept(pool: WorkerPool[str, Any]) -> None:
    first, second = ask(pool, "facts"), ask(pool, "facts")
    assert first["pid"] == second["pid"]
    assert second["starts"] == [second["pid"]]


@pytest.mark.parametrize(
    ("job", "detail"),
    [("abort", "SIGABRT"), ("segfault", "SIGSEGV"), ("killed", "SIGKILL"), ("exit", "SystemExit: 3")],
)
def test_a_death_costs_one_job(pool: WorkerPool[str, Any], job: str, detail: str) -> None:
    with pytest.raises(WorkerDied, match=detail):
        ask(pool, job)
    assert ask(pool, "facts")["memory"] == (MEMORY, MEMORY)


@pytest.mark.parametrize(
    ("job", "error", "text"),
    [
        ("raise", PictureUnreadable, "a.jpg could not be read as a picture: it is broken"),
        ("value error", ValueError, "seven"),
        ("huge", MemoryError, "more memory"),
        ("unpicklable", RuntimeError, "cannot travel"),
        ("misleading", RuntimeError, "cannot"),
        ("unpicklable result", Exception, "local object"),
        ("no such job", KeyError, "no such job"),
    ],
)
def test_what_a_task_raises_arrives_and_the_process_lives(
    pool: WorkerPool[str, Any], job: str, error: type[Exception], text: str
) -> None:
    before = ask(pool, "facts")["pid"]
    with pytest.raises(error, match=text):
        ask(pool, job)
    assert ask(pool, "facts")["pid"] == before


@pytest.mark.parametrize("job", ["loop", "c loop"])
def test_a_job_without_end_is_stopped(job: str) -> None:
    pool = make(deadline=1.0)
    try:
        ask(pool, "facts")
        begun = time.monotonic()
        with pytest.raises(DeadlineExceeded, match="longer than 1 seconds"):
            ask(pool, job)
        assert time.monotonic() - begun < 3
        assert ask(pool, "facts")
    finally:
        pool.stop_now()


def test_each_part_of_a_job_has_the_whole_deadline() -> None:
    pool = make(deadline=1.5)
    try:
        pid = ask(pool, "parts")
        begun = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            ask(pool, "long part")
        assert time.monotonic() - begun < 4
        assert wait_until(lambda: not alive(pid))
    finally:
        pool.stop_now()


def test_a_worker_that_has_grown_is_replaced_and_no_job_is_lost_or_repeated() -> None:
    pool = make(count=2, growth=100e6)
    try:
        pids = [future.result(SOON) for future in [pool.submit("grow") for _ in range(30)]]
    finally:
        pool.close(wait=True)
    # After the first job two more pieces of 40 MB may stay, the third is too many.
    lives = [pids.count(pid) for pid in set(pids)]
    assert sum(lives) == 30
    assert set(lives) <= {1, 2, 3, 4}
    assert lives.count(4) >= 6
    assert not any(alive(pid) for pid in pids)


def test_what_a_worker_needed_for_a_moment_is_given_back_and_it_stays() -> None:
    pool = make(growth=100e6)
    try:
        assert len({ask(pool, "swell") for _ in range(4)}) == 1
    finally:
        pool.stop_now()


def test_the_priority_changes_between_two_jobs() -> None:
    pool = make(gentle=False)
    try:
        first = ask(pool, "facts")
        under_way = [pool.submit("nap"), pool.submit("nap")]
        time.sleep(0.1)
        pool.set_gentle(True)
        assert [future.result(SOON) == first["pid"] for future in under_way] == [True, False]
        gentle = ask(pool, "facts")
        assert gentle["nice"] == first["nice"] + 10
        pool.set_gentle(False)
        assert ask(pool, "facts")["nice"] == first["nice"]
        assert not alive(gentle["pid"])
    finally:
        pool.stop_now()


def test_what_is_urgent_goes_first() -> None:
    pool = make()
    answered: list[str] = []
    try:
        ask(pool, "facts")
        for name in ("first", "second", "urgent"):
            future = pool.submit("nap", urgent=name == "urgent")
            future.add_done_callback(lambda _, name=name: answered.append(name))  # type: ignore[misc]
            time.sleep(0.05)
        pool.close(wait=True)
        assert answered == ["first", "urgent", "second"]
    finally:
        pool.stop_now()


def test_only_as_many_processes_start_as_there_are_jobs_for() -> None:
    pool = make(count=8)
    try:
        assert len({ask(pool, "nap") for _ in range(3)}) < 4
    finally:
        pool.stop_now()


def test_many_jobs_around_every_kind_of_death() -> None:
    pool = make(count=2, deadline=2.0)
    order = ["facts"] * 10
    for death in ("abort", "loop", "huge", "segfault", "killed", "raise"):
        order += [death, *["facts"] * 10]
    try:
        futures = [(job, pool.submit(job)) for job in order]
        for job, future in futures:
            error = future.exception(SOON)
            assert (error is None) == (job == "facts"), (job, error)
    finally:
        pool.stop_now()


def test_an_initializer_that_fails_is_the_answer_of_every_job() -> None:
    pool = make(initializer=jobs.fail_to_start)
    try:
        for _ in range(2):
            with pytest.raises(EngineError, match="no weights here"):
                ask(pool, "facts")
    finally:
        pool.stop_now()


def test_a_worker_killed_at_rest_costs_no_job() -> None:
    pool = make()
    try:
        for _ in range(5):
            pid = ask(pool, "facts")["pid"]
            os.kill(pid, signal.SIGKILL)
            assert ask(pool, "facts")["pid"] != pid
    finally:
        pool.stop_now()


def test_the_thread_that_submitted_first_may_end() -> None:
    # The kernel ties a child's life to the thread that started it.
    pool = make()
    try:
        answers: list[dict[str, Any]] = []
        thread = threading.Thread(target=lambda: answers.append(ask(pool, "facts")))
        thread.start()
        thread.join()
        time.sleep(0.3)
        assert ask(pool, "facts")["pid"] == answers[0]["pid"]
    finally:
        pool.stop_now()


def test_close_finishes_what_was_submitted_and_a_later_job_starts_anew() -> None:
    pool = make(count=2)
    futures = [pool.submit("nap") for _ in range(6)]
    pool.close(wait=True)
    pids = {future.result(0) for future in futures}
    assert not any(alive(pid) for pid in pids)
    try:
        assert ask(pool, "nap") not in pids
    finally:
        pool.close(wait=False)
        pool.stop_now()


def test_close_returns_at_once_when_not_told_to_wait() -> None:
    pool = make()
    pid = ask(pool, "facts")["pid"]
    begun = time.monotonic()
    pool.close(wait=False)
    assert time.monotonic() - begun < 0.5
    assert wait_until(lambda: not alive(pid))


def test_stop_now_leaves_no_process_and_no_question_open() -> None:
    pool = make(count=2)
    pids = {ask(pool, "nap") for _ in range(4)}
    futures = [pool.submit("loop") for _ in range(3000)]
    time.sleep(0.5)
    begun = time.monotonic()
    pool.stop_now()
    assert time.monotonic() - begun < 5
    assert not any(alive(pid) for pid in pids)
    for future in futures:
        assert future.done()
        with pytest.raises((CancelledError, WorkerDied)):
            future.result(0)


def test_a_cancelled_job_is_stopped() -> None:
    pool = make()
    try:
        ask(pool, "facts")
        future = pool.submit("loop")
        time.sleep(0.5)
        assert future.cancel()
        assert ask(pool, "facts")
        with pytest.raises(CancelledError):
            future.result(0)
    finally:
        pool.stop_now()


def test_a_pool_without_jobs_has_no_processes() -> None:
    before = threading.active_count()
    pool = make()
    assert threading.active_count() == before
    pool.close(wait=True)
    pool.stop_now()


_DAEMON = """
    import sys, time
    from guyverd.faces.pool import WorkerPool
    from tests.faces import jobs

    if __name__ == "__main__":
        pool = WorkerPool(jobs.work, count=3, deadline=600, memory=2e9, gentle=True)
        pids = set()
        while len(pids) < 3:
            pids |= {future.result() for future in [pool.submit("nap") for _ in range(3)]}
        pool.submit("loop"), pool.submit("c loop")
        time.sleep(0.5)
        print(*pids, flush=True)
        if sys.argv[1] == "wait":
            time.sleep(600)
"""


@pytest.mark.parametrize("end", ["kill", "exit"])
def test_workers_die_with_the_daemon(tmp_path: Path, end: str) -> None:
    script = tmp_path / "daemon.py"
    script.write_text(textwrap.dedent(_DAEMON), encoding="utf-8")
    root = Path(__file__).parents[2]
    daemon = subprocess.Popen(
        [sys.executable, script, "wait" if end == "kill" else "leave"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    try:
        assert daemon.stdout is not None
        pids = [int(pid) for pid in daemon.stdout.readline().split()]
        assert len(pids) == 3
        if end == "kill":
            assert all(alive(pid) for pid in pids)
            daemon.kill()
        daemon.wait(20)
        # A busy one, one stuck in C code that holds the interpreter's lock, and one at rest.
        assert wait_until(lambda: not any(alive(pid) for pid in pids))
    finally:
        daemon.kill()
        daemon.wait()
        daemon.stdout.close() if daemon.stdout else None


def test_errors_survive_the_socket() -> None:
    for error in (WorkerDied(detail="killed by SIGSEGV"), DeadlineExceeded(seconds="2.5")):
        again = type(error).from_wire(error.to_wire())
        assert type(again) is type(error)
        assert str(again) == str(error)


def test_futures_are_of_the_standard_kind(pool: WorkerPool[str, Any]) -> None:
    called = threading.Event()
    future = pool.submit("facts")
    future.add_done_callback(lambda _: called.set())
    assert isinstance(future, Future)
    assert called.wait(SOON)
