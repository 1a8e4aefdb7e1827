from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest

from guyverd.errors import NotOurFolder, PeopleFolderError
from guyverd.folders import work
from guyverd.folders.apply import CHANGED, DANGLING, MISSING, Applied, PeopleTree
from guyverd.folders.disk import TEMPORARY, temporary_name
from guyverd.folders.marker import MARKER
from guyverd.folders.plan import FolderRename, plan
from guyverd.published import Home, OwnerId, PublishedLink

from .library import DAY, Library, read
from .model import photo, shelf, tree_of

# ---- building and changing -------------------------------------------------------------------------------------------


def test_links_appear_and_open_the_photos(library: Library) -> None:
    a, b = library.photo(b"a.jpg"), library.photo(b"\xff\nb.jpg", None)
    applied = library.publish(shelf(1, "Alice", a, b), shelf(7, None, a))
    assert applied == Applied(3, 0, 0, (), ())
    assert library.shown() == {
        b"Alice": b"",
        b"Alice/2024-05-17_a.jpg": b"-> ../../photos/a.jpg",
        b"Alice/undated_\xff_b.jpg": b"-> ../../photos/\xff\nb.jpg",
        b"Unnamed": b"",
        b"Unnamed/0007": b"",
        b"Unnamed/0007/2024-05-17_a.jpg": b"-> ../../../photos/a.jpg",
    }
    assert read(library.path(b"Unnamed/0007/2024-05-17_a.jpg")) == b"a.jpg"
    assert library.tree.verify(library.ledger.published()) == []


def test_a_person_who_goes_takes_the_folder_along(library: Library) -> None:
    a = library.photo(b"a.jpg")
    library.publish(shelf(1, "Alice", a), shelf(7, None, a))
    assert library.publish(shelf(1, "Alice", a)).removed == 1
    assert sorted(library.shown()) == [b"Alice", b"Alice/2024-05-17_a.jpg"]
    assert library.publish().removed == 1
    assert library.shown() == {}


def test_a_users_file_keeps_its_folder(library: Library) -> None:
    a = library.photo(b"a.jpg")
    library.publish(shelf(7, None, a))
    mine = library.write(b"Unnamed/0007/notes.txt")
    library.publish()
    assert read(mine) == b"mine"
    assert sorted(library.shown()) == [b"Unnamed", b"Unnamed/0007", b"Unnamed/0007/notes.txt"]


def test_an_empty_folder_of_the_user_stays(library: Library) -> None:
    os.mkdir(library.path(b"Mum"))
    a = library.photo(b"a.jpg")
    library.publish(shelf(1, "Alice", a))
    library.publish()
    library.tree.recover(library.ledger.published(), library.ledger)
    assert library.shown() == {b"Mum": b""}


@pytest.mark.parametrize("links", ["relative", "absolute", "hard", "copy"])
@pytest.mark.parametrize("before", ["Alice", None])
def test_a_new_name_takes_the_users_files_along(library: Library, before: str | None, links: str) -> None:
    a, b = library.photo(b"a.jpg"), library.photo(b"b.jpg")
    library.publish(shelf(7, before, a, b), style=library.style(links))
    old = b"Alice" if before else b"Unnamed/0007"
    library.write(old, b"notes.txt")
    library.write(old, b"more/deep.txt")
    applied = library.publish(shelf(7, "Bob", a, b), style=library.style(links))
    assert applied.renamed == 1
    assert applied.problems == ()
    assert sorted(library.shown()) == [
        b"Bob",
        b"Bob/2024-05-17_a.jpg",
        b"Bob/2024-05-17_b.jpg",
        b"Bob/more",
        b"Bob/more/deep.txt",
        b"Bob/notes.txt",
    ]


def test_where_the_new_name_is_a_users_folder_links_move_one_by_one(library: Library) -> None:
    a, b = library.photo(b"a.jpg"), library.photo(b"b.jpg")
    library.publish(shelf(7, "Alice", a, b))
    library.write(b"Alice/notes.txt", text=b"alice")
    library.write(b"Bob/notes.txt", text=b"bob")
    applied = library.publish(shelf(7, "Bob", a, b))
    assert (applied.renamed, applied.made, applied.removed) == (0, 2, 2)
    assert ([path for path, _ in applied.otherwise], applied.problems) == ([b"Alice"], ())
    assert read(library.path(b"Alice/notes.txt")) == b"alice"
    assert read(library.path(b"Bob/notes.txt")) == b"bob"
    assert os.listdir(library.path(b"Alice")) == [b"notes.txt"]


