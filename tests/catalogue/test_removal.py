"""When a file counts as gone, and when a photo may be forgotten: never on hearsay, never for want of a disk."""

from __future__ import annotations

import pytest

from guyverd.catalogue.rows import RootRow
from guyverd.catalogue.store import Catalogue
from guyverd.model import Assignment, Changes, FaceId, FileId, PersonId, PhotoId, RootState, Stamp
from tests.catalogue.conftest import NOW, OTHER, ROOT, add, call, content, identify, ids, library, read, seen

pytestmark = pytest.mark.promise("removal")

FEBRUARY, MARCH, NEVER = "2026-02-01T00:00:00+00:00", "2026-03-01T00:00:00+00:00", "9999"


@pytest.fixture
def other(catalogue: Catalogue) -> RootRow:
    return catalogue.files.roots()[1]


def offline(catalogue: Catalogue, root: RootRow) -> None:
    catalogue.files.set_root(root.id, None, RootState.OFFLINE, "away")


def online(catalogue: Catalogue, root: RootRow) -> None:
    catalogue.files.set_root(root.id, None, RootState.ONLINE, "")


def gone(catalogue: Catalogue, root: RootRow, *paths: bytes, at: str = NOW) -> None:
    known = ids(catalogue, root)
    catalogue.files.apply(root.id, Changes(gone=tuple(known[path] for path in paths)), at)


def missing(catalogue: Catalogue, root: RootRow) -> set[bytes]:
    return {known.path for known in catalogue.files.known(root.id) if known.missing}


# ---- gone ------------------------------------------------------------------------------------------------------------


def test_a_photo_that_cannot_be_found_is_still_there_on_the_disk_that_is_away(
    catalogue: Catalogue, root: RootRow, other: RootRow
) -> None:
    add(catalogue, root, {b"here.jpg": "one"})
    add(catalogue, other, {b"there.jpg": "one"})
    offline(catalogue, other)
    catalogue.files.gone(PhotoId(1), NOW)
    assert missing(catalogue, root) == {b"here.jpg"}
    assert missing(catalogue, other) == set()
    assert catalogue.photos.pending(10) == [], "nor is it tried again and again"
    assert catalogue.files.forget(NEVER) == []
    assert catalogue.counts().photos == 1


def test_a_file_that_vanished_with_its_disk_is_not_gone(catalogue: Catalogue, root: RootRow) -> None:
    catalogue.files.apply(root.id, Changes(new=(seen(b"1.jpg"), seen(b"2.jpg"))), NOW)
    catalogue.files.vanished(ids(catalogue, root)[b"1.jpg"], NOW)
    offline(catalogue, root)
    catalogue.files.vanished(ids(catalogue, root)[b"2.jpg"], NOW)
    assert missing(catalogue, root) == {b"1.jpg"}


def test_a_root_taken_out_of_the_config_loses_nothing(catalogue: Catalogue, root: RootRow) -> None:
    library(catalogue, root, [1, 1])
    gone(catalogue, root, b"000.jpg")
    catalogue.files.configure([OTHER])
    catalogue.files.gone(PhotoId(2), NOW)
    assert catalogue.files.overdue(NEVER) == (0, 2)
    assert catalogue.files.forget(NEVER) == []
    catalogue.files.configure([OTHER, ROOT])
    assert [one.path for one in catalogue.files.roots()] == [ROOT, OTHER], "in the order of their first mention"
    assert missing(catalogue, root) == {b"000.jpg"}
    assert catalogue.files.forget(NEVER) == [1]


def test_no_roots_at_all(catalogue: Catalogue, root: RootRow) -> None:
    library(catalogue, root, [1])
    catalogue.files.configure([])
    assert catalogue.files.roots() == []
    assert not [*catalogue.files.pending(1), *catalogue.photos.pending(1), *catalogue.people.all()]
    counts = catalogue.counts()
    assert counts.files == counts.photos == counts.faces == counts.people == counts.pending_files == 0


