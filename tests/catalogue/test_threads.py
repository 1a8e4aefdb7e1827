"""One writer, any number of readers: nobody waits for ever, nothing is left open, nothing asked for is lost."""

from __future__ import annotations

import gc
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlite_utils import Database as Utils

from guyverd.catalogue.database import Database
from guyverd.catalogue.store import Catalogue
from guyverd.errors import CatalogueError

PATIENCE = 20


@pytest.fixture
def database(path: bytes) -> Iterator[Database]:
    opened = Database(path)
    yield opened
    opened.close()


def put(key: str) -> Callable[[Utils], None]:
    def job(db: Utils) -> None:
        db.execute("INSERT INTO meta VALUES (?, '')", (key,))

    return job


def keys(database: Database) -> list[str]:
    return [row["key"] for row in database.rows("SELECT key FROM meta ORDER BY key")]


def open_files(path: bytes) -> list[str]:
    links = [Path("/proc/self/fd") / one for one in os.listdir("/proc/self/fd")]
    return [
        target for link in links if link.is_symlink() and (target := os.readlink(link)).startswith(os.fsdecode(path))
    ]


def test_every_job_runs_in_the_same_thread_and_holds_the_write_lock(database: Database) -> None:
    seen: list[tuple[str, bool]] = []

    def job(db: Utils) -> None:
        seen.append((threading.current_thread().name, db.conn.in_transaction))

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(database.write, job) for _ in range(20)]:
            done.result(PATIENCE)
    assert seen == [("catalogue-writer", True)] * 20