def test_two_swap_names_with_their_files(library: Library) -> None:
    a = library.photo(b"a.jpg")
    library.publish(shelf(1, "Alice", a), shelf(2, "Bob", a))
    library.write(b"Alice/notes.txt", text=b"one")
    library.write(b"Bob/notes.txt", text=b"two")
    applied = library.publish(shelf(1, "Bob", a), shelf(2, "Alice", a))
    assert (applied.renamed, applied.made, applied.problems) == (3, 0, ())
    assert read(library.path(b"Bob/notes.txt")) == b"one"
    assert read(library.path(b"Alice/notes.txt")) == b"two"


def test_a_folder_deleted_by_hand_is_no_obstacle_to_its_renaming(library: Library) -> None:
    a = library.photo(b"a.jpg")
    library.publish(shelf(1, "Alice", a))
    os.unlink(library.path(b"Alice/2024-05-17_a.jpg"))
    os.rmdir(library.path(b"Alice"))
    applied = library.publish(shelf(1, "Bob", a))
    assert (applied.made, applied.problems) == (1, ())
    assert sorted(library.shown()) == [b"Bob", b"Bob/2024-05-17_a.jpg"]


def test_moved_photos_are_repaired_in_place(library: Library) -> None:
    a = library.photo(b"a.jpg")
    library.publish(shelf(1, "Alice", a))
    os.mkdir(os.path.join(library.photos, b"2024"))
    os.rename(a.target, os.path.join(library.photos, b"2024/a.jpg"))
    assert library.tree.verify(library.ledger.published()) == [(b"Alice/2024-05-17_a.jpg", DANGLING)]
    applied = library.publish(shelf(1, "Alice", library.photo(b"2024/a.jpg")))
    assert (applied.made, applied.removed) == (1, 0)
    assert library.shown()[b"Alice/2024-05-17_a.jpg"] == b"-> ../../photos/2024/a.jpg"


