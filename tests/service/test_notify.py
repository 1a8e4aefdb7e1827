from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from guyverd.service.notify import notify, watchdog_interval


def test_nothing_is_said_where_nobody_listens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    notify("READY=1")


@pytest.mark.parametrize("abstract", [False, True])
def test_the_supervisor_hears_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, abstract: bool) -> None:
    address = f"@guyverd-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind("\0" + address[1:] if abstract else address)
        supervisor.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        notify("READY=1\nSTATUS=Watching")
        assert supervisor.recv(100) == b"READY=1\nSTATUS=Watching"


@pytest.mark.parametrize(
    ("microseconds", "pid", "seconds"),
    [("3000000", None, 3.0), ("3000000", "1", None), ("0", None, None), ("x", None, None), (None, None, None)],
)
def test_the_watchdog_is_fed_only_if_it_is_ours(
    monkeypatch: pytest.MonkeyPatch, microseconds: str | None, pid: str | None, seconds: float | None
) -> None:
    for name, value in (("WATCHDOG_USEC", microseconds), ("WATCHDOG_PID", pid)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    assert watchdog_interval() == seconds
