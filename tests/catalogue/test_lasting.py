"""The first moments of a catalogue: its folder outlasts a power cut, and who died while making it is no hindrance."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from guyverd.catalogue.lasting import anchor
from guyverd.catalogue.store import Catalogue
from guyverd.errors import StateError


def synced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The inodes of what is synced from now on."""
    found: list[int] = []
    real = os.fsync

    def noting(file: int) -> None:
        found.append(os.fstat(file).st_ino)
        real(file)

    monkeypatch.setattr(os, "fsync", noting)
    return found


@pytest.mark.promise("power-loss")
def test_a_new_catalogue_has_its_folders_synced_and_an_old_one_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "new" / "state"
    state.mkdir(parents=True)
    found = synced(monkeypatch)
    with Catalogue(os.fsencode(state / "catalogue.db")):
        pass
    folders = [folder.stat().st_ino for folder in (state, tmp_path / "new", tmp_path, tmp_path.parent)]
    assert [inode for inode in found if inode in folders][:4] == folders
    found.clear()
    with Catalogue(os.fsencode(state / "catalogue.db")):
        pass
    assert tmp_path.stat().st_ino not in found


@pytest.mark.promise("power-loss", "disk")
def test_a_folder_that_cannot_be_synced_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(OSError, match="Input/output"):
        anchor(os.fsencode(tmp_path))
    with pytest.raises(StateError, match="Input/output"):
        Catalogue(os.fsencode(tmp_path / "catalogue.db"))
    assert not (tmp_path / "catalogue.db").exists()


@pytest.mark.promise("kill")
def test_killed_before_it_had_a_log_it_is_opened_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.db"
    child = os.fork()
    if child == 0:
        # As SQLite goes about a file that has no write-ahead log yet: what was there is put aside, then written over.
        unfinished = sqlite3.connect(path, isolation_level=None)
        unfinished.execute("PRAGMA cache_spill = 1")
        unfinished.execute("PRAGMA cache_size = 1")
        unfinished.execute("BEGIN IMMEDIATE")
        unfinished.execute("CREATE TABLE half (x)")
        unfinished.executemany("INSERT INTO half VALUES (?)", [(os.urandom(3000),) for _ in range(100)])
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert (tmp_path / "catalogue.db-journal").stat().st_size > 0
    with Catalogue(os.fsencode(path)) as catalogue:
        assert catalogue.integrity() == []
        assert catalogue.counts().files == 0
        assert catalogue._db.row("SELECT 1 FROM sqlite_schema WHERE name = 'half'") is None
