"""The process dies at every single operation; a fresh run must end where an undisturbed one does."""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from guyverd.folders import moving, work
from guyverd.folders.apply import PeopleTree
from guyverd.folders.disk import temporary_name
from guyverd.folders.linking import Style
from guyverd.folders.marker import MARKER
from guyverd.folders.plan import Plan, plan
from guyverd.published import LinkKind, Shelf, ShelfPhoto
from tests.promises import scaled

from .model import MemoryLedger, photo, shelf, tree_of

pytestmark = pytest.mark.promise("kill")

OPERATIONS = ("symlink", "link", "utime", "unlink", "rename", "mkdir", "rmdir")
FOREIGN = (
    b"Alice/notes.txt",
    b"Carol/2024-05-17_a.jpg",
    b"Unnamed/0008/mine.txt",
    b"Gone/mine.txt",
    b"Ring2/r.txt",
    b"Taken/mine.txt",
)


class Killed(BaseException):
    """As little handled as SIGKILL."""


@contextmanager
def killed_after(operations: int, ledger: MemoryLedger) -> Iterator[None]:
    """Let so many changes of disk and ledger happen, and none after them."""
    left = operations

    def counted(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        nonlocal left
        if left <= 0:
            raise Killed
        left -= 1
        return original(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        for name in OPERATIONS:
            patch.setattr(os, name, functools.partial(counted, getattr(os, name)))
        for name in ("intend", "forget", "renamed", "settle"):
            patch.setattr(ledger, name, functools.partial(counted, getattr(ledger, name)))
        yield


def shot(name: bytes) -> ShelfPhoto:
    return photo(b"/nowhere/" + name, "2024-05-17T10:00:00")


PHOTOS = [shot(b"%c.jpg" % letter) for letter in b"abcdef"]
MOVED = [shot(b"new/%c.jpg" % letter) for letter in b"abcdef"]
BEFORE = [
    shelf(1, "Alice", *PHOTOS),  # gets another name
    shelf(2, "Ring1", *PHOTOS[:2]),  # three change names in a ring
    shelf(3, "Ring2", *PHOTOS[:2]),
    shelf(4, "Ring3", *PHOTOS[:2]),
    shelf(5, "Gone", *PHOTOS[:3]),  # is no more, with a user's file left behind
    shelf(6, "Gone too", *PHOTOS[:3]),  # is no more
    shelf(7, "Moved", *PHOTOS),  # has photos elsewhere now
    shelf(8, None, *PHOTOS[:3]),  # gets a name
    shelf(9, None, *PHOTOS[:3]),  # is no more
    shelf(10, "Shrinks", *PHOTOS),
    shelf(13, "Follows", *PHOTOS[:3]),  # gets the name of the next,
    shelf(14, "Stuck", *PHOTOS[:3]),  # whose new name is a folder of the user's, so that neither folder can move
]
AFTER = [
    shelf(1, "Bob", *PHOTOS[1:]),
    shelf(2, "Ring2", *PHOTOS[:2]),
    shelf(3, "Ring3", *PHOTOS[:2]),
    shelf(4, "Ring1", *PHOTOS[:2]),
    shelf(7, "Moved", *MOVED),
    shelf(8, "Hannah", *PHOTOS[:2], MOVED[2]),
    shelf(10, "Shrinks", PHOTOS[0]),
    shelf(11, "Carol", *PHOTOS[:3]),  # is new; something of the user's has the name of a link
    shelf(12, None, *PHOTOS[:3]),
    shelf(13, "Stuck", *PHOTOS[:3]),
    shelf(14, "Taken", *PHOTOS[:3]),
]


class Run:
    """A people folder as `BEFORE` leaves it, with files of the user's in it."""

    def __init__(self, root: bytes, before: list[Shelf], style: str = "relative") -> None:
        self.root = root
        self.links, _, years = style.partition(" by ")
        self.years = bool(years)
        self.tree = PeopleTree(root)
        self.ledger = MemoryLedger()
        self.tree.prepare()
        self.go(before)
        for path in FOREIGN:
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "wb") as file:
                file.write(b"mine: " + path)

    def plan(self, shelves: list[Shelf]) -> Plan:
        style = Style(self.tree.real, "Unnamed", self.links, self.years)
        return plan(shelves, self.ledger.published(), self.ledger.homes, style=style)

    def go(self, shelves: list[Shelf]) -> None:
        changes = self.plan(shelves)
        self.tree.apply(changes, self.ledger)

    def start_again(self, shelves: list[Shelf]) -> None:
        self.tree.recover(self.ledger.published(), self.ledger, homes=self.ledger.homes.values())
        self.go(shelves)

    def assert_known(self) -> None:
        """Each link on disk has its row, one being replaced may be either of two; what was made is there."""
        tree = {path: what for path, what in tree_of(self.root).items() if what}
        for path, what in tree.items():
            if path in (*FOREIGN, MARKER) or what.startswith(b"file mine") or path.endswith(b"-copy"):
                continue
            rows = [self.ledger.rows.get(name) for name in (path, temporary_name(path))]
            if what.startswith(b"-> "):
                assert what[3:] in [row.target for row in rows if row is not None], path
            else:
                kinds = {row.kind for row in rows if row is not None}
                assert kinds & {LinkKind.HARD, LinkKind.COPY}, path
        for path, row in self.ledger.rows.items():
            assert not row.made or path in tree, "nobody but us took anything away"

    def shown(self) -> dict[bytes, bytes]:
        return tree_of(self.root)

    def assert_like(self, shown: dict[bytes, bytes], shelves: list[Shelf]) -> None:
        assert self.shown() == shown
        links = {path: what[3:] for path, what in shown.items() if what.startswith(b"-> ")}
        assert {path: row.target for path, row in self.ledger.rows.items() if row.kind is LinkKind.SYMBOLIC} == links
        assert all(row.made for row in self.ledger.rows.values())
        assert self.ledger.homes.keys() == {one.owner for one in shelves}
        for home in self.ledger.homes.values():
            assert os.lstat(os.path.join(self.root, home.path)).st_ino == home.inode
        assert not self.plan(shelves)
        mine = {path: what for path, what in shown.items() if what.startswith(b"file mine")}
        assert sorted(what[5:] for what in mine.values()) == sorted(b"mine: " + path for path in FOREIGN)


@pytest.fixture(params=[2, 500])
def _batch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "BATCH", request.param)
    monkeypatch.setattr(moving, "BATCH", request.param)
    monkeypatch.setattr(os, "fsync", lambda _: None)  # only speed: nothing here cuts the power


