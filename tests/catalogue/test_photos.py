"""What is told of photos and faces, and the columns clustering works on: shapes, order, and what is not there."""

from __future__ import annotations

import dataclasses
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guyverd.catalogue.rows import RootRow, Waiting
from guyverd.catalogue.store import Catalogue
from guyverd.model import (
    Assignment,
    Box,
    Changes,
    FaceId,
    FaceTable,
    FileId,
    PersonId,
    PhotoId,
    PhotoReading,
    PhotoState,
    RootState,
    SeenFile,
    Stamp,
)
from tests.catalogue.conftest import NOW, OTHER, add, content, face, ids, library, read, seen

NONE = np.array([], dtype=np.int64)


def one_person(catalogue: Catalogue, faces: list[int]) -> None:
    catalogue.people.assign([Assignment(FaceId(one), None, 0, 0.9) for one in faces], [], 10_000, NOW)


# ---- reading ---------------------------------------------------------------------------------------------------------


def test_everything_that_was_found_comes_back(catalogue: Catalogue, root: RootRow) -> None:
    add(catalogue, root, {b"a.jpg": "a"})
    found = dataclasses.replace(face(5), box=Box(-7, -3, 40, 61), landmarks=((1.005, -2.5),) * 5)
    reading = PhotoReading(b"h" * 32, 4000, 3000, "HEIF", "2020-02-03T04:05:06+02:00", (found, face(6, 90)))
    catalogue.photos.read([(PhotoId(1), reading)], "engine 2", NOW)
    one, two = catalogue.photos.faces()
    assert (one.id, one.person, one.photo, one.box) == (1, None, 1, (-7, -3, 40, 61))
    assert (one.confidence, one.quality, one.taken_at) == (1.5, 0.75, "2020-02-03T04:05:06+02:00")
    assert two.box[0] == 90
    assert np.array_equal(catalogue.photos.table(np.array([1])).vectors[0], found.embedding), "to the last bit"
    row = catalogue._db.row("SELECT * FROM photos")
    assert row is not None
    assert (row["state"], row["width"], row["height"], row["format"]) == ("done", 4000, 3000, "HEIF")
    assert (row["engine"], row["read_at"], row["grouped_at"]) == ("engine 2", NOW, None)


def test_a_result_for_a_photo_that_was_forgotten_meanwhile_stops_nothing(catalogue: Catalogue, root: RootRow) -> None:
    library(catalogue, root, [1, 1])
    catalogue.files.apply(root.id, Changes(gone=(FileId(1),)), NOW)
    catalogue.files.forget("9999")
    reading = PhotoReading(b"h" * 32, 1, 1, "JPEG", None, (face(1),))
    catalogue.photos.read([(PhotoId(1), reading), (PhotoId(2), reading)], "engine", NOW)
    assert [row.photo for row in catalogue.photos.faces()] == [2]
    catalogue.photos.failed(PhotoId(1), PhotoState.FAILED, "why", 1, NOW)
    assert catalogue.integrity() == []


def test_one_wrong_result_undoes_its_batch(catalogue: Catalogue, root: RootRow) -> None:
    add(catalogue, root, {b"a.jpg": "a", b"b.jpg": "b"})
    good = PhotoReading(b"h" * 32, 1, 1, "JPEG", None, (face(1),))
    short = dataclasses.replace(face(2), embedding=np.zeros(64, np.float32))
    with pytest.raises(AssertionError):
        catalogue.photos.read([(PhotoId(1), good), (PhotoId(2), dataclasses.replace(good, faces=(short,)))], "e", NOW)
    assert list(catalogue.photos.faces()) == []
    assert len(catalogue.photos.pending(10)) == 2


def test_a_success_after_failures_ends_them(catalogue: Catalogue, root: RootRow) -> None:
    add(catalogue, root, {b"a.jpg": "a"})
    catalogue.photos.failed(PhotoId(1), PhotoState.FAILED, "cut short", 1, NOW)
    assert catalogue.counts().failures == 1
    assert catalogue.photos.ungrouped_range() == (None, None)
    read(catalogue, 1, 1)
    assert catalogue.counts().failures == 0
    assert list(catalogue.photos.failures()) == []


# ---- pending ---------------------------------------------------------------------------------------------------------


