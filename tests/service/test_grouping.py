"""The index beside a catalogue whose photos are read again: what is in it, and when faces of two models meet."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from guyverd import config_file
from guyverd.catalogue.rows import RootRow
from guyverd.catalogue.store import Catalogue
from guyverd.config import Config
from guyverd.model import Changes, DetectedFace, Frame, PhotoId, PhotoKind, PhotoReading, Track
from guyverd.people.index import FaceIndex
from guyverd.service.pipeline.grouping import Grouping
from guyverd.service.pipeline.indexing import Indexing
from tests.catalogue.conftest import NOW, add, content, face, seen

if TYPE_CHECKING:
    from guyverd.model import FloatArray, IntArray

OLD, NEW, OTHER = "cnn 1, resnet aa", "cnn 2, resnet aa", "cnn 2, resnet bb"


@pytest.fixture
def config(tmp_path: Path, write_config: Callable[..., Path]) -> Config:
    (tmp_path / "photos").mkdir()
    return config_file.load(write_config(tmp_path / "photos"))


def of(person: int, shade: int) -> DetectedFace:
    """One of the person's faces, all much alike."""
    noise = np.random.default_rng(1000 * person + shade).normal(size=128).astype(np.float32)
    base = face(person)
    return dataclasses.replace(base, embedding=(base.embedding + 0.1 * noise).astype(np.float32))


def read(catalogue: Catalogue, photo: int, found: DetectedFace, engine: str) -> list[int]:
    reading = PhotoReading(b"h" * 32, 640, 480, "JPEG", None, (found,))
    return catalogue.photos.read([(PhotoId(photo), reading)], engine, NOW)


def group(grouping: Grouping) -> None:
    while grouping.advance(first_unread=None):
        pass


