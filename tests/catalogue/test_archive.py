"""Backups of real catalogues: whole or not there, of one moment, and over nothing that is not one."""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import io
import json
import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from guyverd.catalogue import archive
from guyverd.catalogue.archive import Manifest
from guyverd.catalogue.store import Catalogue
from guyverd.errors import (
    BackupDamaged,
    BackupError,
    BackupNewer,
    BackupStopped,
    CatalogueDamaged,
    CatalogueNewer,
    NoBackup,
    NotABackup,
)
from tests.catalogue.conftest import NOW, ROOT, call, library
from tests.catalogue.test_disk import in_namespace
from tests.promises import scaled

pytestmark = pytest.mark.promise("backup")

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def full(catalogue: Catalogue) -> Catalogue:
    """Twelve photos with two faces each, and a decision."""
    library(catalogue, catalogue.files.roots()[0], [2] * 12)
    catalogue.people.assign([], [], 12, NOW)
    catalogue._db.write(lambda db: db.execute("INSERT INTO people (name, created_at) VALUES ('Al', '')"))
    call(catalogue, 1, "Al")
    return catalogue


def save(catalogue: Catalogue, target: Path, **how: object) -> Manifest:
    given: dict[str, object] = {"made_at": NOW, "version": "0.1.0", "config": b"people: /p\n", **how}
    room = os.path.dirname(catalogue.path)
    return archive.save(catalogue.path, os.fsencode(target), room, **given)  # type: ignore[arg-type]


def beside(catalogue: Catalogue) -> set[str]:
    folder = os.fsdecode(os.path.dirname(catalogue.path))
    return {name for name in os.listdir(folder) if not name.startswith("catalogue.db")}


@contextlib.contextmanager
def unpacked(path: Path, into: Path) -> Iterator[sqlite3.Connection]:
    copy = into / "unpacked.db"
    copy.write_bytes(b"")
    manifest = archive.unpack(os.fsencode(path), os.fsencode(copy))
    archive.examine(os.fsencode(copy), os.fsencode(path), manifest)
    with contextlib.closing(sqlite3.connect(copy)) as connection:
        yield connection
    copy.unlink()


def test_it_has_everything_in_it_and_says_so(full: Catalogue, tmp_path: Path) -> None:
    target = tmp_path / "a.tar.gz"
    manifest = save(full, target)
    assert manifest.counts == {"photos": 12, "faces": 24, "people": 1, "named": 1, "decisions": 1, "files": 12}
    assert manifest == archive.manifest_of(os.fsencode(target)) == archive.verify(os.fsencode(target))
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert beside(full) == {"a.tar.gz"}
    with unpacked(target, tmp_path) as copy, contextlib.closing(sqlite3.connect(full.path)) as original:
        for (table,) in original.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
            rows = [set(one.execute(f"SELECT * FROM {table}")) for one in (original, copy)]
            missing = rows[0] ^ rows[1]
            assert {row[0] for row in missing} == ({"open", "place"} if table == "custody" else set())


def test_any_tar_opens_it(full: Catalogue, tmp_path: Path) -> None:
    save(full, tmp_path / "a.tar.gz")
    inside = tmp_path / "inside"
    inside.mkdir()
    subprocess.run(["tar", "-xzf", "../a.tar.gz"], cwd=inside, check=True)
    assert (inside / "config.yaml").read_text() == "people: /p\n"
    assert json.loads((inside / "manifest.json").read_text())["kind"] == "guyverd backup"
    with contextlib.closing(sqlite3.connect(inside / "catalogue.db")) as opened:
        assert opened.execute("SELECT name FROM people").fetchall() == [("Al",)]


def test_it_is_of_one_moment_whatever_is_written_meanwhile(full: Catalogue, tmp_path: Path) -> None:
    done, stop = [0], threading.Event()

    def write() -> None:
        while not stop.is_set():
            pair = [(f"{side}{done[0]}", "x" * 300) for side in ("left", "right")]
            full._db.write(lambda db, pair=pair: db.conn.executemany("INSERT INTO meta VALUES (?, ?)", pair))  # type: ignore[misc]
            done[0] += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for number in range(scaled(4, 25)):
            before = done[0]
            save(full, tmp_path / "a.tar.gz")
            after = done[0]
            with unpacked(tmp_path / "a.tar.gz", tmp_path) as copy:
                keys = {row[0] for row in copy.execute("SELECT key FROM meta")}
            left = {key[4:] for key in keys if key.startswith("left")}
            assert left == {key[5:] for key in keys if key.startswith("right")}
            assert left == {str(n) for n in range(len(left))}, "what was written before is there"
            assert before <= len(left) <= after + 1, number
    finally:
        stop.set()
        thread.join()
    assert full.integrity() == []


