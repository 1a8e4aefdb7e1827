"""Verdicts on the machine: figures in, a verdict and a cure out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guyverd.service.doctor import system
from guyverd.service.doctor.finding import Finding, Verdict

pytestmark = pytest.mark.promise("report")

PLENTY = 10**12


def told(finding: Finding) -> tuple[str, str, str]:
    row = finding.told()
    return row["verdict"], row["detail"], row["cure"]


@pytest.mark.parametrize(
    ("free", "needed", "files", "read_only", "verdict"),
    [
        (PLENTY, 0, None, False, "ok"),
        (PLENTY, 0, 10**6, False, "ok"),
        (PLENTY, 2 * PLENTY, 10**6, False, "warning"),
        (100_000_000, 0, 10**6, False, "warning"),
        (PLENTY, 0, 17, False, "warning"),
        (40_000_000, 0, 10**6, False, "fault"),
        (PLENTY, 0, 10**6, True, "fault"),
    ],
)
def test_free_space(free: int, needed: int, files: int | None, read_only: bool, verdict: str) -> None:
    row = told(system.free_space(free, 2 * PLENTY, needed, files, read_only=read_only))
    assert row[0] == verdict
    assert bool(row[2]) is (verdict != "ok")


WATCHES = system.Watches(
    most=1000,
    most_instances=10,
    used=300,
    used_instances=4,
    ours=100,
    our_instances=2,
    folders=800,
    counted_all=True,
    roots=3,
)


def test_watches_that_are_enough() -> None:
    verdict, detail, cure = told(system.watches(WATCHES))
    assert (verdict, cure) == ("ok", "")
    assert "800 folders to watch, 200 watched by other programs, 1,000 may be" in detail


def test_too_few_watches_are_told_with_the_very_line_to_type() -> None:
    verdict, detail, cure = told(system.watches(replace(WATCHES, folders=801)))
    assert verdict == "warning"
    assert cure == (
        "echo 'fs.inotify.max_user_watches=524288' | sudo tee -a /etc/sysctl.d/60-guyverd.conf && sudo sysctl --system"
    )
    verdict, detail, cure = told(system.watches(replace(WATCHES, folders=400_000, counted_all=False)))
    assert "at least 400,000 folders" in detail
    assert "max_user_watches=1048576'" in cure


def test_too_few_instances() -> None:
    verdict, _, cure = told(system.watches(replace(WATCHES, roots=9)))
    assert verdict == "warning"
    assert "fs.inotify.max_user_instances=1024" in cure


def test_limits_that_are_not_told() -> None:
    assert system.watches(replace(WATCHES, most=None)).verdict is Verdict.UNKNOWN


@given(st.integers(0, 10**9))
def test_the_limit_to_set_holds_for_twice_as_many(needed: int) -> None:
    limit = system.enough(needed)
    assert limit >= 2 * needed
    assert limit >= 524_288
    assert limit == 524_288 or limit < 4 * needed


@pytest.mark.parametrize(
    ("total", "available", "workers", "verdict", "cure"),
    [
        (8e9, 6e9, 4, "ok", ""),
        (2e9, 2e9, 8, "warning", "`count: 2`"),
        (8e9, 0.1e9, 4, "warning", "ps "),
        (0.5e9, 0.5e9, 1, "warning", "ps "),
    ],
)
def test_memory(total: float, available: float, workers: int, verdict: str, cure: str) -> None:
    row = told(system.memory(total, available, workers, 600e6))
    assert row[0] == verdict
    assert cure in row[2]


def test_processors() -> None:
    assert system.processors(2, 8, 2).verdict is Verdict.OK
    assert system.processors(2, 8, 5).verdict is Verdict.WARNING


@pytest.mark.parametrize(
    ("seconds", "sync", "verdict"), [(0.1, 0.005, "ok"), (0.1, 0.4, "warning"), (4.0, 0.005, "warning")]
)
def test_a_slow_state_disk_is_told_with_its_figures(seconds: float, sync: float, verdict: str) -> None:
    row = told(system.writing(system.Written(4_000_000, seconds, sync)))
    assert row[0] == verdict
    assert "/s" in row[1]


def test_photos_that_come_slowly_or_not_at_all() -> None:
    assert system.reading(system.Read(5, 20_000_000, 1.0, 0.01, 0)).verdict is Verdict.OK
    assert system.reading(system.Read(5, 2_000_000, 1.0, 0.01, 0)).verdict is Verdict.WARNING
    assert system.reading(system.Read(5, 20_000_000, 1.0, 0.5, 0)).verdict is Verdict.WARNING
    assert system.reading(system.Read(0, 0, 1.0, 0.0, 0)).verdict is Verdict.UNKNOWN
    failed = system.reading(system.Read(0, 0, 1.0, 0.0, 7))
    assert failed.verdict is Verdict.FAULT
    assert "7" in failed.told()["detail"]


NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("wall", "latest", "future", "verdict"),
    [
        (NOW, None, None, "ok"),
        (NOW, NOW - 5, 0, "ok"),
        (NOW, NOW + 60, 0, "ok"),
        (NOW, NOW + 86400, 0, "warning"),
        (NOW, NOW, 3, "warning"),
        (1_000.0, None, None, "fault"),
    ],
)
def test_the_clock(wall: float, latest: float | None, future: int | None, verdict: str) -> None:
    assert system.clock(wall, latest, future).verdict == verdict


def test_versions() -> None:
    found = {"Python": "3.11.2", "hnswlib": "0.8.0"}
    ok = system.versions(found, [], (3, 51, 3))
    assert told(ok) == ("ok", "Python 3.11.2, hnswlib 0.8.0", "")
    assert "SQLite before 3.51.3" in told(system.versions(found, [], (3, 51, 2)))[1]
    row = told(system.versions(found, ["onnx"], (3, 51, 3)))
    assert row[0] == "fault"
    assert "not installed: onnx" in row[1]


def unit(**changes: str) -> dict[str, str]:
    return {"LoadState": "loaded", "ActiveState": "active", "Result": "success", "NRestarts": "0", **changes}


@pytest.mark.parametrize(
    ("states", "verdict", "cure"),
    [
        ({}, "ok", ""),
        ({"user": unit(LoadState="not-found")}, "ok", ""),
        ({"user": unit()}, "ok", ""),
        ({"user": unit(NRestarts="7")}, "warning", "journalctl --user -u guyverd -e"),
        (
            {"user": unit(), "system": unit(ActiveState="failed", Result="watchdog")},
            "fault",
            "journalctl -u guyverd -e",
        ),
    ],
)
def test_the_unit(states: Any, verdict: str, cure: str) -> None:
    row = told(system.unit(states))
    assert (row[0], row[2]) == (verdict, cure)
