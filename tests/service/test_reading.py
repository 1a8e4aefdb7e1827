"""The reader with real processes: batches, and what becomes of those in which a photo kills or hangs its worker."""

from __future__ import annotations

import dataclasses
import os
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from pathlib import Path

import pytest
from PIL import Image

from guyverd.config import Faces, Workers
from guyverd.errors import BoxRefused, ControlError, DeadlineExceeded, EngineError, PictureUnreadable, WorkerDied
from guyverd.media.content import hash_bytes
from guyverd.model import Box
from guyverd.service.pipeline.jobs import Read, ReadJob, Wanted
from guyverd.service.pipeline.reading import Reader
from guyverd.service.pipeline.working import read_photos
from tests.service import reads

SOON = 60.0


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "notes"
    path.touch()
    monkeypatch.setenv(reads.NOTES, str(path))
    return path


@pytest.fixture
def reader(notes: Path) -> Iterator[Reader]:
    reader = Reader(Workers(count=2, deadline=1.5), Faces(), task=reads.read, initializer=None)
    yield reader
    reader.stop()


def photos(*names: str) -> list[Wanted]:
    return [Wanted((b"/photos/%s-%d" % (name.encode(), number),)) for number, name in enumerate(names)]


def outcomes(futures: list[Future[Read]]) -> list[object]:
    found: list[object] = []
    for future in futures:
        try:
            found.append(future.result(SOON).reading.hash)
        except Exception as problem:
            found.append(type(problem))
    return found


def test_each_photo_of_a_batch_gets_its_own_answer(reader: Reader, notes: Path) -> None:
    wanted = photos("good", "broken", "good")
    assert outcomes(reader.submit(wanted)) == [wanted[0].paths[0], PictureUnreadable, wanted[2].paths[0]]
    assert notes.read_text().split() == ["good", "3", "broken", "3", "good", "3"]


@pytest.mark.parametrize(("bad", "error"), [("crash", WorkerDied), ("hang", DeadlineExceeded)])
def test_a_death_among_several_is_nobodys_fault_until_each_was_read_alone(
    reader: Reader, notes: Path, bad: str, error: type[Exception]
) -> None:
    wanted = photos("good", bad, "good", "broken")
    begun = time.monotonic()
    found = outcomes(reader.submit(wanted))
    assert found == [wanted[0].paths[0], error, wanted[2].paths[0], PictureUnreadable]
    assert time.monotonic() - begun < 15, "one deadline together and one alone"
    assert Counter(notes.read_text().splitlines()) == {
        **{f"{name} 4": 1 for name in ("good", bad)},
        "good 1": 2,
        f"{bad} 1": 1,
        "broken 1": 1,
    }


def test_the_deadline_is_each_photos_own(reader: Reader, notes: Path) -> None:
    wanted = photos(*["slow"] * 4)
    assert outcomes(reader.submit(wanted)) == [photo.paths[0] for photo in wanted]
    assert notes.read_text().splitlines() == ["slow 4"] * 4


def test_stopping_cancels_whatever_is_left(notes: Path) -> None:
    reader = Reader(Workers(count=1), Faces(), task=reads.read, initializer=None)
    futures = reader.submit(photos("hang", "good")) + reader.submit(photos("good", "good", "good"))
    while "hang" not in notes.read_text():
        time.sleep(0.02)
    reader.stop()
    for future in futures + reader.submit(photos("good")):
        with pytest.raises(CancelledError):
            future.result(0)
    assert notes.read_text().split() == ["hang", "2"]


def test_without_models_every_photo_is_told(notes: Path) -> None:
    reader = Reader(Workers(count=1), Faces(), task=reads.read, initializer=reads.no_models)
    try:
        assert outcomes(reader.submit(photos("good", "good"))) == [EngineError] * 2
        assert notes.read_text() == ""
    finally:
        reader.stop()


