from __future__ import annotations

import numpy as np
import pytest

from guyverd.catalogue.rows import RootRow
from guyverd.catalogue.store import Catalogue
from guyverd.errors import CannotMerge, CatalogueError, UnknownPerson
from guyverd.model import (
    Assignment,
    Changes,
    DecisionKind,
    FaceId,
    IndexStamp,
    Merge,
    PersonId,
)
from guyverd.service.pipeline.words.deciding import Deciding
from tests.catalogue.conftest import NOW, OTHER, ROOT, add, call, identify, ids, library, merge, read, seen


def founded(*faces: int, group: int = 0) -> list[Assignment]:
    return [Assignment(FaceId(one), None, group, 0.9) for one in faces]


def whose(catalogue: Catalogue) -> dict[int, int | None]:
    return {row.id: row.person for row in catalogue.photos.faces()}


def test_groups_become_people_and_photos_are_grouped(catalogue: Catalogue, root: RootRow) -> None:
    faces = library(catalogue, root, [2, 2, 1, 0])
    assert faces == [1, 2, 3, 4, 5]
    assert catalogue.photos.ungrouped_range() == (1, 3), "a photo without faces waits for nothing"
    assert [int(one) for one in catalogue.photos.ungrouped(2)] == [1, 2, 3, 4]
    touched = catalogue.people.assign([*founded(1, 3), *founded(2, 4, group=1)], [], 2, NOW)
    assert touched == [1, 2]
    assert whose(catalogue) == {1: 1, 2: 2, 3: 1, 4: 2, 5: None}
    assert catalogue.photos.ungrouped_range() == (3, 3)
    assert [int(one) for one in catalogue.photos.grouped_ids()] == [1, 2, 3, 4]
    assert [(p.id, p.faces, p.photos) for p in catalogue.people.all()] == [(1, 2, 2), (2, 2, 2)]


def test_no_face_is_moved_and_nobody_is_twice_in_a_photo_whatever_is_asked(catalogue: Catalogue, root: RootRow) -> None:
    library(catalogue, root, [2, 2])
    catalogue.people.assign(founded(1, 2, 3), [], 2, NOW)
    assert whose(catalogue) == {1: 1, 2: None, 3: 1, 4: None}
    catalogue.people.assign([*founded(1), Assignment(FaceId(4), PersonId(1), None, 0.9)], [], 2, NOW)
    assert whose(catalogue) == {1: 1, 2: None, 3: 1, 4: None}
    assert catalogue.contradictions() == []


def test_a_merge_found_by_grouping_is_a_decision_in_the_log(catalogue: Catalogue, root: RootRow) -> None:
    library(catalogue, root, [1, 1, 1, 1])
    catalogue.people.assign([*founded(1, 2), *founded(3, 4, group=1)], [], 4, NOW)
    catalogue.people.assign([], [Merge(PersonId(2), PersonId(1), 0.95)], 4, NOW)
    assert whose(catalogue) == {1: 1, 2: 1, 3: 1, 4: 1}
    (decision,) = catalogue.decisions.log()
    assert (decision.kind, decision.author, decision.person, decision.other) == ("merge", "guyverd", 1, 2)
    assert decision.faces == (3, 4)
    assert catalogue.people.forwards() == {2: 1}


def test_names_and_survivors(catalogue: Catalogue, root: RootRow) -> None:
    library(catalogue, root, [2, 1, 1, 1])
    catalogue.people.assign([*founded(1, 3), *founded(2, 4, group=1), *founded(5, group=2)], [], 4, NOW)
    people = catalogue.people
    assert Deciding(catalogue).name(PersonId(2), "Straße").decision is not None
    assert Deciding(catalogue).name(PersonId(2), "Straße").decision is None
    assert len(catalogue.decisions.log()) == 1, "what changes nothing is no decision"
    assert people.named("STRASSE") == people.named("Straße") == [2]
    assert people.named("x") == []

    # Both are in photo 1: the absorbed one's face there is left to nobody.
    assert merge(catalogue, 1, 2) == 1
    assert whose(catalogue) == {1: 1, 2: None, 3: 1, 4: 1, 5: 3}
    assert people.get(PersonId(2)).name == "Straße", "the name goes to who stays"
    assert merge(catalogue, 3, 1) == 0
    assert people.survivor(2) == people.survivor(1) == people.survivor(3) == 3
    assert people.survivor(99) is None
    assert people.names() == {3: "Straße"}
    assert [decision.kind for decision in catalogue.decisions.log()] == [DecisionKind.NAME, *[DecisionKind.MERGE] * 2]


