"""Backups made and put back, by command and by themselves, of catalogues as they are at work."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from guyverd import config_file
from guyverd.catalogue import archive
from guyverd.catalogue.store import Catalogue
from guyverd.config import Config
from guyverd.errors import AlreadyRunning, BackupDamaged, BackupError, CatalogueDamaged, CatalogueError, StateError
from guyverd.service import backups
from guyverd.service.access import open_library
from guyverd.service.lock import held
from guyverd.service.pipeline.safekeeping.nightly import Nightly
from guyverd.service.pipeline.safekeeping.saving import found
from tests.catalogue.conftest import call, library
from tests.promises import scaled
from tests.service.conftest import Daemon, eventually, groups, place, scan, tree

PROJECT = Path(__file__).parents[2]
NAMES = {1: "Al"}
BESIDE = {"catalogue.db-wal", "catalogue.db-shm"}
"""What whoever reads it leaves, with nothing in it."""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Of a library with eight photos, a person and a name, closed."""
    (tmp_path / "photos").mkdir()
    made = config_file.make([tmp_path / "photos"], tmp_path / "People", tmp_path / "state", tmp_path / "config.yaml")
    made.state.mkdir(mode=0o700)
    with opened(made) as catalogue:
        catalogue.files.configure([os.fsencode(tmp_path / "photos")])
        library(catalogue, catalogue.files.roots()[0], [1] * 8)
        catalogue._db.write(lambda db: db.execute("INSERT INTO people (name, created_at) VALUES (NULL, '')"))
        call(catalogue, 1, "Al")
    return made


def opened(config: Config) -> Catalogue:
    return Catalogue(os.fsencode(config.state / "catalogue.db"))


def names(config: Config) -> dict[int, str | None]:
    with opened(config) as catalogue:
        assert catalogue.integrity() == []
        return {int(person): name for person, name in catalogue.people.names().items()}


def damage(config: Config, seed: int = 1) -> bytes:
    """Noise over most of the catalogue; returns what it is then."""
    file = config.state / "catalogue.db"
    data = bytearray(file.read_bytes())
    data[4096:] = random.Random(seed).randbytes(len(data) - 4096)
    file.write_bytes(bytes(data))
    return bytes(data)


# ---- by command ------------------------------------------------------------------------------------------------------


@pytest.mark.promise("backup")
def test_restore_puts_it_back_and_keeps_what_was_there(config: Config) -> None:
    made = backups.backup(config, None)
    assert Path(made["file"]).parent == config.state / "backups"
    assert (made["photos"], made["faces"], made["named"], made["decisions"]) == (8, 8, 1, 1)
    with opened(config) as catalogue:
        call(catalogue, 1, "Bo")
    later = (config.state / "catalogue.db").read_bytes()
    row = backups.restore(config, Path(made["file"]), check=False)
    assert row["restored"]
    assert not row["other"]
    assert (Path(row["aside"]) / "catalogue.db").read_bytes() == later
    assert names(config) == NAMES
    with opened(config) as catalogue:
        assert catalogue.restored.pending()
        assert catalogue.index_stamp() is None


@pytest.mark.promise("backup")
def test_check_changes_nothing(config: Config) -> None:
    made = backups.backup(config, None)
    before = {path: path.read_bytes() for path in config.state.rglob("*") if path.is_file()}
    with held(config.state):  # nor does it need the lock
        row = backups.restore(config, Path(made["file"]), check=True)
    assert not row["restored"]
    after = {path: path.read_bytes() for path in config.state.rglob("*") if path.is_file() and path.name != "lock"}
    assert after == before


@pytest.mark.promise("backup")
def test_what_is_damaged_changes_nothing(config: Config) -> None:
    file = Path(backups.backup(config, None)["file"])
    data = file.read_bytes()
    before = (config.state / "catalogue.db").read_bytes()
    chance, refused = random.Random(2), 0
    for _ in range(scaled(10, 200)):
        changed = bytearray(data)
        changed[chance.randrange(20, len(data))] ^= 1 << chance.randrange(8)
        file.write_bytes(bytes(changed))
        try:
            backups.restore(config, file, check=True)
        except BackupError:
            refused += 1
            with pytest.raises(BackupError):
                backups.restore(config, file, check=False)
    # Some bits at the end of what is packed mean nothing.
    assert refused > scaled(10, 200) * 0.9 - 2
    assert (config.state / "catalogue.db").read_bytes() == before
    assert set(os.listdir(config.state)) - BESIDE == {"backups", "catalogue.db", "lock"}


