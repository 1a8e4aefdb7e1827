"""Clocks that jump, machines that sleep, signals at any moment: a real daemon takes them as they come."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from guyverd import config_file
from guyverd.config import Config
from guyverd.service.access import open_library
from guyverd.service.daemon import Wishes
from guyverd.service.lock import holder
from tests.promises import scaled
from tests.service.conftest import ASTRONAUT, HOPPER, Daemon, eventually, groups, place, scan, tree
from tests.service.harm import Harm
from tests.service.test_scan import EVERYBODY

pytestmark = pytest.mark.promise("time")

Start = Callable[..., Daemon]
WriteConfig = Callable[..., Path]

_SITE = """
import datetime, os, time

_time, _localtime = time.time, time.localtime


def _shift():
    try:
        with open(os.environ["TIME_SHIFT"]) as file:
            return float(file.read() or 0)
    except OSError:
        return 0.0


class Shifted(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(time.time(), tz)


time.time = lambda: _time() + _shift()
time.localtime = lambda seconds=None: _localtime(time.time() if seconds is None else seconds)
datetime.datetime = Shifted
"""


class Wall:
    """A clock on the wall that a test can set while a daemon looks at it."""

    def __init__(self, folder: Path) -> None:
        site = folder / "site"
        site.mkdir()
        (site / "sitecustomize.py").write_text(_SITE)
        self._shift = folder / "shift"
        self.environment = {
            "PYTHONPATH": os.pathsep.join([str(site), str(Path(__file__).parents[2])]),
            "TIME_SHIFT": str(self._shift),
        }

    def set(self, seconds: float) -> None:
        aside = self._shift.with_suffix(".new")
        aside.write_text(str(seconds))
        aside.rename(self._shift)


def photos_known(config: Config) -> tuple[int, int]:
    """How many photos are known, and how many files of theirs are missing."""
    with open_library(config) as library:
        return sum(1 for _ in library.faces()), int(library.status()["counts"]["files"])


# ---- the clock on the wall -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("years", [1, pytest.param(-10, marks=pytest.mark.torture)])
def test_a_clock_that_is_set_makes_nobody_forget(
    tmp_path: Path, photos: Path, negatives: Path, write_config: WriteConfig, start: Start, years: int
) -> None:
    """What is deleted is gone from the folders at once, and comes back with its name, though a year seems to pass."""
    wall = Wall(tmp_path)
    path = write_config(photos, watch="{quiet: 300 ms, ceiling: 3 s, poll: 1 s, rescan: 2 s, removal_grace: 30 d}")
    config = config_file.load(path)
    daemon = start(path, **wall.environment)
    daemon.told("READY=1")
    eventually(lambda: groups(config.people) == EVERYBODY, 90)
    with open_library(config) as library:
        person = next(row["person"] for row in library.faces() if ASTRONAUT in row["files"][0])
        library.name(str(person), "Eileen")
        faces = {row["face"] for row in library.faces()}
    eventually(lambda: "Eileen" in tree(config.people))
    lost = photos / f"{ASTRONAUT}0.jpg"
    lost.unlink()
    eventually(lambda: lost.name not in tree(config.people)["Eileen"])

    wall.set(years * 365.25 * 86_400)
    eventually(lambda: f"The clock was set {'on' if years > 0 else 'back'} by" in daemon.log.read_text())
    # One after the other, comparisons with the disk end, and what is missing for long is looked for.
    with open_library(config) as library:
        for _ in range(2):
            before = library.status()["roots"][0]["last_full_scan"]
            library.scan()
            eventually(lambda: library.status()["roots"][0]["last_full_scan"] != before)  # noqa: B023
    place(negatives / lost.name, lost)
    eventually(lambda: lost.name in tree(config.people)["Eileen"])
    with open_library(config) as library:
        assert {row["face"] for row in library.faces()} == faces, "nobody was forgotten, and nothing read anew"
    # And new photos are taken up as ever.
    place(negatives / f"{HOPPER}0.jpg", photos / "again.jpg")
    eventually(lambda: photos_known(config)[1] == 10)
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.log.read_text()


def test_files_from_any_time_are_read(photos: Path, config: Config) -> None:
    """Of the years 1901, 1970, 2100 and 2300, and of a moment that is still to come."""
    moments = (-2_147_483_648, 0, 4_102_444_800, 10_413_792_000, int(time.time()) + 3600)
    for photo, moment in zip(sorted(photos.iterdir()), moments, strict=False):
        os.utime(photo, (moment, moment))
    scan(config)
    assert groups(config.people) == EVERYBODY
    with open_library(config) as library:
        assert library.status()["counts"]["files"] == 9
        assert not list(library.failures())
    # The next pass sees that nothing changed.
    assert scan(config)["photos_done"] == 0


# ---- sleep -----------------------------------------------------------------------------------------------------------


@pytest.mark.torture
def test_after_everything_was_stopped_for_long_it_goes_on_and_blames_nobody(
    tmp_path: Path, photos: Path, write_config: WriteConfig, start: Start
) -> None:
    """Longer than the deadline of a photo and the supervisor's patience, in the middle of reading."""
    harm = Harm(tmp_path)
    harm.mark(photos / f"{ASTRONAUT}0.jpg", "slow 1.0")
    harm.mark(photos / f"{HOPPER}0.jpg", "slow 1.0")
    path = write_config(photos, workers="{count: 2, deadline: 15 s, speed: full}")
    config = config_file.load(path)
    daemon = start(path, WATCHDOG_USEC="3000000", **harm.environment)
    eventually(lambda: harm.tries("slow 1.0") > 0, 60)
    stopped = harm.processes()
    assert len(stopped) > 1
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(20)
    # The daemon first: it must not conclude anything from that.
    for pid in sorted(stopped, key=lambda pid: pid != daemon.process.pid):
        os.kill(pid, signal.SIGCONT)
    daemon.told("WATCHDOG=1")
    eventually(lambda: groups(config.people) == EVERYBODY, 90)
    assert harm.tries("slow 1.0") == 2, "each was read once"
    assert "longer than" not in daemon.log.read_text()
    with open_library(config) as library:
        assert not list(library.failures())
    assert daemon.stop() == 0
    assert harm.processes() == []


# ---- signals ---------------------------------------------------------------------------------------------------------

ENDS = (signal.SIGTERM, signal.SIGINT)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(scaled(1, 30)))
def test_told_to_stop_at_any_moment_it_stops(
    tmp_path: Path, photos: Path, write_config: WriteConfig, start: Start, seed: int
) -> None:
    chance = random.Random(seed)
    harm = Harm(tmp_path)
    path = write_config(photos)
    config = config_file.load(path)
    # Any moment from before the interpreter is up until it has been at rest for a while.
    moments = [chance.uniform(0.0, 4.5), chance.uniform(0.4, 2.5)]
    for moment in moments:
        before = len(log.read_text()) if (log := tmp_path / "log").exists() else 0
        daemon = start(path, **harm.environment)
        time.sleep(moment)
        for _ in range(chance.choice((0, 0, 1, 5))):
            daemon.process.send_signal(signal.SIGHUP)
            time.sleep(chance.choice((0.0, 0.01, 0.3)))
        began = time.monotonic()
        for _ in range(chance.choice((1, 1, 2, 20))):
            daemon.process.send_signal(chance.choice(ENDS))
            time.sleep(chance.choice((0.0, 0.001, 0.05)))
        status = daemon.stop(chance.choice(ENDS))
        daemon.supervisor.close()
        assert time.monotonic() - began < 10
        assert harm.processes() == [], "no worker is left"
        assert holder(config.state) is None
        told = daemon.log.read_text()[before:]
        # Before the daemon begins to listen for signals they end it as they end any program, and Python by Ctrl-C.
        early = {-signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP, 1, 130}
        assert status == 0 or ("Starting on" not in told and status in early), (status, told)
        assert "Traceback" not in told.partition("Starting on")[2], told
    scan(config)
    assert groups(config.people) == EVERYBODY
    with open_library(config) as library:
        assert all(row["ok"] for row in library.check()["checks"])
        assert not list(library.failures())