def test_somebody_who_asks_waits_for_nothing_that_was_handed_out_before(notes: Path) -> None:
    told: list[str] = []
    settings = Workers(count=1, deadline=60, idle=0)
    reader = Reader(settings, Faces(), task=reads.read, initializer=None, begun=lambda: told.append("begun"))
    try:
        waiting = reader.submit(photos("hang")) + reader.submit(photos("good", "good"))
        while "hang" not in notes.read_text():
            time.sleep(0.02)
        told.clear()
        asked = photos("asked")[0]
        assert reader.one(asked).reading.hash == asked.paths[0]
        assert not any(future.done() for future in waiting)
        assert notes.read_text().splitlines() == ["hang 1", "asked 1"]
        assert told == ["begun"], "somebody must have that worker rest, too"
    finally:
        reader.stop()
    assert not reader.awake


def at_rest(reader: Reader) -> None:
    while reader._under_way:
        time.sleep(0.01)


def test_a_worker_that_has_nothing_to_do_reads_what_somebody_asks_for(notes: Path) -> None:
    reader = Reader(Workers(count=1, idle=0), Faces(), task=reads.process, initializer=None)
    try:
        (first,) = reader.submit(photos("good"))
        process = first.result(SOON).reading.hash
        at_rest(reader)
        assert reader.one(photos("asked")[0]).reading.hash == process
        at_rest(reader)
        assert reader.rest() is None
        assert not reader.awake
    finally:
        reader.stop()


def test_workers_rest_when_nothing_was_asked_for_long_enough(notes: Path) -> None:
    now = 0.0
    reader = Reader(Workers(count=1, deadline=1.5, idle=10.0), Faces(), lambda: now, task=reads.read, initializer=None)
    try:
        assert reader.rest() is None
        outcomes(reader.submit(photos("good", "crash")))
        # The photos that were handed out again are work too.
        while reader.rest() == 1.0:
            time.sleep(0.01)
        assert reader.rest() == pytest.approx(10.0)
        now = 11.0
        awake = reader.awake
        assert reader.rest() is None
        assert awake > reader.awake
        assert outcomes(reader.submit(photos("good"))) == [b"/photos/good-0"]
    finally:
        reader.stop()


# ---- what a worker does ----------------------------------------------------------------------------------------------


def test_a_batch_is_read_as_its_photos_one_by_one(
    tmp_path: Path, astronaut: Path, grace_hopper: Path, notes: Path
) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    Image.new("RGB", (300, 200), "green").save(tmp_path / "meadow.png")
    wanted = [
        Wanted((os.fsencode(astronaut),)),
        Wanted((os.fsencode(tmp_path / "text.jpg"),)),
        Wanted((os.fsencode(tmp_path / "meadow.png"),)),
        Wanted((os.fsencode(tmp_path / "nowhere.jpg"), os.fsencode(grace_hopper))),
        Wanted((os.fsencode(grace_hopper),), b"other".ljust(32)),
        Wanted((os.fsencode(tmp_path / "nowhere.jpg"),)),
    ]
    together = read_photos(ReadJob(tuple(wanted), Faces()))
    kinds = [type(read.found) for read in together]
    assert [kind.__name__ for kind in kinds] == [
        "PhotoReading",
        "PictureUnreadable",
        "PhotoReading",
        "PhotoReading",
        "ContentChanged",
        "PictureMissing",
    ]
    assert [len(together[n].reading.faces) > 0 for n in (0, 2, 3)] == [True, False, True]
    assert together[0].reading.hash == hash_bytes(astronaut.read_bytes())
    assert (together[2].reading.width, together[2].reading.height) == (300, 200)
    assert all(read.seconds > 0 and read.memory > 50e6 for read in together)
    for photo, read in zip(wanted, together, strict=True):
        (alone,) = read_photos(ReadJob((photo,), Faces()))
        assert type(alone.found) is type(read.found)
        if isinstance(read.found, Exception):
            assert str(alone.found) == str(read.found)
            continue
        for face, other in zip(read.reading.faces, alone.reading.faces, strict=True):
            assert face.box == other.box
            assert face.quality == other.quality
            # The network sees the same chips; only the order of its sums may differ with their number.
            assert abs(face.embedding - other.embedding).max() < 1e-5


