"""The last lines of the log, kept in memory, and in the state folder when the daemon ends: for `guyverd bundle`.

Each is kept with what it was made from, its fixed text and what was filled in, so that a report for strangers can leave
out the one and keep the other.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import threading
import traceback
from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from guyverd.errors import GuyverError

Row = dict[str, Any]

FIELDS = ("file", "root", "photo", "person")
"""What a line may be about: an absolute path, a photo folder, numbers of the catalogue."""
NAME = "last-log.json"
"""Of the file in the state folder."""
_MOST = 500
_LONGEST = 4000
"""Characters of any text; what is longer was made by a broken file, and its end tells nothing."""
_LARGEST = 16_000_000
"""Bytes; a file that is larger is not ours."""


class Journal:
    """The last lines; of any thread."""

    def __init__(self, most: int = _MOST) -> None:
        self._rows: deque[Row] = deque(maxlen=most)
        self._lock = threading.Lock()

    def note(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        with self._lock:
            self._rows.append(_row(record))

    def give_up(self, problem: GuyverError) -> None:
        """Keep why the program ended."""
        row = {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "level": "critical",
            "from": __name__,
            "message": f"{problem.message} {problem.advice}".strip()[:_LONGEST],
            "template": "%s",
            "arguments": [problem.message[:_LONGEST]],
            "exception": {"type": type(problem).__name__, "text": problem.message[:_LONGEST], "frames": []},
        }
        with self._lock:
            self._rows.append(row)

    def rows(self) -> list[Row]:
        """The lines, oldest first, as `Library.journal` gives them."""
        with self._lock:
            return list(self._rows)

    def save(self, state: Path) -> None:
        """Put them into the state folder; where that cannot be, they are lost, and nobody minds."""
        beside = state / f".{NAME}.part"
        with contextlib.suppress(OSError):
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            with open(os.open(beside, flags, 0o600), "w", encoding="ascii") as file:
                json.dump(self.rows(), file)
            beside.replace(state / NAME)


def last_lines(state: Path) -> list[Row]:
    """The last lines of the daemon that ended last; none where they were not kept, or cannot be read."""
    try:
        path = state / NAME
        if path.stat().st_size > _LARGEST:
            return []
        found = json.loads(path.read_text(encoding="ascii"))
    except (OSError, ValueError, RecursionError):
        return []
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def moment(record: logging.LogRecord) -> str:
    """When a line was written: UTC, ISO 8601, milliseconds."""
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def about(record: logging.LogRecord) -> Row:
    """What a line is about, of `FIELDS`."""
    return {name: record.__dict__[name] for name in FIELDS if record.__dict__.get(name) is not None}


def _row(record: logging.LogRecord) -> Row:
    given = record.args if isinstance(record.args, tuple) else () if record.args is None else (record.args,)
    row = {
        "at": moment(record),
        "level": record.levelname.lower(),
        "from": record.name,
        "message": record.getMessage()[:_LONGEST],
        "template": str(record.msg)[:_LONGEST],
        "arguments": [_plain(value) for value in given],
        **about(record),
    }
    if record.exc_info and record.exc_info[0] is not None:
        kind, problem, trace = record.exc_info
        row["exception"] = {"type": kind.__name__, "text": str(problem)[:_LONGEST], "frames": frames(trace)}
    return row


def _plain(value: object) -> object:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else str(value)[:_LONGEST]


def frames(trace: TracebackType | None) -> list[Row]:
    """Where in the program a problem arose, outermost first: {`module`, `line`, `function`}.

    A module is told by its path below its package: no folder of this machine is in it.
    """
    return [
        {"module": _below_package(item.filename), "line": item.lineno, "function": item.name}
        for item in _tail(traceback.extract_tb(trace), 50)
    ]


def _tail(items: Iterable[traceback.FrameSummary], most: int) -> list[traceback.FrameSummary]:
    return list(items)[-most:]


def _below_package(path: str) -> str:
    parts = path.split("/")
    for root in ("site-packages", "dist-packages", "guyverd"):
        if root in parts:
            at = len(parts) - 1 - parts[::-1].index(root)
            return "/".join(parts[at if root == "guyverd" else at + 1 :])
    return parts[-1]
