"""Disks that are full, read-only or fail at some call, for once or for a while: work pauses, and comes out the same.

What fails is the call itself, of SQLite, hnswlib or our own, in a real process (`crash/shim.c`). The user's own hands
are not hindered, and who asks for something asks again until it is done.
"""

from __future__ import annotations

import errno
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.promises import scaled
from tests.service.crash.driver import Driver
from tests.service.crash.life import RECORDED
from tests.service.crash.shim import Kind, compiled

pytestmark = pytest.mark.promise("disk")

CHANGES = tuple(kind.name for kind in Kind if kind < Kind.READ)
FULL = ("CREATE", "WRITE", "LINK")
CASES = {
    "the state folder is full": ("kept/state", FULL, errno.ENOSPC),
    "it does not sync": ("kept/state", ("SYNC",), errno.EIO),
    "it is read-only": ("kept/state", CHANGES, errno.EROFS),
    "it cannot be read": ("kept/state", ("READ",), errno.EIO),
    "it cannot be written": ("kept/state", ("WRITE",), errno.EIO),
    "the people folder is full": ("kept/People", FULL, errno.ENOSPC),
    "it does not sync links": ("kept/People", ("SYNC",), errno.EIO),
    "it becomes read-only": ("kept/People", CHANGES, errno.EROFS),
    "names in it cannot be changed": ("kept/People", ("RENAME", "UNLINK"), errno.EIO),
    "it cannot be listed": ("kept/People", ("LIST",), errno.EIO),
    "nothing in it opens": ("kept/People", ("OPEN",), errno.EIO),
    "photos cannot be read": ("photos", ("READ",), errno.EIO),
    "photos do not open": ("photos", ("OPEN",), errno.EIO),
    "their folders cannot be listed": ("photos", ("LIST",), errno.EIO),
}


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    folder = tmp_path_factory.mktemp("disk")
    shim = compiled(folder)
    if shim is None:
        pytest.skip("no C compiler here")
    with Driver(shim, Path(folder.resolve()) / "base") as found:
        assert found.do("undisturbed")["problems"] == []
        yield found


def hinder(driver: Driver, case: str, points: list[int], times: int) -> int:
    """Let calls fail from each of these points on; tells how often that was met."""
    within, kinds, error = CASES[case]
    met = 0
    for point in points:
        answer = driver.do("failing", kinds=kinds, within=within, point=point, times=times, error=error)
        assert answer["different"] == [], (case, point, times)
        if not {"READ", "LIST", "OPEN"}.intersection(kinds):
            # Where nothing can be read, nobody can say what was recorded.
            assert RECORDED not in answer["refused"], (case, point, times)
        met += answer["met"]
    return met


@pytest.mark.parametrize("case", list(CASES))
def test_whatever_fails_for_a_while_it_comes_out_the_same(driver: Driver, case: str) -> None:
    within, kinds, _ = CASES[case]
    calls = driver.do("calls", kinds=kinds, within=within)
    chance = random.Random(case)
    count = scaled(1, 16)
    points = sorted(chance.sample(range(1, max(2, int(0.9 * calls))), count))
    assert hinder(driver, case, points, scaled(3, 12)) > 0.5 * count


@pytest.mark.torture
@pytest.mark.timeout(1800)
def test_no_sync_in_the_people_folder_can_fail_unnoticed(driver: Driver) -> None:
    calls = driver.do("calls", kinds=["SYNC"], within="kept/People")
    assert calls > 40
    assert hinder(driver, "it does not sync links", list(range(1, calls + 1)), 1) > 0.9 * calls