def test_when_it_went_is_when_it_was_first_missed(catalogue: Catalogue, root: RootRow) -> None:
    library(catalogue, root, [1])
    gone(catalogue, root, b"000.jpg", at=NOW)
    gone(catalogue, root, b"000.jpg", at=MARCH)
    catalogue.files.vanished(FileId(1), MARCH)
    catalogue.files.gone(PhotoId(1), MARCH)
    assert catalogue.files.overdue(FEBRUARY) == (1, 1)


def test_the_time_of_grace_begins_anew_for_what_came_back(catalogue: Catalogue, root: RootRow) -> None:
    library(catalogue, root, [1])
    gone(catalogue, root, b"000.jpg", at=NOW)
    catalogue.files.apply(root.id, Changes(returned=(FileId(1),)), FEBRUARY)
    gone(catalogue, root, b"000.jpg", at=MARCH)
    assert catalogue.files.forget(MARCH) == [], "strictly longer than that"
    assert catalogue.files.forget(NEVER) == [1]


def test_the_copy_that_went_last_counts(catalogue: Catalogue, root: RootRow) -> None:
    add(catalogue, root, {b"a.jpg": "same", b"b.jpg": "same"})
    catalogue.files.vanished(FileId(1), NOW)
    catalogue.files.vanished(FileId(2), MARCH)
    assert catalogue.files.overdue(FEBRUARY) == catalogue.files.overdue(MARCH) == (0, 1)
    assert catalogue.files.overdue(NEVER) == (1, 1)


# ---- moves -----------------------------------------------------------------------------------------------------------


def test_both_halves_of_a_move_in_one_look(catalogue: Catalogue, root: RootRow) -> None:
    library(catalogue, root, [1])
    both = Changes(new=(seen(b"moved.jpg"),), gone=(ids(catalogue, root)[b"000.jpg"],))
    catalogue.files.apply(root.id, both, NOW)
    assert catalogue.counts().photos == 0, "until it is identified"
    identify(catalogue, {b"moved.jpg": "photo 0"})
    assert list(ids(catalogue, root)) == [b"moved.jpg"]
    assert (catalogue.counts().photos, catalogue.counts().faces) == (1, 1)


def test_a_move_from_one_root_to_another(catalogue: Catalogue, root: RootRow, other: RootRow) -> None:
    library(catalogue, root, [2])
    catalogue.people.assign([Assignment(FaceId(1), None, 0, 0.9)], [], 1, NOW)
    gone(catalogue, root, b"000.jpg")
    add(catalogue, other, {b"x.jpg": "photo 0"})
    assert catalogue.files.known(root.id) == []
    assert catalogue.files.paths_of([1])[1] == (OTHER + b"/x.jpg",)
    assert catalogue.people.get(PersonId(1)).photos == 1


def test_two_files_that_change_places(catalogue: Catalogue, root: RootRow) -> None:
    library(catalogue, root, [1, 1])
    known = ids(catalogue, root)
    swapped = tuple((known[path], seen(path, 2)) for path in (b"000.jpg", b"001.jpg"))
    catalogue.files.apply(root.id, Changes(changed=swapped), NOW)
    identify(catalogue, {b"000.jpg": "photo 1", b"001.jpg": "photo 0"})
    assert catalogue.files.paths_of([1, 2]) == {1: (b"/photos/001.jpg",), 2: (b"/photos/000.jpg",)}
    assert catalogue.files.forget(NEVER) == []
    assert catalogue.photos.pending(10) == []


