"""What is counted and timed: the registry, the table in the docs, and the figures of a real pass."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest

from guyverd.config import Config
from guyverd.service.access import open_library
from guyverd.service.metrics import MEASURES, Kind, Metrics, Timed
from tests.service.conftest import eventually

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"


def test_counters_add_up_and_summaries_keep_the_longest() -> None:
    metrics = Metrics()
    metrics.count("events")
    metrics.count("events", 4)
    metrics.took("hash", 0.5)
    metrics.took("hash", 2.0)
    metrics.took("hash", -1.0)  # a clock that went back
    values = metrics.values()
    assert values["events"] == 5
    assert values["hash"] == {"count": 3, "seconds": 2.5, "longest": 2.0}
    assert values["survey"] == {"count": 0, "seconds": 0.0, "longest": 0.0}
    assert "messages_waiting" not in values, "nobody tells it"


def test_what_is_labelled_has_a_value_for_each_label() -> None:
    metrics = Metrics()
    assert metrics.values()["request"] == {}
    metrics.took("request", 1.0, "status")
    metrics.count("request_failures", label="who")
    assert metrics.values()["request"] == {"status": {"count": 1, "seconds": 1.0, "longest": 1.0}}
    assert metrics.values()["request_failures"] == {"who": 1}


def test_the_time_of_a_block_counts_however_it_ends() -> None:
    now = [0.0]
    metrics = Metrics(lambda: now[0])

    def fail() -> None:
        with metrics.timing("group"):
            now[0] += 3.0
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert metrics.values()["group"] == {"count": 1, "seconds": 3.0, "longest": 3.0}


def test_what_others_keep_is_read_when_it_is_asked_for() -> None:
    metrics = Metrics()
    kept = [1]
    metrics.read_from("messages_waiting", lambda: kept[0])
    metrics.read_from("catalogue_write", lambda: Timed(2, 0.25, 0.125))

    def broken() -> int:
        raise RuntimeError

    metrics.read_from("paths_settling", broken)
    kept[0] = 7
    values = metrics.values()
    assert values["messages_waiting"] == 7
    assert values["catalogue_write"] == {"count": 2, "seconds": 0.25, "longest": 0.125}
    assert "paths_settling" not in values


@pytest.mark.parametrize(
    "wrong",
    [
        lambda metrics: metrics.count("no_such_thing"),
        lambda metrics: metrics.count("hash"),
        lambda metrics: metrics.took("events", 1.0),
        lambda metrics: metrics.took("request", 1.0),
        lambda metrics: metrics.count("events", label="x"),
        lambda metrics: metrics.count("events", -1),
        lambda metrics: metrics.read_from("request", lambda: 1),
    ],
)
def test_a_measure_that_is_not_declared_so_is_a_fault_of_the_program(wrong: object) -> None:
    with pytest.raises((KeyError, ValueError)):
        wrong(Metrics())  # type: ignore[operator]


def test_no_count_is_lost_between_threads() -> None:
    metrics = Metrics()

    def work() -> None:
        for _ in range(5000):
            metrics.count("events")
            metrics.took("hash", 0.001)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert metrics.values()["events"] == 40_000
    assert metrics.values()["hash"]["count"] == 40_000


def test_the_page_lists_every_measure_and_no_other() -> None:
    rows = re.findall(r"^\| `(\w+)`(?: by `(\w+)`)? \| (\w+) \| (.+) \|$", PAGE.read_text(), re.M)
    told = {name: (label, kind, meaning) for name, label, kind, meaning in rows}
    assert told == {name: (one.label, str(one.kind), one.meaning) for name, one in MEASURES.items()}
    assert list(told) == list(MEASURES), "in the same order"


def test_each_measure_has_a_name_that_prometheus_takes() -> None:
    for measure in MEASURES.values():
        assert re.fullmatch(r"[a-z][a-z_]*[a-z]", measure.name)
        assert not measure.name.endswith(("_total", "_count", "_sum", "_seconds")), "the file adds these"
        assert measure.meaning[-1] != "."
        assert measure.kind in Kind


def test_a_pass_over_real_photos_is_counted(config: Config) -> None:
    photos = len(list(config.photos[0].iterdir()))
    size = sum(photo.stat().st_size for photo in config.photos[0].iterdir())
    (config.photos[0] / "broken.jpg").write_bytes(b"no picture")
    with open_library(config) as library:
        library.scan()
        eventually(lambda: not library.progress()["busy"], 120)
        eventually(lambda: library.status()["counts"]["failures"] == 1)
        row = library.status()
    values, counts = row["metrics"], row["counts"]
    assert values["survey"]["count"] >= 1
    assert values["surveyed_files"] >= photos + 1
    assert values["hash"]["count"] >= photos + 1
    assert values["hashed_bytes"] >= size
    assert values["read"]["count"] == photos + 1
    assert values["read"]["seconds"] > 0
    assert values["read_failures"] == 1
    assert values["faces_found"] == counts["faces"] == values["grouped_faces"]
    assert values["group"]["count"] >= 1
    assert values["publish"]["count"] >= 1
    assert values["links_made"] >= photos
    assert values["catalogue_write"]["count"] > 5
    assert values["catalogue_write"]["longest"] <= values["catalogue_write"]["seconds"]
    assert values["workers_died"] == values["pauses"] == values["quarantined"] == 0
