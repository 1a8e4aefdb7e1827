"""The ledger of links: whatever folders are called, only what lies in a renamed one moves."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guyverd.catalogue.rows import RootRow
from guyverd.catalogue.store import Catalogue
from guyverd.model import Assignment, FaceId, PersonId, PhotoId, Stamp
from guyverd.published import Home, LinkKind, OwnerId, PublishedLink
from tests.catalogue.conftest import NOW, library


@dataclass(frozen=True)
class Rename:
    old: bytes
    new: bytes


def link(path: bytes, target: bytes = b"../x", person: int = 1) -> PublishedLink:
    return PublishedLink(path, target, OwnerId(person))


@pytest.fixture(scope="module")
def peopled(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    """Two people who may have links."""
    catalogue = Catalogue(os.fsencode(tmp_path_factory.mktemp("links") / "c.db"), clock=lambda: NOW)
    catalogue.files.configure([b"/photos"])
    library(catalogue, catalogue.files.roots()[0], [1, 1])
    catalogue.people.assign([Assignment(FaceId(one), None, one, 0.9) for one in (1, 2)], [], 2, NOW)
    return catalogue


def paths(catalogue: Catalogue) -> list[bytes]:
    return [one.path for one in catalogue.links.published()]


def begin(catalogue: Catalogue, *these: PublishedLink) -> None:
    catalogue.links.forget(paths(catalogue))
    catalogue.links.intend(these)


def test_a_link_meant_again_is_the_latest_word(peopled: Catalogue) -> None:
    begin(peopled, link(b"Al/1"), link(b"Al/1", b"../y", 2), link(b"Al/\xff\n"))
    assert peopled.links.published() == [link(b"Al/1", b"../y", 2), link(b"Al/\xff\n")]
    shown = peopled._db.rows("SELECT display FROM links ORDER BY path")
    assert [row["display"] for row in shown] == ["Al/1", "Al/\ufffd\n"]
    peopled.links.intend([])
    peopled.links.forget([])
    peopled.links.renamed([])
    peopled.links.forget([b"Al/1", b"Al/1", b"nothing"])
    assert paths(peopled) == [b"Al/\xff\n"]


FULL = PublishedLink(
    b"Al/2020/\xff.mov",
    b"/photos/\xff.mov",
    OwnerId(-3),
    PhotoId(7),
    LinkKind.HARD,
    companion=True,
    placed=True,
    stamp=Stamp(5, 1_700_000_000_123_456_789, 99),
    made=False,
)


def test_all_that_is_known_of_a_link_is_kept(peopled: Catalogue) -> None:
    kinds = [replace(FULL, path=b"Al/%d" % number, kind=kind) for number, kind in enumerate(LinkKind)]
    begin(peopled, FULL, *kinds)
    assert peopled.links.published() == sorted([*kinds, FULL], key=lambda one: one.path)
    assert peopled.links.count() == 1 + len(kinds)
    peopled.links.intend([link(FULL.path)])
    assert link(FULL.path) in peopled.links.published(), "nothing of the older row is left"


@pytest.mark.parametrize("many", [False, True])
def test_links_of_some_owners(peopled: Catalogue, many: bool) -> None:
    begin(peopled, link(b"Al/1", person=1), link(b"Bo/1", person=2), link(b"Al/0", person=1), link(b"Ski/1", person=-1))
    padding = {OwnerId(number) for number in range(1000, 1500)} if many else set()
    for owners in ({1}, {1, -1}, {2, 3}, set()):
        asked = {OwnerId(owner) for owner in owners} | padding
        assert peopled.links.published(asked) == [one for one in peopled.links.published() if one.owner in owners]


def test_links_below_a_folder(peopled: Catalogue) -> None:
    begin(peopled, *(link(path) for path in (b"Al", b"Al b/1", b"Al-x/1", b"Al/1", b"Al/d/1", b"Al0/1", b"al/1")))
    assert [one.path for one in peopled.links.below(b"Al")] == [b"Al/1", b"Al/d/1"]
    assert peopled.links.below(b"Al/1") == []


def test_a_link_that_moved_with_its_folder_was_made(peopled: Catalogue) -> None:
    """Rows of a folder on the move are not `made`; when it is noted, it is over."""
    begin(peopled, FULL, link(b"Bo/2020/\xff.mov"))
    peopled.links.renamed([Rename(b"Al", b"Bo")])
    assert peopled.links.published() == [replace(FULL, path=b"Bo/2020/\xff.mov", made=True)]


# ---- homes -----------------------------------------------------------------------------------------------------------


def test_homes_come_move_and_go(catalogue: Catalogue) -> None:
    assert not catalogue.links.homes()
    assert not catalogue.links.folders()
    ada = Home(OwnerId(1), b"Ada\xff", "Ada", None)
    ski = Home(OwnerId(-1), b"Ski", "Ski", 17)
    nobody = Home(OwnerId(2), b"Unnamed/0002", None, 18)
    catalogue.links.settle([ada, ski, nobody])
    assert catalogue.links.homes() == {1: ada, -1: ski, 2: nobody}
    assert catalogue.links.folders() == {1: b"Ada\xff", 2: b"Unnamed/0002"}, "an album is nobody's folder"
    shown = catalogue._db.rows("SELECT display FROM homes WHERE owner = 1")
    assert [row["display"] for row in shown] == ["Ada\ufffd"]
    moved = replace(ada, path=b"Family/Ada", inode=19)
    catalogue.links.settle([moved], [OwnerId(-1), OwnerId(99)])
    assert catalogue.links.homes() == {1: moved, 2: nobody}
    catalogue.links.settle([])
    assert catalogue.links.homes() == {1: moved, 2: nobody}


def test_the_last_folder_under_each_name_is_remembered(catalogue: Catalogue) -> None:
    one, two = OwnerId(1), OwnerId(2)
    catalogue.links.settle([Home(one, b"Unnamed/0001", None, 1), Home(two, b"Bo", "Bo", 2)])
    catalogue.links.settle([Home(one, b"Ada", "Ada", 1)])
    catalogue.links.settle([Home(one, b"Family/Ada", "Ada", 1)])
    catalogue.links.settle([Home(one, b"Ann", "Ann", 1)], [two])
    assert catalogue.links.former({one: "Ada", two: "Bo"}) == {one: b"Family/Ada", two: b"Bo"}
    assert catalogue.links.former({one: None, two: None}) == {one: b"Unnamed/0001"}
    assert catalogue.links.former({two: "Ada"}) == {}


def test_two_who_swap_folders(catalogue: Catalogue) -> None:
    one, two = Home(OwnerId(1), b"Ada", "Ada", 1), Home(OwnerId(2), b"Bo", "Bo", 2)
    catalogue.links.settle([one, two])
    swapped = [replace(one, path=b"Bo", name="Bo"), replace(two, path=b"Ada", name="Ada")]
    catalogue.links.settle(swapped)
    assert catalogue.links.homes() == {home.owner: home for home in swapped}


def test_homes_move_with_the_folders_they_are_or_lie_in(catalogue: Catalogue) -> None:
    """In the same transaction as the links: whenever the process dies, a folder's links and home are together."""
    paths = [b"Ada", b"Ada/Bo", b"Ada Cy", b"Unnamed/0004", b"Adam"]
    catalogue.links.settle([Home(OwnerId(owner), path, "x", owner) for owner, path in enumerate(paths, 1)])
    catalogue.links.renamed([Rename(b"Ada", b"Family/Ada"), Rename(b"Unnamed/0004", b"Dee")])
    moved = {owner: home.path for owner, home in catalogue.links.homes().items()}
    assert moved == {1: b"Family/Ada", 2: b"Family/Ada/Bo", 3: b"Ada Cy", 4: b"Dee", 5: b"Adam"}
    assert {home.inode for home in catalogue.links.homes().values()} == {1, 2, 3, 4, 5}


