"""What folders should show, and that whatever changes it is noticed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guyverd.catalogue.rows import RootRow
from guyverd.catalogue.store import Catalogue
from guyverd.errors import CatalogueError
from guyverd.model import Assignment, Box, Changes, FaceId, FileId, PersonId, PhotoId
from guyverd.published import OwnerId, Shelf
from guyverd.service.pipeline.words.deciding import Deciding
from tests.catalogue.conftest import NOW, OTHER, ROOT, add, ids, library, merge, read


@pytest.fixture
def peopled(catalogue: Catalogue, root: RootRow) -> Catalogue:
    """Photos 1 to 4 of people 1, 1 and 2, 2 and 3, 3; photo 5 shows nobody known. Photo 1 is in another root too."""
    library(catalogue, root, [1, 2, 2, 1, 1])
    add(catalogue, catalogue.files.roots()[1], {b"copy.jpg": "photo 0"})
    groups = {1: 0, 2: 0, 3: 1, 4: 1, 5: 2, 6: 2}
    catalogue.people.assign([Assignment(FaceId(face), None, group, 0.9) for face, group in groups.items()], [], 5, NOW)
    catalogue.shelves.take_stale()
    return catalogue


def shown(catalogue: Catalogue) -> dict[OwnerId, Shelf]:
    return {shelf.owner: shelf for shelf in catalogue.shelves.of_people(1)}


# ---- of people -------------------------------------------------------------------------------------------------------


def test_shelves_say_who_and_what(peopled: Catalogue) -> None:
    Deciding(peopled).name(PersonId(2), "Bo")
    found = shown(peopled)
    assert {owner: (shelf.name, [one.photo for one in shelf.photos]) for owner, shelf in found.items()} == {
        1: (None, [1, 2]),
        2: ("Bo", [2, 3]),
        3: (None, [3, 4]),
    }
    assert found[OwnerId(1)].photos[0].target == b"/photos/000.jpg"


@pytest.mark.parametrize("least", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 500])
def test_some_are_all_restricted_to_those(peopled: Catalogue, least: int, padding: int) -> None:
    Deciding(peopled).name(PersonId(2), "Bo")
    Deciding(peopled).hide(PersonId(3))
    full = peopled.shelves.of_people(least)
    others = {PersonId(number) for number in range(1000, 1000 + padding)}
    for asked in ([], [1], [2, 3], [1, 2, 3, 99]):
        people = {PersonId(person) for person in asked} | others
        assert peopled.shelves.of_people(least, people) == [shelf for shelf in full if shelf.owner in asked]


def test_a_file_in_a_photo_folder_stands_for_a_photo_rather_than_one_that_people_put_there(peopled: Catalogue) -> None:
    assert shown(peopled)[OwnerId(1)].photos[0].target == b"/photos/000.jpg"
    peopled.files.configure([OTHER], own=[ROOT])
    assert shown(peopled)[OwnerId(1)].photos[0].target == b"/more/copy.jpg"
    peopled.files.configure([], own=[ROOT])
    assert shown(peopled)[OwnerId(1)].photos[0].target == b"/photos/000.jpg"


def test_everybody_is_shown_by_their_best_face(peopled: Catalogue, root: RootRow) -> None:
    sql("UPDATE faces SET quality = id / 10.0")(peopled)
    best = {one.person: one for one in peopled.shelves.best_faces()}
    assert {person: int(one.face) for person, one in best.items()} == {1: 2, 2: 4, 3: 6}
    assert (best[PersonId(2)].file, best[PersonId(2)].box) == (b"/photos/002.jpg", Box(0, 0, 50, 60))
    peopled.files.apply(root.id, Changes(gone=(file_of(peopled, b"002.jpg"),)), NOW)
    assert {one.person: int(one.face) for one in peopled.shelves.best_faces()} == {1: 2, 2: 3, 3: 6}
    for some in ({1}, {1, 3, 99}, set(range(2, 400))):
        people = {PersonId(person) for person in some}
        assert peopled.shelves.best_faces(people) == [one for one in peopled.shelves.best_faces() if one.person in some]
    assert peopled.shelves.best_faces(set()) == []


# ---- of albums, and of one's own -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("people", "since", "until", "photos"),
    [
        ([1], None, None, [1, 2]),
        ([1, 2], None, None, [2]),
        ([2, 1], None, None, [2]),
        ([2, 2], None, None, [2, 3]),
        ([1, 3], None, None, []),
        ([1, 99], None, None, []),
        ([2], "2020-01-03", None, [3]),
        ([2], "2020", None, [2, 3]),
        ([2], "2021", None, []),
        ([2], None, "2020-01-02", [2]),
        ([2], None, "2020-01", [2, 3]),
        ([2], None, "2020", [2, 3]),
        ([2], None, "2019", []),
        ([2], "2020-01-03", "2020-01-03", [3]),
    ],
)
def test_photos_that_show_all_of_some_people(
    peopled: Catalogue, people: list[int], since: str | None, until: str | None, photos: list[int]
) -> None:
    found = peopled.shelves.together([PersonId(person) for person in people], since, until)
    assert [one.photo for one in found] == photos


def test_the_whole_last_day_counts_and_photos_without_a_date_do_not(catalogue: Catalogue, root: RootRow) -> None:
    add(catalogue, root, {b"a.jpg": "a", b"b.jpg": "b", b"c.jpg": "c"})
    for photo, taken in ((1, "2020-05-31T23:59:59"), (2, None), (3, "2020-06-01T00:00:00")):
        read(catalogue, photo, 1, taken)
    catalogue.people.assign([Assignment(FaceId(face), None, 0, 0.9) for face in (1, 2, 3)], [], 3, NOW)

    def together(since: str | None, until: str | None) -> list[int]:
        return [one.photo for one in catalogue.shelves.together([PersonId(1)], since, until)]

    assert together(None, None) == [1, 2, 3]
    assert together(None, "2020-05-31") == together(None, "2020-05") == together("2020-05-31", "2020-05-31") == [1]
    assert together("2020-06", None) == together("2020-06-01", None) == [3]
    assert together("2020", "2020") == [1, 3]


def test_photos_that_are_not_there_are_in_no_album(peopled: Catalogue, root: RootRow) -> None:
    peopled.files.apply(root.id, Changes(gone=(ids(peopled, root)[b"001.jpg"],)), NOW)
    assert [one.photo for one in peopled.shelves.together([PersonId(1)], None, None)] == [1]


# ---- who is stale ----------------------------------------------------------------------------------------------------


def file_of(catalogue: Catalogue, name: bytes) -> FileId:
    return ids(catalogue, catalogue.files.roots()[0])[name]


def say(job: Callable[[Deciding], object]) -> Callable[[Catalogue], object]:
    return lambda catalogue: job(Deciding(catalogue))


def sql(statement: str) -> Callable[[Catalogue], object]:
    return lambda catalogue: catalogue._db.write(lambda db: db.execute(statement))


def forget(catalogue: Catalogue) -> None:
    catalogue.files.gone(PhotoId(2), NOW)
    assert catalogue.files.forget("9999")


def renamed_on_disk(catalogue: Catalogue) -> None:
    add(catalogue, catalogue.files.roots()[0], {b"moved.jpg": "photo 3"})
    catalogue.files.gone(PhotoId(4), NOW)


WRITES: dict[str, tuple[Callable[[Catalogue], object], set[int]]] = {
    "named": (say(lambda words: words.name(PersonId(1), "Al")), {1}),
    "hidden": (say(lambda words: words.hide(PersonId(2))), {2}),
    "merged": (lambda catalogue: merge(catalogue, 1, 3), {1, 3}),
    "rejected": (say(lambda words: words.reject(PersonId(1), [FaceId(1)])), {1}),
    "confirmed": (say(lambda words: words.confirm(PersonId(3), [FaceId(1)])), {1, 3}),
    "split": (say(lambda words: words.split(PersonId(1), [FaceId(1)])), {1, 4}),
    "assigned": (
        lambda catalogue: catalogue.people.assign([Assignment(FaceId(7), PersonId(1), None, 0.9)], [], 5, NOW),
        {1},
    ),
    "a file is gone": (
        lambda catalogue: catalogue.files.apply(
            catalogue.files.roots()[0].id, Changes(gone=(file_of(catalogue, b"002.jpg"),)), NOW
        ),
        {2, 3},
    ),
    "the file that stood for it is gone": (
        lambda catalogue: catalogue.files.apply(
            catalogue.files.roots()[0].id, Changes(gone=(file_of(catalogue, b"000.jpg"),)), NOW
        ),
        {1},
    ),
    "a file moved": (renamed_on_disk, {3}),
    "forgotten": (forget, {1, 2}),
    "another date": (sql("UPDATE photos SET taken_at = '2001-01-01' WHERE id = 3"), {2, 3}),
    "another path": (sql("UPDATE files SET path = X'61' WHERE path = X'3030302E6A7067'"), {1}),
    "a root no more": (lambda catalogue: catalogue.files.configure([OTHER]), {1, 2, 3}),
    "a face lost": (sql("DELETE FROM faces WHERE id = 1"), {1}),
    "a face in another photo": (sql("UPDATE faces SET photo_id = 5, ordinal = 9 WHERE id = 1"), {1}),
    "a row of a file lost": (sql("DELETE FROM files WHERE photo_id = 4"), {3}),
}


@pytest.mark.parametrize("write", WRITES)
def test_whatever_changes_a_folder_makes_it_stale(peopled: Catalogue, write: str) -> None:
    job, concerned = WRITES[write]
    before = shown(peopled)
    job(peopled)
    after = shown(peopled)
    changed = {owner for owner in before.keys() | after.keys() if before.get(owner) != after.get(owner)}
    assert changed == concerned
    assert peopled.shelves.take_stale().keys() >= changed
    assert peopled.shelves.take_stale() == {}, "and is told once"


def test_what_changes_nothing_makes_nobody_stale(peopled: Catalogue) -> None:
    peopled.beat()
    peopled.files.configure([ROOT, OTHER])
    peopled.photos.read([], "engine 1", NOW)
    peopled.files.apply(peopled.files.roots()[0].id, Changes(), NOW)
    Deciding(peopled).same(FaceId(1), FaceId(2))
    assert peopled.shelves.take_stale() == {}


def test_who_could_not_be_published_is_looked_at_again(peopled: Catalogue) -> None:
    peopled.shelves.note_stale([OwnerId(2), OwnerId(-3), OwnerId(2)])
    assert peopled.shelves.take_stale() == {2: None, -3: None}


SHELVED = (
    [f"UPDATE faces SET person_id = {person} WHERE id = {face}" for face in (1, 2, 7) for person in ("NULL", 1, 2, 3)]
    + [f"UPDATE files SET missing_since = {at} WHERE photo_id = {photo}" for photo in (1, 3) for at in ("NULL", 1)]
    + [f"UPDATE files SET photo_id = {new} WHERE photo_id = {old}" for old in (1, 2) for new in (5, 3)]
    + [f"UPDATE files SET root_id = 3 - root_id WHERE photo_id = {photo}" for photo in (1, 4)]
    + [f"UPDATE photos SET taken_at = {day} WHERE id = {photo}" for photo in (1, 4) for day in ("NULL", "'2001'")]
    + [f"UPDATE people SET name = {name} WHERE id = {person}" for person in (1, 2) for name in ("NULL", "'X'")]
    + [f"UPDATE people SET hidden = 1 - hidden WHERE id = {person}" for person in (1, 2)]
    + [f"UPDATE roots SET {flag} = 1 - {flag} WHERE id = {root}" for flag in ("own", "configured") for root in (1, 2)]
    + [f"DELETE FROM {table} WHERE id = {row}" for table in ("faces", "files", "photos") for row in (1, 3)]
    + [
        "INSERT INTO files (root_id, path, display, size, mtime_ns, inode, seen_at, photo_id)"
        f" VALUES (1, randomblob(8), '', 1, 1, 1, '', {photo})"
        for photo in (2, 5)
    ]
)  # fmt: skip


@given(st.lists(st.lists(st.sampled_from(SHELVED), min_size=1, max_size=3), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_any_write_at_all_that_changes_a_folder_is_noticed(writes: list[list[str]]) -> None:
    """Also those that nothing writes today: the triggers hold whatever comes."""
    with tempfile.TemporaryDirectory() as folder, Catalogue(os.fsencode(folder) + b"/c.db", lambda: NOW) as catalogue:
        catalogue.files.configure([ROOT, OTHER])
        library(catalogue, catalogue.files.roots()[0], [1, 2, 2, 1, 1])
        add(catalogue, catalogue.files.roots()[1], {b"copy.jpg": "photo 0"})
        founded = [Assignment(FaceId(face), None, (face - 1) // 2, 0.9) for face in range(1, 7)]
        catalogue.people.assign(founded, [], 5, NOW)
        catalogue.shelves.take_stale()
        before = shown(catalogue)
        for statements in writes:
            for statement in statements:
                with suppress(CatalogueError):  # some would leave a file without its photo
                    sql(statement)(catalogue)
            after = shown(catalogue)
            changed = {owner for owner in before.keys() | after.keys() if before.get(owner) != after.get(owner)}
            stale = catalogue.shelves.take_stale()
            assert changed <= stale.keys()
            for owner in changed & before.keys() & after.keys():
                photos = stale[owner]
                if photos is not None:
                    differing = {one.photo for one in set(before[owner].photos) ^ set(after[owner].photos)}
                    assert differing <= photos, "and which of its photos"
                    assert before[owner].name == after[owner].name
            before = after
