"""Decompression bombs and metadata without end: refused or read in bounded memory and time, in a worker as it is."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from guyverd.errors import DeadlineExceeded, PictureUnreadable, WorkerDied
from guyverd.faces import limits
from guyverd.faces.pool import WorkerPool
from guyverd.media.still import read_picture
from tests.media.bombs import bombs
from tests.promises import torture

pytestmark = [pytest.mark.promise("decoder", "metadata")]

MEMORY = 4e9
"""The default of `workers.memory`."""
DEADLINE = 60.0


class Outcome(NamedTuple):
    size: tuple[int, ...]
    taken_at: str | None
    reason: str
    memory: int
    """The most bytes the process ever held."""
    seconds: float


def read(path: str) -> Outcome:
    """In a worker: what becomes of a picture."""
    data = Path(path).read_bytes()
    began = time.monotonic()
    try:
        picture = read_picture(data, path=path.encode())
    except PictureUnreadable as problem:
        return Outcome((), None, str(problem.fields["detail"]), limits.peak(), time.monotonic() - began)
    took = time.monotonic() - began
    return Outcome(picture.pixels.shape, picture.taken_at, "", limits.peak(), took)


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool[str, Outcome]]:
    made: WorkerPool[str, Outcome] = WorkerPool(read, count=1, deadline=DEADLINE, memory=MEMORY, gentle=False)
    yield made
    made.stop_now()


@pytest.mark.parametrize("name", bombs(large=torture()))
def test_a_bomb(name: str, pool: WorkerPool[str, Outcome], tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(bombs(large=torture())[name]())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        found = pool.submit(str(path)).result(120)
    except (WorkerDied, DeadlineExceeded) as problem:
        pytest.fail(f"it cost its worker: {problem}")
    assert found.reason or found.size
    assert found.taken_at is None
    assert "\n" not in found.reason
    assert len(found.reason) < 300
    assert found.memory < MEMORY / 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000, "nor does it reach whoever asked (kB)"
