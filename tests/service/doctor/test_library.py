"""Verdicts on the library: figures in, a verdict and a cure out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from guyverd.errors import ConfigError, EngineError
from guyverd.service.doctor import library
from guyverd.service.doctor.finding import Finding

pytestmark = pytest.mark.promise("report")


def told(finding: Finding) -> tuple[str, str, str]:
    row = finding.told()
    return row["verdict"], row["detail"], row["cure"]


def test_the_config() -> None:
    assert told(library.config(Path("/c.yaml"), None)) == ("ok", "/c.yaml is right", "")
    row = told(
        library.config(Path("/c.yaml"), ConfigError(where="/c.yaml, line 3", detail="unknown key", hint="Look."))
    )
    assert row == ("fault", "/c.yaml, line 3: unknown key.", "Look.")


@pytest.mark.parametrize(
    ("seen", "verdict", "cure"),
    [
        (library.Daemon(None), "warning", "guyverd run"),
        (library.Daemon(4711), "ok", ""),
        (library.Daemon(4711, True, 0.01, 0.01), "ok", ""),
        (library.Daemon(4711, True, 5.0, 5.0), "warning", "disks"),
        (library.Daemon(4711, True, None, 10.0), "fault", "kill 4711"),
        (library.Daemon(4711, True, None, 10.0, True), "fault", "kill -CONT 4711"),
    ],
)
def test_the_daemon(seen: library.Daemon, verdict: str, cure: str) -> None:
    row = told(library.daemon(seen))
    assert row[0] == verdict
    assert cure in row[2]


def test_codecs_and_kinds_that_are_not_read() -> None:
    assert library.codecs([], {}).verdict == "ok"
    missing = told(library.codecs(["HEIF"], {"nef": 2}))
    assert missing[0] == "fault"
    assert "pip install" in missing[2]
    unread = told(library.codecs([], {"nef": 2000, "jxl": 3}))
    assert unread[0] == "warning"
    assert "2,000 nef, 3 jxl" in unread[1]


def test_failures_are_told_by_reason() -> None:
    assert library.failures([], 0).verdict == "ok"
    row = told(library.failures([("truncated", 7), ("{odd} reason", 2), ("c", 1), ("d", 1)], 2))
    assert row[0] == "warning"
    assert "11 files could not be read (7: truncated; 2: {odd} reason; 1: c; and others; 2 crashed or hung" in row[1]


def test_models() -> None:
    assert library.models(None, "onnxruntime 1.31 cpu", "cpu").verdict == "ok"
    assert library.models(None, "onnxruntime 1.31 cuda", "gpu").verdict == "ok"
    assert library.models(None, "onnxruntime 1.31 cpu", "gpu").verdict == "warning"
    row = told(library.models(EngineError(detail="missing"), "", "cpu"))
    assert row[0] == "fault"
    assert "make setup" in row[2]


STORED = library.Stored(
    path=Path("/s/catalogue.db"),
    exists=True,
    size=1_000_000,
    log_size=0,
    newer=False,
    older=False,
    damage=(),
    too_long=False,
    problem="",
    has_backups=False,
)


@pytest.mark.parametrize(
    ("changes", "verdict", "cure"),
    [
        ({}, "ok", ""),
        ({"exists": False}, "ok", ""),
        ({"older": True}, "ok", ""),
        ({"newer": True, "damage": ("x",)}, "fault", "Install that version"),
        ({"damage": ("row 3 is missing from index",)}, "fault", "your own backup"),
        ({"damage": ("row 3",), "has_backups": True}, "fault", "guyverd restore"),
        ({"damage": None, "problem": "file is not a database"}, "fault", "keep a copy"),
        ({"damage": None, "too_long": True}, "unknown", "guyverd check"),
        ({"log_size": 10**9}, "warning", "fuser"),
    ],
)
def test_the_catalogue(changes: dict[str, Any], verdict: str, cure: str) -> None:
    row = told(library.catalogue(replace(STORED, **changes)))
    assert row[0] == verdict
    assert cure in row[2]


def test_the_index() -> None:
    assert library.index(None, "").verdict == "ok"
    assert library.index(7, "").verdict == "ok"
    assert told(library.index(7, "faces-1.hnsw is missing"))[0] == "warning"


@pytest.mark.parametrize(
    ("count", "age", "nightly", "decisions", "verdict"),
    [
        (0, None, True, 0, "ok"),
        (0, None, False, 3, "warning"),
        (2, 3600.0, True, 3, "ok"),
        (2, 5 * 86400.0, True, 3, "warning"),
        (2, 5 * 86400.0, False, 3, "ok"),
        (2, 30 * 86400.0, False, 3, "warning"),
    ],
)
def test_backups(count: int, age: float | None, nightly: bool, decisions: int, verdict: str) -> None:
    assert library.backup(count, age, nightly=nightly, decisions=decisions).verdict == verdict


def test_workers() -> None:
    assert library.workers(0, 0, 2.0).verdict == "ok"
    row = told(library.workers(3, 1, 2.0))
    assert row[0] == "warning"
    assert "3 died and 1 took too long" in row[1]
