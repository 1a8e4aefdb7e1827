"""What becomes of photos whose workers find something, die, or meet other bytes than expected."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guyverd.catalogue.rows import PendingPhoto, RootRow
from guyverd.catalogue.store import Catalogue
from guyverd.errors import (
    DeadlineExceeded,
    EngineError,
    FileUnreadable,
    PictureMissing,
    PictureUnreadable,
    WorkerDied,
    WorkerNotStarted,
)
from guyverd.media.content import ContentChanged
from guyverd.model import Box, FaceId, PhotoId, PhotoReading
from guyverd.service.pipeline.jobs import Read, Wanted
from guyverd.service.pipeline.looking import MOST_AT_ONCE, MOST_BYTES_AT_ONCE, Looking, batch
from guyverd.service.pipeline.meter import Cost
from guyverd.service.pipeline.reading import Reader
from guyverd.service.pipeline.verdicts import MOST_ATTEMPTS, Tally
from tests.catalogue.conftest import add, face, identify


class Workers:
    """Stands for the worker processes: answers when told to."""

    width = 2

    def __init__(self) -> None:
        self.jobs: list[tuple[bytes, Future[Read]]] = []
        self.batches: list[int] = []
        self.wanted: list[tuple[Box, ...]] = []

    def submit(self, photos: Sequence[Wanted], *, urgent: bool = False) -> list[Future[Read]]:
        assert not urgent
        assert all(photo.hash is not None for photo in photos)
        futures: list[Future[Read]] = [Future() for _ in photos]
        self.jobs += [(photo.paths[0], future) for photo, future in zip(photos, futures, strict=True)]
        self.batches.append(len(photos))
        self.wanted += [photo.boxes for photo in photos]
        return futures

    def answer(self, what: Exception | int) -> None:
        """Answer for the first photo: a picture's problem, a process's end, or so many faces."""
        _, future = self.jobs.pop(0)
        if isinstance(what, int):
            faces = tuple(face(n, 60 * n) for n in range(what))
            reading = PhotoReading(b"h" * 32, 640, 480, "JPEG", None, faces)
            future.set_result(Read(reading, "engine 1", 0.5, 300))
        elif isinstance(what, WorkerDied | DeadlineExceeded | WorkerNotStarted):
            future.set_exception(what)
        else:
            future.set_result(Read(what, "engine 1", 0.25, 400))


@pytest.fixture
def workers() -> Workers:
    return Workers()


@pytest.fixture
def looking(catalogue: Catalogue, workers: Workers) -> Looking:
    return Looking(catalogue, cast(Reader, workers), lambda: None)


def reasons(catalogue: Catalogue) -> dict[bytes, tuple[str, str]]:
    return {row.file: (row.state, row.reason) for row in catalogue.photos.failures()}


def test_the_workers_always_have_twice_as_many_batches_as_they_are(
    catalogue: Catalogue, root: RootRow, workers: Workers, looking: Looking
) -> None:
    add(catalogue, root, {b"%03d.jpg" % n: str(n) for n in range(100)})
    looking.advance()
    assert workers.batches == [1, 1, 1, 1], "the first results come soon"
    assert [path for path, _ in workers.jobs] == [b"/photos/%03d.jpg" % n for n in range(4)]
    workers.answer(2)
    assert looking.advance()
    assert not looking.advance(), "nothing new was ready"
    assert workers.batches == [1, 1, 1, 1, 8]
    asked = [path for path, _ in workers.jobs]
    while workers.jobs:
        workers.answer(1)
        looking.advance()
        asked += [path for path, _ in workers.jobs if path not in asked]
    assert asked == [b"/photos/%03d.jpg" % n for n in range(1, 100)]
    assert sum(workers.batches) == 100
    assert workers.batches[4:] == sorted(workers.batches[4:], reverse=True)
    assert workers.batches[-4:] == [1, 1, 1, 1], "all workers finish together"
    assert looking.tally == Tally(100, 101, 0, 50.0)
    assert looking.memory == 300
    assert not looking.busy
    assert catalogue.counts().faces == 101


@pytest.mark.promise("disk", "any-order")
def test_a_photo_that_the_disk_did_not_give_is_read_when_its_file_was_tried_again(
    catalogue: Catalogue, root: RootRow, workers: Workers, looking: Looking
) -> None:
    add(catalogue, root, {b"a.jpg": "a"})
    looking.advance()
    workers.answer(FileUnreadable(path="/photos/a.jpg", detail="Input/output error"))
    looking.advance()
    assert reasons(catalogue) == {b"/photos/a.jpg": ("failed", "Input/output error")}
    assert not workers.jobs, "it is not tried over and over"
    assert looking.tally.failed == 1
    catalogue.files.retry_failed(root.id)
    identify(catalogue, {b"a.jpg": "a"})
    looking.advance()
    workers.answer(1)
    looking.advance()
    assert (catalogue.counts().faces, reasons(catalogue)) == (1, {})


SIZES = st.lists(st.integers(0, 2 * MOST_BYTES_AT_ONCE), max_size=200)


@given(SIZES, st.integers(1, 64), st.booleans(), st.sets(st.integers(0, 20), max_size=3))
def test_a_batch_is_neither_large_nor_empty_nor_more_than_its_share(
    sizes: list[int], workers: int, single: bool, harmful: set[int]
) -> None:
    line = [PendingPhoto(PhotoId(n), b"", int(n in harmful), size, (b"/a",)) for n, size in enumerate(sizes)]
    count = batch(line, workers, single=single)
    assert (count > 0) == bool(sizes)
    assert count <= MOST_AT_ONCE
    if count > 1:
        assert not single
        assert harmful.isdisjoint(range(count)), "who harmed a worker is read alone"
        assert sum(sizes[:count]) <= MOST_BYTES_AT_ONCE
        assert count * workers * 2 <= len(sizes)


def test_samples_are_read_next_and_once(
    catalogue: Catalogue, root: RootRow, workers: Workers, looking: Looking
) -> None:
    add(catalogue, root, {b"%03d.jpg" % n: str(n) for n in range(100)})
    looking.advance()
    before = [path for path, _ in workers.jobs]
    looking.sample((0, 1000), 10)
    chosen = [photo.paths[0] for photo in catalogue.photos.some_pending((0, 1000), 10) if photo.paths[0] not in before]
    looking.sample((0, 1000), 10)
    asked: list[bytes] = list(before)
    while workers.jobs:
        workers.answer(1)
        looking.advance()
        asked += [path for path, _ in workers.jobs if path not in asked]
    assert len(chosen) >= 6
    assert set(asked[4 : 4 + len(chosen)]) == set(chosen)
    rest = asked[4 + len(chosen) :]
    assert rest == sorted(rest)
    assert len(asked) == sum(workers.batches) == 100
    assert [cost for cost in looking.take_costs() if cost != Cost(10, 0.5)] == []
    assert looking.take_costs() == []


def test_in_quiet_hours_nothing_is_handed_out_and_what_is_under_way_is_recorded(
    catalogue: Catalogue, root: RootRow, workers: Workers, looking: Looking
) -> None:
    add(catalogue, root, {b"%d.jpg" % n: str(n) for n in range(10)})
    looking.advance()
    for _ in range(4):
        workers.answer(1)
    assert looking.advance(quiet=True)
    assert workers.jobs == []
    assert not looking.busy
    assert catalogue.counts().faces == 4
    looking.advance()
    assert len(workers.jobs) == 4


def test_a_photo_that_moved_while_it_stood_in_line_is_not_taken_for_gone(
    catalogue: Catalogue, root: RootRow, workers: Workers, looking: Looking
) -> None:
    add(catalogue, root, {b"here.jpg": "one"})
    looking.advance()
    catalogue.files.gone(PhotoId(1), "2024-05-01T00:00:00+00:00")
    add(catalogue, root, {b"there.jpg": "one"})
    workers.answer(PictureMissing(path="here.jpg"))
    looking.advance()
    assert [path for path, _ in workers.jobs] == [b"/photos/there.jpg"]


@pytest.mark.parametrize("problem", [WorkerDied(detail="killed by SIGSEGV"), DeadlineExceeded(seconds="9")])
def test_a_photo_that_kills_its_worker_is_tried_again_and_then_quarantined(
    catalogue: Catalogue, root: RootRow, workers: Workers, looking: Looking, problem: Exception
) -> None:
    add(catalogue, root, {b"bad.jpg": "bad", b"good.jpg": "good"})
    looking.advance()
    for attempt in range(MOST_ATTEMPTS):
        assert reasons(catalogue) == {}
        job = next(n for n, (path, _) in enumerate(workers.jobs) if path == b"/photos/bad.jpg")
        workers.jobs.insert(0, workers.jobs.pop(job))
        workers.answer(problem)
        looking.advance()
        assert looking.tally.failed == (attempt + 1 == MOST_ATTEMPTS)
    assert reasons(catalogue) == {b"/photos/bad.jpg": ("quarantined", str(problem))}
    workers.answer(1)
    looking.advance()
    assert looking.tally == Tally(2, 1, 1, 0.5)


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
    assert looking.tally == Tally(3, 1, 2, 1.0)


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


@pytest.mark.promise("offline")
def test_a_photo_that_is_not_found_while_a_disk_is_away_is_not_gone(
    catalogue: Catalogue, root: RootRow, workers: Workers
) -> None:
    looking = Looking(catalogue, cast(Reader, workers), lambda: None, lost=lambda: True)
    add(catalogue, root, {b"away.jpg": "away"})
    looking.advance()
    workers.answer(PictureMissing(path="away.jpg"))
    looking.advance()
    assert catalogue.counts().missing_files == 0
    assert [photo.paths for photo in catalogue.photos.pending(10)] == [(b"/photos/away.jpg",)]


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


@pytest.mark.parametrize("problem", [EngineError(detail="no weights"), WorkerNotStarted(detail="no memory")])
def test_one_photo_is_tried_every_minute_until_it_goes_on(
    catalogue: Catalogue, root: RootRow, workers: Workers, problem: Exception
) -> None:
    now = [100.0]
    looking = Looking(catalogue, cast(Reader, workers), lambda: None, lambda: now[0])
    add(catalogue, root, {b"%d.jpg" % n: str(n) for n in range(10)})
    looking.advance()
    while workers.jobs:
        workers.answer(problem)
    looking.advance()
    assert looking.retry() == 60
    now[0] += 60
    assert looking.retry() == 0
    looking.advance(quiet=True)
    assert workers.jobs == []
    assert looking.retry() == 60, "nobody is woken in vain in quiet hours"
    now[0] += 60
    looking.advance()
    assert len(workers.jobs) == 1
    workers.answer(problem)
    looking.advance()
    assert workers.jobs == []
    now[0] += 60
    looking.advance()
    workers.answer(1)
    looking.advance()
    assert looking.broken is None
    assert looking.retry() is None
    looking.advance()
    while workers.jobs:
        workers.answer(1)
        looking.advance()
    assert (looking.tally.photos, looking.tally.faces, looking.tally.failed) == (10, 10, 0)
    assert reasons(catalogue) == {}


def test_photos_read_again_tell_where_faces_must_be_described_and_which_are_gone(
    catalogue: Catalogue, root: RootRow, workers: Workers
) -> None:
    kept: set[FaceId] = set()
    looking = Looking(catalogue, cast(Reader, workers), lambda: None, kept=lambda: kept)
    add(catalogue, root, {b"a.jpg": "a", b"b.jpg": "b"})
    looking.advance()
    for _ in range(2):
        workers.answer(3)
    looking.advance()
    assert workers.wanted == [(), ()], "nobody asks for anything in a photo that was never read"
    assert looking.take_gone() == []
    kept.add(FaceId(2))
    catalogue.renewal.begin("engine 2")
    looking.advance()
    assert workers.wanted[2:] == [(Box(60, 0, 110, 60),), ()]
    workers.answer(1)
    workers.answer(WorkerDied(detail="killed by SIGSEGV"))
    looking.advance()
    assert looking.take_gone() == [3], "face 2 was spoken of, and the second photo has its faces still"
    assert looking.take_gone() == []
    assert {row.id for row in catalogue.photos.faces()} == {1, 2, 4, 5, 6}
    assert workers.wanted[4:] == [(Box(60, 0, 110, 60),), ()], "the first was not whole: it said nothing of face 2"
    kept.clear()
    workers.answer(1)
    workers.answer(PictureUnreadable(path="b.jpg", detail="it is cut short"))
    looking.advance()
    assert sorted(looking.take_gone()) == [2, 4, 5, 6], "one that cannot be read again is compared with nothing"
    assert {row.id for row in catalogue.photos.faces()} == {1, 4, 5, 6}
    assert not looking.busy


def test_each_reading_is_recorded_under_the_engine_that_made_it(
    catalogue: Catalogue, root: RootRow, workers: Workers, looking: Looking
) -> None:
    add(catalogue, root, {b"a.jpg": "a", b"b.jpg": "b"})
    looking.advance()
    for engine in ("onnxruntime 1 cuda", "onnxruntime 1 cpu"):
        _, future = workers.jobs.pop(0)
        future.set_result(Read(PhotoReading(b"h" * 32, 640, 480, "JPEG", None, (face(1),)), engine, 0.5, 300))
    looking.advance()
    assert catalogue.renewal.engines() == {"onnxruntime 1 cuda": 1, "onnxruntime 1 cpu": 1}


def test_what_was_cancelled_stays_to_be_read(
    catalogue: Catalogue, root: RootRow, workers: Workers, looking: Looking
) -> None:
    add(catalogue, root, {b"1.jpg": "one"})
    looking.advance()
    workers.jobs.pop()[1].cancel()
    looking._record()
    assert [photo.attempts for photo in catalogue.photos.pending(10)] == [0]
    assert looking.tally == Tally()
