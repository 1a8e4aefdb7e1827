"""The state folder, and everything that is kept in it, is ours alone."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from guyverd import config_file
from guyverd.cli import main
from guyverd.config import Config
from guyverd.errors import StateExposed
from guyverd.service.access import open_library
from guyverd.service.lock import Lock
from guyverd.service.ownership import claim
from tests.service.conftest import Daemon, scan

pytestmark = pytest.mark.promise("state")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder with what it may hold."""
    state = tmp_path / "state"
    for name in ("catalogue.db", "catalogue.db-wal", "lock", "index/faces-1.hnsw", "backups/catalogue-1.db"):
        (state / name).parent.mkdir(parents=True, exist_ok=True)
        (state / name).write_bytes(b"x")
        (state / name).chmod(0o600)
    state.chmod(0o700)
    return state


def test_a_new_one_is_closed_to_others_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        claim(tmp_path / "state")
    finally:
        os.umask(before)
    assert mode(tmp_path / "state") == 0o700


def test_what_others_could_read_is_closed_and_told(state: Path, caplog: pytest.LogCaptureFixture) -> None:
    state.chmod(0o755)
    (state / "catalogue.db").chmod(0o644)
    (state / "index" / "faces-1.hnsw").chmod(0o640)
    with caplog.at_level(logging.WARNING):
        claim(state)
    assert mode(state) == 0o700
    assert {mode(path) for path in state.rglob("*") if path.is_file()} == {0o600}
    assert f"{state} could be looked at by others" in caplog.text
    caplog.clear()
    claim(state)
    assert not caplog.records


@pytest.mark.parametrize(
    "name", ["", "catalogue.db", "catalogue.db-wal", "lock", "index/faces-1.hnsw", "backups/catalogue-1.db"]
)
def test_what_others_could_change_is_refused_with_the_cure(state: Path, name: str) -> None:
    path = state / name if name else state
    path.chmod(path.stat().st_mode | 0o002)
    before = mode(path)
    with pytest.raises(StateExposed, match="everybody may write it") as caught:
        Lock(state)
    assert str(path) in caught.value.message
    assert f"chmod go-w '{path}'" in caught.value.advice
    assert mode(path) == before, "whoever looks what happened must find it as it was"
    path.chmod(0o700 if path.is_dir() else 0o600)
    Lock(state).release()


def test_a_folder_above_that_all_may_write_is_refused(state: Path) -> None:
    state.parent.chmod(0o777)
    with pytest.raises(StateExposed, match="everybody may write it"):
        Lock(state)
    state.parent.chmod(0o1777)
    Lock(state).release()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("name", ["", "catalogue.db", "index/faces-1.hnsw"])
def test_what_belongs_to_somebody_else_is_refused(state: Path, name: str) -> None:
    os.chown(state / name if name else state, 4_000_003, -1)
    with pytest.raises(StateExposed, match="belongs to user 4000003"):
        Lock(state)


def test_a_link_in_the_place_of_the_lock_is_not_followed(state: Path, tmp_path: Path) -> None:
    (state / "lock").unlink()
    (tmp_path / "precious").write_text("precious")
    (state / "lock").symlink_to(tmp_path / "precious")
    with pytest.raises(Exception, match="cannot be used"):
        Lock(state)
    assert (tmp_path / "precious").read_text() == "precious"


def test_everything_that_is_kept_is_closed_to_others(config: Config) -> None:
    """While a library is open, and when it is closed; with the umask that hides nothing."""
    before = os.umask(0)
    try:
        scan(config)
        with open_library(config) as library:
            person = next(iter(library.people()))["id"]
            library.name(str(person), "Ada")
            open_ = {path: mode(path) for path in config.state.rglob("*") if path.is_file()}
        saved = CliRunner().invoke(main, ["--config", str(config.state.parent / "config.yaml"), "backup"])
        assert saved.exit_code == 0, saved.output
    finally:
        os.umask(before)
    kept = {path: mode(path) for path in config.state.rglob("*") if path.is_file()}
    assert {path.name for path in open_} >= {"catalogue.db", "catalogue.db-wal", "catalogue.db-shm", "lock"}
    assert {path.name: bits for path, bits in {**open_, **kept}.items() if bits & 0o077} == {}
    assert any(path.parent.name == "backups" for path in kept)
    assert {mode(path) for path in (config.state, *config.state.rglob("*")) if path.is_dir()} == {0o700}


def test_the_daemon_does_not_start_on_a_state_that_others_can_write(
    photos: Path, write_config: Callable[..., Path], start: Callable[..., Daemon]
) -> None:
    path = write_config(photos)
    state = config_file.load(path).state
    state.mkdir()
    state.chmod(0o777)
    daemon = start(path)
    assert daemon.process.wait(timeout=60) == StateExposed.exit_code
    assert f"chmod go-w '{state}'" in daemon.log.read_text()
    assert not list(state.iterdir())