def test_photos_wait_in_order_and_only_where_their_bytes_can_be_had(catalogue: Catalogue, root: RootRow) -> None:
    other = catalogue.files.roots()[1]
    add(catalogue, other, {b"0.jpg": "zero", b"1.jpg": "one"})
    add(catalogue, root, {b"1.jpg": "one", b"2.jpg": "two", b"3.jpg": "three"})
    photos = catalogue.photos
    assert [photo.id for photo in photos.pending(3)] == [1, 2, 3]
    assert [photo.id for photo in photos.pending(10, after=2)] == [3, 4]
    assert photos.pending(10)[1].paths == (b"/more/1.jpg", b"/photos/1.jpg")
    catalogue.files.set_root(other.id, None, RootState.OFFLINE, "away")
    assert [photo.id for photo in photos.pending(10)] == [2, 3, 4]
    assert photos.first_unread() == 2
    catalogue.files.apply(root.id, Changes(gone=(ids(catalogue, root)[b"2.jpg"],)), NOW)
    assert [photo.id for photo in photos.pending(10)] == [2, 4]
    catalogue.files.configure([OTHER])
    assert photos.pending(10) == []
    assert photos.first_unread() is None
    assert photos.next_id() == 5


def sized(catalogue: Catalogue, root: RootRow, sizes: dict[bytes, int]) -> None:
    """Files of those sizes, found and not identified."""
    new = tuple(SeenFile(path, Stamp(size, 1, 7)) for path, size in sizes.items())
    catalogue.files.apply(root.id, Changes(new=new), NOW)


def test_what_waits_is_counted_by_size(catalogue: Catalogue, root: RootRow) -> None:
    assert catalogue.photos.waiting() == Waiting({}, {}, 1.0)
    sized(catalogue, root, {b"0.jpg": 0, b"1.jpg": 1023, b"2.jpg": 1024, b"3.jpg": 2047, b"4.jpg": 3_000_000_000_000})
    assert catalogue.photos.waiting() == Waiting(
        {}, {0: (1, 0), 10: (1, 1023), 11: (2, 3071), 42: (1, 3 * 10**12)}, 1.0
    )
    # Three files, two contents.
    for file, name in zip(catalogue.files.pending(3), "aab", strict=True):
        catalogue.files.identified([(file.id, file.stamp, content(name))])
    sized(catalogue, catalogue.files.roots()[1], {b"other.jpg": 7})
    read(catalogue, 2)
    found = catalogue.photos.waiting()
    assert found == Waiting({0: (1, 0)}, {3: (1, 7), 11: (1, 2047), 42: (1, 3 * 10**12)}, 2 / 3)
    # What is not in reach does not wait.
    catalogue.files.set_root(root.id, None, RootState.OFFLINE, "")
    assert catalogue.photos.waiting() == Waiting({}, {3: (1, 7)}, 2 / 3)


