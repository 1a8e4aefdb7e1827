"""Counters and timings since the start: how often what was done, and how long it took.

Every measure is declared here, with its kind and what it means; `status` tells their values by these names and the
file for Prometheus (`service.prometheus`) by names made from them. None holds a name, a path or anything of a photo.
To count costs a lock and an addition, some microseconds at most, and is done for a file or a batch, never for a pixel.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple


class Kind(StrEnum):
    """How a measure behaves."""

    COUNTER = "counter"
    """It only ever grows, from 0 at the start."""
    GAUGE = "gauge"
    """It is what it is now."""
    SUMMARY = "summary"
    """How often something was done, how many seconds that took in all, and how many at most."""


class Timed(NamedTuple):
    """The value of a summary."""

    times: int = 0
    seconds: float = 0.0
    longest: float = 0.0


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing that is counted or timed."""

    name: str
    kind: Kind
    meaning: str
    label: str = ""
    """What it is told apart by, such as the method of a request; empty where there is one value."""


MEASURES = {
    measure.name: measure
    for measure in (
        Measure("events", Kind.COUNTER, "events that the disk told of"),
        Measure("survey", Kind.SUMMARY, "comparisons of a folder with the catalogue, and the work of each"),
        Measure("surveyed_files", Kind.COUNTER, "pictures that these found on disk"),
        Measure("hash", Kind.SUMMARY, "files whose bytes were read to know them by"),
        Measure("hashed_bytes", Kind.COUNTER, "bytes of these"),
        Measure("hash_failures", Kind.COUNTER, "of these files, those that could not be read"),
        Measure("read", Kind.SUMMARY, "photos read, and the workers' time that each took"),
        Measure("read_part", Kind.SUMMARY, "parts of videos read, and the workers' time that each took"),
        Measure("videos_read", Kind.COUNTER, "videos read, to their end or as far as they go"),
        Measure("read_failures", Kind.COUNTER, "of these photos and videos, those that gave nothing, or not all"),
        Measure("quarantined", Kind.COUNTER, "of these, those given up because they killed or hung a worker each time"),
        Measure("faces_found", Kind.COUNTER, "faces found in photos, and tracks in videos"),
        Measure("workers_died", Kind.COUNTER, "worker processes that died at work"),
        Measure("workers_overdue", Kind.COUNTER, "worker processes ended because a photo took too long"),
        Measure("group", Kind.SUMMARY, "batches of new faces that were grouped"),
        Measure("grouped_faces", Kind.COUNTER, "faces in these"),
        Measure("index_load", Kind.SUMMARY, "times that the saved index was checked and loaded"),
        Measure("index_save", Kind.SUMMARY, "times that the index was saved"),
        Measure("index_rebuilds", Kind.COUNTER, "times that the index was built anew from the catalogue"),
        Measure("publish", Kind.SUMMARY, "times that the people folder was brought up to date"),
        Measure("links_made", Kind.COUNTER, "links made or replaced there"),
        Measure("links_removed", Kind.COUNTER, "links removed there"),
        Measure("folders_renamed", Kind.COUNTER, "folders renamed there"),
        Measure("folder_acts", Kind.COUNTER, "things that somebody did in the people folder and that were heard"),
        Measure("deliveries", Kind.COUNTER, "photos, videos and clips put into folders of saved searches"),
        Measure("decisions", Kind.COUNTER, "decisions recorded, yours and those of guyverd"),
        Measure("catalogue_write", Kind.SUMMARY, "transactions that changed the catalogue, until they were durable"),
        Measure("request", Kind.SUMMARY, "requests answered over the socket", "method"),
        Measure("request_failures", Kind.COUNTER, "of these, those that were answered with an error", "method"),
        Measure("pauses", Kind.COUNTER, "times that work paused because of a trouble, such as a full disk"),
        Measure("log_lines_held_back", Kind.COUNTER, "lines left out of the log because there were too many alike"),
        Measure("messages_waiting", Kind.GAUGE, "messages that wait for the coordinator"),
        Measure("paths_settling", Kind.GAUGE, "paths that changed and have not come to rest"),
        Measure("catalogue_writes_waiting", Kind.GAUGE, "transactions that wait for the catalogue's writer"),
        Measure("workers_running", Kind.GAUGE, "whether worker processes are kept ready: 1 or 0"),
    )
}

Number = int | float
Read = Callable[[], "Number | Timed"]


class Metrics:
    """The values of one daemon, or of one command. All methods may be called from any thread.

    A name that is not in `MEASURES`, or is of another kind, is a KeyError or ValueError: a fault of the program.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._numbers: dict[tuple[str, str], Number] = {}
        self._times: dict[tuple[str, str], Timed] = {}
        self._elsewhere: dict[str, Read] = {}

    def count(self, name: str, amount: Number = 1, label: str = "") -> None:
        """Add to a counter."""
        _of_kind(name, Kind.COUNTER, label)
        if amount < 0:
            raise ValueError(f"{name} is a counter and never falls")
        with self._lock:
            self._numbers[name, label] = self._numbers.get((name, label), 0) + amount

    def took(self, name: str, seconds: float, label: str = "") -> None:
        """Add one that took so many seconds to a summary; a clock that went back counts as nought."""
        _of_kind(name, Kind.SUMMARY, label)
        seconds = max(0.0, seconds)
        with self._lock:
            before = self._times.get((name, label), Timed())
            self._times[name, label] = Timed(before.times + 1, before.seconds + seconds, max(before.longest, seconds))

    @contextlib.contextmanager
    def timing(self, name: str, label: str = "") -> Iterator[None]:
        """Time the block, however it ends."""
        began = self._clock()
        try:
            yield
        finally:
            self.took(name, self._clock() - began, label)

    def read_from(self, name: str, read: Read) -> None:
        """Have `read` tell a value that somebody else keeps; it is called, from any thread, when values are told."""
        if MEASURES[name].label:
            raise ValueError(f"{name} has a value for each {MEASURES[name].label}")
        self._elsewhere[name] = read

    def values(self) -> dict[str, Any]:
        """Every measure by name, in the order of `MEASURES`.

        A number; of a summary {"count", "seconds", "longest"}; where it has a label, one of these for each value of
        the label that was met. A value that cannot be had is left out.
        """
        with self._lock:
            numbers, times = dict(self._numbers), dict(self._times)
        for name, read in self._elsewhere.items():
            # What is asked may be on its way out: a figure that is missing must not cost all the others.
            with contextlib.suppress(Exception):
                value = read()
                if isinstance(value, Timed):
                    times[name, ""] = value
                else:
                    numbers[name, ""] = value
        found: dict[str, Any] = {}
        for name, measure in MEASURES.items():
            if measure.kind is Kind.SUMMARY:
                told: dict[str, Any] = {label: _summary(value) for (of, label), value in times.items() if of == name}
                nothing: Any = _summary(Timed())
            else:
                told = {label: value for (of, label), value in numbers.items() if of == name}
                nothing = 0
            if measure.label:
                found[name] = dict(sorted(told.items()))
            elif told or measure.kind is not Kind.GAUGE:
                found[name] = told.get("", nothing)
        return found


def _of_kind(name: str, kind: Kind, label: str) -> None:
    measure = MEASURES[name]
    if measure.kind is not kind or bool(measure.label) != bool(label):
        raise ValueError(f"{name} is a {measure.kind}" + (f" with a {measure.label}" if measure.label else ""))


def _summary(value: Timed) -> dict[str, Number]:
    return {"count": value.times, "seconds": round(value.seconds, 6), "longest": round(value.longest, 6)}