def test_a_backup_of_this_library_is_replaced_and_nothing_else(full: Catalogue, tmp_path: Path) -> None:
    target = tmp_path / "a.tar.gz"
    save(full, target)
    assert save(full, target, made_at="2027-01-01T00:00:00+00:00").made_at.startswith("2027")
    with Catalogue(os.fsencode(tmp_path / "other.db")) as other:
        other.files.configure([ROOT])
        save(other, tmp_path / "other.tar.gz")
    (tmp_path / "letter.txt").write_text("dear")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(target)
    with tarfile.open(tmp_path / "mine.tar.gz", "w:gz") as mine:
        mine.add(tmp_path / "letter.txt")
    os.mkfifo(tmp_path / "pipe")
    for name in ("other.tar.gz", "letter.txt", "folder", "link", "mine.tar.gz", "pipe"):
        path = tmp_path / name
        before = path.read_bytes() if path.is_file() else b""
        with pytest.raises(NotABackup):
            save(full, path)
        assert (path.read_bytes() if path.is_file() else b"") == before
    assert not [name for name in beside(full) if name.startswith(".")]


def test_where_there_is_no_room_nothing_is_left(tmp_path: Path) -> None:
    in_namespace(
        tmp_path,
        """
from guyverd.catalogue import archive
from guyverd.errors import BackupError

new("3m")
with opened() as catalogue:
    begun(catalogue)
    noise = os.urandom(500_000)
    catalogue._db.write(lambda db: db.execute("INSERT INTO meta VALUES ('noise', hex(?))", (noise,)))
    os.mkdir(mount_point + b"/small")
    before = sorted(os.listdir(mount_point))
    for room in (300_000, 1_300_000):
        with open(mount_point + b"/filler", "wb") as filler:
            disk = os.statvfs(mount_point)
            filler.write(bytes(disk.f_bavail * disk.f_frsize - room))
        try:
            archive.save(path, mount_point + b"/a.tar.gz", mount_point, made_at=NOW, version="1", config=None)
        except BackupError as error:
            assert error.exit_code == 16 and error.advice
        else:
            raise AssertionError("there was room")
        os.unlink(mount_point + b"/filler")
        assert sorted(os.listdir(mount_point)) == before, os.listdir(mount_point)
    assert catalogue.integrity() == []
""",
    )


def test_what_was_killed_leaves_whole_backups_only_and_the_next_clears_up(full: Catalogue, tmp_path: Path) -> None:
    script = (
        "import os, sys\nfrom guyverd.catalogue import archive\nroom, n = os.fsencode(sys.argv[1]), 0\n"
        "while True:\n n += 1\n"
        " archive.save(room + b'/catalogue.db', room + b'/%d.tar.gz' % (n % 3), room, made_at='2026-01-01',"
        " version='1', config=None)\n print(n, flush=True)\n"
    )
    room = os.path.dirname(full.path)
    chance = random.Random(5)
    for _ in range(scaled(2, 40)):
        command = [sys.executable, "-c", script, os.fsdecode(room)]
        with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline()
            time.sleep(chance.random() * 0.05)
            process.send_signal(signal.SIGKILL)
        archive.sweep(room)
        names = beside(full)
        assert names <= {"0.tar.gz", "1.tar.gz", "2.tar.gz"}
        for name in names:
            archive.verify(os.path.join(room, os.fsencode(name)))
    assert full.integrity() == []


def test_what_somebody_is_at_work_on_is_not_swept_away(tmp_path: Path) -> None:
    busy = tmp_path / f".guyverd-backup-{'0' * 16}.part"
    left = tmp_path / f".guyverd-backup-{'1' * 16}.part"
    wal = tmp_path / f".guyverd-backup-{'2' * 16}.part-wal"
    mine = tmp_path / ".guyverd-backup-notes.part"
    for path in (busy, left, wal, mine):
        path.touch()
    with busy.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        archive.sweep(os.fsencode(tmp_path))
    assert set(tmp_path.iterdir()) == {busy, mine}