def test_what_cannot_be_merged_or_named_changes_nothing(catalogue: Catalogue, root: RootRow) -> None:
    library(catalogue, root, [1, 1, 1])
    catalogue.people.assign([*founded(1), *founded(2, group=1), *founded(3, group=2)], [], 3, NOW)
    merge(catalogue, 1, 2)
    before = (whose(catalogue), catalogue.decisions.log())
    with pytest.raises(CannotMerge):
        merge(catalogue, 1, 1)
    for into, absorbed in ((1, 2), (2, 3), (1, 99), (99, 1)):
        with pytest.raises(UnknownPerson):
            merge(catalogue, into, absorbed)
    with pytest.raises(UnknownPerson):
        call(catalogue, 2, "x")
    with pytest.raises(UnknownPerson):
        catalogue.people.get(PersonId(99))
    # One merge of a batch that cannot be undoes the whole batch.
    with pytest.raises(UnknownPerson):
        catalogue.people.assign(
            [], [Merge(PersonId(3), PersonId(1), 1.0), Merge(PersonId(2), PersonId(1), 1.0)], 9, NOW
        )
    assert (whose(catalogue), catalogue.decisions.log()) == before


def test_a_decision_is_never_changed_nor_deleted(catalogue: Catalogue, root: RootRow) -> None:
    library(catalogue, root, [1])
    catalogue.people.assign(founded(1), [], 1, NOW)
    call(catalogue, 1, "Al")
    for statement in ("UPDATE decisions SET name = 'Bo'", "DELETE FROM decisions"):
        with pytest.raises(CatalogueError, match="decision is never"):
            catalogue._db.write(lambda db, statement=statement: db.execute(statement))  # type: ignore[misc]
    assert catalogue.decisions.log()[0].name == "Al"


def test_the_list_of_people_counts_what_is_there_as_each_of_them_does(catalogue: Catalogue, root: RootRow) -> None:
    other = catalogue.files.roots()[1]
    add(catalogue, root, {b"a": "one", b"b": "two", b"c": "three", b"d": "four"})
    add(catalogue, other, {b"e": "five", b"copy of a": "one", b"copy of b": "two"})
    for photo in range(1, 6):
        read(catalogue, photo, 2)
    catalogue.people.assign(founded(1, 3, 5, 7, 9), (), 5, NOW)
    catalogue.people.assign(founded(2, 4, 6, 10), (), 5, NOW)
    catalogue.people.assign(founded(8), (), 5, NOW)
    call(catalogue, 3, "Only in d")

    def agree() -> list[tuple[int, int, int]]:
        people = catalogue.people.all()
        assert people == [catalogue.people.get(person.id) for person in people]
        return [(person.id, person.faces, person.photos) for person in people]

    assert agree() == [(1, 5, 5), (2, 4, 4), (3, 1, 1)]
    files = ids(catalogue, root)
    catalogue.files.apply(root.id, Changes(gone=(files[b"c"], files[b"a"])), NOW)
    assert agree() == [(1, 4, 4), (2, 3, 3), (3, 1, 1)], "a copy of one of the two is there"
    catalogue.files.apply(root.id, Changes(changed=((files[b"d"], seen(b"d", mtime=2)),)), NOW)
    identify(catalogue, {b"d": "another content"})
    assert agree() == [(1, 3, 3), (2, 3, 3), (3, 0, 0)], "no path holds that content any more"
    catalogue.files.configure([ROOT])
    assert agree() == [(1, 1, 1), (2, 1, 1), (3, 0, 0)]
    catalogue.files.configure([OTHER])
    assert agree() == [(1, 3, 3), (2, 3, 3), (3, 0, 0)]