def test_the_last_of_several_copies_keeps_the_photo(catalogue: Catalogue, root: RootRow) -> None:
    paths = [b"a.jpg", b"b.jpg", b"c.jpg"]
    add(catalogue, root, dict.fromkeys(paths, "same"))
    read(catalogue, 1, 1)
    gone(catalogue, root, *paths)
    assert list(ids(catalogue, root)) == paths, "none is a copy of something that is there"
    assert len(missing(catalogue, root)) == 3
    catalogue.files.apply(root.id, Changes(returned=(ids(catalogue, root)[b"b.jpg"],)), NOW)
    assert catalogue.files.paths_of([1])[1] == (b"/photos/b.jpg",)
    assert catalogue.files.forget(NEVER) == []


def test_a_copy_whose_bytes_are_not_known_yet_does_not_stand_for_the_photo(catalogue: Catalogue, root: RootRow) -> None:
    """It was the same photo and has changed since, so the one that is gone may be the last."""
    add(catalogue, root, {b"a.jpg": "same", b"b.jpg": "same"})
    catalogue.files.apply(root.id, Changes(changed=((ids(catalogue, root)[b"b.jpg"], seen(b"b.jpg", 2)),)), NOW)
    gone(catalogue, root, b"a.jpg")
    assert missing(catalogue, root) == {b"a.jpg"}
    identify(catalogue, {b"b.jpg": "edited"})
    assert catalogue.files.overdue(NOW) == (0, 2), "its time of grace is not over"


# ---- identified ------------------------------------------------------------------------------------------------------


def test_photos_are_numbered_in_the_order_given(catalogue: Catalogue, root: RootRow) -> None:
    catalogue.files.apply(root.id, Changes(new=tuple(seen(b"%d.jpg" % n) for n in range(4))), NOW)
    files = catalogue.files.pending(10)
    assert [file.relative for file in files] == [b"0.jpg", b"1.jpg", b"2.jpg", b"3.jpg"]
    order = [files[2], files[0], files[3], files[1]]
    names = ["x", "y", "x", "z"]
    new = catalogue.files.identified(
        (file.id, file.stamp, content(name)) for file, name in zip(order, names, strict=True)
    )
    assert new == 3
    assert [photo.hash for photo in catalogue.photos.pending(10)] == [content("x"), content("y"), content("z")]
    assert catalogue.files.paths_of([1])[1] == (b"/photos/2.jpg", b"/photos/3.jpg")
    assert catalogue.files.identified([(files[0].id, files[0].stamp, content("x"))]) == 0


def test_the_stamp_of_the_bytes_that_were_read_counts(catalogue: Catalogue, root: RootRow) -> None:
    catalogue.files.apply(root.id, Changes(new=(seen(b"a.jpg", 1),)), NOW)
    catalogue.files.identified([(FileId(1), Stamp(99, 5, 7), content("x"))])
    assert catalogue.files.known(root.id)[0].stamp == Stamp(99, 5, 7)


def test_bytes_of_a_file_whose_row_went_make_no_photo_and_drop_nothing(catalogue: Catalogue, root: RootRow) -> None:
    library(catalogue, root, [1])
    gone(catalogue, root, b"000.jpg")
    late = [(FileId(77), Stamp(1, 1, 1), content("photo 0")), (FileId(78), Stamp(1, 1, 1), content("unheard of"))]
    assert catalogue.files.identified(late) == 0
    assert catalogue.photos.next_id() == 2
    assert missing(catalogue, root) == {b"000.jpg"}, "it may come back within its time of grace"


def test_bytes_read_in_the_last_moment_keep_their_photo_for_its_time(catalogue: Catalogue, root: RootRow) -> None:
    catalogue.files.apply(root.id, Changes(new=(seen(b"a.jpg"),)), NOW)
    (file,) = catalogue.files.pending(1)
    gone(catalogue, root, b"a.jpg")
    catalogue.files.identified([(file.id, file.stamp, content("x"))])
    assert missing(catalogue, root) == {b"a.jpg"}
    assert catalogue.files.overdue(NOW) == (0, 1)
    catalogue.files.apply(root.id, Changes(returned=(file.id,)), NOW)
    assert catalogue.files.paths_of([1])[1] == (b"/photos/a.jpg",)