# ---- boxes and names -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def portrait(astronaut: Path) -> Wanted:
    return Wanted((os.fsencode(astronaut),))


def test_boxes_are_described_beside_what_is_found_and_need_not_be(portrait: Wanted) -> None:
    boxes = (Box(60, 250, 160, 350), Box(160, 40, 300, 190))
    plain, asked, only = read_photos(
        ReadJob(
            (
                portrait,
                dataclasses.replace(portrait, boxes=boxes),
                dataclasses.replace(portrait, boxes=boxes[:1], search=False),
            ),
            Faces(),
        )
    )
    assert plain.reading.asked == ()
    assert [face.box for face in asked.reading.asked] == list(boxes)
    for one, other in zip(plain.reading.faces, asked.reading.faces, strict=True):
        assert one.box == other.box
        assert abs(one.embedding - other.embedding).max() < 1e-5, "what else is asked changes nothing"
    assert only.reading.faces == ()
    (face,) = only.reading.asked
    assert abs(face.embedding - asked.reading.asked[0].embedding).max() < 1e-5
    assert (only.reading.width, only.reading.hash) == (plain.reading.width, plain.reading.hash)


def test_a_small_box_is_seen_at_the_size_it_has_in_the_original(astronaut: Path, tmp_path: Path) -> None:
    """A photo of 4000 pixels is decoded at half of them, which would leave 35 of a face of 70."""
    with Image.open(astronaut) as opened:
        small = opened.resize((256, 256), Image.Resampling.LANCZOS)
    wall = Image.new("RGB", (4000, 3000), "grey")
    wall.paste(small, (2000, 1000))
    wall.save(tmp_path / "wall.png")
    small.save(tmp_path / "small.png")
    box = Box(80, 20, 150, 95)
    there = Box(2080, 1020, 2150, 1095)
    near, far = read_photos(
        ReadJob(
            (
                Wanted((os.fsencode(tmp_path / "small.png"),), boxes=(box,), search=False),
                Wanted((os.fsencode(tmp_path / "wall.png"),), boxes=(there,), search=False),
            ),
            Faces(),
        )
    )
    (one,), (other,) = near.reading.asked, far.reading.asked
    assert other.box == there
    assert abs(one.embedding - other.embedding).max() < 1e-5
    assert one.quality == other.quality


@pytest.mark.parametrize(
    "box", [Box(-1, 0, 50, 50), Box(0, 0, 513, 50), Box(400, 500, 450, 513), Box(900, 900, 950, 950)]
)
def test_a_box_that_reaches_past_the_picture_is_refused_in_words(portrait: Wanted, box: Box) -> None:
    (read,) = read_photos(ReadJob((dataclasses.replace(portrait, boxes=(box,)),), Faces()))
    with pytest.raises(BoxRefused, match="512 × 512 pixels") as caught:
        _ = read.reading
    assert "upright picture" in caught.value.advice


def test_the_engine_tells_its_name_from_a_process_of_its_own(portrait: Wanted) -> None:
    reader = Reader(Workers(count=1), Faces())
    try:
        name = reader.engine()
        assert not reader.awake, "no models stay loaded for it"
        assert reader.one(portrait).engine == name
        assert Reader(Workers(count=1), Faces(level="thorough")).engine() != name
    finally:
        reader.stop()
    with pytest.raises(ControlError, match="stopping"):
        reader.engine()


def test_what_hinders_the_engine_is_told() -> None:
    reader = Reader(Workers(count=1), Faces(), namer=reads.no_name)
    with pytest.raises(EngineError, match="no weights here"):
        reader.engine()
    reader.stop()