@pytest.mark.promise("backup")
@pytest.mark.torture
def test_who_has_the_library_is_told_and_what_to_do(config: Config) -> None:
    made = backups.backup(config, None)
    script = "import sys, time\nfrom pathlib import Path\nfrom guyverd.service.lock import Lock\n"
    script += "lock = Lock(Path(sys.argv[1]))\nlock.tell('/nowhere')\nprint(flush=True)\ntime.sleep(100)\n"
    command = [sys.executable, "-c", script, str(config.state)]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(AlreadyRunning, match=str(other.pid)) as caught:
            backups.restore(config, Path(made["file"]), check=False)
        other.kill()
    assert "Stop it" in caught.value.advice


@pytest.mark.promise("backup")
def test_an_older_one_is_brought_to_this_version_and_no_photo_folder_is_written_to(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(config) as catalogue:
        catalogue._db.write(lambda db: db.execute("DROP TABLE custody"))
        catalogue._db.write(lambda db: db.execute("DELETE FROM _sqlite_migrations WHERE name = 'custody_kept'"))
        monkeypatch.setattr(catalogue._db._custody, "end", lambda connection: True)  # as at that time
    (config.state / "catalogue.db-open").unlink(missing_ok=True)
    made = backups.backup(config, config.state / "old.tar.gz")
    row = backups.restore(config, Path(made["file"]), check=False)
    assert row["upgraded"]
    assert names(config) == NAMES
    for inside in (config.photos[0], config.photos[0] / "x.tar.gz"):
        with pytest.raises(BackupError, match="no files of its own"):
            backups.backup(config, inside)


@pytest.mark.promise("backup", "kill")
@pytest.mark.timeout(900)
def test_what_was_killed_while_it_restored_is_finished_by_whoever_is_next(config: Config) -> None:
    """Killed at any point: the catalogue is the one of before or the one of the backup, and what was there is kept."""
    made = backups.backup(config, config.state.parent / "a.tar.gz")
    with opened(config) as catalogue:
        call(catalogue, 1, "Bo")
    script = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom guyverd import config_file\n"
        "from guyverd.service import backups\n"
        "left = int(sys.argv[3])\n"
        "def counted(event, arguments):\n"
        "    global left\n"
        "    if event in ('os.rename', 'open', 'os.mkdir', 'os.remove', 'sqlite3.connect'):\n"
        "        left -= 1\n"
        "        if left < 0: os.kill(os.getpid(), signal.SIGKILL)\n"
        "config = config_file.load(Path(sys.argv[1]))\n"
        "import guyverd.service.pipeline.safekeeping.restoring, guyverd.service.access, sqlite_utils\n"
        "sys.addaudithook(counted)\n"
        "backups.restore(config, Path(sys.argv[2]), check=False)\n"
    )
    config_file.write(config.state.parent / "config.yaml", config)
    good = config.state.with_name("good")
    shutil.copytree(config.state, good)
    seen, killed = set(), 0
    for point in range(0, 400, scaled(25, 1)):
        shutil.rmtree(config.state)
        shutil.copytree(good, config.state)
        command = [sys.executable, "-c", script, str(config.state.parent / "config.yaml"), made["file"], str(point)]
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, check=False, text=True)
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        found_now = names(config)
        seen.add(found_now[1])
        if found_now == NAMES:
            (aside,) = config.state.glob("replaced-*")
            shutil.move(aside / "catalogue.db", config.state / "catalogue.db")
            assert names(config) == {1: "Bo"}
        assert not (config.state / "catalogue.db-replace").exists()
        killed += done.returncode != 0
        if done.returncode == 0:
            break
    assert seen == {"Al", "Bo"}
    assert killed > scaled(1, 20)


# ---- a catalogue that is damaged -------------------------------------------------------------------------------------


