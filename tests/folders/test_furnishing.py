"""Contact sheets and covers: what they say, and that they are ours only as long as nobody touched them."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guyverd.folders.apply import Applied
from guyverd.folders.furnishing import Furnishing
from guyverd.folders.pages import Entry, contact_sheet, digest, is_sheet
from guyverd.published import LinkKind, OwnerId, PublishedLink

from .library import Library, read
from .model import CALM, MemoryLedger, shelf
from .test_kill import Killed, killed_after

PAGE = b"Alice/index.html"
VOID = {"meta", "img"}


class Reading(HTMLParser):
    """What a browser would make of a page; asserts that every tag is closed where it should be."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(page.decode())
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and data.strip():
            self.texts.setdefault(self.open[-1], []).append(data)

    def links(self, tag: str, attribute: str) -> list[str]:
        return [attrs[attribute] or "" for name, attrs in self.tags if name == tag]

    def all(self, tag: str, attribute: str) -> list[bytes]:
        return [unquote_to_bytes(link) for link in self.links(tag, attribute)]


def _file(link: str) -> bytes:
    """What a link leads to, wherever in it that begins."""
    return unquote_to_bytes(link.partition("#")[0])


# ---- what a page says ------------------------------------------------------------------------------------------------


def test_a_sheet_shows_photos_by_date_and_what_belongs_to_them() -> None:
    page = Reading(
        contact_sheet(
            "Alice & <Bob>",
            [
                Entry(b"undated_c.jpg", None),
                Entry(b"2024/2024-05-17_b.HEIC", "2024-05-17T10:00:00", (b"2024/2024-05-17_b.MOV",)),
                Entry(b"2023-01-01_a.jpg", "2023-01-01"),
            ],
        )
    )
    assert page.texts["title"] == page.texts["h1"] == ["Alice & <Bob>"]
    assert page.texts["p"] == ["3 photos"]
    assert page.texts["h2"] == ["2023", "2024", "Undated"]
    shown = [b"2023-01-01_a.jpg", b"2024/2024-05-17_b.HEIC", b"undated_c.jpg"]
    assert page.all("img", "src") == shown
    assert page.all("a", "href") == [*shown[:2], b"2024/2024-05-17_b.MOV", shown[2]]
    assert all(attrs["loading"] == "lazy" for tag, attrs in page.tags if tag == "img")


def test_a_sheet_shows_videos_from_when_on_the_person_is_seen() -> None:
    clip, film = b"2024-05-17_a b.mp4", b"undated_film.mkv"
    many = tuple((60.0 * at, 60.0 * at + 7.5) for at in range(61, 66))
    page = Reading(
        contact_sheet(
            "Al",
            [
                Entry(clip, "2024-05-17", (), ((12.3, 19.9),)),
                Entry(film, None, (), many),
                Entry(b"c.mov", None, (), ()),
            ],
        )
    )
    assert page.texts["p"] == ["3 videos"]
    assert page.all("video", "src") == [clip + b"#t=12.30", b"c.mov", film + b"#t=3660.00"]
    assert page.all("a", "href") == page.all("video", "src"), "it begins to play there, too"
    assert page.texts["li"] == ["2024-05-17 0:12–0:19", "1:01:00–1:01:07 1:02:00–1:02:07 1:03:00–1:03:07 …"]
    assert Reading(contact_sheet("Al", [Entry(clip, None, (), ()), Entry(b"a.jpg", None)])).texts["p"] == [
        "1 photo and 1 video"
    ]
    assert Reading(contact_sheet("Al", [])).texts["p"] == ["0 photos"]
    assert is_sheet(contact_sheet("Al", [Entry(clip, None, (), ((1.0, 2.0),))]))


ENTRIES = st.builds(
    Entry,
    st.binary(min_size=1, max_size=20).filter(lambda path: b"\0" not in path and not path.startswith(b"/")),
    st.sampled_from([None, "2024-05-17T10:00:00", "2023", '"><script>']),
    st.lists(st.binary(min_size=1, max_size=8), max_size=2).map(tuple),
    st.sampled_from([None, (), ((0.0, 1.5),), ((3.25, 4.0), (5.0, 6.0))]),
)


