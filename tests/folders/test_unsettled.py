"""A disk that does not say that what was done lasts: nothing is taken for made, or gone, or deleted by somebody."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from guyverd.folders.apply import PeopleTree
from guyverd.folders.ledger import Applied
from guyverd.folders.linking import Style
from guyverd.folders.plan import plan
from guyverd.published import Shelf

from .model import MemoryLedger, photo, shelf, tree_of

pytestmark = [pytest.mark.promise("disk"), pytest.mark.promise("power-loss")]

PHOTOS = [photo(b"/nowhere/%d.jpg" % number) for number in range(4)]
BEFORE = [shelf(1, "Ada", *PHOTOS), shelf(2, "Ben", *PHOTOS[:2]), shelf(3, "Cy", *PHOTOS[:3]), shelf(4, None, *PHOTOS)]
MOVED = [photo(b"/nowhere/new/%d.jpg" % number) for number in range(4)]
AFTER = [
    shelf(1, "Ada L", *PHOTOS[1:]),  # another name, and one link less
    shelf(2, "Ben", *MOVED[:2]),  # photos that are elsewhere
    shelf(4, "Dora", *PHOTOS),  # a name at last; and the third is no more
    shelf(5, None, *PHOTOS[:3]),  # somebody new
]


class House:
    """A people folder as `BEFORE` leaves it."""

    def __init__(self, root: Path) -> None:
        self.root = os.fsencode(root)
        self.tree, self.ledger = PeopleTree(self.root), MemoryLedger()
        self.tree.prepare()
        assert self.go(BEFORE).problems == ()

    def go(self, shelves: list[Shelf]) -> Applied:
        style = Style(self.tree.real, "Unnamed")
        return self.tree.apply(plan(shelves, self.ledger.published(), self.ledger.homes, style=style), self.ledger)

    def recover(self) -> None:
        self.tree.recover(self.ledger.published(), self.ledger, homes=self.ledger.homes.values())

    def links(self) -> dict[bytes, bytes]:
        return {path: what[3:] for path, what in tree_of(self.root).items() if what.startswith(b"-> ")}


@contextmanager
def failing(number: int, error: int) -> Iterator[list[int]]:
    """The sync of that number fails; what is yielded counts them."""
    count = [0]
    real = os.fsync

    def counted(file: int) -> None:
        count[0] += 1
        if count[0] == number:
            raise OSError(error, os.strerror(error))
        real(file)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", counted)
        yield count


def test_whichever_sync_fails_nothing_is_believed_that_may_not_last(tmp_path: Path) -> None:
    wanted = House(tmp_path / "quiet")
    wanted.go(AFTER)
    number = 1
    while True:
        house = House(tmp_path / str(number))
        with failing(number, errno.EIO) as count:
            applied = house.go(AFTER)
        if count[0] < number:
            break
        assert applied.unsure, number
        assert isinstance(applied.stopped, OSError)
        assert [reason for _, reason in applied.problems] == ["input/output error"], number
        links = house.links()
        for path, row in house.ledger.rows.items():
            assert not row.made or links.get(path) == row.target, "whatever is noted as made is there"
        house.recover()
        assert {path: row.target for path, row in house.ledger.rows.items()} == house.links(), number
        assert house.go(AFTER).problems == ()
        assert tree_of(house.root) == tree_of(wanted.root), number
        assert all(row.made for row in house.ledger.rows.values())
        number += 1
    assert number > 8


def test_a_file_system_that_promises_nothing_is_taken_as_it_is(tmp_path: Path) -> None:
    house = House(tmp_path / "People")
    for number in range(1, 9):
        with failing(number, errno.EINVAL):
            applied = house.go(AFTER if number % 2 else BEFORE)
        assert not applied.unsure
        assert applied.problems == ()


def test_what_somebody_did_is_not_believed_before_it_lasts(tmp_path: Path) -> None:
    """Links known only from a killed run are settled before their rows are made, and the folders above them too."""
    house = House(tmp_path / "People")
    rows = {path: row for path, row in house.ledger.rows.items() if path.startswith(b"Unnamed/")}
    for path, row in rows.items():
        house.ledger.rows[path] = type(row)(path, row.target, row.owner, row.photo, made=False)
    with failing(10**9, errno.EIO) as count:
        house.recover()
    assert count[0] == 3, "the folder, the one above it, and the top"
    assert all(house.ledger.rows[path].made for path in rows)