def test_one_that_is_given_up_leaves_nothing(full: Catalogue, tmp_path: Path) -> None:
    looks = iter(range(10**9))
    save(full, tmp_path / "a.tar.gz", stopped=lambda: next(looks) < 0)
    total = next(looks)
    (tmp_path / "a.tar.gz").unlink()
    assert total > 3
    for last in range(total):
        left = iter(range(10**9))
        with pytest.raises(BackupStopped):
            save(full, tmp_path / "a.tar.gz", stopped=lambda left=left, last=last: next(left) >= last)
        assert beside(full) == set()


def test_any_damage_is_found_or_does_no_harm(full: Catalogue, tmp_path: Path) -> None:
    good = tmp_path / "a.tar.gz"
    manifest = save(full, good)
    data, chance = good.read_bytes(), random.Random(7)
    bad = tmp_path / "bad.tar.gz"
    found = 0
    for number in range(scaled(150, 3000)):
        changed = bytearray(data)
        if number % 5 == 0:
            del changed[chance.randrange(len(data)) :]
        elif number % 5 == 1:
            start = chance.randrange(len(data))
            changed[start : start + 4096] = chance.randbytes(4096)
        else:
            changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        bad.write_bytes(bytes(changed))
        try:
            # A bit of gzip's own head, such as its time, changes nothing.
            assert archive.verify(os.fsencode(bad)) == manifest
        except BackupError:
            found += 1
    assert found > scaled(150, 3000) * 0.95


def made_of(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb") as raw, tarfile.open(mode="w|", fileobj=raw) as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def test_what_says_of_itself_what_is_not_so_is_refused(full: Catalogue, tmp_path: Path) -> None:
    good = tmp_path / "a.tar.gz"
    save(full, good)
    with tarfile.open(good) as tar:
        parts = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
    told = json.loads(parts["manifest.json"])

    def refused(error: type[BackupError], database: bytes = parts["catalogue.db"], **fields: object) -> None:
        head = json.dumps({**told, **fields}).encode()
        bad = tmp_path / "bad.tar.gz"
        bad.write_bytes(made_of({"manifest.json": head, "catalogue.db": database}))
        with pytest.raises(error), unpacked(bad, tmp_path):
            pass
        (tmp_path / "unpacked.db").unlink(missing_ok=True)

    refused(BackupNewer, steps=[*told["steps"], "of_tomorrow"])
    refused(BackupNewer, format=2)
    refused(BackupDamaged, counts={**told["counts"], "decisions": 2})
    refused(BackupDamaged, hash="0" * 64)
    refused(BackupDamaged, size=told["size"] - 1)
    refused(BackupDamaged, database=parts["catalogue.db"][:-1])
    refused(NotABackup, kind="something")
    refused(NotABackup, steps=3)
    refused(NotABackup, size="large")
    refused(NotABackup, counts={"faces": None})
    refused(NotABackup, more=1)
    refused(NotABackup, made_at=None)
    alien = made_of({"catalogue.db": b"x"})
    for data in (b"", b"no gzip", gzip.compress(b"no tar"), alien, gzip.compress(b"\0" * 10240)):
        (tmp_path / "bad.tar.gz").write_bytes(data)
        with pytest.raises(NotABackup):
            archive.manifest_of(os.fsencode(tmp_path / "bad.tar.gz"))
    with pytest.raises(NoBackup):
        archive.verify(os.fsencode(tmp_path / "nowhere"))


def test_a_damaged_or_newer_catalogue_is_not_saved_over_a_good_backup(full: Catalogue, tmp_path: Path) -> None:
    target = tmp_path / "a.tar.gz"
    save(full, target)
    before = target.read_bytes()
    newer = "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('guyverd', 'tomorrow', '')"
    full._db.write(lambda db: db.execute(newer))
    with pytest.raises(CatalogueNewer):
        save(full, target)
    full._db.write(lambda db: db.execute("DELETE FROM _sqlite_migrations WHERE name = 'tomorrow'"))
    full.close()
    file = Path(os.fsdecode(full.path))
    data = bytearray(file.read_bytes())
    for page in range(3, len(data) // 4096):
        data[page * 4096 : page * 4096 + 200] = b"\x55" * 200
    file.write_bytes(bytes(data))
    with pytest.raises(CatalogueDamaged):
        save(full, target)
    assert target.read_bytes() == before
    assert beside(full) == {"a.tar.gz"}


def test_the_mark_tells_whether_anything_changed(full: Catalogue) -> None:
    before = archive.mark_of(full.path)
    full.beat()
    assert archive.mark_of(full.path) == before
    call(full, 1, "Bo")
    assert archive.mark_of(full.path) != before
