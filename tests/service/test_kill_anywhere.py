"""Killed at any change it makes to a file, in the middle of a write too, a library ends as one that never was killed.

A change is whatever the process does to the disk: each write and sync of SQLite's, each rename of a link, the saving of
the index. What dies is a real process, and its successor finds what the kernel has of it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.promises import scaled
from tests.service.crash.driver import Driver
from tests.service.crash.shim import compiled

pytestmark = pytest.mark.promise("kill")

SECTIONS = (
    "{contact_sheet: true}",
    "{contact_sheet: true, links: copy, layout: year}",
    "{contact_sheet: true, links: hard, min_photos: 1}",
)


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    folder = tmp_path_factory.mktemp("kill")
    shim = compiled(folder)
    if shim is None:
        pytest.skip("no C compiler here")
    with Driver(shim, Path(folder.resolve()) / "base") as found:
        yield found


def drawn(points: dict[str, list[int]], count: int, chance: random.Random) -> list[int]:
    """So many points, as many of each kind of change as there are."""
    lists = [chance.sample(of_kind, len(of_kind)) for of_kind in points.values() if of_kind]
    found: list[int] = []
    while len(found) < count and any(lists):
        found += [of_kind.pop() for of_kind in lists if of_kind]
    return found[:count]


@pytest.mark.timeout(1800)
def test_killed_anywhere_it_ends_as_if_it_had_not_been(driver: Driver) -> None:
    assert driver.do("undisturbed", sections=SECTIONS[0])["problems"] == []
    points = driver.do("record")["points"]
    assert all(len(points[kind]) > 3 for kind in ("CREATE", "TRUNCATE", "WRITE", "SYNC", "RENAME", "UNLINK"))
    died = 0
    count = scaled(12, 240)
    for number, point in enumerate(drawn(points, count, random.Random(1))):
        answer = driver.do("killed", points=[point], half=bool(number % 2))
        assert answer["different"] == [], point
        died += answer["died"]
    # Threads take turns otherwise each time: one life may have a few changes less than another.
    assert died > 0.9 * count


@pytest.mark.torture
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("sections", SECTIONS)
def test_killed_again_and_again(driver: Driver, sections: str) -> None:
    assert driver.do("undisturbed", sections=sections)["problems"] == []
    driver.do("record")
    chance = random.Random(2)
    for _ in range(25):
        # A successor that has little left to do may come to its end before it is to die.
        points = [chance.randrange(1, 400) for _ in range(5)]
        answer = driver.do("killed", points=points, half=chance.random() < 0.5)
        assert answer["different"] == [], points
        assert answer["died"] >= 3
