"""Copies of catalogues made by hand: what was closed is whole, what was open is told, and a crash is no copy."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from guyverd.catalogue import custody
from guyverd.catalogue.custody import Custody
from guyverd.catalogue.database import Database
from guyverd.catalogue.store import Catalogue
from guyverd.errors import CatalogueCopied, CatalogueDamaged, CatalogueNewer, StateError
from tests.catalogue.conftest import ROOT
from tests.promises import scaled

pytestmark = pytest.mark.promise("catalogue")

PROJECT = Path(__file__).parents[2]
BESIDE = ("", "-wal", "-shm", "-open")

WRITER = """
import os, sys
from guyverd.catalogue.database import Database
database, n = Database(os.fsencode(sys.argv[1])), 0
while True:
    pair = [("left", n), ("right", n)]
    database.write(lambda db: db.conn.executemany(
        "INSERT INTO meta VALUES (?1 || ?2, hex(randomblob(900)))", pair))
    n += 1
    print(n, flush=True)
"""


@contextlib.contextmanager
def writing(path: bytes) -> Iterator[subprocess.Popen[str]]:
    """A process that writes pairs of rows, and tells after each; killed at the end."""
    command = [sys.executable, "-c", WRITER, os.fsdecode(path)]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "1\n"
        yield process
        process.send_signal(signal.SIGKILL)
        process.wait()


def copied(path: bytes, into: Path, which: tuple[str, ...] = BESIDE) -> bytes:
    into.mkdir()
    for beside in which:
        with contextlib.suppress(FileNotFoundError):
            shutil.copy2(os.fsdecode(path) + beside, into)
    return os.fsencode(into / Path(os.fsdecode(path)).name)


def pairs(path: bytes) -> int:
    """How many pairs are in it; each is whole, and none is missing before another."""
    with Catalogue(path) as catalogue:
        assert catalogue.integrity() == []
        keys = {row[0] for row in catalogue._db.rows("SELECT key FROM meta WHERE key GLOB '[lr]*t[0-9]*'")}
    left = {key[4:] for key in keys if key.startswith("left")}
    assert left == {key[5:] for key in keys if key.startswith("right")} == {str(n) for n in range(len(left))}
    return len(left)


def test_what_was_closed_is_whole_wherever_it_is_copied(path: bytes, tmp_path: Path) -> None:
    with Catalogue(path) as catalogue:
        catalogue.files.configure([ROOT])
    assert os.listdir(tmp_path) == ["catalogue.db"]
    there = copied(path, tmp_path / "there")
    for one in (path, there, path):
        with Catalogue(one) as catalogue:
            assert [root.path for root in catalogue.files.roots()] == [ROOT]
            catalogue.beat()


@pytest.mark.parametrize("which", [BESIDE, ("",), ("", "-wal"), ("", "-open"), ("", "-wal", "-open")])
def test_what_was_open_is_told_and_left_as_it_is(path: bytes, tmp_path: Path, which: tuple[str, ...]) -> None:
    with Catalogue(path) as catalogue:
        catalogue.files.configure([ROOT])
        there = copied(path, tmp_path / "there", which)
        before = {name: (tmp_path / "there" / name).read_bytes() for name in os.listdir(tmp_path / "there")}
        with pytest.raises(CatalogueCopied) as caught:
            Catalogue(there)
        assert "check --repair" in caught.value.advice
        for name, data in before.items():
            # What SQLite keeps in memory for who reads is no part of it.
            assert name.endswith("-shm") or (tmp_path / "there" / name).read_bytes() == data


def test_a_copy_put_over_the_original_is_told_as_well(path: bytes, tmp_path: Path) -> None:
    """`cp -r` of a state folder back to where it came from leaves every inode as it was."""
    with Catalogue(path) as catalogue:
        catalogue.files.configure([ROOT])
        there = copied(path, tmp_path / "there")
    with Catalogue(path) as catalogue:
        catalogue.beat()
    for beside in BESIDE:
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(os.fsdecode(there) + beside, os.fsdecode(path) + beside)
    # As seen a second later, for some file systems keep no finer times.
    mark = os.fsencode(os.fsdecode(path) + "-open")
    time.sleep(1.01)
    os.utime(mark)
    with pytest.raises(CatalogueCopied):
        Catalogue(path)


def test_copies_made_while_it_is_written_are_told_every_time(path: bytes, tmp_path: Path) -> None:
    """Whatever order files are copied in, and however slowly: none opens with rows missing and no word about it."""
    chance = random.Random(11)
    with writing(path) as process:
        for number in range(scaled(6, 150)):
            order = list(BESIDE)
            chance.shuffle(order)
            folder = tmp_path / f"copy{number}"
            folder.mkdir()
            for beside in order:
                with contextlib.suppress(FileNotFoundError):
                    shutil.copyfile(os.fsdecode(path) + beside, folder / f"catalogue.db{beside}")
                time.sleep(chance.choice((0, 0, 0.01, 0.05)))
            with pytest.raises(CatalogueCopied):
                Catalogue(os.fsencode(folder / "catalogue.db"))
            # Taken as it is, it is sound, or it is not taken.
            if not custody.accepted(os.fsencode(folder / "catalogue.db")):
                Catalogue(os.fsencode(folder / "catalogue.db")).close()
            shutil.rmtree(folder)
        assert process.poll() is None


def test_who_was_killed_goes_on_where_they_were(path: bytes) -> None:
    chance = random.Random(3)
    for _ in range(scaled(3, 60)):
        with Catalogue(path) as catalogue:
            catalogue._db.write(lambda db: db.execute("DELETE FROM meta"))
        with writing(path) as process:
            time.sleep(chance.random() * 0.05)
            process.send_signal(signal.SIGKILL)
            assert process.stdout is not None
            told = process.stdout.read().split()
        assert pairs(path) >= int(told[-1] if told else 1), "what was told to be written is there"


@pytest.mark.promise("kill", "any-order")
def test_after_a_kill_a_start_that_fails_tidies_nothing(path: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the next one would take it for a copy."""
    with writing(path) as process:
        assert process.stdout is not None
        written = int([process.stdout.readline() for _ in range(3)][-1])

    def failing(custody: Custody, connection: sqlite3.Connection) -> None:
        connection.execute("SELECT 1 FROM meta").fetchone()
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(Custody, "settle", failing)
        for _ in range(2):
            with pytest.raises(StateError):
                Database(path)
    database = Database(path)
    try:
        row = database.row("SELECT count(*) FROM meta WHERE key LIKE 'left%'")
        assert row is not None
        assert row[0] >= written
    finally:
        database.close()


