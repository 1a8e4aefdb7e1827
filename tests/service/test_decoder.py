"""A decoder that goes wrong costs its worker and nothing else: a real daemon, with workers that really suffer."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from guyverd import config_file
from guyverd.config import Config
from guyverd.service.access import open_library
from guyverd.service.api import Row
from tests.service.conftest import ASTRONAUT, Daemon, eventually, groups, place
from tests.service.harm import Harm, children, memory
from tests.service.test_scan import EVERYBODY

pytestmark = [pytest.mark.promise("decoder"), pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc")]

Start = Callable[..., Daemon]
WriteConfig = Callable[..., Path]

DEADLINE = 4
"""Seconds; the innocent must be done within it on a busy machine."""
LIMIT = 2_000_000_000
DEATHS = {
    "segfault": "crashed (SIGSEGV)",
    "abort": "crashed (SIGABRT)",
    "illegal": "crashed (SIGILL)",
    "exit": "exit code 0",
    "quit": "SystemExit: 5",
    "killed": "killed by SIGKILL, mostly because memory ran out",
    "child and segfault": "crashed (SIGSEGV)",
    "threads": "crashed (SIGSEGV)",
    "garbage": "an answer of",
    "spin": f"longer than {DEADLINE} seconds",
    "deaf": f"longer than {DEADLINE} seconds",
    "stopped": f"longer than {DEADLINE} seconds",
    "child and spin": f"longer than {DEADLINE} seconds",
}
"""What each costs its photo, in the end."""
REFUSED = {"huge": "more memory than a worker may use", "eat": "more memory than a worker may use"}


def failures(config: Config) -> dict[str, Row]:
    with open_library(config) as library:
        return {Path(row["file"]).name: row for row in library.failures()}


def done(config: Config) -> bool:
    with open_library(config) as library:
        progress, status = library.progress(), library.status()
    return not progress["busy"] and not status["backlog"]["photos"]


@pytest.fixture
def harm(tmp_path: Path) -> Harm:
    return Harm(tmp_path)


@pytest.mark.parametrize(
    "harms",
    [
        pytest.param(("child and segfault", "huge", "spin"), id="some"),
        pytest.param(tuple(DEATHS | REFUSED), id="all", marks=[pytest.mark.torture, pytest.mark.timeout(900)]),
    ],
)
def test_only_a_worker_dies_and_the_file_is_named(
    tmp_path: Path,
    negatives: Path,
    photos: Path,
    write_config: WriteConfig,
    start: Start,
    harm: Harm,
    harms: tuple[str, ...],
) -> None:
    path = write_config(photos, workers=f"{{count: 2, deadline: {DEADLINE} s, memory: 2 GB, idle: 1 s, speed: full}}")
    config = config_file.load(path)
    daemon = start(path, **harm.environment)
    daemon.told("READY=1")
    eventually(lambda: groups(config.people) == EVERYBODY, 90)
    before = memory(daemon.process.pid)

    # They come together with an innocent one each.
    for number, what in enumerate(harms):
        for name, source in ((f"bad{number}.jpg", ASTRONAUT), (f"good{number}.jpg", "hopper")):
            aside = tmp_path / name
            place(negatives / f"{source}{number % 4}.jpg", aside)
            # Other bytes, or it would be a photo that is known.
            harm.mark(aside, what if name.startswith("bad") else f"nothing {number}")
            aside.rename(photos / name)
    largest = 0

    def settled() -> bool:
        nonlocal largest
        for worker in children(daemon.process.pid):
            try:
                largest = max(largest, memory(worker, "VmHWM"))
            except (OSError, StopIteration):
                continue
        return done(config) and len(failures(config)) == len(harms)

    eventually(settled, 600)
    found = failures(config)
    assert set(found) == {f"bad{number}.jpg" for number in range(len(harms))}, "all others were read"
    for number, what in enumerate(harms):
        row = found[f"bad{number}.jpg"]
        if what in DEATHS:
            assert DEATHS[what] in row["reason"], what
            assert (row["state"], row["attempts"]) == ("quarantined", 3), what
            assert 3 <= harm.tries(what) <= 4, "three times alone, and at first perhaps with others"
        else:
            assert REFUSED[what] in row["reason"], what
            assert row["state"] == "failed", what
        assert f"bad{number}.jpg" in daemon.log.read_text()
    with open_library(config) as library:
        counts = library.status()["counts"]
        assert counts["files"] == 9 + 2 * len(harms)
        assert all(row["ok"] for row in library.check()["checks"])
    assert largest < LIMIT
    # Nothing grows with what workers suffer.
    assert memory(daemon.process.pid) - before < 60e6
    eventually(lambda: harm.processes() == [daemon.process.pid])
    eventually(lambda: children(daemon.process.pid) == [])
    assert "Traceback" not in daemon.log.read_text()

    # Another life does not try them again.
    tries = {what: harm.tries(what) for what in harms}
    assert daemon.stop() == 0
    assert harm.processes() == []
    daemon = start(path, **harm.environment)
    daemon.told("READY=1")
    eventually(lambda: done(config), 90)
    assert {what: harm.tries(what) for what in harms} == tries

    # Other bytes are tried, and read.
    for number in range(len(harms)):
        (photos / f"bad{number}.jpg").unlink()
        place(negatives / f"{ASTRONAUT}{number % 4}.jpg", photos / f"bad{number}.jpg")
    eventually(lambda: done(config) and not failures(config), 90)
    assert daemon.stop() == 0


def test_a_hanging_worker_does_not_delay_the_stop(
    photos: Path, write_config: WriteConfig, start: Start, harm: Harm
) -> None:
    for number, what in enumerate(("deaf", "child and spin")):
        harm.mark(photos / f"{ASTRONAUT}{number}.jpg", what)
    path = write_config(photos, workers="{count: 2, deadline: 5 min}")
    daemon = start(path, **harm.environment)
    eventually(lambda: harm.tries("deaf") > 0 and harm.tries("child and spin") > 0, 60)
    began = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - began < 10
    assert harm.processes() == []
    with open_library(config_file.load(path)) as library:
        assert all(row["ok"] for row in library.check()["checks"])
        assert not list(library.failures()), "they are to blame for nothing yet"


def test_killed_with_its_workers_at_work_it_leaves_none(
    photos: Path, write_config: WriteConfig, start: Start, harm: Harm
) -> None:
    for number, what in enumerate(("deaf", "child and deaf")):
        harm.mark(photos / f"{ASTRONAUT}{number}.jpg", what)
    daemon = start(write_config(photos, workers="{count: 2, deadline: 5 min}"), **harm.environment)
    eventually(lambda: harm.tries("deaf") > 0 and harm.tries("child and deaf") > 0, 60)
    eventually(lambda: len(harm.processes()) == 4)
    os.kill(daemon.process.pid, 9)
    daemon.process.wait()
    eventually(lambda: harm.processes() == [])
