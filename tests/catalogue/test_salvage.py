"""What is saved of a damaged catalogue: all that can be read, in one that is sound, and no number means two things."""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
from pathlib import Path

import pytest

from guyverd.catalogue.restored import prepare
from guyverd.catalogue.salvage import Saved, salvage
from guyverd.catalogue.store import Catalogue
from guyverd.model import Assignment, FaceId
from tests.catalogue.conftest import NOW, call, library
from tests.promises import scaled

pytestmark = pytest.mark.promise("catalogue")

PAGE = 4096
SAID = ("people", "decisions", "moves", "homes")
READ = ("photos", "files", "faces")


@pytest.fixture
def good(path: bytes) -> Path:
    """A closed catalogue of many pages: 60 photos with two faces each, two people, 200 names given."""
    with Catalogue(path, clock=lambda: NOW) as catalogue:
        catalogue.files.configure([b"/photos"])
        faces = library(catalogue, catalogue.files.roots()[0], [2] * 28)
        catalogue.people.assign([Assignment(FaceId(one), None, one % 2, 0.9) for one in faces], [], 28, NOW)
        for number in range(60):
            call(catalogue, 1 + number % 2, f"Name {number}")
    return Path(os.fsdecode(path))


def saved_of(file: Path, tmp_path: Path) -> tuple[Saved, Path]:
    target = tmp_path / "new.db"
    for beside in ("", "-wal", "-shm", "-open"):
        Path(f"{target}{beside}").unlink(missing_ok=True)
    target.touch()
    return salvage(os.fsencode(file), os.fsencode(target)), target


def rows(file: Path, table: str) -> set[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as raw:
        return set(raw.execute(f"SELECT * FROM {table}"))


def test_of_what_is_whole_everything_is_saved(good: Path, tmp_path: Path) -> None:
    saved, new = saved_of(good, tmp_path)
    assert not saved.again
    for table in (*SAID, *READ, "roots", "former_homes", "links", "enrolments", "strays", "skipped", "sqlite_sequence"):
        assert rows(new, table) == rows(good, table), table
    triggers = [{row[1] for row in rows(one, "sqlite_schema WHERE type = 'trigger'")} for one in (good, new)]
    assert triggers[0] == triggers[1] != set()
    with Catalogue(os.fsencode(new)) as catalogue:
        assert catalogue.integrity() == catalogue.contradictions() == []


def test_pages_of_noise_cost_what_was_on_them_and_no_more(good: Path, tmp_path: Path) -> None:
    data = good.read_bytes()
    chance = random.Random(9)
    pages = range(1, len(data) // PAGE)
    bad = tmp_path / "bad.db"
    whole = 0
    for number in range(scaled(6, 300)):
        changed = bytearray(data)
        struck = chance.sample(pages, 1 + number % 3)
        for page in struck:
            changed[page * PAGE : (page + 1) * PAGE] = chance.randbytes(PAGE)
        bad.write_bytes(bytes(changed))
        saved, new = saved_of(bad, tmp_path)
        with Catalogue(os.fsencode(new)) as catalogue:
            assert catalogue.integrity() == []
            log = catalogue.decisions.log()
            names = catalogue.people.names()
        known = {(one[0], one[2], one[4], one[6]) for one in rows(good, "decisions")}
        assert {(one.id, one.kind.value, one.person, one.name) for one in log} <= known, "nothing is made up"
        assert set(names) >= {one.person for one in log if one.person is not None}
        lost = sum(len(rows(good, table) - rows(new, table)) for table in ("photos", "faces"))
        # Where the schema itself is lost, nothing can be read.
        if lost and saved.rows.get("photos"):
            assert saved.again
        whole += rows(new, "decisions") == rows(good, "decisions")
        # Numbers that were given are not given again.
        spoken = max((int(str(one[0])) for one in rows(good, "faces")), default=0)
        sequence = {str(name): int(str(last)) for name, last in rows(new, "sqlite_sequence")}
        assert sequence["faces"] >= spoken or not rows(new, "moves") or saved.again
    assert whole >= scaled(6, 300) // 3, "mostly what was said is not on the page that is lost"


def test_of_what_is_no_catalogue_nothing_is_saved(tmp_path: Path) -> None:
    for data in (b"", b"no database at all" * 500, b"SQLite format 3\0" + bytes(4080)):
        bad = tmp_path / "bad.db"
        bad.write_bytes(data)
        saved, _ = saved_of(bad, tmp_path)
        assert saved.rows == {}


def test_who_is_spoken_of_and_lost_is_somebody_called_as_they_were(good: Path, tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(good)) as raw:
        raw.execute("PRAGMA foreign_keys = OFF")
        raw.execute("DELETE FROM people")
        raw.commit()
    _, new = saved_of(good, tmp_path)
    prepare(os.fsencode(new), NOW, "salvage")
    with Catalogue(os.fsencode(new)) as catalogue:
        assert catalogue.people.names() == {1: "Name 58", 2: "Name 59"}
        assert catalogue.integrity() == []
        assert catalogue.restored.pending()