def test_a_lost_log_is_told(path: bytes) -> None:
    with writing(path):
        pass
    assert os.path.getsize(path + b"-wal") > 0
    os.unlink(path + b"-wal")
    with pytest.raises(CatalogueCopied, match="log"):
        Catalogue(path)
    assert custody.accepted(path) == []
    assert pairs(path) >= 0


def test_who_could_not_take_the_note_back_leaves_the_log(path: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a disk that is full at the end: nothing is lost, and nobody takes it for a copy."""

    def full(self: Custody, connection: sqlite3.Connection) -> bool:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(Custody, "end", full)
        with Catalogue(path) as catalogue:
            catalogue.files.configure([ROOT])
    assert os.path.exists(path + b"-wal")
    with Catalogue(path) as catalogue:
        assert [root.path for root in catalogue.files.roots()] == [ROOT]
        catalogue.beat()
    assert not os.path.exists(path + b"-wal")
    assert not os.path.exists(path + b"-open")


@pytest.mark.promise("disk", "any-order")
def test_a_disk_that_does_not_tell_of_the_mark_is_not_believed(path: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.lstat

    def failing(at: bytes) -> os.stat_result:
        if at == path + custody.MARK:
            raise OSError(116, "Stale file handle")
        return real(at)

    with monkeypatch.context() as patched, Catalogue(path) as catalogue:
        catalogue.files.configure([ROOT])
        patched.setattr(os, "lstat", failing)
        catalogue.close()
    with Catalogue(path) as catalogue:
        assert [root.path for root in catalogue.files.roots()] == [ROOT]


def test_a_reader_that_goes_on_does_not_hold_up_the_end(path: bytes) -> None:
    database = Database(path)
    database.write(lambda db: db.execute("INSERT INTO meta VALUES ('a', '')"))
    rows = database.stream("SELECT key FROM meta", batch=1)
    next(rows)
    database.write(lambda db: db.execute("INSERT INTO meta VALUES ('b', '')"))
    began = time.monotonic()
    database.close()
    assert time.monotonic() - began < 20, "it waits for no reader"
    list(rows)
    with Catalogue(path) as catalogue:
        assert len(catalogue._db.rows("SELECT key FROM meta")) == 2


def test_what_only_asks_writes_nothing(path: bytes) -> None:
    with Catalogue(path) as catalogue:
        catalogue.files.configure([ROOT])
    before = Path(os.fsdecode(path)).read_bytes()
    with Catalogue(path) as catalogue:
        assert catalogue.files.roots()
        assert os.listdir(os.path.dirname(path)) != [b"catalogue.db-open"]
        assert not os.path.exists(path + b"-open")
    assert Path(os.fsdecode(path)).read_bytes() == before


def test_one_that_was_moved_is_checked_before_it_is_trusted_and_once(path: bytes, tmp_path: Path) -> None:
    with Catalogue(path) as catalogue:
        catalogue.files.configure([b"/%d" % n for n in range(300)])
    good = copied(path, tmp_path / "good")
    with Catalogue(good) as catalogue:
        assert len(catalogue.files.roots()) == 300
    for beside, bad in enumerate(("a", "b")):
        there = copied(path, tmp_path / bad)
        data = bytearray(Path(os.fsdecode(there)).read_bytes())
        start = data.rindex(b"/299") if beside else len(data) - 4096
        data[start : start + 30] = b"\x55" * 30
        Path(os.fsdecode(there)).write_bytes(bytes(data))
        problems = _problems(there)
        if problems:
            with pytest.raises(CatalogueDamaged):
                Catalogue(there)


def _problems(path: bytes) -> list[str]:
    with contextlib.closing(sqlite3.connect(f"file:{os.fsdecode(path)}?mode=ro", uri=True)) as raw:
        try:
            return custody.problems(raw)
        except sqlite3.Error as problem:
            return [str(problem)]


def test_of_a_newer_one_not_a_byte_is_changed_and_the_cure_is_told(path: bytes) -> None:
    Catalogue(path).close()
    with contextlib.closing(sqlite3.connect(path)) as raw:
        raw.execute("INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('guyverd', 'new', '')")
        raw.commit()
    file = Path(os.fsdecode(path))
    before = file.read_bytes(), file.stat().st_mtime_ns
    with pytest.raises(CatalogueNewer) as caught:
        Catalogue(path)
    assert "Install that version" in caught.value.advice
    assert (file.read_bytes(), file.stat().st_mtime_ns) == before
    assert not [one for one in file.parent.iterdir() if one != file and one.name[-3:] != "shm" and one.stat().st_size]
