"""Hard links and copies: files that are ours only as long as nobody edited them."""

from __future__ import annotations

import errno
import os
from dataclasses import replace

import pytest

from guyverd.folders.apply import CHANGED, MISSING
from guyverd.folders.disk import temporary_name
from guyverd.published import LinkKind

from .library import Library, read
from .model import shelf

LINK = b"Alice/2024-05-17_a.jpg"
FILES = ["hard", "copy"]
STYLES = ["relative", "absolute", "hard", "copy"]


def edit(path: bytes, text: bytes = b"edited") -> None:
    with open(path, "wb") as file:
        file.write(text)


@pytest.mark.parametrize("links", FILES)
def test_files_are_made_and_taken_away(library: Library, links: str) -> None:
    style = library.style(links)
    a, b = library.photo(b"a.jpg"), library.photo(b"IMG.HEIC", None, b"IMG.MOV", b"IMG.xmp")
    os.utime(a.target, ns=(1, 1_234_567_890_123_456_789))
    applied = library.publish(shelf(1, "Alice", a, b), shelf(7, None, a), style=style)
    assert applied.made == 5
    assert os.path.samefile(library.path(LINK), a.target) is (links == "hard")
    assert os.lstat(library.path(LINK)).st_mtime_ns == 1_234_567_890_123_456_789
    assert library.tree.verify(library.ledger.published()) == []
    assert library.publish(style=style).removed == 5
    assert library.shown() == {}
    assert read(a.target) == b"a.jpg"


@pytest.mark.promise("paths")
@pytest.mark.parametrize("what", ["a link", "a pipe", "a folder", "a device's link"])
@pytest.mark.parametrize("links", FILES)
def test_nothing_that_took_a_photos_place_gets_into_the_people_folder(library: Library, links: str, what: str) -> None:
    """Whoever can write a photo folder could else have us show what only we may read, or keep us waiting."""
    a, b = library.photo(b"a.jpg"), library.photo(b"b.jpg")
    os.rename(a.target, a.target + b".secret")
    if what == "a link":
        os.symlink(b"a.jpg.secret", a.target)
    elif what == "a pipe":
        os.mkfifo(a.target)
    elif what == "a folder":
        os.mkdir(a.target)
    else:
        os.symlink(b"/dev/zero", a.target)
    plan = library.plan(shelf(1, "Alice", a, b), style=library.style(links))
    applied = library.tree.apply(plan, library.ledger)
    assert applied.made == 1
    assert not os.path.lexists(library.path(LINK))
    assert [path for path, _ in applied.problems] == [LINK]
    assert os.path.exists(library.path(b"Alice/2024-05-17_b.jpg"))


@pytest.mark.parametrize("before", STYLES)
@pytest.mark.parametrize("after", STYLES)
def test_another_kind_replaces_the_one_there(library: Library, before: str, after: str) -> None:
    a, b = library.photo(b"a.jpg"), library.photo(b"b.HEIC", "2024-05-17", b"b.MOV")
    people = shelf(1, "Alice", a, b), shelf(7, None, b)
    library.publish(*people, style=library.style(before))
    applied = library.publish(*people, style=library.style(after))
    assert (applied.made, applied.removed, applied.kept_foreign) == (0 if before == after else 5, 0, ())
    fresh = library.shown()
    library.publish(style=library.style(after))
    library.publish(*people, style=library.style(after))
    assert library.shown() == fresh


@pytest.mark.parametrize("after", [style for style in STYLES if style != "copy"])
def test_an_edited_copy_is_the_users(library: Library, after: str) -> None:
    a, b = library.photo(b"a.jpg"), library.photo(b"b.jpg")
    library.publish(shelf(1, "Alice", a, b), style=library.style("copy"))
    edit(library.path(LINK))
    assert library.tree.verify(library.ledger.published()) == [(LINK, CHANGED)]
    applied = library.publish(shelf(1, "Alice", a, b), style=library.style(after))
    assert applied.kept_foreign == (LINK,)
    assert read(library.path(LINK)) == b"edited"
    library.publish(style=library.style(after))
    assert library.shown() == {b"Alice": b"", LINK: b"file edited"}
    assert read(a.target) == b"a.jpg"


