"""Quiet hours and full speed with a real library at work, by a clock that is passed in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from guyverd.config import Config, Hours
from guyverd.service.pipeline.coordinator import Coordinator
from guyverd.service.pipeline.queries import LocalLibrary
from tests.service.conftest import eventually, scan

HOUR = 3600.0


class Day:
    """The clock on the wall, and the coordinator that goes by it."""

    def __init__(self, config: Config, **workers: object) -> None:
        config.state.mkdir(exist_ok=True)
        self.seconds = 12 * HOUR
        chosen = replace(config, workers=replace(config.workers, **workers))  # type: ignore[arg-type]
        self.work = Coordinator(chosen, day=lambda: self.seconds)
        self.library = LocalLibrary(self.work, daemon=True)

    def is_at(self, hour: float) -> None:
        self.seconds = hour * HOUR
        self.work.wake()

    def read(self) -> int:
        """Photos read since the start."""
        return self.work.looking.tally.photos


@pytest.fixture
def day(config: Config) -> Iterator[Callable[..., Day]]:
    made: list[Day] = []

    def make(**workers: object) -> Day:
        made.append(Day(config, **workers))
        return made[-1]

    yield make
    for one in made:
        one.work.stop()


def test_in_quiet_hours_what_arrives_waits_and_status_says_so(day: Callable[..., Day], photos: Path) -> None:
    today = day(quiet_hours=Hours(22 * 60, 7 * 60))
    today.is_at(23)
    today.work.start(watch=True)
    eventually(lambda: today.work.ready.is_set() and today.work.idle)
    assert today.work.catalogue.backlog() == (0, 9), "everything is identified, nothing is read"
    assert today.read() == 0
    status = today.library.status()
    assert status["notices"] == ["Reading waits until 07:00 (quiet hours)."]
    assert status["eta"] is None
    progress = today.library.progress()
    assert (progress["busy"], progress["quiet_until"], progress["photos_total"]) == (False, "07:00", 9)

    # Somebody asks: that is answered at any hour.
    assert today.library.who(str(photos / "both.jpg"))["faces"]

    today.is_at(7)
    eventually(lambda: today.read() == 9)
    eventually(lambda: today.work.idle)
    assert today.library.status()["notices"] == []
    assert today.library.progress()["quiet_until"] is None
    assert today.library.status()["counts"]["people"] == 2


def test_a_scan_that_somebody_asked_for_heeds_no_quiet_hours(config: Config) -> None:
    always = replace(config, workers=replace(config.workers, quiet_hours=Hours(0, 1439)))
    assert scan(always)["photos_done"] == 9


def test_the_hours_change_the_priority_and_lose_nothing(day: Callable[..., Day]) -> None:
    today = day(full_speed_hours=Hours(22 * 60, 7 * 60), speed="gentle")
    today.work.start(watch=False)
    assert today.work.reader.gentle
    eventually(lambda: today.read() >= 1)
    today.is_at(22)
    eventually(lambda: not today.work.reader.gentle)
    today.is_at(8)
    eventually(lambda: today.work.reader.gentle)
    eventually(lambda: today.work.idle)
    assert today.work.looking.tally.photos == 9
    assert today.work.looking.tally.failed == 0
    assert today.work.looking.tally.seconds > 0
    assert today.library.status()["workers"]["memory"] > 50e6


def test_it_wakes_when_the_hours_change_and_every_minute_before(day: Callable[..., Day]) -> None:
    today = day(quiet_hours=Hours(22 * 60, 7 * 60))
    for now, wait in ((12 * HOUR, 60), (22 * HOUR - 60, 60), (22 * HOUR - 10.5, 10.5), (22 * HOUR, 60)):
        today.seconds = now
        assert today.work._pace_changes() == pytest.approx(wait)
