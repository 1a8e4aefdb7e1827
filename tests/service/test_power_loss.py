"""The power fails: of what was not synced, anything may be lost or torn; what was acknowledged is there all the same.

Everything a library's life does to its files is recorded, syncs among it, and a simulated disk replays it up to some
moment as a merciless disk would have kept it (`crash/disk.py`). What then stands there is opened for real.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from guyverd.service.api import Row
from tests.promises import scaled
from tests.service.crash.disk import Deed, Disk, Outage, Record
from tests.service.crash.driver import Driver
from tests.service.crash.shim import Kind, compiled

pytestmark = pytest.mark.promise("power-loss")

MANNERS = ("nothing", "any", "first", "everything")


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    folder = tmp_path_factory.mktemp("power")
    shim = compiled(folder)
    if shim is None:
        pytest.skip("no C compiler here")
    with Driver(shim, Path(folder.resolve()) / "base") as found:
        yield found


def outages(recorded: Row, count: int, chance: random.Random) -> Iterator[Outage]:
    """Half of them right after something was acknowledged, when all of it is still fresh."""
    for number in range(count):
        cut = chance.randint(recorded["begun"], recorded["deeds"])
        if number % 2:
            cut = min(recorded["deeds"], chance.choice(recorded["marks"]) + chance.choice((0, 0, 1, 3, 10)))
        yield Outage(cut, MANNERS[number // 2 % len(MANNERS)], chance.choice((512, 4096)), number)


@pytest.mark.timeout(1800)
def test_what_was_acknowledged_outlives_the_power(driver: Driver) -> None:
    assert driver.do("undisturbed")["problems"] == []
    recorded = driver.do("record")
    assert len(recorded["marks"]) == 7
    lost = 0
    for outage in outages(recorded, scaled(10, 400), random.Random(3)):
        answer = driver.do("outage", cut=outage.cut, manner=outage.manner, sector=outage.sector, seed=outage.seed)
        assert answer["different"] == [], outage
        lost += answer["lost"] > 0
    assert lost > scaled(2, 120), "outages that cost nothing show nothing"


@pytest.mark.torture
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("sections", ["{links: copy, contact_sheet: true}", "{links: hard, layout: year}"])
def test_so_does_what_was_acknowledged_of_links_that_are_files(driver: Driver, sections: str) -> None:
    assert driver.do("undisturbed", sections=sections)["problems"] == []
    recorded = driver.do("record")
    for outage in outages(recorded, 80, random.Random(4)):
        answer = driver.do("outage", cut=outage.cut, manner=outage.manner, sector=outage.sector, seed=outage.seed)
        assert answer["different"] == [], outage


def test_a_disk_that_lies_about_syncing_is_found_out(driver: Driver) -> None:
    """Else this would show nothing: without syncs, words are lost."""
    driver.do("undisturbed")
    recorded = driver.do("record")
    with pytest.raises(AssertionError, match="acknowledged"):
        driver.do("outage", cut=recorded["marks"][-1], manner="nothing", sector=512, seed=0, lying=True)


# ---- the simulated disk ----------------------------------------------------------------------------------------------


def left(tmp_path: Path, deeds: list[Deed], manner: str, seed: int = 0) -> dict[str, bytes | str]:
    """What is left of some deeds in folder 1, which is the top, and folders 2 and 3 in it, which are not safe."""
    (tmp_path / "record").touch()
    top = tmp_path / "top"
    top.mkdir(exist_ok=True)
    record = Record(tmp_path / "record", top)
    record.deeds = [Deed(Kind.CREATE, 1, 2, name="kept", into="d"), *deeds]
    record.real = {number: number for number in range(1, 20)}
    Disk(record, Outage(len(record.deeds), manner, 512, seed), "kept").write(top)
    return {
        str(path.relative_to(top / "kept")): str(path.readlink()) if path.is_symlink() else path.read_bytes()
        for path in sorted((top / "kept").rglob("*"))
        if not path.is_dir()
    }


FILE = [Deed(Kind.CREATE, 2, 5, name="a", into="f"), Deed(Kind.WRITE, number=5, data=b"x" * 1500)]


def test_a_file_needs_its_own_sync_and_its_folders(tmp_path: Path) -> None:
    assert left(tmp_path, FILE, "everything") == {"a": b"x" * 1500}
    assert left(tmp_path, FILE, "nothing") == {}
    file, folder = Deed(Kind.SYNC, number=5), Deed(Kind.SYNC, number=2)
    assert left(tmp_path, [*FILE, file], "nothing") == {}
    assert left(tmp_path, [*FILE, folder], "nothing") == {"a": b""}
    assert left(tmp_path, [*FILE, file, folder], "nothing") == {"a": b"x" * 1500}
    assert left(tmp_path, [file, folder, *FILE], "nothing") == {}, "a sync is of what was before"


def test_what_was_not_synced_is_torn_at_sectors(tmp_path: Path) -> None:
    seen = {left(tmp_path, [*FILE, Deed(Kind.SYNC, number=2)], "any", seed)["a"] for seed in range(40)}
    parts = {b"".join(part) for part in ((b"x" * 512,), (b"\0" * 512, b"x" * 512), (b"x" * 1024, b"x" * 476))}
    assert parts < seen
    assert len(seen) == 8


def test_a_rename_is_done_or_not_done(tmp_path: Path) -> None:
    made = [
        Deed(Kind.CREATE, 2, 3, name="folder", into="d"),
        Deed(Kind.CREATE, 3, 6, name="link", into="l", data=b"old"),
        Deed(Kind.CREATE, 2, 7, name="new", into="l", data=b"new"),
        Deed(Kind.SYNC, number=2),
        Deed(Kind.SYNC, number=3),
        Deed(Kind.RENAME, 2, 7, 3, name="new", into="link"),
    ]
    seen = {tuple(sorted(left(tmp_path, made, "any", seed).items())) for seed in range(20)}
    assert seen == {(("folder/link", "old"), ("new", "new")), (("folder/link", "new"),)}
    assert left(tmp_path, [*made, Deed(Kind.SYNC, number=3)], "nothing") == {"folder/link": "new"}


def test_what_is_recorded_is_what_sqlite_wrote(driver: Driver) -> None:
    """Nothing lost, what is left is the catalogue as it was, byte for byte, and sound."""
    driver.do("undisturbed")
    deeds = driver.do("record")["deeds"]
    driver.do("outage", cut=deeds, manner="everything", sector=512, seed=0)
    with closing(sqlite3.connect(driver.base / "kept" / "state" / "catalogue.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("SELECT count(*) FROM decisions").fetchone() == (7,)
