"""What becomes of photos whose workers find something, die, or meet other bytes than expected."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import cast

import pytest

from guyverd.catalogue.rows import RootRow
from guyverd.catalogue.store import Catalogue
from guyverd.errors import DeadlineExceeded, EngineError, PictureMissing, PictureUnreadable, WorkerDied
from guyverd.media.content import ContentChanged
from guyverd.model import PhotoReading
from guyverd.service.pipeline.looking import MOST_ATTEMPTS, Looking, Tally
from guyverd.service.pipeline.reading import Read, Reader
from tests.catalogue.conftest import ROOT, add, face


class Workers:
    """Stands for the worker processes: answers when told to."""

    width = 2

    def __init__(self) -> None:
        self.jobs: list[tuple[tuple[bytes, ...], Future[Read]]] = []

    def submit(self, paths: tuple[bytes, ...], hash_: bytes | None = None) -> Future[Read]:
        assert hash_ is not None
        future: Future[Read] = Future()
        self.jobs.append((paths, future))
        return future

    def answer(self, what: Exception | int) -> None:
        """Answer the first job: an error, or so many faces."""
        _, future = self.jobs.pop(0)
        if isinstance(what, int):
            faces = tuple(face(n, 60 * n) for n in range(what))
            future.set_result(Read(PhotoReading(b"h" * 32, 640, 480, "JPEG", None, faces), "engine 1"))
        else:
            future.set_exception(what)


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    with Catalogue(os.fsencode(tmp_path / "catalogue.db")) as opened:
        opened.files.configure([ROOT])
        yield opened


@pytest.fixture
def root(catalogue: Catalogue) -> RootRow:
    return catalogue.files.roots()[0]


@pytest.fixture
def workers() -> Workers:
    return Workers()


@pytest.fixture
def looking(catalogue: Catalogue, workers: Workers) -> Looking:
    return Looking(catalogue, cast(Reader, workers), lambda: None)


def reasons(catalogue: Catalogue) -> dict[bytes, tuple[str, str]]:
    return {row.file: (row.state, row.reason) for row in catalogue.photos.failures()}


def test_the_workers_always_have_twice_as_many_as_they_are(
    catalogue: Catalogue, root: RootRow, workers: Workers, looking: Looking
) -> None:
    add(catalogue, root, {b"%d.jpg" % n: str(n) for n in range(10)})
    looking.advance()
    assert [paths for paths, _ in workers.jobs] == [(b"/photos/%d.jpg" % n,) for n in range(4)]
    workers.answer(2)
    assert looking.advance()
    assert len(workers.jobs) == 4
    assert not looking.advance(), "nothing new was ready"
    while workers.jobs:
        workers.answer(1)
        looking.advance()
    assert looking.tally == Tally(10, 11, 0)
    assert not looking.busy
    assert catalogue.counts().faces == 11


@pytest.mark.parametrize("problem", [WorkerDied(detail="killed by SIGSEGV"), DeadlineExceeded(seconds="9")])
def test_a_photo_that_kills_its_worker_is_tried_again_and_then_quarantined(
    catalogue: Catalogue, root: RootRow, workers: Workers, looking: Looking, problem: Exception
) -> None:
    add(catalogue, root, {b"bad.jpg": "bad", b"good.jpg": "good"})
    looking.advance()
    for attempt in range(MOST_ATTEMPTS):
        assert reasons(catalogue) == {}
        job = next(n for n, (paths, _) in enumerate(workers.jobs) if paths == (b"/photos/bad.jpg",))
        workers.jobs.insert(0, workers.jobs.pop(job))
        workers.answer(problem)
        looking.advance()
        assert looking.tally.failed == (attempt + 1 == MOST_ATTEMPTS)
    assert reasons(catalogue) == {b"/photos/bad.jpg": ("quarantined", str(problem))}
    workers.answer(1)
    looking.advance()
    assert looking.tally == Tally(2, 1, 1)


def test_a_photo_that_is_none_fails_at_once_and_so_does_one_that_meets_a_fault_of_ours(
    catalogue: Catalogue, root: RootRow, workers: Workers, looking: Looking
) -> None:
    add(catalogue, root, {b"cut.jpg": "cut", b"odd.jpg": "odd", b"good.jpg": "good"})
    looking.advance()
    workers.answer(PictureUnreadable(path="cut.jpg", detail="it is cut short"))
    workers.answer(ZeroDivisionError("oh"))
    workers.answer(1)
    looking.advance()
    assert reasons(catalogue) == {
        b"/photos/cut.jpg": ("failed", "it is cut short"),
        b"/photos/odd.jpg": ("failed", "ZeroDivisionError: oh"),
    }
    assert looking.tally == Tally(3, 1, 2)


def test_other_bytes_than_expected_are_identified_again(
    catalogue: Catalogue, root: RootRow, workers: Workers, looking: Looking
) -> None:
    add(catalogue, root, {b"edited.jpg": "before"})
    looking.advance()
    workers.answer(ContentChanged(path="edited.jpg"))
    looking.advance()
    assert [file.path for file in catalogue.files.pending(10)] == [b"/photos/edited.jpg"]
    assert catalogue.photos.pending(10) == [], "it is not asked for again until that is known"
    assert reasons(catalogue) == {}


def test_a_photo_whose_files_are_gone_is_let_go(
    catalogue: Catalogue, root: RootRow, workers: Workers, looking: Looking
) -> None:
    add(catalogue, root, {b"gone.jpg": "gone"})
    looking.advance()
    workers.answer(PictureMissing(path="gone.jpg"))
    looking.advance()
    assert not looking.busy
    assert catalogue.counts().missing_files == 1


def test_without_models_nothing_is_tried_in_vain_and_nothing_is_lost(
    catalogue: Catalogue, root: RootRow, workers: Workers, looking: Looking
) -> None:
    add(catalogue, root, {b"%d.jpg" % n: str(n) for n in range(10)})
    looking.advance()
    while workers.jobs:
        workers.answer(EngineError(detail="no weights"))
    looking.advance()
    looking.advance()
    assert looking.broken is not None
    assert workers.jobs == []
    assert reasons(catalogue) == {}
    assert len(catalogue.photos.pending(100)) == 10


def test_what_was_cancelled_stays_to_be_read(
    catalogue: Catalogue, root: RootRow, workers: Workers, looking: Looking
) -> None:
    add(catalogue, root, {b"1.jpg": "one"})
    looking.advance()
    workers.jobs.pop()[1].cancel()
    looking._record()
    assert [photo.attempts for photo in catalogue.photos.pending(10)] == [0]
    assert looking.tally == Tally()
