from __future__ import annotations

import os
import re
import shutil
import sqlite3
import threading
from pathlib import Path

import pytest
from sqlite_utils import Database as Utils

from guyverd.catalogue.database import Database
from guyverd.catalogue.migrations import migrations
from guyverd.catalogue.schema import KNOWN
from guyverd.catalogue.store import Catalogue
from guyverd.errors import CatalogueDamaged, CatalogueError, CatalogueNewer, StateError
from tests.catalogue.conftest import ROOT

PAGE = (Path(__file__).parents[2] / "docs" / "catalogue.md").read_text()


def test_it_opens_fresh_and_again_with_what_was_in_it(path: bytes) -> None:
    for _ in range(2):
        with Catalogue(path) as catalogue:
            catalogue.files.configure([ROOT])
            assert [root.path for root in catalogue.files.roots()] == [ROOT]
            assert catalogue.integrity() == catalogue.contradictions() == []
    raw = sqlite3.connect(path)
    assert raw.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert {row[0] for row in raw.execute("SELECT name FROM _sqlite_migrations")} == KNOWN
    raw.close()


def test_known_is_every_migration() -> None:
    assert {item.name for item in migrations.pending(Utils(memory=True))} == KNOWN


def test_a_newer_catalogue_is_left_alone(path: bytes) -> None:
    Catalogue(path).close()
    raw = sqlite3.connect(path)
    raw.execute("INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('guyverd', 'tomorrow', '')")
    raw.commit()
    raw.close()
    before = Path(os.fsdecode(path)).read_bytes()
    with pytest.raises(CatalogueNewer, match="tomorrow"):
        Catalogue(path)
    assert Path(os.fsdecode(path)).read_bytes() == before


@pytest.mark.parametrize("data", [b"this is no database, and longer than a header is" * 100, b"SQLite format 3\0" * 50])
def test_what_is_no_catalogue_is_said_to_be_damaged(path: bytes, data: bytes) -> None:
    Path(os.fsdecode(path)).write_bytes(data)
    with pytest.raises(CatalogueDamaged):
        Catalogue(path)
    assert Path(os.fsdecode(path)).read_bytes() == data


def test_a_damaged_page_is_found(path: bytes) -> None:
    with Catalogue(path) as catalogue:
        catalogue.files.configure([b"/%d" % n for n in range(500)])
    file = Path(os.fsdecode(path))
    data = bytearray(file.read_bytes())
    data[4096 * 2 : 4096 * 12] = b"\x55" * (4096 * 10)
    file.write_bytes(data)
    try:
        with Catalogue(path) as catalogue:
            assert catalogue.integrity()
    except CatalogueDamaged:
        pass


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(StateError):
        Catalogue(os.fsencode(tmp_path / "nowhere" / "catalogue.db"))


def test_a_path_that_is_not_utf8(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/caf\xe9 100%?#"
    os.mkdir(folder)
    with Catalogue(folder + b"/catalogue.db") as catalogue:
        catalogue.files.configure([ROOT])
        assert len(catalogue.files.roots()) == 1


def test_writes_of_many_threads_all_arrive(path: bytes) -> None:
    database = Database(path)

    def writer(name: str) -> None:
        for n in range(50):
            database.write(lambda db, n=n: db.execute("INSERT INTO meta VALUES (?, '')", (f"{name}{n}",)))  # type: ignore[misc]
            assert database.row("SELECT 1 FROM meta WHERE key = ?", (f"{name}{n}",))

    threads = [threading.Thread(target=writer, args=(f"{name}-",)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    row = database.row("SELECT count(*) FROM meta")
    assert row is not None
    assert row[0] == 400
    database.close()


def test_a_job_that_fails_leaves_nothing_and_tells_its_caller(path: bytes) -> None:
    database = Database(path)

    def job(db: Utils) -> None:
        db.execute("INSERT INTO meta VALUES ('half', '')")
        raise KeyError("why")

    with pytest.raises(KeyError, match="why"):
        database.write(job)
    with pytest.raises(CatalogueError, match="no such table"):
        database.write(lambda db: db.execute("INSERT INTO nowhere VALUES (1)"))
    orphan = (
        "INSERT INTO files (root_id, path, display, size, mtime_ns, inode, seen_at) VALUES (99, x'', '', 1, 1, 1, '')"
    )
    with pytest.raises(CatalogueError, match="FOREIGN KEY"):
        database.write(lambda db: db.execute(orphan))
    assert database.rows("SELECT * FROM meta") == []
    database.close()


def test_readers_cannot_write(path: bytes) -> None:
    database = Database(path)
    with pytest.raises(StateError, match="readonly"):
        database.rows("INSERT INTO meta VALUES ('x', '') RETURNING key")
    database.close()


def test_closing_finishes_what_was_asked_and_then_refuses(path: bytes) -> None:
    database = Database(path)
    started = threading.Event()

    def slow(db: Utils) -> None:
        started.set()
        db.execute("INSERT INTO meta VALUES ('slow', '')")

    thread = threading.Thread(target=database.write, args=(slow,))
    thread.start()
    started.wait()
    thread.join()
    database.close()
    database.close()
    with pytest.raises(CatalogueError, match="closed"):
        database.write(slow)
    with Catalogue(path) as again:
        assert again.integrity() == []


def documented() -> dict[str, list[str]]:
    tables = {}
    for section in re.split(r"^### ", PAGE.split("## Views")[0], flags=re.M)[1:]:
        name = section.split("\n", 1)[0].strip()
        tables[name] = re.findall(r"^\| `(\w+)` \|", section, re.M)
    return tables


def test_the_page_describes_every_table_and_column(path: bytes) -> None:
    Catalogue(path).close()
    db = Utils(os.fsdecode(path))
    real = {
        table.name: [column.name for column in table.columns]
        for table in db.tables
        if not table.name.startswith(("sqlite_", "_sqlite_"))
    }
    assert documented() == real
    assert set(re.findall(r"^- `(\w+)`:", PAGE, re.M)) == set(db.view_names())
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE.split("## History")[1], re.M)) == KNOWN


@pytest.mark.parametrize("query", re.findall(r"```sql\n(.*?)```", PAGE, re.S))
def test_every_question_on_the_page_can_be_asked(path: bytes, tmp_path: Path, query: str) -> None:
    Catalogue(path).close()
    copy = tmp_path / "copy.db"
    shutil.copy(os.fsdecode(path), copy)
    raw = sqlite3.connect(f"file:{copy}?mode=ro", uri=True)
    assert raw.execute(query).fetchall() == []
    raw.close()
