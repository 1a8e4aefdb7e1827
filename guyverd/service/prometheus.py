"""What `status` tells as a text file for Prometheus: the textfile collector of its node_exporter reads it.

The file holds figures only: no name, no path. Photo folders go by their number in the config, and the library by eight
digits made from the path of its state folder, so that several libraries of one machine can be told apart.

It is written beside and renamed, so that nobody ever reads half of it, and removed at a clean end: then the figures end
there, as they should. One that a crash left behind tells its age (`guyverd_written_timestamp_seconds`).
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from guyverd.errors import GuyverError
from guyverd.service.metrics import MEASURES, Kind

log = logging.getLogger(__name__)

EVERY = 15.0
"""Seconds from one writing to the next; longer where it takes long to count."""
_SHARE = 50
"""Counting takes at most one part in so many of the time."""

Row = Mapping[str, Any]
Sample = tuple[str, Mapping[str, str], float]
"""What is added to the name, labels, value."""


def library_label(state: Path) -> str:
    """What a library is called in the file: eight hexadecimal digits."""
    return hashlib.sha256(os.fsencode(state.absolute())).hexdigest()[:8]


def exposition(status: Row, library: str, now: float) -> str:
    """The file's text, in the exposition format 0.0.4. Pure.

    `status` is what `Library.status` gives, `now` the time of writing in seconds since 1970.
    """
    lines: list[str] = []

    def family(name: str, kind: str, meaning: str, samples: Iterable[Sample]) -> None:
        some = [sample for sample in samples if math.isfinite(sample[2])]
        if some:
            lines.append(f"# HELP {name} {_help(meaning)}")
            lines.append(f"# TYPE {name} {kind}")
            for suffix, labels, value in some:
                lines.append(f"{name}{suffix}{_labels({'library': library, **labels})} {_number(value)}")

    def gauge(name: str, meaning: str, value: float | None) -> None:
        family(f"guyverd_{name}", "gauge", meaning, () if value is None else (("", {}, value),))

    gauge("written_timestamp_seconds", "When this file was written.", now)
    gauge("start_timestamp_seconds", "When the daemon started.", _moment(status["daemon"]["since"]))
    version = {"version": str(status["version"])}
    family("guyverd_info", "gauge", "1, with the version.", [("", version, 1.0)])
    for name, count in status["counts"].items():
        gauge(name, f"How many {name} the library has.", count)
    for name, count in status["backlog"].items():
        gauge(f"backlog_{name}", f"How many {name} wait.", count)
    for name, size in status["sizes"].items():
        gauge(f"{name}_bytes", f"Size of the {name} on disk.", size)
    gauge("photos_per_second", "Photos read a second, over the last minute.", status["rate"])
    gauge("left_seconds", "Time until all that waits is read; missing while nobody knows.", status["eta"])
    gauge("worker_memory_bytes", "The most memory that any worker ever held.", status["workers"]["memory"])
    gauge("notices", "How many things `guyverd status` says that somebody should know.", len(status["notices"]))
    _roots(status["roots"], family)
    for name, value in status["metrics"].items():
        _measure(name, value, family)
    return "\n".join(lines) + "\n"


Family = Callable[[str, str, str, Iterable[Sample]], None]


def _roots(roots: Iterable[Row], family: Family) -> None:
    """The photo folders, by their number from 1."""
    numbered = [({"root": str(number)}, root) for number, root in enumerate(roots, 1)]
    online = [("", label, float(root["state"] == "online")) for label, root in numbered]
    family("guyverd_root_online", "gauge", "1 where a photo folder is there, 0 where it is offline.", online)
    events = [("", label, float(root["watched"] == "events")) for label, root in numbered]
    family("guyverd_root_events", "gauge", "1 where a photo folder is watched by events, else 0.", events)
    files = [("", label, float(root["files"])) for label, root in numbered]
    family("guyverd_root_files", "gauge", "Pictures in a photo folder.", files)
    compared = [(label, _moment(root["last_full_scan"])) for label, root in numbered]
    family(
        "guyverd_root_last_full_scan_timestamp_seconds",
        "gauge",
        "When a photo folder was last compared with the catalogue in full.",
        [("", label, moment) for label, moment in compared if moment is not None],
    )


def _measure(name: str, value: Any, family: Family) -> None:
    measure = MEASURES[name]
    meaning = f"{measure.meaning[0].upper()}{measure.meaning[1:]}."
    told: list[tuple[Mapping[str, str], Any]] = (
        [({measure.label: label}, one) for label, one in value.items()] if measure.label else [({}, value)]
    )
    if measure.kind is Kind.SUMMARY:
        family(
            f"guyverd_{name}_seconds",
            "summary",
            meaning,
            [
                sample
                for label, one in told
                for sample in (("_sum", label, float(one["seconds"])), ("_count", label, float(one["count"])))
            ],
        )
        longest = [("", label, float(one["longest"])) for label, one in told]
        family(f"guyverd_{name}_longest_seconds", "gauge", f"{meaning} The longest.", longest)
        return
    suffix = "_total" if measure.kind is Kind.COUNTER else ""
    family(f"guyverd_{name}{suffix}", str(measure.kind), meaning, [("", label, float(one)) for label, one in told])


def _help(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _labels(labels: Mapping[str, str]) -> str:
    shown = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{shown}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


def _moment(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None


def write(path: Path, text: str) -> None:
    """Put `text` at `path`, whole or not at all, for everybody to read. Raises OSError."""
    # node_exporter runs as another user, and reads only what ends in .prom: what is half written does not.
    beside = path.parent / f".{path.name}.{os.getpid()}.part"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with contextlib.suppress(FileNotFoundError):
        beside.unlink()
    try:
        with open(os.open(beside, flags, 0o644), "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(text)
        beside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise


class Writer:
    """Keeps the file up to date, in a thread of its own, from `start` to `stop`."""

    def __init__(self, path: Path, state: Path, status: Callable[[], Row], every: float = EVERY) -> None:
        """`status` is `Library.status`, of a library that is in this process."""
        self._path = path
        self._label = library_label(state)
        self._status = status
        self._every = every
        self._ended = threading.Event()
        self._failing = ""
        self._thread = threading.Thread(target=self._run, name="prometheus", daemon=True)

    def start(self) -> None:
        """Write now, and then again and again."""
        self._thread.start()

    def stop(self) -> None:
        """Write no more, and remove the file."""
        self._ended.set()
        self._thread.join(timeout=5)
        with contextlib.suppress(OSError):
            self._path.unlink()

    def _run(self) -> None:
        while not self._ended.is_set():
            began = time.monotonic()
            self._once()
            self._ended.wait(max(self._every, _SHARE * (time.monotonic() - began)))

    def _once(self) -> None:
        try:
            text = exposition(self._status(), self._label, time.time())
            if not self._ended.is_set():
                write(self._path, text)
        except (OSError, GuyverError) as problem:
            # Told once: a disk that is full stays so for a while.
            told = getattr(problem, "strerror", None) or str(problem)
            if told != self._failing and not self._ended.is_set():
                log.warning("%s cannot be written: %s", self._path, told, extra={"file": str(self._path)})
            self._failing = told
        else:
            self._failing = ""