def undisturbed(tmp_path: Path, *steps: list[Shelf]) -> dict[bytes, bytes]:
    run = Run(os.fsencode(tmp_path / "undisturbed"), steps[0])
    for step in steps[1:]:
        run.go(step)
    return run.shown()


@pytest.mark.usefixtures("_batch")
@pytest.mark.parametrize("build", [True, False])
def test_killed_anywhere_it_ends_the_same(tmp_path: Path, build: bool) -> None:
    before, after = ([], BEFORE) if build else (BEFORE, AFTER)
    shown = undisturbed(tmp_path, before, after)
    operations = 0
    while True:
        run = Run(os.fsencode(tmp_path / "run"), before)
        try:
            with killed_after(operations, run.ledger):
                run.go(after)
        except Killed:
            run.assert_known()
            run.start_again(after)
            run.assert_like(shown, after)
        else:
            break
        operations += scaled(2, 1)
        shutil.rmtree(tmp_path / "run")
    run.assert_like(shown, after)
    assert operations > 40


@pytest.mark.usefixtures("_batch")
def test_killed_again_and_again_it_still_ends_the_same(tmp_path: Path) -> None:
    shown = undisturbed(tmp_path, BEFORE, AFTER)
    for first in range(1, 60, scaled(8, 4)):
        run = Run(os.fsencode(tmp_path / "run"), BEFORE)
        allowed = first
        while True:
            try:
                with killed_after(allowed, run.ledger):
                    run.start_again(AFTER)
                break
            except Killed:
                run.assert_known()
                allowed += 1  # else a run that needs more than that before its first lasting step never ends
        run.assert_like(shown, AFTER)
        shutil.rmtree(tmp_path / "run")


