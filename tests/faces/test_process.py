"""What a worker may do to the process that owns it: leave children, talk nonsense, refuse to die, stand still."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from guyverd.errors import DeadlineExceeded, WorkerDied
from guyverd.faces import process
from guyverd.faces.pool import WorkerPool
from guyverd.faces.process import Patience, Process
from tests.faces import jobs
from tests.faces.test_pool import MEMORY, SOON, alive, ask, make, wait_until

pytestmark = pytest.mark.promise("decoder")


@pytest.fixture
def children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[int]]:
    told = tmp_path / "children"
    told.touch()
    monkeypatch.setenv(jobs.CHILDREN, str(told))
    return lambda: [int(line) for line in told.read_text().split()]


@pytest.fixture
def pool() -> Iterator[WorkerPool[str, object]]:
    pool = make(deadline=2.0)
    yield pool
    pool.stop_now()


@pytest.mark.parametrize(
    ("job", "error", "text"),
    [
        ("child and crash", WorkerDied, "crashed .SIGSEGV"),
        ("child and exit", WorkerDied, "exit code 7"),
        ("child and hang", DeadlineExceeded, "longer than 2 seconds"),
    ],
)
def test_what_a_worker_started_dies_with_it(
    pool: WorkerPool[str, object], children: Callable[[], list[int]], job: str, error: type[Exception], text: str
) -> None:
    """The child holds the worker's end of the socket open, so that the worker's death does not close it."""
    ask(pool, "facts")
    with pytest.raises(error, match=text):
        pool.submit(job).result(20)
    (left,) = children()
    assert wait_until(lambda: not alive(left))
    assert ask(pool, "facts")


def test_a_child_left_by_a_job_that_went_well_goes_with_its_worker(
    pool: WorkerPool[str, object], children: Callable[[], list[int]]
) -> None:
    left = ask(pool, "child")
    assert children() == [left]
    assert alive(left)
    pool.stop_now()
    assert wait_until(lambda: not alive(left))


@pytest.mark.parametrize(
    ("job", "error", "text"),
    [
        ("endless answer", WorkerDied, "an answer of 1099511627776 bytes"),
        ("no answer", WorkerDied, "an answer of 0 bytes"),
        ("nonsense", WorkerDied, "Unpickl"),
        ("half an answer", DeadlineExceeded, "2 seconds"),
        ("deaf", DeadlineExceeded, "2 seconds"),
    ],
)
def test_nonsense_costs_the_job_and_no_more(
    pool: WorkerPool[str, object], job: str, error: type[Exception], text: str
) -> None:
    before = ask(pool, "facts")["pid"]
    with pytest.raises(error, match=text):
        pool.submit(job).result(20)
    assert wait_until(lambda: not alive(before))
    assert ask(pool, "facts")["pid"] != before


def test_memory_that_is_used_ends_at_the_limit() -> None:
    pool = make(deadline=SOON)
    try:
        with pytest.raises(MemoryError, match="more memory than a worker may use"):
            ask(pool, "touched")
        status = Path(f"/proc/{ask(pool, 'facts')['pid']}/status").read_text()
    finally:
        pool.stop_now()
    most = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:"))
    assert 1e9 < most < MEMORY


@pytest.mark.promise("time")
@pytest.mark.torture
def test_a_worker_that_cannot_be_killed_delays_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that hangs in the kernel, at a disk that does not answer."""
    pool = make(deadline=60.0)
    pid = ask(pool, "facts")["pid"]
    future = pool.submit("loop")
    time.sleep(0.3)
    monkeypatch.setattr(Process, "_kill_group", lambda self: None)
    began = time.monotonic()
    pool.stop_now()
    assert time.monotonic() - began < 9
    assert future.done()
    assert alive(pid)
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: not alive(pid))


# ---- time ------------------------------------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def waits(patience: Patience, clock: Clock, late: dict[int, float]) -> float:
    """How long somebody waited in vain, where the wait of that number took so much longer than asked."""
    began, number = clock.now, 0
    while (seconds := patience.next()) is not None:
        clock.now += seconds + late.get(number, 0.0)
        number += 1
        assert number < 10_000
    return clock.now - began


@pytest.mark.promise("time")
def test_patience_is_as_long_as_it_says() -> None:
    for seconds in (0.3, 1.0, 2.5, 120.0):
        clock = Clock()
        assert waits(Patience(seconds, clock), clock, {}) == pytest.approx(seconds)


@pytest.mark.promise("time")
@pytest.mark.parametrize("when", range(4))
def test_while_everything_stands_still_no_time_passes(when: int) -> None:
    """Also not in the last wait: whoever was waited for gets another."""
    clock = Clock()
    waited = waits(Patience(2.5, clock), clock, {when: 7 * 86_400.0}) - 7 * 86_400.0
    if when < 3:
        assert 2.5 <= waited <= 2.5 + process._LOOK
    else:
        assert waited < 0, "it was over before"


@pytest.mark.promise("time")
def test_time_that_passes_between_two_waits_counts_as_far_as_it_was_asked_for() -> None:
    clock = Clock()
    patience = Patience(10.0, clock)
    for _ in range(9):
        assert patience.next() is not None
        clock.now += 0.25  # something came
    assert waits(patience, clock, {}) == pytest.approx(10.0 - 9 * 0.25)


_STOPPED = """
    import sys
    from guyverd.faces.pool import WorkerPool
    from tests.faces import jobs

    if __name__ == "__main__":
        pool = WorkerPool(jobs.work, count=1, deadline=12.0, memory=4e9, gentle=False)
        print(pool.submit("facts").result(60)["pid"], flush=True)
        future = pool.submit(sys.argv[1])
        try:
            print(future.result(60), flush=True)
        except Exception as problem:
            print(type(problem).__name__, flush=True)
        pool.stop_now()
"""


@pytest.mark.promise("time")
@pytest.mark.parametrize(
    ("job", "expected"), [("doze", "dozed"), pytest.param("loop", "DeadlineExceeded", marks=pytest.mark.torture)]
)
def test_a_job_is_not_blamed_for_the_time_in_which_everything_was_stopped(
    tmp_path: Path, job: str, expected: str
) -> None:
    """The deadline goes by while nobody can do anything; then an innocent job ends, and one that hangs is ended."""
    script = tmp_path / "owner.py"
    script.write_text(textwrap.dedent(_STOPPED), encoding="utf-8")
    root = Path(__file__).parents[2]
    owner = subprocess.Popen(
        [sys.executable, script, job], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(root)}
    )
    try:
        assert owner.stdout is not None
        worker = int(owner.stdout.readline())
        time.sleep(0.3)
        for pid in (worker, owner.pid):
            os.kill(pid, signal.SIGSTOP)
        time.sleep(15)
        for pid in (owner.pid, worker):  # the one that judges first
            os.kill(pid, signal.SIGCONT)
        assert owner.stdout.readline().strip() == expected
        assert owner.wait(40) == 0
    finally:
        owner.kill()
        owner.wait()
        owner.stdout.close() if owner.stdout else None


def test_pieces_of_an_answer_are_put_together_whatever_their_size(pool: WorkerPool[str, object]) -> None:
    assert ask(pool, "long answer") == b"0123456789" * 3_000_000
    assert len(pool.submit("x" * 5_000_000).exception(SOON).args[0]) == 5_000_000  # type: ignore[union-attr]