@pytest.fixture
def library(catalogue: Catalogue, root: RootRow, config: Config) -> Grouping:
    """Photos 1 to 4 of person 1, 5 to 8 of person 2, a face each, grouped and saved."""
    add(catalogue, root, {b"%d.jpg" % n: f"photo {n}" for n in range(9)})
    for photo in range(1, 9):
        read(catalogue, photo, of((photo + 3) // 4, photo), OLD)
    grouping = Grouping(config, catalogue)
    group(grouping)
    grouping.save(now=True)
    assert whose(catalogue) == {1: 1, 2: 1, 3: 1, 4: 1, 5: 2, 6: 2, 7: 2, 8: 2}
    return grouping


def whose(catalogue: Catalogue) -> dict[int, int | None]:
    return {row.id: row.person for row in catalogue.photos.faces()}


def likeness(grouping: Grouping, found: DetectedFace) -> dict[int, float]:
    """How alike each face in the index is to that one."""
    near = grouping.index.neighbours(found.embedding[None], 20)
    return {int(one): float(like) for one, like in zip(near.ids[0], near.similarity[0], strict=True) if one >= 0}


def test_a_new_vector_replaces_the_old_one_and_nobody_moves(catalogue: Catalogue, library: Grouping) -> None:
    before = whose(catalogue)
    catalogue.renewal.begin(NEW, every=True)
    assert likeness(library, of(1, 3))[3] == pytest.approx(1, abs=1e-5), "it is evidence until it is read"
    read(catalogue, 3, of(1, 33), NEW)
    group(library)
    assert likeness(library, of(1, 33))[3] == pytest.approx(1, abs=1e-5)
    assert likeness(library, of(1, 3))[3] < 0.999
    assert whose(catalogue) == before


@pytest.mark.parametrize("saved_before_it_was_grouped", [False, True])
def test_a_daemon_that_died_before_it_saved_does_not_come_back_with_old_vectors(
    catalogue: Catalogue, library: Grouping, config: Config, saved_before_it_was_grouped: bool
) -> None:
    catalogue.renewal.begin(NEW, every=True)
    read(catalogue, 3, of(1, 33), NEW)
    read(catalogue, 4, of(1, 4), NEW)
    if saved_before_it_was_grouped:
        library.drop([8])
        library.save(now=True)
    group(library)
    # It dies here. What is on disk has all faces, and one of them as it was.
    again = Grouping(config, catalogue)
    assert likeness(again, of(1, 33))[3] == pytest.approx(1, abs=1e-5)
    assert likeness(again, of(1, 4))[4] == pytest.approx(1, abs=1e-5)
    again.save(now=True)
    assert catalogue.renewal.revised().tolist() == []
    assert likeness(Grouping(config, catalogue), of(1, 33))[3] == pytest.approx(1, abs=1e-5)


def test_faces_of_another_model_wait_and_are_compared_with_their_own_kind_only(
    catalogue: Catalogue, library: Grouping
) -> None:
    read(catalogue, 9, of(2, 9), OTHER)
    group(library)
    assert whose(catalogue)[9] is None
    assert 9 not in library.index
    count, parted = catalogue.renewal.begin(OTHER)
    assert (count, parted) == (8, True)
    library.replace()
    assert len(library.index) == 0
    measure = library.measuring.now()
    for photo in range(1, 9):
        assert catalogue.photos.first_unread() == 0
        # This model sees persons 1 and 2 where the old one saw them, in vectors of its own.
        read(catalogue, photo, of(10 * ((photo + 3) // 4), photo), OTHER)
    read(catalogue, 9, of(20, 9), OTHER)
    assert catalogue.photos.first_unread() is None
    group(library)
    assert whose(catalogue) == {1: 1, 2: 1, 3: 1, 4: 1, 5: 2, 6: 2, 7: 2, 8: 2, 9: 2}
    assert library.index.ids().tolist() == list(range(1, 10))
    assert library.measuring.now() is not measure, "what is usual among vectors is learned anew"


# ---- opened early ----------------------------------------------------------------------------------------------------


class Held:
    """Opening that waits until it may go on, once it has read what the catalogue holds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.read, self.go_on = threading.Event(), threading.Event()
        self.times = 0
        opened = Indexing._opened

        def held(indexing: Indexing) -> FaceIndex:
            found = opened(indexing)
            self.times += 1
            self.read.set()
            assert self.go_on.wait(20)
            return found

        monkeypatch.setattr(Indexing, "_opened", held)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Held:
    return Held(monkeypatch)


def opening(config: Config, catalogue: Catalogue, held: Held) -> tuple[Grouping, threading.Event]:
    """A program that has just started, whose index is about to be open; and what is set when it is."""
    grouping, done = Grouping(config, catalogue), threading.Event()
    grouping.open_early(done.set)
    assert held.read.wait(20)
    return grouping, done


def test_new_faces_wait_for_an_index_that_is_being_opened_and_nobody_waits_for_them(
    catalogue: Catalogue, library: Grouping, config: Config, held: Held
) -> None:
    read(catalogue, 9, of(1, 9), OLD)
    grouping, done = opening(config, catalogue, held)
    assert not grouping.advance(first_unread=None)
    waited = grouping.waits
    assert waited
    assert whose(catalogue)[9] is None
    held.go_on.set()
    assert done.wait(20)
    assert grouping.advance(first_unread=None)
    assert not grouping.waits
    assert whose(catalogue)[9] == 1
    assert held.times == 1


def test_what_is_forgotten_while_the_index_is_opened_is_not_in_it(
    catalogue: Catalogue, library: Grouping, config: Config, held: Held
) -> None:
    grouping, done = opening(config, catalogue, held)
    grouping.drop([2, 5])
    held.go_on.set()
    assert done.wait(20)
    assert grouping.index.ids().tolist() == [1, 3, 4, 6, 7, 8]


def test_an_index_that_is_doubted_while_it_is_opened_is_opened_again(
    catalogue: Catalogue, library: Grouping, config: Config, held: Held
) -> None:
    grouping, done = opening(config, catalogue, held)
    grouping.doubt()
    held.go_on.set()
    assert done.wait(20)
    assert held.times == 2
    assert len(grouping.index) == 8


def test_who_stops_does_not_wait_until_a_large_index_is_rebuilt(
    catalogue: Catalogue, library: Grouping, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guyverd.service.pipeline.indexing._STEP", 1)
    stamp = catalogue.index_stamp()
    assert stamp is not None
    (config.state / "index" / stamp.file).unlink()
    begun, go_on, added = threading.Event(), threading.Event(), []
    add = FaceIndex.add

    def slow(index: FaceIndex, ids: IntArray, vectors: FloatArray) -> None:
        added.extend(ids.tolist())
        begun.set()
        assert go_on.wait(20)
        add(index, ids, vectors)

    monkeypatch.setattr(FaceIndex, "add", slow)
    grouping = Grouping(config, catalogue)
    grouping.open_early(lambda: None)
    assert begun.wait(20)
    stopping = threading.Thread(target=grouping.give_up_opening)
    stopping.start()
    while not grouping._stopping:
        time.sleep(0.001)
    go_on.set()
    stopping.join()
    assert added == [1]
    assert not grouping.is_opening
    grouping.save(now=True)
    assert catalogue.index_stamp() == stamp, "what is not whole is not saved"


def test_who_searches_while_evidence_is_learned_anew_gets_what_was_learned_before(
    catalogue: Catalogue, library: Grouping, root: RootRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    measuring = library.measuring
    before = measuring.now()
    assert measuring.lately() is before
    add(catalogue, root, {b"more%d.jpg" % n: f"another {n}" for n in range(60)})
    learning, go_on = threading.Event(), threading.Event()
    crowd = catalogue.photos.crowd

    def slow(*of: Any) -> tuple[int, FloatArray]:
        learning.set()
        assert go_on.wait(20)
        return crowd(*of)

    monkeypatch.setattr(catalogue.photos, "crowd", slow)
    assert measuring.lately() is before
    assert learning.wait(20)
    assert measuring.lately() is before, "and nobody waits for what is being learned"
    go_on.set()
    after = measuring.now()
    assert after is not before
    assert measuring.lately() is after
    assert measuring.at(8) is not after, "what is grouped has a measure of its own"
    assert measuring.lately() is after


# ---- videos ----------------------------------------------------------------------------------------------------------


def filmed(person: int, shade: int, start: float) -> DetectedFace:
    one = of(person, shade)
    return dataclasses.replace(one, track=Track(start, start + 5.0, (Frame(start + 1.0, one.box, 0.9),)))


def mixed(catalogue: Catalogue, root: RootRow) -> dict[int, PhotoReading]:
    """Photos and videos in turns, of two people; what is found in each, by number."""
    names = [b"%02d.%s" % (number, b"mp4" if number % 3 == 0 else b"jpg") for number in range(1, 13)]
    catalogue.files.apply(root.id, Changes(new=tuple(map(seen, names))), NOW)
    pending = catalogue.files.pending(99)
    found = [(file.id, file.stamp, content(file.relative.decode())) for file in pending]
    catalogue.files.identified(found, videos={file.id for file in pending if file.relative.endswith(b".mp4")})
    readings = {}
    for number in range(1, 13):
        if number % 3:
            faces: tuple[DetectedFace, ...] = (of(1 + number % 2, number),)
            readings[number] = PhotoReading(b"h" * 32, 640, 480, "JPEG", None, faces)
        else:
            faces = filmed(1, number, 0.0), filmed(2, number, 6.0), filmed(1, 50 + number, 12.0)
            readings[number] = PhotoReading(b"h" * 32, 640, 480, "MP4", None, faces, duration=20.0)
    return readings


def turn(grouping: Grouping, catalogue: Catalogue) -> None:
    """What the coordinator does after each reading."""
    first = catalogue.photos.first_unread(PhotoKind.PHOTO)
    while grouping.advance(first_unread=first, kind=PhotoKind.PHOTO):
        pass
    if first is None:
        while grouping.advance(first_unread=catalogue.photos.first_unread(PhotoKind.VIDEO), kind=PhotoKind.VIDEO):
            pass


@pytest.mark.promise("kill")
@pytest.mark.parametrize("order", ["photos first", "videos first", "as they come", "backwards"])
def test_videos_come_after_all_photos_whatever_was_read_first(
    catalogue: Catalogue, root: RootRow, config: Config, order: str
) -> None:
    readings = mixed(catalogue, root)
    numbers = sorted(
        readings, key=lambda number: {"photos first": number % 3 == 0, "videos first": number % 3 > 0}.get(order, 0)
    )
    if order == "backwards":
        numbers.reverse()
    grouping = Grouping(config, catalogue)
    grouped: list[int] = []
    for number in numbers:
        catalogue.photos.read([(PhotoId(number), readings[number])], OLD, NOW)
        before = {int(face) for face in catalogue.photos.grouped_ids()}
        turn(grouping, catalogue)
        rows = catalogue._db.rows("SELECT id, photo_id FROM faces ORDER BY id")
        after = {int(face) for face in catalogue.photos.grouped_ids()} - before
        grouped += sorted({row["photo_id"] for row in rows if row["id"] in after}, key=lambda one: (one % 3 == 0, one))
    videos = [number for number in grouped if number % 3 == 0]
    assert grouped == [*(number for number in grouped if number % 3), *videos]
    rows = catalogue._db.rows("SELECT photo_id, starts, person_id FROM faces ORDER BY photo_id, starts")
    told = [(row["photo_id"], row["starts"], row["person_id"]) for row in rows]
    assert len({person for _, _, person in told}) == 2
    # The same people under the same numbers, in whatever order they were read.
    first = {row["person_id"] for row in rows if row["photo_id"] == 1}
    assert {person for photo, start, person in told if photo % 3 == 0 and start == 6.0} == first
    assert {person for photo, start, person in told if photo % 3 == 0 and start != 6.0} == {1, 2} - first