@CALM
@given(st.text(max_size=20) | st.just("</title><script>"), st.lists(ENTRIES, max_size=6))
def test_whatever_names_are_the_page_is_whole_and_leads_to_nothing_else(title: str, entries: list[Entry]) -> None:
    content = contact_sheet(title, entries)
    page = Reading(content)
    assert {tag for tag, _ in page.tags} <= {
        *("html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "ul", "li", "a", "img", "video")
    }
    photos, videos = ([one.path for one in entries if (one.moments is None) == still] for still in (True, False))
    assert sorted(page.all("img", "src")) == sorted(photos)
    assert sorted(_file(src) for src in page.links("video", "src")) == sorted(videos)
    hrefs = [_file(href) for href in page.links("a", "href")]
    assert sorted(hrefs) == sorted(one for each in entries for one in (each.path, *each.companions))
    assert all(set(attrs) <= {"loading", "decoding", "src", "alt"} for tag, attrs in page.tags if tag == "img")
    for tag, attrs in page.tags:
        for link in (attrs.get("src"), attrs.get("href")):
            assert link is None or (":" not in link and not link.startswith("//")), tag
    assert content == contact_sheet(title, entries[::-1]) or len({(e.taken_at, e.path) for e in entries}) < len(entries)


# ---- on disk ---------------------------------------------------------------------------------------------------------


def sheet(text: bytes, owner: int = 1, path: bytes = PAGE, kind: LinkKind = LinkKind.PAGE) -> Furnishing:
    return Furnishing(PublishedLink(path, digest(text), OwnerId(owner), kind=kind), text)


def furnish(library: Library, *wanted: Furnishing) -> Applied:
    applied = library.tree.furnish(wanted, library.ledger.published(), library.ledger)
    assert all(row.made for row in library.ledger.rows.values())
    assert not [name for name in os.listdir(library.root) if name.startswith(b".guyverd-tmp")]
    return applied


@pytest.fixture
def alice(library: Library) -> Library:
    library.publish(shelf(1, "Alice", library.photo(b"a.jpg")))
    return library


def test_a_page_is_made_made_anew_and_taken_away(alice: Library) -> None:
    assert furnish(alice, sheet(b"one")).made == 1
    inode = os.stat(alice.path(PAGE)).st_ino
    assert furnish(alice, sheet(b"one")).made == 0
    assert os.stat(alice.path(PAGE)).st_ino == inode
    assert furnish(alice, sheet(b"two")).made == 1
    assert read(alice.path(PAGE)) == b"two"
    assert alice.tree.verify(alice.ledger.published()) == []
    assert furnish(alice).removed == 1
    assert sorted(alice.shown()) == [b"Alice", b"Alice/2024-05-17_a.jpg"]


def test_a_page_and_a_cover_move_with_their_folder_and_go_with_their_person(alice: Library) -> None:
    furnish(alice, sheet(b"one"), sheet(b"jpeg", path=b"Alice/cover.jpg", kind=LinkKind.COVER))
    alice.tree.apply(alice.plan(shelf(1, "Ann", alice.photo(b"a.jpg"))), alice.ledger)
    assert read(alice.path(b"Ann/index.html")) == b"one"
    assert alice.ledger.rows[b"Ann/cover.jpg"].kind is LinkKind.COVER
    alice.publish()
    assert alice.shown() == {}


def test_where_the_folder_cannot_move_its_page_and_cover_are_not_made_of_nothing(alice: Library) -> None:
    furnish(alice, sheet(b"one"), sheet(b"jpeg", path=b"Alice/cover.jpg", kind=LinkKind.COVER))
    os.mkdir(alice.path(b"Ann"))
    with open(alice.path(b"Ann/cover.jpg"), "wb") as file:
        file.write(b"mine")
    applied = alice.tree.apply(alice.plan(shelf(1, "Ann", alice.photo(b"a.jpg"))), alice.ledger)
    assert ([path for path, _ in applied.otherwise], applied.problems) == ([b"Alice"], ())
    assert sorted(alice.shown()) == [b"Ann", b"Ann/2024-05-17_a.jpg", b"Ann/cover.jpg"]
    assert sorted(alice.ledger.rows) == [b"Ann/2024-05-17_a.jpg"]
    assert read(alice.path(b"Ann/cover.jpg")) == b"mine"


def test_a_page_alone_keeps_no_folder(alice: Library) -> None:
    furnish(alice, sheet(b"one"))
    alice.tree.apply(alice.plan(shelf(1, "Alice")), alice.ledger)
    furnish(alice)
    assert alice.shown() == {}


def test_a_users_page_is_never_written_over(alice: Library) -> None:
    mine = alice.write(PAGE)
    assert furnish(alice, sheet(b"one")).kept_foreign == (PAGE,)
    furnish(alice)
    assert read(mine) == b"mine"
    assert PAGE not in alice.ledger.rows


@pytest.mark.parametrize("then", [b"one", b"two", None])
def test_a_page_that_the_user_edited_is_theirs(alice: Library, then: bytes | None) -> None:
    furnish(alice, sheet(b"one"))
    alice.write(PAGE, text=b"my own words")
    assert furnish(alice, *([sheet(then)] if then else [])).kept_foreign == (PAGE,)
    assert read(alice.path(PAGE)) == b"my own words"
    assert PAGE not in alice.ledger.rows
    alice.publish()
    assert alice.shown() == {b"Alice": b"", PAGE: b"file my own words"}


def test_a_page_that_the_user_deleted_is_made_again_when_it_is_its_turn(alice: Library) -> None:
    furnish(alice, sheet(b"one"))
    os.unlink(alice.path(PAGE))
    assert furnish(alice, sheet(b"one")).made == 1


def test_a_link_that_somebody_called_like_a_cover_stays(alice: Library) -> None:
    (row,) = alice.ledger.published()
    cover = b"Alice/cover.jpg"
    os.rename(alice.path(row.path), alice.path(cover))
    alice.ledger.forget([row.path])
    alice.ledger.intend([replace(row, path=cover, placed=True)])
    assert furnish(alice, sheet(b"jpeg", path=cover, kind=LinkKind.COVER)).kept_foreign == (cover,)
    assert alice.ledger.published() == [replace(row, path=cover, placed=True)]
    assert os.path.islink(alice.path(cover))


def test_where_the_folder_is_gone_that_is_one_problem(alice: Library) -> None:
    os.rename(alice.path(b"Alice"), alice.path(b"Trash"))
    applied = alice.tree.furnish([sheet(b"one")], alice.ledger.published(), alice.ledger)
    assert [path for path, _ in applied.problems] == [PAGE]
    assert not os.path.exists(alice.path(b"Alice"))
    os.symlink(alice.path(b"Trash"), alice.path(b"Alice"))
    applied = alice.tree.furnish([sheet(b"one")], alice.ledger.published(), alice.ledger)
    assert [path for path, _ in applied.problems] == [PAGE]
    assert os.listdir(alice.path(b"Trash")) == [b"2024-05-17_a.jpg"]


@pytest.mark.parametrize("before", [None, b"one"])
def test_killed_anywhere_the_page_is_known_and_made_again(tmp_path: Path, before: bytes | None) -> None:
    operations = 0
    while True:
        library = Library(tmp_path / "run")
        library.publish(shelf(1, "Alice", library.photo(b"a.jpg")))
        if before:
            furnish(library, sheet(before))
        try:
            with killed_after(operations, library.ledger):
                library.tree.furnish([sheet(b"two")], library.ledger.published(), library.ledger)
        except Killed:
            library.tree.recover(library.ledger.published(), library.ledger)
            assert (PAGE in library.shown()) == (PAGE in library.ledger.rows), operations
            assert all(row.made for row in library.ledger.rows.values())
            furnish(library, sheet(b"two"))
        else:
            break
        assert read(library.path(PAGE)) == b"two"
        shutil.rmtree(tmp_path / "run")
        operations += 1
    assert operations >= 5
    assert isinstance(library.ledger, MemoryLedger)