def test_an_edited_copy_outlives_its_person(library: Library) -> None:
    library.publish(shelf(1, "Alice", library.photo(b"a.jpg")), style=library.style("copy"))
    edit(library.path(LINK))
    assert library.publish(style=library.style("copy")).kept_foreign == (LINK,)
    assert library.shown() == {b"Alice": b"", LINK: b"file edited"}
    assert not library.ledger.rows


@pytest.mark.parametrize("links", FILES)
def test_a_file_that_was_replaced_is_the_users(library: Library, links: str) -> None:
    """As many programs save: another file under the same name."""
    library.publish(shelf(1, "Alice", library.photo(b"a.jpg")), style=library.style(links))
    edit(library.path(b"Alice/new"))
    os.rename(library.path(b"Alice/new"), library.path(LINK))
    library.publish(style=library.style(links))
    assert library.shown() == {b"Alice": b"", LINK: b"file edited"}


def test_who_edits_a_hard_link_edits_the_photo_and_it_is_still_our_link(library: Library) -> None:
    a = library.photo(b"a.jpg")
    library.publish(shelf(1, "Alice", a), style=library.style("hard"))
    edit(library.path(LINK))
    assert read(a.target) == b"edited"
    assert library.tree.verify(library.ledger.published()) == []
    assert library.tree.apply(library.plan(style=library.style("hard")), library.ledger).removed == 1
    assert library.shown() == {}


def test_a_hard_link_outlives_the_photo_and_is_taken_away_all_the_same(library: Library) -> None:
    a = library.photo(b"a.jpg")
    library.publish(shelf(1, "Alice", a), style=library.style("hard"))
    os.unlink(a.target)
    assert read(library.path(LINK)) == b"a.jpg"
    assert library.tree.apply(library.plan(), library.ledger).removed == 1


@pytest.mark.parametrize("after", STYLES)
def test_a_file_that_got_the_number_of_a_hard_link_whose_photo_is_gone_is_the_users(
    library: Library, after: str
) -> None:
    """File systems give the numbers of deleted files to new ones at once."""
    a, b = library.photo(b"a.jpg"), library.photo(b"b.jpg")
    library.publish(shelf(1, "Alice", a, b), style=library.style("hard"))
    os.unlink(a.target)
    os.unlink(library.path(LINK))
    edit(library.path(LINK))
    row, status = library.ledger.rows[LINK], os.lstat(library.path(LINK))
    assert row.stamp is not None
    library.ledger.intend([replace(row, stamp=replace(row.stamp, inode=status.st_ino))])
    applied = library.tree.apply(library.plan(shelf(1, "Alice", b), style=library.style(after)), library.ledger)
    assert applied.kept_foreign == (LINK,)
    assert read(library.path(LINK)) == b"edited"


@pytest.mark.parametrize("links", FILES)
def test_a_users_file_at_a_wanted_path_is_kept(library: Library, links: str) -> None:
    mine = library.write(LINK)
    applied = library.publish(shelf(1, "Alice", library.photo(b"a.jpg")), style=library.style(links))
    assert applied.kept_foreign == (LINK,)
    assert read(mine) == b"mine"
    assert list(library.ledger.rows) == [b"Alice/2024-05-17_a~2.jpg"]


def test_the_very_hard_link_we_want_is_taken_for_ours(library: Library) -> None:
    people, style = [shelf(1, "Alice", library.photo(b"a.jpg"))], library.style("hard")
    library.publish(*people, style=style)
    library.ledger.rows.clear()  # the catalogue was lost
    assert library.publish(*people, style=style).made == 0


def test_the_very_copy_we_want_is_not_known_for_ours_and_so_is_kept(library: Library) -> None:
    """It may as well be the user's own copy of that photo."""
    people, style = [shelf(1, "Alice", library.photo(b"a.jpg"))], library.style("copy")
    library.publish(*people, style=style)
    library.ledger.rows.clear()
    assert library.publish(*people, style=style).made == 1
    library.publish(style=style)
    assert library.shown() == {b"Alice": b"", LINK: b"file a.jpg"}


