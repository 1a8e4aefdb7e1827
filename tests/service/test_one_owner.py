"""One library, one owner: who else comes is told who it is, or goes through it; what was left behind hinders nobody."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from guyverd import config_file
from guyverd.errors import AlreadyRunning, StateError
from guyverd.service import access, lock
from guyverd.service.access import open_library
from guyverd.service.control import socket_path
from guyverd.service.lock import Holder, Lock, held, holder
from guyverd.service.serving import Server
from tests.promises import scaled
from tests.service.conftest import Daemon, eventually, groups
from tests.service.test_scan import EVERYBODY

pytestmark = pytest.mark.promise("one-owner")

Start = Callable[..., Daemon]
WriteConfig = Callable[..., Path]

_NOBODY: Any = None
"""The library of a server that is asked nothing."""
_TAKE = (
    "import sys, time; from pathlib import Path; from guyverd.service.lock import Lock\n"
    "from guyverd.errors import AlreadyRunning\n"
    "sys.stdin.readline()\n"
    "try:\n    Lock(Path(sys.argv[1])).tell('/nowhere.sock'); print('mine', flush=True); sys.stdin.read()\n"
    "except AlreadyRunning as problem:\n    print(problem.message, flush=True)\n"
)


def guyverd(config: Path, runtime: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "guyverd", "--config", str(config), *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "RUNTIME_DIRECTORY": str(runtime)},
    )


@pytest.mark.parametrize("rounds", [scaled(1, 15)])
def test_of_twenty_that_start_at_once_one_wins_and_all_others_say_who(tmp_path: Path, rounds: int) -> None:
    for number in range(rounds):
        state = tmp_path / f"state{number}"
        many = [
            subprocess.Popen([sys.executable, "-c", _TAKE, str(state)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            for _ in range(20)
        ]
        try:
            for one in many:
                assert one.stdin is not None
                one.stdin.write(b"go\n")
                one.stdin.flush()
            said = {one.pid: one.stdout.readline().decode().strip() for one in many if one.stdout is not None}
            (winner,) = [pid for pid, line in said.items() if line == "mine"]
            del said[winner]
            assert set(said.values()) == {f"Another guyverd (process {winner}) owns {state}."}
            assert holder(state) == Holder(winner, "/nowhere.sock")
        finally:
            for one in many:
                one.kill()
                one.wait()
                for stream in (one.stdin, one.stdout):
                    assert stream is not None
                    stream.close()
        assert holder(state) is None, "and when it is gone nobody has it"


@pytest.mark.parametrize("count", [scaled(2, 20)])
@pytest.mark.timeout(600)
def test_of_many_daemons_one_runs_and_the_others_name_it(
    tmp_path: Path, photos: Path, write_config: WriteConfig, count: int
) -> None:
    path = write_config(photos)
    runtime = tmp_path / "run"
    runtime.mkdir()
    command = [sys.executable, "-m", "guyverd", "--config", str(path), "run"]
    environment = {**os.environ, "RUNTIME_DIRECTORY": str(runtime)}
    logs = [tmp_path / f"log{n}" for n in range(count)]
    many = []
    for log in logs:
        with log.open("wb") as out:
            many.append(subprocess.Popen(command, env=environment, stdout=out, stderr=out))
    try:
        eventually(lambda: sum(one.poll() is None for one in many) == 1, 120)
        (winner,) = [one for one in many if one.poll() is None]
        for one, log in zip(many, logs, strict=True):
            if one is not winner:
                assert one.returncode == AlreadyRunning.exit_code
                assert f"(process {winner.pid})" in log.read_text()
        config = config_file.load(path)
        eventually(lambda: groups(config.people) == EVERYBODY, 90)
        winner.send_signal(signal.SIGTERM)
        assert winner.wait(20) == 0
    finally:
        for one in many:
            one.kill()
            one.wait()


def test_commands_while_the_daemon_comes_and_goes(
    tmp_path: Path, photos: Path, write_config: WriteConfig, start: Start
) -> None:
    """Started, told to read its config again, stopped: a command waits for it, asks it, or does the work itself."""
    path = write_config(photos)
    daemon = start(path)
    ended: list[tuple[str, int, str]] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            done = guyverd(path, tmp_path / "run", "people", "--json")
            ended.append((done.stdout, done.returncode, done.stderr))

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        daemon.told("READY=1")
        for _ in range(scaled(1, 8)):
            daemon.process.send_signal(signal.SIGHUP)
            daemon.told("READY=1")
        assert daemon.stop() == 0
        before = len(ended)
        eventually(lambda: len(ended) > before + 1, 60)
    finally:
        over.set()
        asking.join()
    for out, status, err in ended:
        # Who asked at the very moment at which it went is told to try again; nothing else may happen.
        assert status == 0 or "try again in a moment" in err, (status, err)
        assert all(json.loads(line) for line in out.splitlines())
    assert sum(status == 0 for _, status, _ in ended) >= len(ended) - 2


def test_after_a_kill_nothing_that_is_left_hinders_the_next(
    photos: Path, write_config: WriteConfig, start: Start
) -> None:
    path = write_config(photos)
    config = config_file.load(path)
    daemon = start(path)
    daemon.told("READY=1")
    found = holder(config.state)
    assert found is not None
    assert found.socket is not None
    daemon.stop(signal.SIGKILL)
    assert Path(found.socket).is_socket(), "it is left behind"
    assert json.loads((config.state / "lock").read_text())["pid"] == daemon.process.pid
    assert holder(config.state) is None
    again = start(path)
    again.told("READY=1")
    assert again.stop() == 0


@pytest.mark.parametrize("what", ["file", "link", "folder", "full folder"])
def test_whatever_stands_where_the_socket_should_be(tmp_path: Path, what: str) -> None:
    path = tmp_path / "x.sock"
    precious = tmp_path / "precious"
    precious.write_text("precious")
    if what == "file":
        path.write_text("left over")
    elif what == "link":
        path.symlink_to(precious)
    else:
        path.mkdir()
        if what == "full folder":
            (path / "mine").write_text("mine")
    if "folder" in what:
        with pytest.raises(StateError, match=re.escape(str(path))):
            Server(_NOBODY, path)
        assert path.is_dir()
    else:
        server = Server(_NOBODY, path)
        assert path.is_socket()
        server.close()
        assert not path.exists()
    assert precious.read_text() == "precious"


GARBAGE = [
    *(b"", b"\0" * 40, b"[]", b"7", b'"x"', b"null", b"{}", b"[" * 5000, b"\xff\xfe{", os.urandom(3000)),
    *(b'{"pid": "x", "socket": 4}', b'{"pid": -5, "socket": null}', b'{"pid": 1e400, "socket": "/x"}'),
    *(b'{"pid": true, "socket": "/x"}', b'{"pid": 99999999999999999999, "socket": "\\u0000"}'),
]


@pytest.mark.promise("fuzz")
@pytest.mark.parametrize("text", GARBAGE, ids=range(len(GARBAGE)))
def test_a_lock_that_holds_garbage(tmp_path: Path, text: bytes) -> None:
    """Left over it hinders nobody; where somebody holds it, the kernel tells who."""
    (tmp_path / "lock").write_bytes(text)
    assert holder(tmp_path) is None
    with held(tmp_path):
        assert holder(tmp_path) == Holder(os.getpid(), None)
        (tmp_path / "lock").write_bytes(text)
        found = holder(tmp_path)
        assert found is not None
        if Path("/proc/locks").exists():
            assert found.pid == os.getpid()
        with pytest.raises(AlreadyRunning):
            Lock(tmp_path)
    assert holder(tmp_path) is None


def test_who_removes_the_lock_gets_no_second_owner(tmp_path: Path) -> None:
    """As people do who take it for left over."""
    for again in (False, True):
        with held(tmp_path):
            (tmp_path / "lock").unlink()
            if again:
                (tmp_path / "lock").touch()
            with pytest.raises(AlreadyRunning) as caught:
                Lock(tmp_path)
            if Path("/proc/locks").exists():
                assert f"process {os.getpid()}" in caught.value.message
    assert holder(tmp_path) is None


@pytest.mark.parametrize("what", ["folder", "link", "pipe"])
def test_what_is_no_file_is_no_lock(tmp_path: Path, what: str) -> None:
    path = tmp_path / "lock"
    if what == "folder":
        path.mkdir()
    elif what == "link":
        path.symlink_to(tmp_path / "elsewhere")
    else:
        os.mkfifo(path)
    assert holder(tmp_path) is None, "nor does it keep anybody waiting"
    with pytest.raises(StateError, match="lock"):
        Lock(tmp_path)
    assert not (tmp_path / "elsewhere").exists()
    assert holder(tmp_path) is None


def test_a_pid_that_is_somebody_elses_by_now_means_nothing(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text(json.dumps({"pid": 1, "socket": "/run/other.sock"}))
    with held(tmp_path):
        assert holder(tmp_path) == Holder(os.getpid(), None)


def test_a_file_system_without_locks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(file: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(StateError, match="keeps no locks") as caught:
        Lock(tmp_path)
    assert "another disk" in caught.value.message
    assert holder(tmp_path) is None


def test_where_only_files_can_be_locked_the_file_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on NFS, which locks nothing that was opened to be read."""
    real = fcntl.flock

    def only_files(file: int, how: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{file}"):
            raise OSError(errno.EBADF, "Bad file descriptor")
        real(file, how)

    monkeypatch.setattr(fcntl, "flock", only_files)
    with held(tmp_path):
        assert holder(tmp_path) == Holder(os.getpid(), None)
        with pytest.raises(AlreadyRunning):
            Lock(tmp_path)
    assert holder(tmp_path) is None


def test_who_only_looks_keeps_nobody_from_it(tmp_path: Path) -> None:
    Lock(tmp_path).release()
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            holder(tmp_path)

    lookers = [threading.Thread(target=look) for _ in range(4)]
    for one in lookers:
        one.start()
    try:
        for _ in range(scaled(50, 3000)):
            with held(tmp_path):
                pass
    finally:
        over.set()
        for one in lookers:
            one.join()


def test_a_daemon_that_no_longer_listens_is_waited_for(
    tmp_path: Path, config_of: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stops, and what it told of its socket is not true any more: then the work is done without it."""
    config = config_file.load(config_of())
    owner = Lock(config.state)
    owner.tell(str(tmp_path / "gone.sock"))
    timer = threading.Timer(0.7, owner.release)
    timer.start()
    with open_library(config) as library:
        assert library.status()["daemon"]["running"] is False
    timer.join()
    # One that stays and does not listen is named.
    owner = Lock(config.state)
    owner.tell(str(tmp_path / "gone.sock"))
    monkeypatch.setattr(access, "_PATIENCE", 0.3)
    with pytest.raises(AlreadyRunning, match=f"process {os.getpid()}"), open_library(config):
        pass
    owner.release()


@pytest.fixture
def config_of(tmp_path: Path, write_config: WriteConfig) -> Callable[[], Path]:
    (tmp_path / "photos").mkdir()
    return lambda: write_config(tmp_path / "photos")


def _listens_to(pid: int, number: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught, 16) >> (number - 1) & 1)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc")
def test_a_daemon_that_waits_for_its_turn_can_be_stopped(
    tmp_path: Path, config_of: Callable[[], Path], start: Start
) -> None:
    path = config_of()
    owner = Lock(config_file.load(path).state)
    daemon = start(path)
    eventually(lambda: _listens_to(daemon.process.pid, signal.SIGTERM))
    began = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - began < 5
    owner.release()


def test_a_socket_that_was_left_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    path = socket_path(tmp_path / "state")
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    server = Server(_NOBODY, path)
    with socket.socket(socket.AF_UNIX) as asked:
        asked.connect(str(path))
    server.close()


def test_what_is_written_over_what_was_longer_is_read_whole(tmp_path: Path) -> None:
    with held(tmp_path) as mine:
        mine.tell("/a/very/long/" + "x" * 300)
        mine.tell("/s")
        assert holder(tmp_path) == Holder(os.getpid(), "/s")
        assert os.path.getsize(tmp_path / "lock") == lock._RECORD