@pytest.mark.usefixtures("_batch")
def test_killed_and_then_wanted_otherwise(tmp_path: Path) -> None:
    """What the dead run was about to do is no longer wanted when the next one starts."""
    last = [shelf(7, "Moved", *(shot(b"third/%c.jpg" % letter) for letter in b"abcdef")), shelf(3, "Alice", *PHOTOS)]
    operations = 0
    while True:
        run = Run(os.fsencode(tmp_path / "run"), BEFORE)
        try:
            with killed_after(operations, run.ledger):
                run.go(AFTER)
        except Killed:
            run.start_again(last)
            links = {path for path, what in run.shown().items() if what.startswith(b"-> ")}
            assert links == set(run.ledger.rows)
            assert {(row.owner, row.target.rpartition(b"nowhere/")[2]) for row in run.ledger.rows.values()} == {
                (one.owner, each.target.removeprefix(b"/nowhere/")) for one in last for each in one.photos
            }
            mine = {what for what in run.shown().values() if what.startswith(b"file mine")}
            assert mine == {b"file mine: " + path for path in FOREIGN}
        else:
            break
        operations += scaled(2, 1)
        shutil.rmtree(tmp_path / "run")


@pytest.mark.usefixtures("_batch")
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("relative", "hard"),
        ("relative", "copy by year"),
        ("hard", "relative by year"),
        ("hard", "copy"),
        ("copy", "copy by year"),
        ("copy", "hard"),
    ],
)
def test_killed_anywhere_amid_another_kind_of_link(tmp_path: Path, before: str, after: str) -> None:
    photos = []
    for name in (b"a.jpg", b"b.jpg", b"c.HEIC", b"c.MOV"):
        path = os.fsencode(tmp_path) + b"/" + name
        with open(path, "wb") as file:
            file.write(b"photo " + name)
        photos.append(photo(path, "2024-05-17"))
    live = replace(photos[2], companions=(photos[3].target,))
    first = [shelf(1, "Alice", *photos[:2], live), shelf(2, None, live), shelf(3, "Cy", photos[0])]
    then = [shelf(1, "Alma", *photos[:2], live), shelf(2, "Bob", live, photos[0])]

    def switched(name: str) -> Run:
        run = Run(os.fsencode(tmp_path / name), first, before)
        run.links, _, years = after.partition(" by ")
        run.years = bool(years)
        return run

    quiet = switched("undisturbed")
    quiet.go(then)
    operations = 0
    while True:
        run = switched("run")
        try:
            with killed_after(operations, run.ledger):
                run.go(then)
        except Killed:
            run.assert_known()
            run.start_again(then)
            run.assert_like(quiet.shown(), then)
        else:
            break
        operations += scaled(2, 1)
        shutil.rmtree(tmp_path / "run")
    run.assert_like(quiet.shown(), then)
    assert operations > 10
    assert {name for name in os.listdir(tmp_path) if "." in name} == {"a.jpg", "b.jpg", "c.HEIC", "c.MOV"}


def test_verify_knows_a_link_that_was_just_replaced(tmp_path: Path) -> None:
    run = Run(os.fsencode(tmp_path / "run"), [shelf(7, "Moved", PHOTOS[0])])
    path = b"Moved/2024-05-17_a.jpg"
    old = run.ledger.rows[path]
    new = replace(old, path=temporary_name(path), target=old.target.replace(b"a.jpg", b"new/a.jpg"), made=False)
    os.unlink(os.path.join(run.root, path))
    os.symlink(new.target, os.path.join(run.root, path))
    run.ledger.intend([new])
    assert run.tree.verify(run.ledger.published()) == [(path, "dangling")]
    assert run.tree.recover(run.ledger.published(), run.ledger) == (replace(old, target=new.target),)
    assert run.tree.verify(run.ledger.published()) == [(path, "dangling")]
    assert len(run.ledger.rows) == 1