def test_shelves_show_one_file_of_each_photo_that_is_there(catalogue: Catalogue, root: RootRow) -> None:
    library(catalogue, root, [1, 1, 1, 1])
    add(catalogue, root, {b"000 copy.jpg": "photo 0"})
    catalogue.people.assign([*founded(1, 2, 3), *founded(4, group=1)], [], 4, NOW)
    (shelf,) = catalogue.shelves.of_people(3)
    assert (shelf.owner, shelf.name) == (1, None)
    assert [photo.target for photo in shelf.photos] == [b"/photos/000.jpg", b"/photos/001.jpg", b"/photos/002.jpg"]
    assert shelf.photos[0].taken_at == "2020-01-01"
    call(catalogue, 2, "Bo")
    assert [one.owner for one in catalogue.shelves.of_people(3)] == [1, 2], "a name makes one from the first photo on"
    catalogue.files.apply(root.id, Changes(gone=(ids(catalogue, root)[b"001.jpg"],)), NOW)
    assert [one.owner for one in catalogue.shelves.of_people(3)] == [2]


def test_pictures_are_listed_oldest_first(catalogue: Catalogue, root: RootRow) -> None:
    library(catalogue, root, [1, 1])
    catalogue.people.assign(founded(2, 1), [], 2, NOW)
    assert [row.taken_at for row in catalogue.photos.pictures_of(PersonId(1))] == ["2020-01-01", "2020-01-02"]
    assert [row.files for row in catalogue.photos.pictures_of(PersonId(1))] == [
        (b"/photos/000.jpg",),
        (b"/photos/001.jpg",),
    ]


def test_columns_for_clustering(catalogue: Catalogue, root: RootRow) -> None:
    library(catalogue, root, [2, 0, 3])
    catalogue.people.assign(founded(1, 3), [], 3, NOW)
    table = catalogue.photos.table(np.array([5, 1, 2, 1, 99]))
    assert table.ids.tolist() == [1, 2, 5]
    assert table.photos.tolist() == [1, 1, 3]
    assert table.people.tolist() == [1, 0, 0]
    assert table.quality.tolist() == pytest.approx([0.75] * 3)
    assert table.vectors.shape == (3, 128)
    assert table.vectors.dtype == np.float32
    assert catalogue.photos.companions(np.array([1, 4])).ids.tolist() == [2, 3, 5]
    assert len(catalogue.photos.table(np.array([], dtype=np.int64))) == 0
    assert catalogue.photos.companions(np.array([], dtype=np.int64)).vectors.shape == (0, 128)
    assert [(got.tolist(), vectors.shape) for got, vectors in catalogue.photos.grouped(batch=3)] == [
        ([1, 2, 3], (3, 128)),
        ([4, 5], (2, 128)),
    ]


@pytest.mark.parametrize(("at_most", "expected"), [(1, 1), (7, 7), (20, 20), (30, 20)])
def test_members_are_spread_evenly(catalogue: Catalogue, root: RootRow, at_most: int, expected: int) -> None:
    library(catalogue, root, [1] * 20)
    catalogue.people.assign(founded(*range(1, 21)), [], 20, NOW)
    photos = catalogue.photos.members(np.array([1, 1, 99]), at_most).photos
    assert len(photos) == expected
    if expected > 1:
        assert np.diff(photos).max() <= -(-20 // expected)


def test_a_photo_read_again_has_its_faces_once(catalogue: Catalogue, root: RootRow) -> None:
    from tests.catalogue.conftest import read

    library(catalogue, root, [2])
    read(catalogue, 1, 2)
    assert catalogue.counts().faces == 2
    assert catalogue.photos.first_unread() is None
    assert catalogue.photos.next_id() == 2


def test_the_index_stamp_is_remembered(catalogue: Catalogue) -> None:
    assert catalogue.index_stamp() is None
    for count in (1, 2):
        stamp = IndexStamp(f"faces-{count}.hnsw", 100, "ab", count)
        catalogue.set_index_stamp(stamp)
        catalogue.beat()
        assert catalogue.index_stamp() == stamp
    assert catalogue.size() > 0
