from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from guyverd.errors import AlreadyRunning, StateError
from guyverd.service.lock import Holder, Lock, held, holder


def test_nobody_holds_a_library_that_was_never_opened(tmp_path: Path) -> None:
    assert holder(tmp_path / "state") is None


def test_one_holder_at_a_time_and_everybody_can_see_who(tmp_path: Path) -> None:
    state = tmp_path / "deep" / "state"
    with held(state) as lock:
        assert (state.stat().st_mode & 0o777) == 0o700
        assert holder(state) == Holder(os.getpid(), None)
        lock.tell("/run/x.sock")
        assert holder(state) == Holder(os.getpid(), "/run/x.sock")
        with pytest.raises(AlreadyRunning, match=f"process {os.getpid()}"):
            Lock(state)
    assert holder(state) is None
    with held(state):
        pass


def test_a_killed_holder_leaves_nothing_behind(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from guyverd.service.lock import Lock\n"
        "Lock(Path(sys.argv[1])).tell('/gone.sock'); print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        found = holder(tmp_path)
        assert found is not None
        assert found.pid == process.pid
        process.kill()
    assert holder(tmp_path) is None
    with held(tmp_path):
        assert holder(tmp_path) == Holder(os.getpid(), None)


def test_a_state_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="file"):
        Lock(tmp_path / "file" / "state")


def test_a_link_in_the_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "lock").symlink_to(tmp_path / "victim")
    with pytest.raises(StateError):
        Lock(tmp_path)
    assert (tmp_path / "victim").read_text() == "precious"
