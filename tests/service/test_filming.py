"""What becomes of videos whose parts are read, in any order, by workers that die, and over restarts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guyverd import config
from guyverd.catalogue.films import HeldPart
from guyverd.catalogue.rows import RootRow
from guyverd.catalogue.store import Catalogue
from guyverd.errors import (
    DeadlineExceeded,
    EngineError,
    FileUnreadable,
    PictureMissing,
    PictureUnreadable,
    StateError,
    WorkerDied,
)
from guyverd.faces.tracks import LENGTH, Piece, Sight, VideoPart, encoded, whole
from guyverd.media.content import ContentChanged
from guyverd.model import Assignment, Box, Changes, FaceId, PersonId, PhotoId, PhotoKind, PhotoReading, Quality
from guyverd.service.metrics import Metrics
from guyverd.service.pipeline.filming import Filming
from guyverd.service.pipeline.jobs import PartRead, PartWanted, Read, Wanted
from guyverd.service.pipeline.reading import Reader
from guyverd.service.pipeline.verdicts import Tally, Verdicts
from tests.catalogue.conftest import NOW, content, face, seen
from tests.promises import scaled

ENGINE = "cnn 1, resnet aa"
VIDEOS = config.Videos()


def sight(seed: int, time: float, left: int) -> Sight:
    found = dataclasses.replace(face(seed, left), confidence=2.0, quality=Quality(0.9, 0.8, 0.7, 0.6, 0.7 + seed / 1e3))
    return Sight(time, found)


def part(number: int, count: int = 3, *, duration: float | None = 0.0, cut_off: str | None = None) -> VideoPart:
    """One of so many parts: somebody who goes all through the film on the left, and one in each part on the right."""
    start, last = number * LENGTH, number == count - 1
    end = start + (LENGTH / 2 if last else LENGTH)
    through = Piece(start, end, Box(0, 0, 50, 60), Box(0, 0, 50, 60), number > 0, not last, 9, (sight(1, start, 0),))
    box = Box(300, 0, 350, 60)
    alone = Piece(start + 5, start + 9, box, box, False, False, 9, (sight(10 + number, start + 6, 300),))
    told = (count - 0.5) * LENGTH if duration == 0.0 else duration
    return VideoPart(number, start, end, last, 640, 480, "MP4", "2020-01-01", told, cut_off, (through, alone))


class Workers:
    """Stands for the worker processes: answers when told to."""

    def __init__(self, width: int = 2) -> None:
        self.width = width
        self.jobs: dict[tuple[bytes, int], Future[PartRead]] = {}
        self.asked: list[tuple[bytes, int]] = []
        self.frames: list[tuple[Wanted, Future[Read]]] = []

    def submit_part(self, wanted: PartWanted) -> Future[PartRead]:
        key = wanted.paths[0], wanted.number
        assert key not in self.jobs, "no part is read twice at one time"
        assert wanted.size == 10
        self.asked.append(key)
        self.jobs[key] = Future()
        return self.jobs[key]

    def submit(self, photos: Sequence[Wanted]) -> list[Future[Read]]:
        futures: list[Future[Read]] = [Future() for _ in photos]
        self.frames += zip(photos, futures, strict=True)
        return futures

    def answer(self, number: int, what: VideoPart | Exception, path: bytes = b"", engine: str = ENGINE) -> None:
        key = next(key for key in self.jobs if key[1] == number and key[0].endswith(path))
        future = self.jobs.pop(key)
        if isinstance(what, WorkerDied | DeadlineExceeded):
            future.set_exception(what)
        else:
            future.set_result(PartRead(what, engine, 2.0, 300))


class Studio:
    """A catalogue with videos, and what has them read."""

    def __init__(self, catalogue: Catalogue, root: RootRow, names: Sequence[bytes], width: int = 2) -> None:
        self.catalogue = catalogue
        self.root = root
        catalogue.files.apply(root.id, Changes(new=tuple(map(seen, names))), NOW)
        self.identify()
        self.kept: set[FaceId] = set()
        self.restart(width)

    def identify(self) -> None:
        pending = self.catalogue.files.pending(1000)
        found = [(file.id, file.stamp, content(file.relative.decode())) for file in pending]
        self.catalogue.files.identified(found, videos={file.id for file in pending})

    def restart(self, width: int = 2, videos: config.Videos = VIDEOS) -> None:
        self.workers = Workers(width)
        self.verdicts = Verdicts(self.catalogue, Metrics(), lambda: self.now)
        self.now = 0.0
        self.filming = Filming(
            self.catalogue,
            cast(Reader, self.workers),
            lambda: None,
            videos,
            self.verdicts,
            kept=lambda: self.kept,
        )
        self.filming.advance()

    def answer(self, number: int, what: VideoPart | Exception, path: bytes = b"", engine: str = ENGINE) -> None:
        self.workers.answer(number, what, path, engine)
        assert self.filming.advance()

    def film(self, count: int = 3) -> None:
        """Answer as long as something is asked."""
        while self.workers.jobs:
            (path, number), *_ = self.workers.jobs
            self.answer(number, part(number, count), path)

    @property
    def flying(self) -> list[int]:
        return sorted(number for _, number in self.workers.jobs)

    def kept_parts(self, photo: int = 1) -> list[int]:
        return [held.number for held in self.catalogue.films.parts(PhotoId(photo))]

    def state(self, photo: int = 1) -> tuple[Any, ...]:
        row = self.catalogue._db.row("SELECT state, reason, attempts FROM photos WHERE id = ?", (photo,))
        assert row is not None
        return tuple(row)

    def tracks(self) -> list[tuple[Any, ...]]:
        rows = self.catalogue._db.rows(
            'SELECT photo_id, ordinal, starts, ends, frames, "left", quality, embedding FROM faces'
            " ORDER BY photo_id, ordinal"
        )
        return [tuple(row) for row in rows]

    def reasons(self) -> dict[bytes, tuple[str, str]]:
        return {row.file: (row.state, row.reason) for row in self.catalogue.photos.failures()}


@pytest.fixture
def studio(catalogue: Catalogue, root: RootRow) -> Studio:
    return Studio(catalogue, root, [b"a.mp4"])


def test_a_clip_of_one_part_is_read_at_once_and_nothing_is_left_over(studio: Studio) -> None:
    assert studio.workers.asked == [(b"/photos/a.mp4", 0)]
    assert studio.filming.shares() == ((1, b"/photos/a.mp4", 0.0),)
    studio.answer(0, part(0, 1))
    assert not studio.filming.busy
    assert studio.filming.shares() == ()
    assert studio.state() == ("done", None, 0)
    assert [row[:4] for row in studio.tracks()] == [(1, 0, 0.0, 30.0), (1, 1, 5.0, 9.0)]
    row = studio.catalogue._db.row("SELECT kind, width, height, format, taken_at, duration, engine FROM photos")
    assert row is not None
    assert tuple(row) == ("video", 640, 480, "MP4", "2020-01-01", 30.0, ENGINE)
    assert studio.verdicts.tally == Tally(0, 2, 0, 2.0, 1)
    assert studio.filming.take_costs() == [(10.0, 2.0)]
    assert (studio.reasons(), studio.kept_parts()) == ({}, [])


def test_parts_are_shared_among_workers_and_what_is_found_does_not_depend_on_their_order(studio: Studio) -> None:
    assert studio.flying == [0], "the first part tells how long it is"
    studio.answer(0, part(0, 5))
    assert studio.flying == [1, 2]
    studio.answer(2, part(2, 5))
    assert studio.flying == [1, 3]
    assert studio.kept_parts() == [0, 2], "each is durable"
    ((_, _, share),) = studio.filming.shares()
    assert share == 0.4
    studio.answer(3, part(3, 5))
    studio.answer(4, part(4, 5))
    assert studio.state()[0] == "pending"
    studio.answer(1, part(1, 5))
    assert studio.state() == ("done", None, 0)
    expected = whole([part(number, 5) for number in range(5)])
    assert [(row[2], row[3]) for row in studio.tracks()] == [
        (found.track.start, found.track.end) for found in expected if found.track is not None
    ]
    assert [row[-1] for row in studio.tracks()] == [found.embedding.tobytes() for found in expected]
    assert studio.kept_parts() == []


def test_it_goes_on_where_it_was(studio: Studio) -> None:
    studio.answer(0, part(0, 5))
    studio.answer(1, part(1, 5))
    studio.answer(3, part(3, 5)) if 3 in studio.flying else None
    known = studio.kept_parts()
    studio.restart()
    assert studio.flying == sorted({2, 3, 4} - set(known))[:2]
    studio.film(5)
    assert [row[-1] for row in studio.tracks()] == [
        found.embedding.tobytes() for found in whole([part(number, 5) for number in range(5)])
    ]


def test_one_of_which_all_parts_are_there_is_put_together_without_a_worker(studio: Studio) -> None:
    how = "1 a second, from 0.06"
    for number in range(3):
        held = HeldPart(number, f"{ENGINE} | {how}", encoded(part(number)))
        studio.catalogue.films.keep(PhotoId(1), held, NOW)
    studio.restart()
    assert studio.workers.asked == []
    assert studio.state() == ("done", None, 0)
    assert len(studio.tracks()) == 4


@pytest.mark.parametrize(
    "held",
    [
        HeldPart(1, f"{ENGINE} | 2 a second, from 0.06", encoded(part(1))),
        HeldPart(1, f"{ENGINE} | 1 a second, from 0.06", encoded(part(1))[:-1]),
        HeldPart(1, f"{ENGINE} | 1 a second, from 0.06", encoded(part(2))),
        HeldPart(1, "of something else", b"anything"),
    ],
)
def test_a_part_of_other_settings_or_damaged_is_read_anew(studio: Studio, held: HeldPart) -> None:
    studio.answer(0, part(0))
    studio.catalogue.films.keep(PhotoId(1), held, NOW)
    studio.restart()
    assert studio.kept_parts() == [0]
    assert studio.flying == [1, 2]
    studio.film()
    assert len(studio.tracks()) == 4


def test_parts_that_another_network_described_are_read_anew(studio: Studio) -> None:
    studio.answer(0, part(0, 4))
    studio.answer(1, part(1, 4))
    studio.restart()
    other = "cnn 1, resnet bb"
    studio.answer(2, part(2, 4), engine=other)
    assert studio.kept_parts() == [2]
    assert set(studio.flying) <= {0, 3}
    while studio.workers.jobs:
        number = studio.flying[0]
        studio.answer(number, part(number, 4), engine=other)
    assert studio.state() == ("done", None, 0)
    assert len(studio.tracks()) == 5
    assert studio.catalogue.renewal.engines() == {other: 1}


def test_a_device_that_changes_its_name_does_not_begin_anew(studio: Studio) -> None:
    studio.answer(0, part(0))
    studio.answer(1, part(1), engine="gpu cnn 1, resnet aa")
    assert studio.kept_parts() == [0, 1]
    studio.film()
    assert studio.catalogue.renewal.engines() == {ENGINE: 1}


def test_how_long_it_is_may_be_unknown_or_untrue(catalogue: Catalogue, root: RootRow) -> None:
    studio = Studio(catalogue, root, [b"a.mp4", b"b.mp4"], width=3)
    studio.answer(0, part(0, 7, duration=None), b"a.mp4")
    assert max(number for path, number in studio.workers.jobs if path.endswith(b"a.mp4")) <= 3, "not far ahead"
    while any(path.endswith(b"a.mp4") for path, _ in studio.workers.jobs):
        number = next(number for path, number in studio.workers.jobs if path.endswith(b"a.mp4"))
        studio.answer(number, part(number, 7, duration=None) if number < 7 else part(number, number + 1), b"a.mp4")
    assert studio.state(1) == ("done", None, 0)
    studio.answer(0, part(0, 4, duration=70.0), b"b.mp4")
    asked = []
    while studio.workers.jobs:
        asked.append(studio.flying)
        studio.answer(studio.flying[0], part(studio.flying[0], 4, duration=70.0), b"b.mp4")
    assert asked == [[1], [2], [3]], "it goes on beyond what it told"
    assert studio.state(2) == ("done", None, 0)
    assert len(studio.tracks()) == 8 + 5


def test_nothing_is_read_in_quiet_hours_nor_while_there_are_photos(studio: Studio) -> None:
    studio.answer(0, part(0, 4))
    flying = studio.flying
    studio.workers.answer(flying[0], part(flying[0], 4))
    studio.filming.advance(quiet=True)
    assert studio.flying == flying[1:], "what is there is recorded, and nothing new begun"
    studio.filming.advance(plenty=True)
    assert studio.flying == flying[1:]
    studio.filming.advance()
    assert len(studio.flying) == 2


def test_a_long_film_does_not_keep_clips_waiting(catalogue: Catalogue, root: RootRow) -> None:
    studio = Studio(catalogue, root, [b"1 film.mp4", *(b"2 clip %d.mp4" % n for n in range(4))])
    assert studio.workers.asked == [(b"/photos/1 film.mp4", 0), (b"/photos/2 clip 0.mp4", 0)]
    studio.answer(0, part(0, 100), b"film.mp4")
    for clip in range(4):
        assert studio.flying.count(0) == 1, "one worker has the film, and one the clips"
        studio.answer(0, part(0, 1), b"clip %d.mp4" % clip)
    assert len(studio.flying) == 2, "and both have it when there is nothing else"
    assert [studio.state(number)[0] for number in range(1, 6)] == ["pending", *["done"] * 4]


# ---- what goes wrong -------------------------------------------------------------------------------------------------

BROKEN = PictureUnreadable(path="/photos/a.mp4", detail="it is no video")


def test_what_is_no_video_fails_with_its_reason(studio: Studio) -> None:
    studio.answer(0, BROKEN)
    assert studio.reasons() == {b"/photos/a.mp4": ("failed", "it is no video")}
    assert studio.verdicts.tally == Tally(0, 0, 1, 2.0, 1)
    assert not studio.filming.busy
    assert studio.workers.jobs == {}


def test_of_one_that_is_cut_off_stays_what_was_found(studio: Studio) -> None:
    studio.answer(0, part(0))
    studio.answer(1, dataclasses.replace(part(1, 2), duration=150.0, cut_off="it is cut off after 90 of 150 seconds"))
    assert len(studio.tracks()) == 3
    assert studio.state() == ("done", "it is cut off after 90 of 150 seconds", 0)
    assert studio.reasons() == {b"/photos/a.mp4": ("partly", "it is cut off after 90 of 150 seconds")}
    assert studio.catalogue.counts().failures == studio.verdicts.tally.failed == 1
    assert studio.catalogue.photos.ungrouped_range(PhotoKind.VIDEO) == (1, 1), "its tracks are grouped like others"
    studio.workers.answer(2, BROKEN)
    studio.filming.advance()
    assert studio.state()[0] == "done", "what was asked beyond its end tells nothing"


def test_a_part_that_cannot_be_read_is_where_it_ends(studio: Studio) -> None:
    studio.answer(0, part(0, 5))
    studio.answer(2, BROKEN)
    assert studio.state()[0] == "pending"
    studio.answer(1, part(1, 5))
    assert studio.state() == ("done", "it could not be read from 0:02:00 on: it is no video", 0)
    assert [(row[2], row[3]) for row in studio.tracks()] == [(0.0, 120.0), (5.0, 9.0), (65.0, 69.0)]
    assert studio.kept_parts() == []


def test_an_end_that_is_told_later_counts_more_than_a_part_beyond_it(studio: Studio) -> None:
    studio.answer(0, part(0, 2, duration=None))
    assert studio.flying == [1, 2]
    studio.answer(2, BROKEN)
    studio.answer(1, part(1, 2, duration=None))
    assert studio.state() == ("done", None, 0)


@pytest.mark.promise("decoder")
@pytest.mark.parametrize("problem", [WorkerDied(detail="signal 11"), DeadlineExceeded(seconds=120.0)])
def test_one_that_kills_its_worker_is_given_up_and_one_that_does_so_later_ends_there(
    studio: Studio, problem: Exception
) -> None:
    for attempts in (1, 2):
        studio.answer(0, problem)
        assert studio.state() == ("pending", str(problem), attempts)
    studio.restart()
    studio.answer(0, problem)
    assert studio.state() == ("quarantined", str(problem), 3), "also over a restart"
    assert studio.workers.jobs == {}
    studio.catalogue.renewal.begin(ENGINE, every=True)
    studio.filming.advance()
    studio.answer(0, part(0))
    for _ in range(2):
        studio.answer(1, problem)
        assert 1 in studio.flying, "it is tried again"
    studio.answer(1, problem)
    assert studio.state() == ("done", f"it could not be read from 0:01:00 on: {problem}", 0)
    assert len(studio.tracks()) == 2


def test_a_file_that_is_gone_changed_or_not_given_goes_on_when_it_is_back(studio: Studio) -> None:
    studio.answer(0, part(0, 4))
    studio.answer(1, FileUnreadable(path="/photos/a.mp4", detail="Input/output error"))
    assert studio.reasons() == {b"/photos/a.mp4": ("failed", "Input/output error")}
    studio.filming.advance()
    assert studio.flying == [2], "it is not tried over and over"
    studio.workers.jobs.clear()
    studio.catalogue.files.retry_failed(studio.root.id)
    studio.identify()
    studio.filming.advance()
    assert studio.flying == [1, 2]
    studio.answer(1, ContentChanged(path="/photos/a.mp4"))
    assert len(studio.catalogue.files.pending(9)) == 1
    studio.workers.jobs.clear()
    studio.identify()
    studio.filming.advance()
    studio.answer(2, PictureMissing(path="/photos/a.mp4"))
    assert studio.catalogue.counts().files == 0
    studio.filming.advance()
    assert studio.flying == [1]
    assert studio.kept_parts() == [0]


def test_one_part_is_tried_every_minute_where_nothing_can_be_read(studio: Studio) -> None:
    studio.answer(0, EngineError(detail="no weights"))
    assert studio.verdicts.hindrance.left() == 60.0
    assert studio.workers.jobs == {}
    studio.now = 60.0
    assert studio.verdicts.hindrance.due
    studio.filming.advance(due=True)
    assert studio.flying == [0]
    studio.answer(0, part(0))
    assert studio.verdicts.hindrance.problem is None
    assert studio.flying == [1, 2]


def test_figures_that_are_none_are_its_own_fault(studio: Studio) -> None:
    """As from a worker whose memory is damaged; nothing else must stop for that."""
    found = part(0)
    studio.answer(0, dataclasses.replace(found, end=float("nan")))
    assert studio.state()[0] == "failed"
    assert not studio.filming.busy
    assert studio.workers.jobs == {}


def test_what_is_kept_may_be_damaged_meanwhile_and_is_read_anew_once(studio: Studio) -> None:
    for state in ("pending", "failed"):
        studio.answer(0, part(0))
        broken = HeldPart(0, f"{ENGINE} | 1 a second, from 0.06", b"damaged")
        studio.catalogue.films.keep(PhotoId(1), broken, NOW)
        studio.answer(1, part(1))
        studio.answer(2, part(2))
        assert studio.state()[0] == state
    assert studio.workers.jobs == {}


@pytest.mark.promise("disk")
def test_a_part_that_cannot_be_kept_is_read_anew(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise StateError(path="catalogue.db", detail="database or disk is full")

    studio.answer(0, part(0, 4))
    with monkeypatch.context() as patched:
        patched.setattr(studio.catalogue.films, "keep", full)
        for number in (1, 2):
            studio.workers.answer(number, part(number, 4))
            with pytest.raises(StateError):
                studio.filming.advance()
    studio.filming.advance()
    assert studio.flying == [1, 2]
    studio.film(4)
    assert studio.state() == ("done", None, 0)
    assert len(studio.tracks()) == 5
    asked = [number for _, number in studio.workers.asked]
    assert sorted(asked) == [0, 1, 1, 2, 2, 3], "and no other"


def test_one_that_is_forgotten_meanwhile_leaves_nothing(studio: Studio) -> None:
    studio.answer(0, part(0))
    (known,) = studio.catalogue.files.known(studio.root.id)
    studio.catalogue.files.apply(studio.root.id, Changes(gone=(known.id,)), NOW)
    studio.catalogue.files.forget("9999")
    studio.film()
    assert studio.tracks() == []
    assert studio.kept_parts() == []
    assert not studio.filming.busy


STEPS = st.lists(st.sampled_from(["first", "last", "die", "restart"]), max_size=12)


@pytest.mark.promise("kill")
@settings(max_examples=scaled(6, 100))
@given(STEPS, st.integers(1, 6), st.integers(1, 4))
def test_whatever_happens_on_the_way_it_ends_as_if_nothing_had(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str], count: int, width: int
) -> None:
    found = []
    for disturbed in (False, True):
        path = tmp_path_factory.mktemp("films") / "catalogue.db"
        with Catalogue(bytes(path)) as catalogue:
            catalogue.files.configure([b"/photos"])
            studio = Studio(catalogue, catalogue.files.roots()[0], [b"a.mp4", b"b.mp4"], width)
            deaths = 0
            for step in steps if disturbed else ():
                if step == "restart":
                    studio.restart(width)
                elif studio.workers.jobs:
                    jobs = list(studio.workers.jobs)
                    where, number = jobs[0] if step != "last" else jobs[-1]
                    deaths += step == "die"
                    dies = step == "die" and deaths < 3
                    studio.answer(number, WorkerDied(detail="x") if dies else part(number, count), where)
            studio.film(count)
            assert {studio.state(photo)[:2] for photo in (1, 2)} == {("done", None)}
            assert studio.kept_parts(1) == studio.kept_parts(2) == []
            found.append(studio.tracks())
    assert found[0] == found[1]


# ---- read again ------------------------------------------------------------------------------------------------------


@pytest.fixture
def known(studio: Studio) -> Studio:
    """A video that was read, with the one who goes all through it as person 1, and the others as person 2."""
    studio.film()
    faces = [FaceId(int(one)) for one in studio.catalogue.photos.ungrouped(9)]
    items = [Assignment(one, None, min(at, 1), 0.9) for at, one in enumerate(faces)]
    studio.catalogue.people.assign(items, [], 9, NOW)
    return studio


def whose(studio: Studio) -> dict[int, tuple[float, int | None]]:
    rows = studio.catalogue._db.rows("SELECT id, starts, person_id FROM faces ORDER BY id")
    return {row["id"]: (row["starts"], row["person_id"]) for row in rows}


def test_tracks_keep_their_numbers_and_people_by_time_and_place(known: Studio) -> None:
    before = whose(known)
    assert before == {1: (0.0, 1), 2: (5.0, 2), 3: (65.0, 2), 4: (125.0, 2)}
    known.catalogue.renewal.begin("cnn 2, resnet bb", every=False)
    known.filming.advance()
    known.answer(0, part(0), engine="cnn 2, resnet bb")
    second = part(1)
    through, alone = second.pieces
    later = dataclasses.replace(alone, start=64.0, end=68.5, best=(sight(50, 66.5, 305),))
    stranger = dataclasses.replace(alone, start=90.0, end=95.0, best=(sight(60, 91.0, 300),))
    known.answer(1, dataclasses.replace(second, pieces=(through, later, stranger)), engine="cnn 2, resnet bb")
    third = part(2)
    known.answer(2, dataclasses.replace(third, pieces=third.pieces[:1]), engine="cnn 2, resnet bb")
    after = whose(known)
    assert after == {1: (0.0, 1), 2: (5.0, 2), 3: (64.0, 2), 5: (90.0, None)}
    assert known.verdicts.take_gone() == [4], "nobody spoke of it, and it is not found any more"
    assert known.state() == ("done", None, 0)
    assert known.catalogue.renewal.engines() == {"cnn 2, resnet bb": 1}


def test_a_track_that_somebody_spoke_of_stays_and_is_described_anew(known: Studio) -> None:
    known.kept = {FaceId(4)}
    known.catalogue.renewal.begin("cnn 2, resnet bb", every=False)
    known.filming.advance()
    for number in range(3):
        found = part(number)
        pieces = found.pieces if number < 2 else found.pieces[:1]
        known.answer(number, dataclasses.replace(found, pieces=pieces), engine="cnn 2, resnet bb")
    assert known.state()[0] == "pending"
    assert known.filming.busy
    ((wanted, future),) = known.workers.frames
    box = Box(300, 0, 350, 60)
    assert (wanted.at, wanted.boxes, wanted.search) == (126.0, (box,), False)
    vector = np.full(128, 0.5, np.float32)
    described = dataclasses.replace(face(9, 300), embedding=vector)
    reading = PhotoReading(b"", 640, 480, "MP4", None, (), (described,))
    future.set_result(Read(reading, "cnn 2, resnet bb", 0.1, 1))
    assert known.filming.advance()
    assert whose(known) == {1: (0.0, 1), 2: (5.0, 2), 3: (65.0, 2), 4: (125.0, 2)}
    assert known.state() == ("done", None, 0)
    rows = known.catalogue._db.rows("SELECT embedding, ends FROM faces WHERE id = 4")
    assert [(row[0], row[1]) for row in rows] == [(vector.tobytes(), 129.0)]
    assert not known.filming.busy


def test_one_whose_frame_cannot_be_described_keeps_all_it_has_and_fails(known: Studio) -> None:
    known.kept = {FaceId(1), FaceId(4)}
    known.catalogue.renewal.begin("cnn 2, resnet bb", every=False)
    known.filming.advance()
    for number in range(3):
        known.answer(number, dataclasses.replace(part(number), pieces=()), engine="cnn 2, resnet bb")
    assert len(known.workers.frames) == 2
    for _, future in known.workers.frames:
        future.set_result(Read(BROKEN, "cnn 2, resnet bb", 0.1, 1))
    known.filming.advance()
    assert [person for _, person in whose(known).values()] == [1, 2, 2, 2]
    assert known.state()[:2] == ("failed", "it is no video")
    assert known.catalogue.people.get(PersonId(1)) is not None
    assert known.kept_parts() == []