@pytest.mark.promise("disk", "any-order")
def test_a_link_that_was_replaced_is_the_new_one_whatever_comes_after(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the new link would be taken for one that somebody put there."""
    a = library.photo(b"a.jpg")
    library.publish(shelf(1, "Alice", a))
    os.makedirs(os.path.join(os.path.dirname(a.target), b"moved"))
    moved = replace(a, target=os.path.join(os.path.dirname(a.target), b"moved", b"a.jpg"))
    os.rename(a.target, moved.target)
    removing = os.unlink

    def failing(path: bytes, **how: int) -> None:
        if path.startswith(TEMPORARY):
            raise OSError(errno.EIO, "Input/output error")
        removing(path, **how)

    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", failing)
        assert library.publish(shelf(1, "Alice", moved)).problems == ()
    assert library.shown()[b"Alice/2024-05-17_a.jpg"] == b"-> ../../photos/moved/a.jpg"
    assert library.tree.verify(library.ledger.published()) == []
    assert [(link.target, link.made) for link in library.ledger.published()] == [(b"../../photos/moved/a.jpg", True)]


def test_long_names_and_two_people_who_differ_in_case(library: Library) -> None:
    long = b"x" * 251 + b".jpg"
    first = photo(library.photo(long).target, DAY)
    os.mkdir(os.path.join(library.photos, b"sub"))
    second = library.photo(b"sub/" + long.upper()[:-4] + b".JPG")
    library.publish(shelf(1, "n" * 300, first, second), shelf(2, "N" * 300, first))
    assert len(library.ledger.rows) == 3
    folders = os.listdir(library.root)
    assert sorted(map(len, folders)) == [len(MARKER), 200, 204]


def test_a_name_too_long_for_a_link_is_one_problem(library: Library) -> None:
    a = library.photo(b"a.jpg")
    far = photo(b"/" + b"deep/" * 1000 + b"b.jpg", None)
    applied = library.tree.apply(library.plan(shelf(1, "Alice", a, far)), library.ledger)
    assert applied.made == 1
    assert [path for path, _ in applied.problems] == [b"Alice/undated_b.jpg"]
    assert list(library.ledger.rows) == [b"Alice/2024-05-17_a.jpg"]


def test_the_ledger_is_called_by_batches(library: Library) -> None:
    photos = [photo(b"/nowhere/%d.jpg" % number, None) for number in range(1200)]
    library.tree.apply(library.plan(shelf(1, "Alice", *photos)), library.ledger)
    assert len(library.ledger.rows) == 1200
    assert library.ledger.calls == 2 * 3, "before and after each batch"


# ---- what is not ours ------------------------------------------------------------------------------------------------


def test_a_foreign_file_or_link_at_a_wanted_path_is_kept(library: Library) -> None:
    a, b = library.photo(b"a.jpg"), library.photo(b"b.jpg")
    library.write(b"Alice/2024-05-17_a.jpg")
    library.write(b"Alice/2024-05-17_a~2.jpg", text=b"mine too")
    os.symlink(b"/etc/hostname", library.path(b"Alice/2024-05-17_b.jpg"))
    applied = library.publish(shelf(1, "Alice", a, b))
    assert applied.kept_foreign == (b"Alice/2024-05-17_a.jpg", b"Alice/2024-05-17_b.jpg")
    assert applied.made == 2
    assert sorted(library.ledger.rows) == [b"Alice/2024-05-17_a~3.jpg", b"Alice/2024-05-17_b~2.jpg"]
    library.publish()
    assert library.shown() == {
        b"Alice": b"",
        b"Alice/2024-05-17_a.jpg": b"file mine",
        b"Alice/2024-05-17_a~2.jpg": b"file mine too",
        b"Alice/2024-05-17_b.jpg": b"-> /etc/hostname",
    }


def test_the_very_link_we_want_is_taken_for_ours(library: Library) -> None:
    a = library.photo(b"a.jpg")
    library.write(b"Bob/2024-05-17_a.jpg")
    people = shelf(1, "Alice", a), shelf(2, "Bob", a)
    library.publish(*people)
    shown = library.shown()
    library.ledger.rows.clear()  # the catalogue was lost
    applied = library.publish(*people)
    assert applied.made == 0
    assert library.shown() == shown


def test_a_link_that_somebody_changed_is_kept(library: Library) -> None:
    a, b = library.photo(b"a.jpg"), library.photo(b"b.jpg")
    library.publish(shelf(1, "Alice", a, b))
    changed = library.path(b"Alice/2024-05-17_a.jpg")
    os.unlink(changed)
    os.symlink(b"elsewhere", changed)
    assert library.tree.verify(library.ledger.published()) == [(b"Alice/2024-05-17_a.jpg", CHANGED)]
    os.mkdir(os.path.join(library.photos, b"2024"))
    os.rename(a.target, os.path.join(library.photos, b"2024/a.jpg"))
    applied = library.publish(shelf(1, "Alice", library.photo(b"2024/a.jpg"), b))
    assert applied.kept_foreign == (b"Alice/2024-05-17_a.jpg",)
    assert os.readlink(changed) == b"elsewhere"
    assert sorted(library.ledger.rows) == [b"Alice/2024-05-17_a~2.jpg", b"Alice/2024-05-17_b.jpg"]
    library.publish()
    assert library.shown() == {b"Alice": b"", b"Alice/2024-05-17_a.jpg": b"-> elsewhere"}


def test_what_somebody_put_in_the_place_of_our_links_survives_their_removal(library: Library) -> None:
    a, b, c = (library.photo(name) for name in (b"a.jpg", b"b.jpg", b"c.jpg"))
    library.publish(shelf(1, "Alice", a, b, c))
    os.unlink(library.path(b"Alice/2024-05-17_a.jpg"))
    os.symlink(b"elsewhere", library.path(b"Alice/2024-05-17_a.jpg"))
    os.unlink(library.path(b"Alice/2024-05-17_b.jpg"))
    library.write(b"Alice/2024-05-17_b.jpg")
    applied = library.publish()
    assert applied == Applied(0, 1, 0, (b"Alice/2024-05-17_a.jpg", b"Alice/2024-05-17_b.jpg"), ())
    assert library.shown() == {
        b"Alice": b"",
        b"Alice/2024-05-17_a.jpg": b"-> elsewhere",
        b"Alice/2024-05-17_b.jpg": b"file mine",
    }


def test_nothing_behind_a_folder_replaced_by_a_link_is_touched(library: Library, tmp_path: Path) -> None:
    a, b = library.photo(b"a.jpg"), library.photo(b"b.jpg")
    people = [shelf(1, "Alice", a), shelf(7, None, a)]
    library.publish(*people)
    for folder in (b"Alice", b"Unnamed"):
        outside = os.fsencode(tmp_path) + b"/outside-" + folder
        os.rename(library.path(folder), outside)  # with our links in it, so that only the path differs
        with open(outside + b"/mine.txt", "wb") as file:
            file.write(b"mine")
        os.symlink(outside, library.path(folder))
    before = {folder: tree_of(os.fsencode(tmp_path) + b"/outside-" + folder) for folder in (b"Alice", b"Unnamed")}

    published = library.ledger.published()
    assert {problem for _, problem in library.tree.verify(published)} == {MISSING}
    steps = (
        (shelf(1, "Alice", a, b), shelf(7, None, b)),
        (shelf(1, "Alice", b), shelf(7, None, a, b)),
        (shelf(1, "Bob", b), shelf(7, "Alice", a)),
        (),
    )
    for step in steps:
        applied = library.tree.apply(library.plan(*step), library.ledger)
        assert applied.problems == ()
        library.tree.recover(library.ledger.published(), library.ledger)
        library.publish(*step)
    for folder, tree in before.items():
        assert os.path.islink(library.path(folder))
        assert tree_of(os.fsencode(tmp_path) + b"/outside-" + folder) == tree
    assert set(library.shown()) == {b"Alice", b"Unnamed"}


def test_a_file_in_the_place_of_a_folder_is_kept(library: Library) -> None:
    a = library.photo(b"a.jpg")
    mine = library.write(b"Alice")
    also = library.write(b"Unnamed")
    applied = library.publish(shelf(1, "Alice", a), shelf(7, None, a))
    assert applied.kept_foreign == (b"Alice", b"Unnamed")
    assert sorted(library.ledger.rows) == [b"Alice~2/2024-05-17_a.jpg", b"Unnamed~2/0007/2024-05-17_a.jpg"]
    assert read(mine) == read(also) == b"mine"


def test_a_link_that_appears_between_looking_and_making(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    a = library.photo(b"a.jpg")
    symlink = os.symlink

    def rival(src: bytes, dst: bytes, *, dir_fd: int) -> None:
        monkeypatch.setattr(os, "symlink", symlink)
        symlink(b"rival", dst, dir_fd=dir_fd)
        symlink(src, dst, dir_fd=dir_fd)

    monkeypatch.setattr(os, "symlink", rival)
    applied = library.publish(shelf(1, "Alice", a))
    assert applied.kept_foreign == (b"Alice/2024-05-17_a.jpg",)
    assert library.shown()[b"Alice/2024-05-17_a.jpg"] == b"-> rival"
    assert list(library.ledger.rows) == [b"Alice/2024-05-17_a~2.jpg"]


def test_unfinished_links_are_swept_up_and_only_those(library: Library) -> None:
    unfinished = temporary_name(b"Alice/a.jpg")
    os.symlink(b"x", library.path(unfinished))
    library.write(temporary_name(b"Alice/b.jpg") + b"-copy", text=b"half a photo")
    library.write(TEMPORARY + b"file")
    library.write(unfinished + b".txt")
    os.symlink(b"x", library.path(b"tmp-link"))
    os.mkdir(library.path(temporary_name(b"folder")))
    library.tree.apply(library.plan(), library.ledger)
    mine = [TEMPORARY + b"file", unfinished + b".txt", b"tmp-link", temporary_name(b"folder")]
    assert sorted(library.shown()) == sorted(mine)


# ---- the marker ------------------------------------------------------------------------------------------------------


def test_the_marker_says_what_the_folder_is(library: Library) -> None:
    text = read(library.path(MARKER)).decode()
    assert "guyverd" in text
    assert "links only" in text
    assert max(map(len, text.splitlines())) <= 120
    library.tree.prepare()
    library.tree.check()


def test_a_folder_with_other_things_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"mine")
    with pytest.raises(NotOurFolder):
        PeopleTree(os.fsencode(tmp_path)).prepare()
    assert os.listdir(tmp_path) == ["holiday.jpg"]


def test_a_file_in_the_place_of_the_people_folder(tmp_path: Path) -> None:
    (tmp_path / "People").write_bytes(b"mine")
    for inner in ("People", "People/inner"):
        with pytest.raises(PeopleFolderError) as caught:
            PeopleTree(os.fsencode(tmp_path / inner)).prepare()
        assert caught.value.advice
    assert (tmp_path / "People").read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("links", "needs", "works"),
    [
        ("relative", "symlink", "hard"),
        ("relative", "symlink", "copy"),
        ("absolute", "symlink", "copy"),
        ("hard", "link", "relative"),
        ("hard", "link", "copy"),
    ],
)
def test_a_file_system_without_such_links_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: str, needs: str, works: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, needs, refuse)
    root = os.fsencode(tmp_path / "People")
    with pytest.raises(PeopleFolderError, match="hard" if links == "hard" else "symbolic") as caught:
        PeopleTree(root, links).prepare()
    assert "`links: copy`" in caught.value.advice
    PeopleTree(root, works).prepare()
    assert os.listdir(root) == [MARKER]


@pytest.mark.parametrize("loss", ["marker", "folder", "swapped"])
def test_a_lost_mount_changes_nothing(library: Library, loss: str) -> None:
    a = library.photo(b"a.jpg")
    library.publish(shelf(1, "Alice", a))
    if loss == "marker":
        os.unlink(library.path(MARKER))
    else:
        os.rename(library.root, library.root + b".away")
        if loss == "swapped":
            os.mkdir(library.root)
    rows = dict(library.ledger.rows)
    before = tree_of(os.path.dirname(library.root))
    changes = library.plan(shelf(2, "Bob", a))
    for call in (
        library.tree.check,
        lambda: library.tree.prepare(expected=True),
        lambda: library.tree.apply(changes, library.ledger),
        lambda: library.tree.verify(library.ledger.published()),
        lambda: library.tree.recover(library.ledger.published(), library.ledger),
    ):
        with pytest.raises(PeopleFolderError) as caught:
            call()
        assert "repair" in caught.value.advice
    assert library.ledger.rows == rows
    assert tree_of(os.path.dirname(library.root)) == before


def test_a_marker_lost_in_the_middle_stops_the_run(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "BATCH", 2)
    photos = [photo(b"/nowhere/%d.jpg" % number, None) for number in range(10)]
    changes = library.plan(shelf(1, "Alice", *photos))
    symlink = os.symlink

    def losing(src: bytes, dst: bytes, *, dir_fd: int) -> None:
        symlink(src, dst, dir_fd=dir_fd)
        if dst == b"undated_3.jpg":
            os.unlink(library.path(MARKER))

    monkeypatch.setattr(os, "symlink", losing)
    with pytest.raises(PeopleFolderError):
        library.tree.apply(changes, library.ledger)
    assert sorted(library.ledger.rows) == [b"Alice/undated_%d.jpg" % number for number in range(4)]
    assert {path for path, what in library.shown().items() if what} == set(library.ledger.rows)


# ---- looking after it ------------------------------------------------------------------------------------------------


def test_verify_sees_what_a_user_did_and_mending_lets_it_be_made_again(library: Library) -> None:
    a, b, c = (library.photo(name) for name in (b"a.jpg", b"b.jpg", b"c.jpg"))
    people = shelf(1, "Alice", a, b, c), shelf(2, "Bob", a)
    library.publish(*people)
    shown = library.shown()
    os.unlink(library.path(b"Alice/2024-05-17_a.jpg"))
    os.unlink(library.path(b"Bob/2024-05-17_a.jpg"))
    os.unlink(library.path(b"Alice/2024-05-17_b.jpg"))
    library.write(b"Alice/2024-05-17_b.jpg")
    os.unlink(c.target)
    assert library.tree.verify(library.ledger.published()) == [
        (b"Alice/2024-05-17_a.jpg", MISSING),
        (b"Alice/2024-05-17_b.jpg", CHANGED),
        (b"Alice/2024-05-17_c.jpg", DANGLING),
        (b"Bob/2024-05-17_a.jpg", MISSING),
    ]
    before = library.ledger.published()
    assert list(library.tree.recover(before, library.ledger)) == library.ledger.published() == before, "all were made"
    standing = library.tree.recover(before, library.ledger, missing=True)
    assert [link.path for link in standing] == [b"Alice/2024-05-17_b.jpg", b"Alice/2024-05-17_c.jpg"]
    assert list(standing) == library.ledger.published()
    assert b"Bob" not in library.shown()
    library.tree.apply(library.plan(*people), library.ledger)
    assert library.shown() == {**shown, b"Alice/2024-05-17_b.jpg": b"file mine"}


def test_links_may_stand_below_a_linked_people_folder(tmp_path: Path) -> None:
    """A relative link is resolved from where the folder really is."""
    (tmp_path / "disk/deep/down").mkdir(parents=True)
    (tmp_path / "People").symlink_to(tmp_path / "disk/deep/down")
    library = Library(tmp_path)
    library.publish(shelf(1, "Alice", library.photo(b"a.jpg")))
    assert read(library.path(b"Alice/2024-05-17_a.jpg")) == b"a.jpg"


def test_rows_of_a_person_are_rewritten_where_only_the_person_differs(library: Library) -> None:
    a = library.photo(b"a.jpg")
    library.publish(shelf(1, "Alice", a))
    library.publish(shelf(2, "Alice", a))
    assert library.ledger.published() == [
        PublishedLink(b"Alice/2024-05-17_a.jpg", b"../../photos/a.jpg", OwnerId(2), a.photo)
    ]


# ---- homes -----------------------------------------------------------------------------------------------------------


def home(library: Library, owner: int) -> Home:
    return library.ledger.homes[OwnerId(owner)]


def test_a_spare_folder_is_noted_as_home_and_kept(library: Library) -> None:
    a = library.photo(b"a.jpg")
    library.write(b"Alice")
    library.publish(shelf(1, "Alice", a))
    inode = os.stat(library.path(b"Alice~2")).st_ino
    assert home(library, 1) == Home(OwnerId(1), b"Alice~2", "Alice", inode)
    os.unlink(library.path(b"Alice"))
    library.publish(shelf(1, "Alice", a, library.photo(b"b.jpg")))
    assert home(library, 1).path == b"Alice~2", "they are called as before"
    library.write(b"Ann")
    library.write(b"Alice~2/notes.txt")
    library.publish(shelf(1, "Ann", a))
    assert home(library, 1) == Home(OwnerId(1), b"Ann~2", "Ann", inode)
    assert read(library.path(b"Ann~2/notes.txt")) == b"mine"


def test_a_new_name_takes_a_folder_along_from_wherever_it_lies(library: Library) -> None:
    a = library.photo(b"a.jpg")
    library.publish(shelf(1, "Alice", a), shelf(2, "Bob", a))
    os.mkdir(library.path(b"Family"))
    os.rename(library.path(b"Alice"), library.path(b"Family/Mum"))
    library.ledger.renamed([FolderRename(OwnerId(1), b"Alice", b"Family/Mum", ())])
    library.publish(shelf(1, "Alice", a), shelf(2, "Bob", a))
    assert home(library, 1).path == b"Family/Mum"
    assert library.shown()[b"Family/Mum/2024-05-17_a.jpg"] == b"-> ../../../photos/a.jpg"
    applied = library.publish(shelf(1, "Ann", a), shelf(2, "Bob", a))
    assert applied.renamed == 1
    assert sorted(library.shown()) == [b"Ann", b"Ann/2024-05-17_a.jpg", b"Bob", b"Bob/2024-05-17_a.jpg"]


def test_a_folder_of_nothing_but_the_users_files_is_renamed(library: Library) -> None:
    library.publish(shelf(1, "Alice", library.photo(b"a.jpg")))
    library.write(b"Alice/mine.jpg")
    library.publish(shelf(1, "Alice"))
    library.publish(shelf(1, "Ann"))
    assert library.shown() == {b"Ann": b"", b"Ann/mine.jpg": b"file mine"}


def test_a_folder_made_again_is_known_by_its_new_inode(library: Library) -> None:
    a, b = library.photo(b"a.jpg"), library.photo(b"b.jpg")
    library.publish(shelf(1, "Alice", a))
    os.rename(library.path(b"Alice"), library.path(b"trash"))
    library.ledger.forget([b"Alice/2024-05-17_a.jpg"])
    library.publish(shelf(1, "Alice", a, b))
    assert os.stat(library.path(b"trash")).st_ino != home(library, 1).inode


def test_two_of_one_name_change_places_with_a_third(library: Library) -> None:
    a = library.photo(b"a.jpg")
    library.publish(shelf(1, "Alice", a), shelf(2, "Alice", a), shelf(-2, "Alice", a))
    assert [home(library, owner).path for owner in (1, 2, -2)] == [b"Alice", b"Alice (2)", b"Alice (2) (2)"]
    library.publish(shelf(1, "Bob", a), shelf(2, "Alice", a), shelf(-2, "Alice", a))
    assert [home(library, owner).path for owner in (1, 2, -2)] == [b"Bob", b"Alice (2)", b"Alice (2) (2)"]


def test_some_folders_are_changed_and_the_others_left_alone(library: Library) -> None:
    a, b = library.photo(b"a.jpg"), library.photo(b"b.jpg")
    everybody = [shelf(1, "Alice", a), shelf(2, "Bob", b), shelf(3, None, a)]
    library.publish(*everybody)
    os.unlink(library.path(b"Bob/2024-05-17_b.jpg"))
    owners = {OwnerId(1), OwnerId(3)}
    part = plan(
        [shelf(1, "Ann", a, b)],
        library.ledger.published(owners),
        library.ledger.homes,
        style=library.style(),
        owners=owners,
    )
    assert library.tree.apply(part, library.ledger).problems == ()
    assert sorted(library.shown()) == [b"Ann", b"Ann/2024-05-17_a.jpg", b"Ann/2024-05-17_b.jpg", b"Bob"]
    assert library.ledger.homes.keys() == {1, 2}


# ---- what somebody placed, and what lies beside ----------------------------------------------------------------------


def test_a_renamed_link_keeps_its_name_and_its_companions_follow(library: Library) -> None:
    live, a = library.photo(b"IMG.HEIC", DAY, b"IMG.MOV", b"IMG.HEIC.xmp"), library.photo(b"a.jpg")
    library.publish(shelf(1, "Alice", live, a))
    old, new = b"Alice/2024-05-17_IMG.HEIC", b"Alice/Best/cake.HEIC"
    os.mkdir(library.path(b"Alice/Best"))
    os.rename(library.path(old), library.path(new))
    row = library.ledger.rows[old]
    library.ledger.forget([old])
    library.ledger.intend([replace(row, path=new, placed=True)])
    library.publish(shelf(1, "Alice", live, a))
    assert sorted(library.ledger.rows) == [
        b"Alice/2024-05-17_a.jpg",
        new,
        b"Alice/Best/cake.HEIC.xmp",
        b"Alice/Best/cake.MOV",
    ]
    assert library.ledger.rows[new].placed
    library.publish(shelf(1, "Ann", live, a), style=library.style(years=True))
    assert sorted(library.ledger.rows) == [
        b"Ann/2024/2024-05-17_a.jpg",
        b"Ann/Best/cake.HEIC",
        b"Ann/Best/cake.HEIC.xmp",
        b"Ann/Best/cake.MOV",
    ]


def test_a_companion_is_not_put_over_a_file_of_the_users(library: Library) -> None:
    live = library.photo(b"IMG.HEIC", DAY, b"IMG.MOV")
    library.write(b"Alice/2024-05-17_IMG.MOV")
    applied = library.publish(shelf(1, "Alice", live))
    assert applied.kept_foreign == (b"Alice/2024-05-17_IMG.MOV",)
    assert b"Alice/2024-05-17_IMG~2.MOV" in library.ledger.rows
    assert library.shown()[b"Alice/2024-05-17_IMG.MOV"] == b"file mine"


def test_by_year_and_back_with_the_users_files_in_between(library: Library) -> None:
    people = [shelf(1, "Alice", library.photo(b"a.jpg"), library.photo(b"b.jpg", "2023-01-01"))]
    library.publish(*people)
    flat = library.shown()
    library.publish(*people, style=library.style(years=True))
    assert sorted(library.ledger.rows) == [b"Alice/2023/2023-01-01_b.jpg", b"Alice/2024/2024-05-17_a.jpg"]
    library.write(b"Alice/2023/notes.txt")
    library.publish(*people)
    assert library.shown() == {**flat, b"Alice/2023": b"", b"Alice/2023/notes.txt": b"file mine"}


# ---- recovery --------------------------------------------------------------------------------------------------------


def test_rows_that_were_not_made_are_found_or_forgotten(library: Library) -> None:
    a, b = library.photo(b"a.jpg"), library.photo(b"b.jpg")
    library.publish(shelf(1, "Alice", a, b))
    first, second = library.ledger.published()
    os.unlink(library.path(second.path))
    library.ledger.intend([replace(first, made=False), replace(second, made=False)])
    assert library.tree.recover(library.ledger.published(), library.ledger) == (first,)
    assert library.ledger.published() == [first]


def test_a_link_that_somebody_took_away_is_remembered_until_it_is_to_be_mended(library: Library) -> None:
    library.publish(shelf(1, "Alice", library.photo(b"a.jpg"), library.photo(b"b.jpg")))
    first, second = library.ledger.published()
    os.unlink(library.path(second.path))
    assert library.tree.recover(library.ledger.published(), library.ledger) == (first, second)
    assert library.tree.recover(library.ledger.published(), library.ledger, missing=True) == (first,)
    assert library.ledger.published() == [first]


def test_something_else_in_the_place_of_an_unfinished_link_is_the_users(library: Library) -> None:
    library.publish(shelf(1, "Alice", library.photo(b"a.jpg")))
    (row,) = library.ledger.published()
    os.unlink(library.path(row.path))
    library.write(row.path)
    library.ledger.intend([replace(row, made=False)])
    assert library.tree.recover(library.ledger.published(), library.ledger) == ()
    assert library.shown() == {b"Alice": b"", row.path: b"file mine"}


def test_a_folder_renamed_just_before_the_end_is_found_by_its_inode(library: Library) -> None:
    library.publish(shelf(1, "Alice", library.photo(b"a.jpg")))
    library.write(b"Alice/notes.txt")
    (row,) = library.ledger.published()
    after = replace(row, path=b"Bob/2024-05-17_a.jpg", made=False)
    library.ledger.intend([replace(row, made=False), after])
    os.rename(library.path(b"Alice"), library.path(b"Bob"))
    was = home(library, 1)
    homes = library.ledger.homes.values()
    assert library.tree.recover(library.ledger.published(), library.ledger, homes=homes) == (replace(after, made=True),)
    assert home(library, 1) == replace(was, path=b"Bob")


def test_a_folder_that_the_user_renamed_is_left_for_others_to_judge(library: Library) -> None:
    library.publish(shelf(1, "Alice", library.photo(b"a.jpg")))
    os.rename(library.path(b"Alice"), library.path(b"Bob"))
    rows, homes = dict(library.ledger.rows), dict(library.ledger.homes)
    library.tree.recover(library.ledger.published(), library.ledger, homes=homes.values())
    assert (library.ledger.rows, library.ledger.homes) == (rows, homes)


def test_a_folder_that_somebody_moved_a_moment_ago_is_not_made_anew(library: Library) -> None:
    """Or it would look as if only some of its links had been moved."""
    library.publish(shelf(1, "Alice", library.photo(b"a.jpg")))
    planned = library.plan(shelf(1, "Alice", library.photo(b"a.jpg"), library.photo(b"b.jpg")))
    os.rename(library.path(b"Alice"), library.path(b"Alicia"))
    applied = library.tree.apply(planned, library.ledger)
    assert applied.problems == ((b"Alice", "somebody moved or deleted it a moment ago"),)
    assert sorted(library.shown()) == [b"Alicia", b"Alicia/2024-05-17_a.jpg"]
    assert {row.path for row in library.ledger.published()} == {b"Alice/2024-05-17_a.jpg"}