def test_many_wishes_for_another_config_are_one_and_the_wish_to_stop_goes_first(
    photos: Path, write_config: WriteConfig, start: Start
) -> None:
    daemon = start(write_config(photos))
    daemon.told("READY=1")
    for _ in range(200):
        daemon.process.send_signal(signal.SIGHUP)
    eventually(lambda: daemon.log.read_text().count("Starting on") >= 2)
    time.sleep(0.5)
    for _ in range(50):
        daemon.process.send_signal(signal.SIGHUP)
    began = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - began < 10
    assert daemon.log.read_text().count("Starting on") <= 6


def test_what_does_not_end_is_cut_off() -> None:
    cut_off = threading.Event()
    with Wishes(cut_off.set, patience=0.5) as wishes:
        os.kill(os.getpid(), signal.SIGTERM)
        assert wishes.stopping_within(5)
        os.kill(os.getpid(), signal.SIGTERM)
        assert cut_off.wait(5), "the main thread goes on and on"
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def test_wishes_are_heard_while_the_main_thread_waits_for_something_else() -> None:
    with Wishes(lambda: None) as wishes:
        sender = threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGHUP))
        sender.start()
        wishes.wait()
        assert (wishes.rereading, wishes.stopping) == (True, False)
        wishes.begin_to_reread()
        sender = threading.Timer(0.2, wishes.look)
        sender.start()
        wishes.wait()
        assert not wishes.rereading