@pytest.mark.parametrize("links", FILES)
def test_a_crash_between_making_and_noting(library: Library, links: str) -> None:
    style = library.style(links)
    people = [shelf(1, "Alice", library.photo(b"a.jpg"))]
    library.publish(*people, style=style)
    (row,) = library.ledger.published()
    library.ledger.intend([replace(row, made=False, stamp=None)])
    assert library.tree.recover(library.ledger.published(), library.ledger) == (row,)
    library.assert_true(*people, style=style)


def test_a_half_made_copy_is_not_left_behind(library: Library) -> None:
    style = library.style("copy")
    people = [shelf(1, "Alice", library.photo(b"a.jpg"))]
    (row,) = library.plan(*people, style=style).make
    library.ledger.intend([replace(row, made=False)])
    library.write(temporary_name(row.path) + b"-copy", text=b"a.j")
    assert library.tree.recover(library.ledger.published(), library.ledger) == ()
    assert library.shown() == {}
    library.publish(*people, style=style)


def test_a_users_file_of_other_content_is_not_taken_for_an_unfinished_copy(library: Library) -> None:
    people = [shelf(1, "Alice", library.photo(b"a.jpg"))]
    (row,) = library.plan(*people, style=library.style("copy")).make
    library.ledger.intend([replace(row, made=False)])
    library.write(LINK, text=b"a.JPG")
    assert library.tree.recover(library.ledger.published(), library.ledger) == ()
    assert library.shown() == {b"Alice": b"", LINK: b"file a.JPG"}


@pytest.mark.parametrize("problem", [errno.EPERM, errno.ENOTSUP])
def test_copies_where_a_file_system_has_no_links_at_all(
    library: Library, monkeypatch: pytest.MonkeyPatch, problem: int
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(problem, os.strerror(problem))

    monkeypatch.setattr(os, "link", refuse)
    a, b = library.photo(b"a.jpg"), library.photo(b"b.jpg")
    mine = library.write(LINK)
    library.publish(shelf(1, "Alice", a, b), style=library.style("copy"))
    assert read(mine) == b"mine"
    assert sorted(library.ledger.rows) == [b"Alice/2024-05-17_a~2.jpg", b"Alice/2024-05-17_b.jpg"]


def test_a_hard_link_across_disks_is_one_problem_and_the_rest_goes_on(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = library.photo(b"a.jpg"), library.photo(b"b.jpg")
    link = os.link

    def across(src: bytes, dst: bytes, **options: int) -> None:
        if src.endswith(b"a.jpg"):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        link(src, dst, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "link", across)
    applied = library.tree.apply(library.plan(shelf(1, "Alice", a, b), style=library.style("hard")), library.ledger)
    assert [path for path, _ in applied.problems] == [LINK]
    assert list(library.ledger.rows) == [b"Alice/2024-05-17_b.jpg"]


@pytest.mark.parametrize("links", FILES)
def test_a_photo_that_is_gone_when_its_turn_comes_is_one_problem(library: Library, links: str) -> None:
    a, b = library.photo(b"a.jpg"), library.photo(b"b.jpg")
    changes = library.plan(shelf(1, "Alice", a, b), style=library.style(links))
    os.unlink(a.target)
    applied = library.tree.apply(changes, library.ledger)
    assert [path for path, _ in applied.problems] == [LINK]
    assert [(row.path, row.kind) for row in library.ledger.published()] == [
        (b"Alice/2024-05-17_b.jpg", LinkKind.HARD if links == "hard" else LinkKind.COPY)
    ]
    assert sorted(library.shown()) == [b"Alice", b"Alice/2024-05-17_b.jpg"]


def test_copies_may_be_written_to_and_a_missing_one_is_missing(library: Library) -> None:
    a = library.photo(b"a.jpg")
    os.chmod(a.target, 0o444)
    library.publish(shelf(1, "Alice", a), style=library.style("copy"))
    assert os.lstat(library.path(LINK)).st_mode & 0o200
    os.unlink(library.path(LINK))
    assert library.tree.verify(library.ledger.published()) == [(LINK, MISSING)]
