"""The process dies at every single operation; a fresh run must end where an undisturbed one does."""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from guyverd.folders import moving, work
from guyverd.folders.apply import PeopleTree
from guyverd.folders.disk import temporary_name
from guyverd.folders.marker import MARKER
from guyverd.folders.plan import plan
from guyverd.model import Album, AlbumPhoto, PublishedLink

from .model import MemoryLedger, album, tree_of

OPERATIONS = ("symlink", "unlink", "rename", "mkdir", "rmdir")
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
        for name in ("intend", "forget", "renamed"):
            patch.setattr(ledger, name, functools.partial(counted, getattr(ledger, name)))
        yield


def photo(name: bytes) -> AlbumPhoto:
    return AlbumPhoto(b"/nowhere/" + name, "2024-05-17T10:00:00")


PHOTOS = [photo(b"%c.jpg" % letter) for letter in b"abcdef"]
MOVED = [photo(b"new/%c.jpg" % letter) for letter in b"abcdef"]
BEFORE = [
    album(1, "Alice", *PHOTOS),  # gets another name
    album(2, "Ring1", *PHOTOS[:2]),  # three change names in a ring
    album(3, "Ring2", *PHOTOS[:2]),
    album(4, "Ring3", *PHOTOS[:2]),
    album(5, "Gone", *PHOTOS[:3]),  # is no more, with a user's file left behind
    album(6, "Gone too", *PHOTOS[:3]),  # is no more
    album(7, "Moved", *PHOTOS),  # has photos elsewhere now
    album(8, None, *PHOTOS[:3]),  # gets a name
    album(9, None, *PHOTOS[:3]),  # is no more
    album(10, "Shrinks", *PHOTOS),
    album(13, "Follows", *PHOTOS[:3]),  # gets the name of the next,
    album(14, "Stuck", *PHOTOS[:3]),  # whose new name is a folder of the user's, so that neither folder can move
]
AFTER = [
    album(1, "Bob", *PHOTOS[1:]),
    album(2, "Ring2", *PHOTOS[:2]),
    album(3, "Ring3", *PHOTOS[:2]),
    album(4, "Ring1", *PHOTOS[:2]),
    album(7, "Moved", *MOVED),
    album(8, "Hannah", *PHOTOS[:2], MOVED[2]),
    album(10, "Shrinks", PHOTOS[0]),
    album(11, "Carol", *PHOTOS[:3]),  # is new; something of the user's has the name of a link
    album(12, None, *PHOTOS[:3]),
    album(13, "Stuck", *PHOTOS[:3]),
    album(14, "Taken", *PHOTOS[:3]),
]


class Run:
    """A people folder as `BEFORE` leaves it, with files of the user's in it."""

    def __init__(self, root: bytes, before: list[Album]) -> None:
        self.root = root
        self.tree = PeopleTree(root)
        self.ledger = MemoryLedger()
        self.tree.prepare()
        self.go(before)
        for path in FOREIGN:
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "wb") as file:
                file.write(b"mine: " + path)

    def go(self, albums: list[Album]) -> None:
        changes = plan(
            albums, self.ledger.published(), people_folder=self.tree.real, unnamed="Unnamed", style="relative"
        )
        self.tree.apply(changes, self.ledger)

    def start_again(self, albums: list[Album]) -> None:
        self.tree.recover(self.ledger.published(), self.ledger)
        self.go(albums)

    def assert_known(self) -> None:
        """Each link on disk has its row; one being replaced may be either of two."""
        for path, what in tree_of(self.root).items():
            if what.startswith(b"-> "):
                texts = [self.ledger.rows.get(name) for name in (path, temporary_name(path))]
                assert what[3:] in [row.target for row in texts if row is not None], path

    def shown(self) -> dict[bytes, bytes]:
        return tree_of(self.root)

    def assert_like(self, shown: dict[bytes, bytes], albums: list[Album]) -> None:
        assert self.shown() == shown
        links = {path: what[3:] for path, what in shown.items() if what.startswith(b"-> ")}
        assert {path: row.target for path, row in self.ledger.rows.items()} == links
        assert not plan(
            albums, self.ledger.published(), people_folder=self.tree.real, unnamed="Unnamed", style="relative"
        )
        mine = {path: what for path, what in shown.items() if what.startswith(b"file ") and path != MARKER}
        assert sorted(what[5:] for what in mine.values()) == sorted(b"mine: " + path for path in FOREIGN)


@pytest.fixture(params=[2, 500])
def _batch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "BATCH", request.param)
    monkeypatch.setattr(moving, "BATCH", request.param)
    monkeypatch.setattr(os, "fsync", lambda _: None)  # only speed: nothing here cuts the power


def undisturbed(tmp_path: Path, *steps: list[Album]) -> dict[bytes, bytes]:
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
        operations += 1
        shutil.rmtree(tmp_path / "run")
    run.assert_like(shown, after)
    assert operations > 40


@pytest.mark.usefixtures("_batch")
def test_killed_again_and_again_it_still_ends_the_same(tmp_path: Path) -> None:
    shown = undisturbed(tmp_path, BEFORE, AFTER)
    for first in range(1, 60, 4):
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
    last = [album(7, "Moved", *(photo(b"third/%c.jpg" % letter) for letter in b"abcdef")), album(3, "Alice", *PHOTOS)]
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
            assert {(row.person, row.target.rpartition(b"nowhere/")[2]) for row in run.ledger.rows.values()} == {
                (one.person, shot.target.removeprefix(b"/nowhere/")) for one in last for shot in one.photos
            }
            mine = {what for path, what in run.shown().items() if what.startswith(b"file ") and path != MARKER}
            assert mine == {b"file mine: " + path for path in FOREIGN}
        else:
            break
        operations += 1
        shutil.rmtree(tmp_path / "run")


def test_verify_knows_a_link_that_was_just_replaced(tmp_path: Path) -> None:
    run = Run(os.fsencode(tmp_path / "run"), [album(7, "Moved", PHOTOS[0])])
    path = b"Moved/2024-05-17_a.jpg"
    old = run.ledger.rows[path]
    new = PublishedLink(temporary_name(path), old.target.replace(b"a.jpg", b"new/a.jpg"), old.person)
    os.unlink(os.path.join(run.root, path))
    os.symlink(new.target, os.path.join(run.root, path))
    run.ledger.intend([new])
    assert run.tree.verify(run.ledger.published()) == [(path, "dangling")]
    assert run.tree.recover(run.ledger.published(), run.ledger) == (PublishedLink(path, new.target, old.person),)
    assert run.tree.verify(run.ledger.published()) == [(path, "dangling")]
    assert len(run.ledger.rows) == 1