@pytest.mark.promise("catalogue")
def test_a_damaged_one_is_told_with_the_newest_backup_and_repaired_from_it(config: Config) -> None:
    old = backups.backup(config, None)
    with opened(config) as catalogue:
        call(catalogue, 1, "Bo")
    later = Path(old["file"]).with_name("guyverd-20990101T000000Z.tar.gz")
    backups.backup(config, later)
    later.write_bytes(later.read_bytes()[:-40])
    bad = damage(config)
    with pytest.raises(CatalogueDamaged) as caught, backups.advised(config), open_library(config):
        pass
    assert str(later) in caught.value.advice
    assert "check --repair" in caught.value.advice
    row = backups.repair(config, caught.value)
    assert row["how"] == "restored"
    assert old["file"] in row["detail"], "the newest that is sound"
    assert str(later) in row["detail"], "and which was not"
    assert names(config) == NAMES
    assert (Path(row["aside"]) / "catalogue.db").read_bytes() == bad


@pytest.mark.promise("catalogue")
def test_without_a_backup_what_can_be_read_is_saved(config: Config) -> None:
    file = config.state / "catalogue.db"
    data = bytearray(file.read_bytes())
    # The index of the names, which no row is in, and the last page.
    data[-4096:] = b"\x55" * 4096
    file.write_bytes(bytes(data))
    problem = CatalogueDamaged(path=str(file), detail="torn")
    with pytest.raises(CatalogueDamaged) as caught, backups.advised(config):
        raise problem
    assert "There is no backup" in caught.value.advice
    row = backups.repair(config, problem)
    assert row["how"] == "salvaged"
    assert "1 decisions" in row["detail"]
    assert names(config) == NAMES


@pytest.mark.promise("catalogue")
def test_where_nothing_can_be_read_it_says_how_to_begin_anew(config: Config) -> None:
    file = config.state / "catalogue.db"
    file.write_bytes(b"\x55" * 10_000)
    with pytest.raises(CatalogueDamaged) as caught:
        backups.repair(config, CatalogueDamaged(path=str(file), detail="torn"))
    assert "To begin anew" in caught.value.advice
    assert file.read_bytes() == b"\x55" * 10_000
    assert set(os.listdir(config.state)) - BESIDE == {"catalogue.db", "lock"}


@pytest.mark.promise("catalogue")
def test_a_sound_copy_of_an_open_one_is_taken_as_it_is(config: Config) -> None:
    with opened(config) as catalogue:
        call(catalogue, 1, "Bo")
        copy = config.state.with_name("elsewhere")
        shutil.copytree(config.state, copy, ignore=shutil.ignore_patterns("*-shm"))
    there = dataclasses.replace(config, state=copy)
    with pytest.raises(CatalogueDamaged) as caught:
        opened(there)
    assert backups.repair(there, caught.value)["how"] == "taken"
    assert names(there) == {1: "Bo"} == names(config), "and two machines with one state do not mind each other"


@pytest.mark.promise("catalogue")
def test_damage_anywhere_is_refused_or_repaired_or_does_no_harm(config: Config) -> None:
    backups.backup(config, None)
    good = (config.state / "catalogue.db").read_bytes()
    chance = random.Random(4)
    for _ in range(scaled(6, 150)):
        for path in config.state.glob("catalogue.db*"):
            path.unlink()
        changed = bytearray(good)
        for _ in range(chance.randrange(1, 5)):
            start = chance.randrange(len(good))
            changed[start : start + 64] = chance.randbytes(len(changed[start : start + 64]))
        (config.state / "catalogue.db").write_bytes(bytes(changed))
        try:
            with opened(config) as catalogue:
                if found_wrong := catalogue.integrity():
                    raise CatalogueDamaged(path="", detail=found_wrong[0])
        except CatalogueDamaged as problem:
            how = backups.repair(config, problem)["how"]
            assert (how, names(config)) == ("restored", NAMES)
        except (CatalogueError, StateError):
            pass  # a bit that has a meaning of its own: a migration of another name


# ---- by themselves ---------------------------------------------------------------------------------------------------


