"""The ledger of links: whatever folders are called, only what lies in a renamed one moves."""

from __future__ import annotations

import os
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guyverd.catalogue.rows import RootRow
from guyverd.catalogue.store import Catalogue
from guyverd.errors import CatalogueError
from guyverd.model import Assignment, FaceId, PersonId, PublishedLink
from tests.catalogue.conftest import NOW, library


@dataclass(frozen=True)
class Rename:
    old: bytes
    new: bytes


def link(path: bytes, target: bytes = b"../x", person: int = 1) -> PublishedLink:
    return PublishedLink(path, target, PersonId(person))


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


def test_a_link_of_nobody_is_refused_with_all_that_were_meant_with_it(peopled: Catalogue) -> None:
    begin(peopled, link(b"Al/1"))
    with pytest.raises(CatalogueError, match="FOREIGN KEY"):
        peopled.links.intend([link(b"Al/2"), link(b"Al/3", person=99)])
    assert paths(peopled) == [b"Al/1"]


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
