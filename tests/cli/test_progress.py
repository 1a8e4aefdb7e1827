"""Progress where nobody watches a bar: a plain line every few seconds, by a clock that is passed in."""

from __future__ import annotations

from typing import Any

import pytest

from guyverd.cli import progress
from tests.cli.fake import FakeLibrary


def test_lines_come_every_few_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    library = FakeLibrary()
    busy, idle = library.passes[1], library.passes[-1]
    looks = iter([busy] * 99 + [idle])
    now = 0.0
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(seconds)
        now += seconds

    last = progress.follow(library.passes[0], lambda: next(looks), clock=lambda: now, sleep=sleep)
    assert last is idle
    assert slept == [progress.POLL] * 100
    told = capsys.readouterr()
    assert told.out == ""
    # 100 looks a quarter of a second apart; the last one is over and not told.
    line = "reading photos, 10 of 40 photos, 1 min 15 s left, 42 files found, 20 faces, 1 failure, 12.5 photos/s"
    assert told.err.splitlines() == [line] * 4


def test_a_pass_that_is_over_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    idle = FakeLibrary().passes[-1]

    def never(*args: Any) -> Any:
        raise AssertionError

    assert progress.follow(idle, never, sleep=never) is idle
    assert capsys.readouterr().err == ""


def test_before_the_photos_are_counted() -> None:
    assert progress.describe(FakeLibrary().passes[0]) == "looking for files, 42 files found, 0 faces"


def test_videos_are_counted_when_no_photos_are_left() -> None:
    film = {"file": "/photos/a film.mp4", "photo": 7, "share": 0.375}
    now = FakeLibrary().passes[1] | {"videos_total": 12, "videos_done": 3, "films": [film]}
    assert progress.describe(now).startswith("reading photos, 10 of 40 photos, 1 min 15 s left, 42 files found")
    told = progress.describe(now | {"phase": "filming", "photos_done": 40, "rate": 0.0})
    assert told == (
        "reading videos, 3 of 12 videos, 1 min 15 s left, 42 files found, 20 faces, 38 % of a film.mp4, 1 failure"
    )