def test_a_job_begins_immediate_and_not_with_its_first_statement(database: Database, path: bytes) -> None:
    """Nobody else can get in between what a job reads and what it writes."""
    refused = []

    def job(_: Utils) -> None:
        other = sqlite3.connect(path, timeout=0, isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as problem:
            refused.append(str(problem))
        finally:
            other.close()

    database.write(job)
    assert refused == ["database is locked"]


def test_foreign_keys_wal_and_full_durability_are_on(database: Database) -> None:
    def settings(db: Utils) -> list[object]:
        return [db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("foreign_keys", "journal_mode", "synchronous")]

    assert database.write(settings) == [1, "wal", 2]


def test_reading_goes_on_while_a_long_write_runs_and_sees_what_was_before(database: Database) -> None:
    database.write(put("before"))
    begun, go_on = threading.Event(), threading.Event()

    def slow(db: Utils) -> None:
        put("after")(db)
        begun.set()
        assert go_on.wait(PATIENCE)

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(database.write, slow)
        assert begun.wait(PATIENCE)
        assert keys(database) == ["before"]
        go_on.set()
        writing.result(PATIENCE)
    assert keys(database) == ["after", "before"]


def test_a_stream_is_of_one_moment_and_other_queries_are_not_held_back_by_it(database: Database) -> None:
    for key in "abc":
        database.write(put(key))
    rows = database.stream("SELECT key FROM meta ORDER BY key", batch=1)
    assert next(rows)["key"] == "a"
    database.write(put("d"))
    assert keys(database) == ["a", "b", "c", "d"]
    assert [row["key"] for row in rows] == ["b", "c"]


def test_threads_that_come_and_go_leave_no_file_open(database: Database, path: bytes) -> None:
    """The control socket answers every request in a thread of its own."""
    keys(database)
    before = len(open_files(path))
    for _ in range(50):
        thread = threading.Thread(target=keys, args=(database,))
        thread.start()
        thread.join()
    assert len(open_files(path)) == before


def test_many_at_once_open_no_more_files_than_they_need_at_once(database: Database, path: bytes) -> None:
    for _ in range(5):
        together = threading.Barrier(20)

        def ask(_: int, together: threading.Barrier = together) -> None:
            rows = database.stream("SELECT name FROM sqlite_schema", batch=1)
            next(rows)
            together.wait(PATIENCE)
            rows.close()  # type: ignore[attr-defined]

        with ThreadPoolExecutor(20) as pool:
            list(pool.map(ask, range(20)))
        assert len(database._idle) == 2
        # SQLite keeps the descriptors of closed connections for the next ones: POSIX would drop its locks otherwise.
        assert len(open_files(path)) <= 2 * 20 + 4


def test_a_stream_that_is_dropped_half_way_gives_its_reader_back(database: Database, path: bytes) -> None:
    for key in "abc":
        database.write(put(key))
    for _ in range(20):
        rows = database.stream("SELECT key FROM meta", batch=1)
        next(rows)
        del rows
    gc.collect()
    assert len(open_files(path)) <= 8, open_files(path)
    # None of them holds an old moment either, which would keep the WAL from ever being emptied.
    database.write(put("d"))
    assert keys(database) == ["a", "b", "c", "d"]


def test_closing_waits_for_what_is_queued_behind_a_slow_job(path: bytes) -> None:
    database = Database(path)
    begun, go_on = threading.Event(), threading.Event()

    def slow(db: Utils) -> None:
        begun.set()
        assert go_on.wait(PATIENCE)
        put("slow")(db)

    with ThreadPoolExecutor(12) as pool:
        first = pool.submit(database.write, slow)
        assert begun.wait(PATIENCE)
        queued = [pool.submit(database.write, put(f"queued {n}")) for n in range(8)]
        while database._jobs.qsize() < 8:
            assert not any(done.done() for done in queued)
        closing = [pool.submit(database.close) for _ in range(2)]
        assert not any(done.done() for done in closing), "both wait, not only the one that came first"
        go_on.set()
        for done in [first, *queued, *closing]:
            done.result(PATIENCE)
    with Catalogue(path) as again:
        assert len(keys(again._db)) == 9


def test_whoever_comes_while_it_closes_is_done_or_refused_and_never_left_waiting(tmp_path: Path) -> None:
    for attempt in range(30):
        path = os.fsencode(tmp_path / f"{attempt}.db")
        database = Database(path)
        done: list[str] = []

        def busy(name: str, database: Database = database, done: list[str] = done) -> None:
            for n in range(100_000):
                try:
                    database.write(put(f"{name} {n}"))
                except CatalogueError:
                    return
                done.append(f"{name} {n}")

        threads = [threading.Thread(target=busy, args=(str(n),), daemon=True) for n in range(3)]
        for thread in threads:
            thread.start()
        while not done:
            pass
        database.close()
        for thread in threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
        with Catalogue(path) as again:
            assert keys(again._db) == sorted(done), "what was told to be written is there, and nothing else"


def test_after_closing_nothing_is_read_or_written_in_any_thread(path: bytes) -> None:
    database = Database(path)
    keys(database)
    database.close()
    with ThreadPoolExecutor(1) as pool:
        for call in (
            lambda: database.rows("SELECT 1"),
            lambda: database.row("SELECT 1"),
            lambda: next(database.stream("SELECT 1")),
            lambda: database.write(put("late")),
        ):
            for ask in (call, pool.submit(call).result):
                with pytest.raises(CatalogueError, match="it is closed"):
                    ask()
    assert open_files(path) == []


def test_a_stream_under_way_outlives_the_closing(path: bytes) -> None:
    database = Database(path)
    for key in "abc":
        database.write(put(key))
    rows = database.stream("SELECT key FROM meta ORDER BY key", batch=1)
    next(rows)
    database.close()
    assert [row["key"] for row in rows] == ["b", "c"]
    assert open_files(path) == []


def test_closing_empties_the_wal(path: bytes) -> None:
    for _ in range(20):
        database = Database(path)
        database.write(lambda db: db.execute("UPDATE meta SET value = ''"))
        keys(database)
        database.close()
        folder = Path(os.fsdecode(path)).parent
        assert os.listdir(folder) == ["catalogue.db"]


def test_a_job_cannot_ask_for_another_and_wait(database: Database) -> None:
    with pytest.raises(AssertionError, match="waits for ever"):
        database.write(lambda _: database.write(put("inner")))
    database.write(put("outer"))
    assert keys(database) == ["outer"]


@pytest.mark.parametrize("problem", [KeyboardInterrupt, SystemExit, MemoryError, RuntimeError])
def test_whatever_a_job_raises_the_next_one_runs(database: Database, problem: type[BaseException]) -> None:
    def job(db: Utils) -> None:
        put("half")(db)
        raise problem

    with pytest.raises(problem):
        database.write(job)
    database.write(put("next"))
    assert keys(database) == ["next"]
