"""A photographer's day of 24 hours in five minutes, beside a daemon that must take no more at its end than it needs."""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from guyverd import config_file
from guyverd.catalogue.store import Catalogue
from guyverd.service.access import open_library
from tests.service.conftest import Daemon
from tests.service.photographer import Measured, Photographer, children, measured

HOUR = 12.5
"""Seconds."""
MEMORY = 32e6
"""Bytes that the daemon may hold more in the last third of the day than in the first, whatever it learned."""
A_FACE = 20e3
"""Bytes that it may hold for each face besides: its vector, its place in the index, and what is remembered of it."""
LOG = 16e6
"""Bytes that the write-ahead log may have at rest: SQLite begins it anew from 4 MB on."""


@pytest.mark.torture
@pytest.mark.promise("soak")
@pytest.mark.timeout(1200)
@pytest.mark.skipif(sys.platform != "linux", reason="what a process holds is asked of Linux")
def test_a_photographers_day(tmp_path: Path, start: Callable[..., Daemon], capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "negatives").mkdir()
    for folder in ("photos", "archive"):
        (tmp_path / folder).mkdir()
    path = tmp_path / "config.yaml"
    path.write_text(
        f"photos: [{tmp_path / 'photos'}, {tmp_path / 'archive'}]\npeople: {tmp_path / 'People'}\n"
        f"state: {tmp_path / 'state'}\nwatch: {{quiet: 500 ms, ceiling: 10 s, poll: 5 s, rescan: 60 s}}\n"
        "workers: {count: 2, idle: 3 s}\nfolders: {min_photos: 2}\n"
    )
    config = config_file.load(path)
    daemon = start(path)
    daemon.told("READY=1")
    photographer = Photographer(config, daemon, tmp_path / "negatives", seed=20)
    photographer.imports("2024-05-31", 16)
    photographer.rests(300)
    _wait_for_workers(daemon)
    begun = measured(daemon, config, 0, photographer.faces())
    day: list[Measured] = []
    with photographer.asking():
        for hour, chapter in enumerate(photographer.hours(), 1):
            ends = time.monotonic() + HOUR
            for act in chapter:
                act()
            time.sleep(max(0.0, ends - time.monotonic()))
            day.append(measured(daemon, config, hour, photographer.faces()))
    photographer.rests(300)
    _wait_for_workers(daemon)
    ended = measured(daemon, config, 25, photographer.faces())
    with capsys.disabled():
        print(f"\n{Measured.head()}")
        for one in (begun, *day[4::5], ended):
            print(one.line())
        print(f"questions answered: {photographer.asked}; photos at the end: {len(photographer.there())}")

    with open_library(config) as library:
        wrong = [row for row in library.check()["checks"] if not row["ok"]]
        failures = list(library.failures())
    assert wrong == []
    assert failures == []
    first, last = day[: len(day) // 3], day[-len(day) // 3 :]
    grown = statistics.mean(one.memory for one in last) - statistics.mean(one.memory for one in first)
    assert grown < MEMORY + A_FACE * (ended.faces - begun.faces)
    assert ended.descriptors <= begun.descriptors + 2, "two readers of the catalogue may be kept"
    assert ended.threads <= begun.threads
    assert ended.log < LOG
    assert ended.children == begun.children
    assert "Z" not in children(daemon.process.pid).values()
    assert daemon.stop() == 0
    assert [line for line in daemon.log.read_text().splitlines() if "Traceback" in line or "ERROR" in line] == []
    with Catalogue(os.fsencode(config.state / "catalogue.db")) as catalogue:
        known = catalogue._db.rows("SELECT root_path, path FROM present_files")
        there = {os.path.join(row["root_path"], row["path"]) for row in known}
        assert there == {os.fsencode(one) for one in photographer.there()}
    assert all(link.exists() for link in config.people.rglob("*") if link.is_symlink())


def _wait_for_workers(daemon: Daemon) -> None:
    """They end when there was nothing to do for a while."""
    deadline, least = time.monotonic() + 60, len(children(daemon.process.pid))
    calm = time.monotonic()
    while time.monotonic() - calm < 8:
        now = len(children(daemon.process.pid))
        if now != least:
            least, calm = now, time.monotonic()
        assert time.monotonic() < deadline
        time.sleep(0.2)