class Keeper:
    """A `Nightly` with a clock of its own, which made its first backup."""

    def __init__(self, config: Config) -> None:
        self.config, self.now = config, 0.0
        self.nightly = Nightly(config, lambda: self.now)
        self.nightly.start()

    def pass_time(self, seconds: float = 61.0, *, idle: bool = True) -> list[Path]:
        self.now += seconds
        self.nightly.advance(idle=idle)
        eventually(lambda: not self.nightly.busy)
        return self.files()

    def files(self) -> list[Path]:
        return [one.path for one in found(self.config)]

    def aged(self, days: float) -> None:
        """Make every backup older."""
        for one in list(found(self.config)):
            made = datetime.now(UTC) - timedelta(days=days)
            again = one.path.with_name(f"guyverd-{made:%Y%m%dT%H%M%SZ}.tar.gz")
            one.path.unlink()
            archive.save(
                os.fsencode(self.config.state / "catalogue.db"),
                os.fsencode(again),
                os.fsencode(self.config.state),
                made_at=made.isoformat(timespec="seconds"),
                version="0.1.0",
                config=None,
            )


@pytest.fixture
def keeper(config: Config) -> Keeper:
    return Keeper(config)


@pytest.mark.promise("backup")
def test_one_is_made_when_it_is_due_and_there_is_nothing_else_to_do(keeper: Keeper) -> None:
    assert keeper.pass_time(idle=False) == []
    assert len(keeper.pass_time()) == 1
    assert len(keeper.pass_time()) == 1, "not due yet"
    assert keeper.nightly.told()["last"]["file"] == str(keeper.files()[0])
    with opened(keeper.config) as catalogue:
        call(catalogue, 1, "Bo")
    assert len(keeper.pass_time()) == 1
    keeper.aged(1.1)
    with opened(keeper.config) as catalogue:
        call(catalogue, 1, "Cy")
    assert len(keeper.pass_time(idle=False)) == 1
    assert len(keeper.pass_time()) == 2
    keeper.nightly.stop()


@pytest.mark.promise("backup")
def test_who_always_has_something_to_do_gets_one_all_the_same(keeper: Keeper) -> None:
    keeper.pass_time()
    keeper.aged(2.1)
    with opened(keeper.config) as catalogue:
        call(catalogue, 1, "Bo")
    assert len(keeper.pass_time(idle=False)) == 2


@pytest.mark.promise("backup")
def test_where_nothing_changed_none_is_made(keeper: Keeper) -> None:
    keeper.pass_time()
    keeper.aged(3)
    assert len(keeper.pass_time()) == 1
    with opened(keeper.config) as catalogue:
        call(catalogue, 1, "Bo")
    assert len(keeper.pass_time()) == 1, "it is looked at again in an hour"
    assert len(keeper.pass_time(3600)) == 2