def test_a_folder_is_one_owners(catalogue: Catalogue) -> None:
    catalogue.links.settle([Home(OwnerId(1), b"Ada", "Ada", 1)])
    heir = Home(OwnerId(2), b"Ada", "Ada", 1)
    catalogue.links.settle([heir])
    assert catalogue.links.homes() == {2: heir}


# ---- folders that move -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("renames", "after"),
    [
        ([(b"Al", b"Bo")], [b"Al b/1", b"Al", b"Al-x/1", b"Al.x/1", b"Al0/1", b"Bo/1", b"Bo/2", b"Bo/d/1", b"al/1"]),
        ([(b"Al", b"Al b")], [b"Al b/1", b"Al b/2", b"Al b/d/1", b"Al", b"Al-x/1", b"Al.x/1", b"Al0/1", b"al/1"]),
        ([(b"Al/d", b"Al")], [b"Al", b"Al b/1", b"Al-x/1", b"Al.x/1", b"Al/1", b"Al/2", b"Al0/1", b"al/1"]),
        (
            [(b"Al", b"Al/d")],
            [b"Al", b"Al b/1", b"Al-x/1", b"Al.x/1", b"Al/d/1", b"Al/d/2", b"Al/d/d/1", b"Al0/1", b"al/1"],
        ),
        ([(b"Al", b"Bo"), (b"Bo", b"Al")], None),
        ([(b"Al", b"tmp"), (b"Al b", b"Al"), (b"tmp", b"Al b")], [
            b"Al", b"Al b/1", b"Al b/2", b"Al b/d/1", b"Al-x/1", b"Al.x/1", b"Al/1", b"Al0/1", b"al/1",
        ]),
        ([(b"Al", b"Al")], None),
        ([(b"A", b"Bo"), (b"l", b"Bo"), (b"Al/1", b"Bo"), (b"nothing", b"Bo")], None),
    ],
    ids=repr,
)  # fmt: skip
def test_names_that_begin_alike_or_contain_one_another(
    peopled: Catalogue, renames: list[tuple[bytes, bytes]], after: list[bytes] | None
) -> None:
    before = [b"Al", b"Al b/1", b"Al-x/1", b"Al.x/1", b"Al/1", b"Al/2", b"Al/d/1", b"Al0/1", b"al/1"]
    begin(peopled, *(link(path) for path in before))
    peopled.links.renamed([Rename(old, new) for old, new in renames])
    assert paths(peopled) == sorted(before if after is None else after)


