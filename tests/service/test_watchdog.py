"""The supervisor hears of a daemon only as long as its pipeline answers: a thread that is stuck is noticed."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from guyverd.errors import StateError
from guyverd.service import daemon as daemon_module
from guyverd.service.daemon import Wishes
from tests.promises import scaled
from tests.service.conftest import Daemon, eventually

if TYPE_CHECKING:
    from guyverd.service.pipeline.coordinator import Coordinator
    from guyverd.service.pipeline.queries import LocalLibrary

pytestmark = pytest.mark.promise("units")

INTERVAL = 1.2
"""Seconds in which the supervisor wants to hear something; it is told every third of that."""

STUCK = """
import os, sys, threading, time

def wait_where(what, flag):
    def waiting(*arguments, **options):
        while os.path.exists(flag):
            open(flag + ".stuck", "w").close()
            time.sleep(0.02)
        return what(*arguments, **options)
    return waiting

def patch(module, owner, name, flag):
    while True:
        found = sys.modules.get(module)
        for part in filter(None, owner.split(".")):
            found = getattr(found, part, None)
        if hasattr(found, name):
            setattr(found, name, wait_where(getattr(found, name), flag))
            return
        time.sleep(0.01)

flag = os.environ["STUCK_FLAG"]
module, owner, name = os.environ["STUCK_AT"].split("/")
threading.Thread(target=patch, args=(module, owner, name, flag), daemon=True).start()
"""


def heard(supervisor: socket.socket, seconds: float) -> int:
    """How often the daemon said that it lives, in so many seconds."""
    deadline, count = time.monotonic() + seconds, 0
    while (left := deadline - time.monotonic()) > 0:
        supervisor.settimeout(left)
        try:
            count += b"WATCHDOG=1" in supervisor.recv(4096)
        except TimeoutError:
            break
    supervisor.settimeout(60)
    return count


@pytest.mark.parametrize(
    "at",
    [
        pytest.param("guyverd.catalogue.database//_in_transaction", id="the catalogue's writer"),
        pytest.param(
            "guyverd.service.pipeline.coordinator/Coordinator/_handle", id="the coordinator", marks=pytest.mark.torture
        ),
    ],
)
def test_a_thread_that_is_stuck_is_told_by_silence(
    at: str, write_config: Callable[..., Path], start: Callable[..., Daemon], tmp_path: Path
) -> None:
    """And by nothing else: the process lives, and its socket takes requests."""
    (tmp_path / "patch").mkdir()
    (tmp_path / "patch" / "sitecustomize.py").write_text(STUCK)
    (tmp_path / "photos").mkdir()
    flag = tmp_path / "flag"
    daemon = start(
        write_config(tmp_path / "photos"),
        WATCHDOG_USEC=str(int(INTERVAL * 1e6)),
        PYTHONPATH=f"{tmp_path / 'patch'}:{os.environ.get('PYTHONPATH', '')}",
        STUCK_FLAG=str(flag),
        STUCK_AT=at,
    )
    daemon.told("READY=1")
    daemon.told("WATCHDOG=1")
    flag.touch()
    eventually((tmp_path / "flag.stuck").exists)
    heard(daemon.supervisor, 0.1)  # what was on its way
    assert heard(daemon.supervisor, INTERVAL * scaled(1, 6)) == 0
    assert daemon.process.poll() is None
    flag.unlink()
    daemon.told("WATCHDOG=1")
    assert daemon.stop() == 0


@pytest.mark.torture
def test_a_daemon_that_is_stopped_is_silent_and_goes_on(
    write_config: Callable[..., Path], start: Callable[..., Daemon], tmp_path: Path
) -> None:
    (tmp_path / "photos").mkdir()
    daemon = start(write_config(tmp_path / "photos"), WATCHDOG_USEC=str(int(INTERVAL * 1e6)))
    daemon.told("READY=1")
    daemon.told("WATCHDOG=1")
    daemon.process.send_signal(signal.SIGSTOP)
    eventually(lambda: _state(daemon.process.pid) == "T")
    heard(daemon.supervisor, 0.1)
    assert heard(daemon.supervisor, INTERVAL) == 0
    daemon.process.send_signal(signal.SIGCONT)
    daemon.told("WATCHDOG=1")
    assert daemon.stop() == 0


@pytest.mark.parametrize("problem", [StateError(path="/state", detail="No space left on device"), TimeoutError()])
def test_a_full_disk_is_an_answer_too(problem: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """To be started again would not empty it; work is paused and goes on by itself."""
    said: list[str] = []
    looks: list[float] = []
    ended = threading.Event()

    class Work:
        ready = threading.Event()

    class Answering:
        def status(self) -> dict[str, dict[str, int]]:
            return {"counts": {"files": 0, "people": 0}}

        def alive(self, patience: float) -> bool:
            looks.append(patience)
            if len(looks) == 3:
                ended.set()
            raise problem

    Work.ready.set()
    monkeypatch.setattr(Work, "ended", ended, raising=False)
    monkeypatch.setattr(daemon_module, "notify", said.append)
    monkeypatch.setattr(daemon_module, "watchdog_interval", lambda: 0.03)
    daemon_module._attend(cast("Coordinator", Work()), cast("LocalLibrary", Answering()), Wishes())
    assert len(looks) == 3
    assert said.count("WATCHDOG=1") == (3 if isinstance(problem, StateError) else 0)


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