# ---- forget ----------------------------------------------------------------------------------------------------------


def test_forgetting_tells_the_faces_that_went_and_leaves_the_word_of_the_user(
    catalogue: Catalogue, root: RootRow
) -> None:
    library(catalogue, root, [2, 0, 3])
    catalogue.people.assign([Assignment(FaceId(one), None, int(one < 3), 0.9) for one in (1, 3)], [], 3, NOW)
    call(catalogue, 1, "Al")
    gone(catalogue, root, b"000.jpg", b"001.jpg", b"002.jpg")
    assert catalogue.files.overdue(NEVER) == (3, 3)
    (al,) = (one.id for one in catalogue.people.all() if one.name)
    his = next(row[0] for row in catalogue._db.rows("SELECT photo_id FROM faces WHERE person_id = ?", (al,)))
    assert sorted(catalogue.files.forget(NEVER)) == ([3, 4, 5] if his == 1 else [1, 2])
    assert catalogue.files.overdue(NEVER) == (0, 1), "he would not be known again without it"
    assert catalogue.files.known(root.id) == []
    assert [(one.name, one.photos) for one in catalogue.people.all()] == [("Al", 0)]
    assert [decision.name for decision in catalogue.decisions.log()] == ["Al"]
    assert catalogue.shelves.of_people(1) == []
    assert catalogue.integrity() == []


def test_what_was_forgotten_has_numbers_nobody_gets_again(catalogue: Catalogue, root: RootRow) -> None:
    """The index may still hold a face that was forgotten: it must never be taken for another."""
    library(catalogue, root, [2])
    gone(catalogue, root, b"000.jpg")
    assert catalogue.files.forget(NEVER) == [1, 2]
    add(catalogue, root, {b"000.jpg": "photo 0"})
    (photo,) = catalogue.photos.pending(1)
    assert photo.id == 2
    read(catalogue, photo.id, 2)
    assert catalogue.photos.ungrouped(9).tolist() == [3, 4]


def test_one_copy_on_a_disk_that_is_away_keeps_the_photo_however_long(
    catalogue: Catalogue, root: RootRow, other: RootRow
) -> None:
    add(catalogue, root, {b"here.jpg": "one"})
    add(catalogue, other, {b"there.jpg": "one"})
    gone(catalogue, other, b"there.jpg")
    assert catalogue.files.known(other.id) == [], "moved, as far as can be told"
    add(catalogue, other, {b"there.jpg": "one"})
    known = ids(catalogue, other)[b"there.jpg"]
    catalogue.files.apply(root.id, Changes(gone=tuple(ids(catalogue, root).values())), NOW)
    assert catalogue.files.known(root.id) == []
    catalogue.files.apply(other.id, Changes(gone=(known,)), NOW)
    for away in (offline, lambda one, _: one.files.configure([ROOT])):
        away(catalogue, other)
        assert catalogue.files.overdue(NEVER) == (0, 1)
        assert catalogue.files.forget(NEVER) == []
        catalogue.files.configure([ROOT, OTHER])
        online(catalogue, other)
    assert catalogue.files.overdue(NEVER) == (1, 1)


def test_a_path_that_never_was_identified_goes_after_its_time(
    catalogue: Catalogue, root: RootRow, other: RootRow
) -> None:
    for one in (root, other):
        catalogue.files.apply(one.id, Changes(new=(seen(b"1.jpg"), seen(b"2.jpg"))), NOW)
        gone(catalogue, one, b"1.jpg")
    offline(catalogue, other)
    assert catalogue.files.forget(NOW) == []
    assert len(catalogue.files.known(root.id)) == 2, "not before"
    assert catalogue.files.forget(FEBRUARY) == []
    assert list(ids(catalogue, root)) == [b"2.jpg"]
    assert len(catalogue.files.known(other.id)) == 2
