"""The file for Prometheus: its format, what is in it and what is not, and its life with the daemon's."""

from __future__ import annotations

import os
import re
import signal
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guyverd.errors import ControlError
from guyverd.service.metrics import MEASURES, Metrics
from guyverd.service.prometheus import Writer, exposition, library_label, write
from tests.cli.fake import FakeLibrary
from tests.service.conftest import Daemon, eventually
from tests.service.exposition import read


def status(**changes: Any) -> dict[str, Any]:
    return {**FakeLibrary().status(), **changes}


def test_the_text_is_what_the_format_asks_for() -> None:
    metrics = Metrics()
    metrics.took("request", 0.25, "status")
    metrics.took("request", 0.5, "people")
    metrics.count("events", 3)
    metrics.read_from("messages_waiting", lambda: 2)
    families = read(exposition(status(metrics=metrics.values()), "0a1b2c3d", 1_700_000_000.5))
    library = ("library", "0a1b2c3d")
    assert families["guyverd_written_timestamp_seconds"].samples == {
        ("guyverd_written_timestamp_seconds", (library,)): 1_700_000_000.5
    }
    assert families["guyverd_events_total"].kind == "counter"
    assert families["guyverd_events_total"].samples == {("guyverd_events_total", (library,)): 3.0}
    request = families["guyverd_request_seconds"]
    assert request.kind == "summary"
    assert request.samples["guyverd_request_seconds_sum", (library, ("method", "people"))] == 0.5
    assert request.samples["guyverd_request_seconds_count", (library, ("method", "status"))] == 1.0
    assert families["guyverd_messages_waiting"].samples == {("guyverd_messages_waiting", (library,)): 2.0}
    online = families["guyverd_root_online"].samples
    assert online == {
        ("guyverd_root_online", (library, ("root", "1"))): 1.0,
        ("guyverd_root_online", (library, ("root", "2"))): 0.0,
    }
    assert len(families["guyverd_root_last_full_scan_timestamp_seconds"].samples) == 1, "the other never was"
    assert all(family.help.endswith(".") for family in families.values())


def test_every_measure_is_in_it() -> None:
    metrics = Metrics()
    for measure in MEASURES.values():
        if measure.label:
            (metrics.took if measure.kind == "summary" else metrics.count)(measure.name, 1, "x")
        elif measure.kind == "gauge":
            metrics.read_from(measure.name, lambda: 1)
    families = read(exposition(status(metrics=metrics.values()), "0a1b2c3d", 1.0))
    for measure in MEASURES.values():
        ending = {"counter": "_total", "summary": "_seconds", "gauge": ""}[measure.kind]
        assert families[f"guyverd_{measure.name}{ending}"].kind == measure.kind


def test_what_nobody_knows_is_left_out() -> None:
    row = status(eta=None, daemon={"pid": None, "since": None, "running": False}, roots=[])
    families = read(exposition(row, "0a1b2c3d", 1.0))
    assert not {"guyverd_left_seconds", "guyverd_start_timestamp_seconds", "guyverd_root_online"} & set(families)
    assert "guyverd_rate" not in families
    row = status(rate=float("nan"))
    assert "guyverd_photos_per_second" not in read(exposition(row, "0a1b2c3d", 1.0))


def test_no_name_and_no_path_is_in_it() -> None:
    text = exposition(status(), library_label(Path("/home/ada/state")), 1.0)
    for secret in ("/photos", "/mnt", "nas", "/state", "people/", "ada", "be forgotten", "4711"):
        assert secret not in text


@given(st.text(), st.text(min_size=1))
def test_labels_are_escaped_whatever_they_hold(version: str, method: str) -> None:
    metrics = Metrics()
    metrics.took("request", 1.0, method)
    text = exposition(status(version=version, metrics=metrics.values()), "0a1b2c3d", 1.0)
    # Only the check for ASCII is passed over: the format is UTF-8.
    families = read("".join(char if char.isascii() else "?" for char in text))
    assert "guyverd_info" in families
    found = re.findall(
        r'guyverd_request_seconds_count\{library="0a1b2c3d",method="((?:[^"\\\n]|\\["\\n])*)"\} 1$', text, re.M
    )
    assert [re.sub(r'\\(["\\n])', lambda m: "\n" if m[1] == "n" else m[1], one) for one in found] == [method]


def test_it_is_written_whole_for_all_to_read_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "guyverd.prom"
    before = os.umask(0o077)
    try:
        write(path, "a 1\n")
        write(path, "a 2\n")
    finally:
        os.umask(before)
    assert path.read_text() == "a 2\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert os.listdir(tmp_path) == ["guyverd.prom"]


def test_a_link_in_its_place_is_replaced_and_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("keep")
    path = tmp_path / "guyverd.prom"
    path.symlink_to(precious)
    write(path, "a 1\n")
    assert precious.read_text() == "keep"
    assert not path.is_symlink()


def test_a_folder_that_is_not_there_is_told_once_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asked = threading.Semaphore(0)

    def counted() -> dict[str, Any]:
        asked.release()
        return status()

    path = tmp_path / "later" / "guyverd.prom"
    writer = Writer(path, tmp_path, counted, every=0.01)
    writer.start()
    for _ in range(4):
        assert asked.acquire(timeout=30)
    path.parent.mkdir()
    eventually(path.exists)
    writer.stop()
    assert not path.exists()
    told = [record for record in caplog.records if "cannot be written" in record.message]
    assert len(told) == 1
    assert told[0].__dict__["file"] == str(path)


def test_a_library_that_does_not_answer_leaves_the_last_figures(tmp_path: Path) -> None:
    answers = [status()]
    asked = threading.Semaphore(0)

    def answer() -> dict[str, Any]:
        asked.release()
        if not answers:
            raise ControlError(detail="it is stopping")
        return answers.pop()

    path = tmp_path / "guyverd.prom"
    writer = Writer(path, tmp_path, answer, every=0.01)
    writer.start()
    for _ in range(3):
        assert asked.acquire(timeout=30)
    assert "guyverd_info" in read(path.read_text())
    writer.stop()
    assert not path.exists()


def test_the_daemon_keeps_it_and_takes_it_along(
    photos: Path, write_config: Callable[..., Path], start: Callable[..., Daemon], tmp_path: Path
) -> None:
    path = tmp_path / "metrics" / "guyverd.prom"
    path.parent.mkdir()
    config = write_config(photos, log=f"{{metrics: '{path}'}}")
    daemon = start(config)
    daemon.told("READY=1")
    eventually(path.exists)
    families = read(path.read_text())
    assert families["guyverd_root_online"].samples
    text = path.read_text()
    for secret in (str(tmp_path), str(photos), "astronaut", "People"):
        assert secret not in text
    assert daemon.stop(signal.SIGTERM) == 0
    assert os.listdir(path.parent) == []