def test_a_choice_by_size_is_spread_and_always_the_same(catalogue: Catalogue, root: RootRow) -> None:
    sized(catalogue, root, {b"%04d.jpg" % n: 1000 + n % 2 for n in range(1000)})
    catalogue.files.identified([(file.id, file.stamp, content(str(file.id))) for file in catalogue.files.pending(1000)])
    chosen = catalogue.photos.some_pending((1001, 1002), 20)
    assert chosen == catalogue.photos.some_pending((1001, 1002), 20)
    assert {photo.size for photo in chosen} == {1001}
    assert len({photo.id // 100 for photo in chosen}) >= 7
    assert all(photo.paths for photo in chosen)
    assert len(catalogue.photos.some_pending((0, 5000), 2000)) == 1000
    assert catalogue.photos.some_pending((1002, 5000), 20) == []


def test_files_wait_in_order(catalogue: Catalogue, root: RootRow) -> None:
    catalogue.files.apply(root.id, Changes(new=tuple(seen(b"%d" % n) for n in (3, 1, 2))), NOW)
    assert [file.path for file in catalogue.files.pending(10)] == [b"/photos/3", b"/photos/1", b"/photos/2"]
    assert [file.id for file in catalogue.files.pending(1)] == [1]
    assert [file.id for file in catalogue.files.pending(10, after=1)] == [2, 3]


# ---- failures --------------------------------------------------------------------------------------------------------


def test_a_file_that_cannot_be_read_is_told_as_that_whatever_its_photo_is(catalogue: Catalogue, root: RootRow) -> None:
    library(catalogue, root, [1, 1])
    catalogue.files.failed([(FileId(1), "permission denied")])
    catalogue.files.failed([(FileId(2), "i/o error")])
    catalogue.photos.failed(PhotoId(2), PhotoState.FAILED, "cut short", 2, "2026-05-05T00:00:00+00:00")
    rows = [(row.file, row.state, row.reason, row.attempts, row.at) for row in catalogue.photos.failures()]
    assert rows == [
        (b"/photos/000.jpg", "failed", "permission denied", 0, NOW),
        (b"/photos/001.jpg", "failed", "i/o error", 0, NOW),
    ]


def test_as_many_failures_are_counted_as_are_listed(catalogue: Catalogue, root: RootRow) -> None:
    other = catalogue.files.roots()[1]
    add(catalogue, root, {b"a.jpg": "broken", b"b.jpg": "broken", b"c.jpg": "killer", b"d.jpg": "fine", b"e.jpg": "?"})
    add(catalogue, other, {b"f.jpg": "broken"})
    catalogue.files.apply(other.id, Changes(new=(seen(b"g.jpg"), seen(b"h.jpg"))), NOW)
    catalogue.photos.failed(PhotoId(1), PhotoState.FAILED, "cut short", 0, NOW)
    catalogue.photos.failed(PhotoId(2), PhotoState.QUARANTINED, "it hung", 3, NOW)
    catalogue.photos.failed(PhotoId(4), PhotoState.PENDING, "it hung", 1, NOW)
    read(catalogue, 3)
    catalogue.files.failed([(ids(catalogue, other)[b"g.jpg"], "permission denied"), (FileId(1), "i/o error")])

    def told() -> list[tuple[bytes, str]]:
        rows = [(row.file, row.state) for row in catalogue.photos.failures()]
        assert catalogue.counts().failures == len(rows)
        return rows

    both = [(b"/photos/a.jpg", "failed"), (b"/photos/b.jpg", "failed"), (b"/photos/c.jpg", "quarantined")]
    assert told() == [(b"/more/f.jpg", "failed"), (b"/more/g.jpg", "failed"), *both]
    assert catalogue.counts().pending_files == 1
    catalogue.files.configure([b"/photos"])
    assert told() == both
    assert catalogue.counts().pending_files == 0, "of a root that is not configured nothing is waited for"
    catalogue.files.apply(root.id, Changes(gone=(FileId(2),)), NOW)
    assert told() == [both[0], both[2]]


# ---- counts ----------------------------------------------------------------------------------------------------------


def test_counts_are_of_what_is_there(catalogue: Catalogue, root: RootRow) -> None:
    faces = library(catalogue, root, [2, 1, 0])
    add(catalogue, root, {b"copy.jpg": "photo 0", b"new.jpg": "new"})
    one_person(catalogue, [faces[0], faces[2]])
    catalogue.files.apply(root.id, Changes(new=(seen(b"newer.jpg"),)), NOW)
    counts = catalogue.counts()
    assert (counts.files, counts.photos, counts.faces, counts.people, counts.named) == (6, 4, 3, 1, 0)
    assert (counts.pending_files, counts.pending_photos, counts.ungrouped_faces) == (1, 1, 0)
    known = ids(catalogue, root)
    catalogue.files.apply(root.id, Changes(gone=(known[b"001.jpg"], known[b"copy.jpg"])), NOW)
    counts = catalogue.counts()
    assert (counts.files, counts.photos, counts.faces, counts.people) == (4, 3, 2, 1)
    catalogue.files.apply(root.id, Changes(gone=(known[b"000.jpg"],)), NOW)
    assert (catalogue.counts().faces, catalogue.counts().people) == (0, 0)


# ---- columns ---------------------------------------------------------------------------------------------------------


def shape(table: FaceTable) -> list[tuple[object, ...]]:
    columns = (table.ids, table.photos, table.quality, table.people, table.vectors)
    return [(column.dtype, column.shape) for column in columns]


def expected_shape(n: int) -> list[tuple[object, ...]]:
    return [(np.int64, (n,)), (np.int64, (n,)), (np.float32, (n,)), (np.int64, (n,)), (np.float32, (n, 128))]


def test_tables_have_one_shape_however_many_rows(catalogue: Catalogue, root: RootRow) -> None:
    photos = catalogue.photos
    for table in (photos.table(NONE), photos.members(NONE), photos.companions(NONE), photos.members(np.array([1]))):
        assert shape(table) == expected_shape(0)
    library(catalogue, root, [2, 1])
    one_person(catalogue, [1, 3])
    assert shape(photos.table(np.array([1, 2, 3]))) == expected_shape(3)
    assert shape(photos.members(np.array([1]))) == expected_shape(2)
    assert shape(photos.companions(np.array([1]))) == expected_shape(1)
    assert photos.companions(np.array([1, 2])).ids.tolist() == []
    assert photos.companions(np.array([3, 99])).ids.tolist() == []
    assert [vectors.shape for _, vectors in photos.grouped(1)] == [(1, 128)] * 3
    assert photos.grouped_ids().dtype == photos.ungrouped(9).dtype == np.int64


def test_nothing_is_grouped_in_an_empty_catalogue(catalogue: Catalogue) -> None:
    photos = catalogue.photos
    assert not [*photos.grouped(), *photos.faces(), *photos.failures()]
    assert len(photos.grouped_ids()) == len(photos.ungrouped(10)) == 0
    assert photos.ungrouped_range() == (None, None)
    assert photos.first_unread() is None
    assert photos.next_id() == 1


def test_more_faces_than_a_statement_takes(catalogue: Catalogue, root: RootRow) -> None:
    library(catalogue, root, [700, 1, 600])
    every = np.arange(1301, 0, -1)
    table = catalogue.photos.table(every)
    assert table.ids.tolist() == sorted(every.tolist())
    assert len(catalogue.photos.faces_by_id(every.tolist())) == 1301
    assert catalogue.photos.companions(np.arange(1, 1302, 2)).ids.tolist() == list(range(2, 1301, 2))
    assert set(catalogue.files.paths_of(range(1, 2000))[3]) == {b"/photos/002.jpg"}


def test_rows_are_in_the_order_of_photo_and_place_however_faces_are_numbered(
    catalogue: Catalogue, root: RootRow
) -> None:
    add(catalogue, root, {b"%d.jpg" % n: f"photo {n}" for n in range(3)})
    for photo in (3, 1, 2):
        read(catalogue, photo, 2)
    assert catalogue.photos.ungrouped(3).tolist() == [3, 4, 5, 6, 1, 2]
    table = catalogue.photos.table(np.arange(1, 7))
    assert table.ids.tolist() == [3, 4, 5, 6, 1, 2]
    assert table.photos.tolist() == [1, 1, 2, 2, 3, 3]
    one_person(catalogue, [1, 3, 5])
    assert catalogue.photos.members(np.array([1])).ids.tolist() == [3, 5, 1]
    assert catalogue.photos.companions(np.array([1, 3])).ids.tolist() == [4, 2]
    assert [found.tolist() for found, _ in catalogue.photos.grouped(4)] == [[3, 4, 5, 6], [1, 2]]
    assert catalogue.photos.grouped_ids().tolist() == [1, 2, 3, 4, 5, 6]


def test_faces_of_photos_that_are_away_still_teach_but_are_not_told_of(catalogue: Catalogue, root: RootRow) -> None:
    library(catalogue, root, [1, 1])
    one_person(catalogue, [1, 2])
    catalogue.files.apply(root.id, Changes(gone=(FileId(1),)), NOW)
    assert (
        [row.id for row in catalogue.photos.faces()] == [row.id for row in catalogue.photos.faces(PersonId(1))] == [2]
    )
    assert list(catalogue.photos.faces_by_id([1, 2])) == [2]
    assert [row.photo for row in catalogue.photos.pictures_of(PersonId(1))] == [2]
    assert catalogue.photos.members(np.array([1])).ids.tolist() == [1, 2]
    assert catalogue.photos.grouped_ids().tolist() == [1, 2]


def test_photos_without_a_date_come_last(catalogue: Catalogue, root: RootRow) -> None:
    add(catalogue, root, {b"%d.jpg" % n: f"photo {n}" for n in range(4)})
    for photo, taken in ((1, None), (2, "2021"), (3, None), (4, "2020")):
        read(catalogue, photo, 1, taken)
    one_person(catalogue, [1, 2, 3, 4])
    assert [row.photo for row in catalogue.photos.pictures_of(PersonId(1))] == [4, 2, 1, 3]


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    """Person n has n faces, for n from 1 to 40."""
    catalogue = Catalogue(os.fsencode(tmp_path_factory.mktemp("crowd") / "c.db"), clock=lambda: NOW)
    catalogue.files.configure([b"/photos"])
    library(catalogue, catalogue.files.roots()[0], [1] * 820)
    who = np.repeat(np.arange(1, 41), np.arange(1, 41))
    given_ = [Assignment(FaceId(row + 1), None, int(person), 0.9) for row, person in enumerate(who)]
    catalogue.people.assign(given_, [], 820, NOW)
    return catalogue


@given(person=st.integers(1, 40), at_most=st.integers(1, 45))
@settings(max_examples=150, deadline=None)
def test_a_sample_has_as_many_as_asked_for_with_gaps_that_differ_by_one(
    crowd: Catalogue, person: int, at_most: int
) -> None:
    found = crowd.photos.members(np.array([person]), at_most)
    assert set(found.people.tolist()) == {person}
    assert len(found) == min(person, at_most)
    first = person * (person - 1) // 2 + 1
    assert found.photos[0] == first, "the first is always in it"
    gaps = np.diff([*found.photos.tolist(), first + person])
    assert gaps.max() - gaps.min() <= 1
    assert found.ids.tolist() == crowd.photos.members(np.array([person, person]), at_most).ids.tolist()