FOLDERS = st.sampled_from([b"Al", b"Al b", b"Al/Al", b"Al-x", b"Al.", b"Al0", b"Al\xff", b"al", b"Al\n", b"A"])


@given(
    links=st.dictionaries(
        st.tuples(FOLDERS, st.sampled_from([b"1", b"2", b"\xfe"])).map(b"/".join), st.binary(min_size=1, max_size=3)
    ),
    renames=st.lists(st.tuples(FOLDERS, FOLDERS), max_size=5),
)
@settings(max_examples=200, deadline=None)
def test_renaming_is_what_it_would_be_in_a_dictionary(
    peopled: Catalogue, links: dict[bytes, bytes], renames: list[tuple[bytes, bytes]]
) -> None:
    begin(peopled, *(link(path, target) for path, target in links.items()))
    for old, new in renames:
        inside = {path: target for path, target in links.items() if path.startswith(old + b"/")}
        links = {path: target for path, target in links.items() if path not in inside}
        # On the disk a folder only takes a name that is free; the ledger lets the one that moved win.
        links.update({new + path[len(old) :]: target for path, target in inside.items()})
    peopled.links.renamed([Rename(old, new) for old, new in renames])
    assert {one.path: one.target for one in peopled.links.published()} == links
    assert paths(peopled) == sorted(links)


def test_links_outlive_the_photos_they_lead_to(catalogue: Catalogue, root: RootRow) -> None:
    """The ledger says what is on the disk, not what should be."""
    library(catalogue, root, [1])
    catalogue.people.assign([Assignment(FaceId(1), None, 0, 0.9)], [], 1, NOW)
    catalogue.links.intend([link(b"Al/1")])
    catalogue.files.gone(catalogue.photos.pictures_of(PersonId(1))[0].photo, NOW)
    assert catalogue.files.forget("9999") == [1]
    assert paths(catalogue) == [b"Al/1"]
    assert catalogue.integrity() == []