@pytest.mark.promise("backup")
def test_one_that_fails_is_told_and_tried_again(keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    (keeper.config.state / "backups").write_text("a file in its place")
    assert keeper.pass_time() == []
    assert keeper.nightly.problem is not None
    assert "backups" in keeper.nightly.told()["problem"]
    (keeper.config.state / "backups").unlink()
    assert keeper.pass_time() == []
    assert len(keeper.pass_time(3600)) == 1
    assert keeper.nightly.told()["problem"] is None


@pytest.mark.promise("backup")
def test_a_disk_that_is_nearly_full_is_left_alone(keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.statvfs

    def nearly_full(path: Path) -> object:
        status = real(path)
        return type("Disk", (), {"f_bavail": 1000, "f_frsize": 4096, "f_fsid": status.f_fsid})

    with monkeypatch.context() as patched:
        patched.setattr(os, "statvfs", nearly_full)
        assert keeper.pass_time() == []
    assert "only 4 MB left" in str(keeper.nightly.problem)


@pytest.mark.promise("backup")
def test_only_backups_of_this_library_are_ever_taken_away(keeper: Keeper) -> None:
    config = dataclasses.replace(
        keeper.config, backup=dataclasses.replace(keeper.config.backup, days=1, weeks=0, every=1.0)
    )
    folder = config.state / "backups"
    folder.mkdir(mode=0o700)
    other = dataclasses.replace(config, state=config.state.with_name("other"))
    other.state.mkdir()
    opened(other).close()
    kept = {folder / "guyverd-20200101T000000Z.tar.gz", folder / "letter.txt", folder / "guyverd-mine.tar.gz"}
    backups.backup(other, folder / "guyverd-20200101T000000Z.tar.gz")
    (folder / "letter.txt").write_text("dear")
    backups.backup(config, folder / "guyverd-mine.tar.gz")
    backups.backup(config, folder / "guyverd-20210101T000000Z.tar.gz")
    time.sleep(1.1)
    again = Keeper(config)
    with opened(config) as catalogue:
        call(catalogue, 1, "Bo")
    (made,) = again.pass_time()
    assert set(folder.iterdir()) == kept | {made}


@pytest.mark.promise("backup")
def test_one_under_way_is_given_up_at_the_end(keeper: Keeper) -> None:
    for _ in range(scaled(5, 100)):
        keeper.now += 4000
        keeper.nightly.advance(idle=True)
        keeper.nightly.stop()
        assert not list(keeper.config.state.glob(".guyverd-backup*"))
        for one in keeper.files():
            archive.verify(os.fsencode(one))
            one.unlink()
        keeper.nightly = Nightly(keeper.config, lambda: keeper.now)
        keeper.nightly.start()


# ---- the whole -------------------------------------------------------------------------------------------------------


def guyverd(config: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "guyverd", "--config", str(config), *words]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.promise("backup")
@pytest.mark.torture
@pytest.mark.timeout(600)
def test_a_family_gets_its_people_back(
    photos: Path, negatives: Path, tmp_path: Path, write_config: Callable[..., Path], start: Callable[..., Daemon]
) -> None:
    """Backed up while the daemon runs; then people are renamed and merged, links deleted, photos added; restored."""
    later = photos / "astronaut3.jpg"
    held_back = tmp_path / "later.jpg"
    later.rename(held_back)
    path = write_config(photos)
    config = config_file.load(path)
    scan(config)
    people = config.people
    daemon = start(path)
    daemon.told("READY=1")
    assert json.loads(guyverd(path, "status", "--json").stdout)["backup"]["every"] == 86400
    with open_library(config) as library:
        first, second = [row["id"] for row in library.people()][:2]
        library.name(str(first), "Ada")
    before = groups(people)
    made = guyverd(path, "backup", str(tmp_path / "family.tar.gz"))
    assert made.returncode == 0, made.stderr
    with open_library(config) as library:
        library.name(str(first), "Somebody Else")
        library.name(str(second), "Bob")
    folder = people / "Somebody Else"
    (folder / "mine.txt").write_text("mine")
    next(one for one in folder.iterdir() if one.is_symlink()).unlink()
    shutil.rmtree(people / "Bob")
    place(held_back, later)
    eventually(lambda: len(list(library_log(config))) > 3)
    refused = guyverd(path, "restore", str(tmp_path / "family.tar.gz"))
    assert refused.returncode == 4
    assert str(daemon.process.pid) in refused.stderr
    assert daemon.stop() == 0
    done = guyverd(path, "restore", str(tmp_path / "family.tar.gz"), "--json")
    assert done.returncode == 0, done.stderr
    assert Path(json.loads(done.stdout)["aside"]).is_dir()
    scan(config)
    with open_library(config) as library:
        assert {row["id"]: row["name"] for row in library.people()} == {first: "Ada", second: None}
        assert [row["kind"] for row in library.log() if row["author"] == "user"] == ["name"]
    # The photo that was added since is found and read again, and everything else is as it was.
    assert {frozenset(group - {later.name}) for group in groups(people)} == before
    assert any(later.name in group for group in groups(people))
    assert later.name in tree(people)["Ada"] or later.name in set().union(*tree(people).values())
    assert (people / "Ada" / "mine.txt").read_text() == "mine"
    checked = guyverd(path, "check")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def library_log(config: Config) -> list[dict[str, object]]:
    with open_library(config) as library:
        return list(library.log())


@pytest.mark.promise("catalogue")
def test_check_repairs_a_damaged_catalogue_from_the_command_line(config: Config) -> None:
    path = config.state.parent / "config.yaml"
    config_file.write(path, config)
    assert guyverd(path, "backup").returncode == 0
    damage(config)
    told = guyverd(path, "people")
    assert told.returncode == 7
    assert "check --repair" in told.stderr
    assert "Traceback" not in told.stderr
    assert guyverd(path, "check").returncode == 13
    repaired = guyverd(path, "check", "--repair")
    assert repaired.returncode == 0, repaired.stdout + repaired.stderr
    assert "restored from" in repaired.stdout
    assert names(config) == NAMES


@pytest.mark.promise("backup")
def test_a_file_that_lies_is_refused(config: Config) -> None:
    file = Path(backups.backup(config, None)["file"])
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(BackupDamaged):
        backups.restore(config, file, check=True)
