"""Log lines: for people by default, JSON for machines by flag; always to standard error, one line each.

Whatever is told of a file names it in full. For machines it stands in fields of its own beside the message: `file`,
`root`, `photo` and `person`, which a call passes as `extra`. Of lines that are alike only some are written (`calm`),
and the last of all are kept (`journal`).
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime

from guyverd.service.calm import HOUR, MOST, Calm, Rest, Verdict
from guyverd.service.journal import Journal, about, moment

_FURTHER = "Further lines like the one above are counted and told together when the hour is over."


def configure(level: str, *, as_json: bool, journal: Journal | None = None) -> Log:
    """Send everything of `level` and above to standard error, and keep the last lines in `journal`."""
    handler = Log(journal or Journal())
    handler.setFormatter(_Json() if as_json else _Plain())
    root = logging.getLogger("guyverd")
    for former in root.handlers:
        if isinstance(former, Log):
            former.close()
    root.handlers = [handler]
    root.propagate = False
    root.setLevel(level.upper())
    return handler


class Log(logging.StreamHandler):  # type: ignore[type-arg]  # it is generic only for type checkers
    """Writes lines, but of each kind only so many in an hour; `close` tells what was left out."""

    def __init__(
        self, journal: Journal, *, most: int = MOST, span: float = HOUR, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(sys.stderr)
        self._journal = journal
        self._clock = clock
        self._calm: Calm[tuple[str, int, int], logging.LogRecord] = Calm(most, span)
        self._timer: threading.Timer | None = None

    @property
    def held_back(self) -> int:
        """Lines that were counted and not written."""
        return self._calm.held_back

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, or count it; whoever calls holds the lock."""
        if record.levelno <= logging.DEBUG:
            # Who asked for everything gets it.
            self._write(record)
            return
        self._tell()
        kind = record.pathname, record.lineno, record.levelno
        verdict = self._calm.judge(kind, record, self._clock())
        if verdict is Verdict.COUNTED:
            self._wake_when_due()
            return
        self._write(record)
        if verdict is Verdict.LAST:
            self._write(_like(record, _FURTHER))

    def tell(self, *, at_once: bool = False) -> None:
        """Write what was counted, where its hour is over."""
        self.acquire()
        try:
            self._timer = None
            self._tell(at_once=at_once)
            self._wake_when_due()
        finally:
            self.release()

    def close(self) -> None:
        """Write what was counted and not told, and nothing more."""
        self.tell(at_once=True)
        self.acquire()
        try:
            if self._timer is not None:
                self._timer.cancel()
        finally:
            self.release()
        super().close()

    def _tell(self, *, at_once: bool = False) -> None:
        for rest in self._calm.over(self._clock(), at_once=at_once):
            self._write(_summed_up(rest))

    def _write(self, record: logging.LogRecord) -> None:
        self._journal.note(record)
        super().emit(record)

    def _wake_when_due(self) -> None:
        # Perhaps nothing else is written for days.
        due = self._calm.due()
        if due is not None and self._timer is None:
            self._timer = threading.Timer(max(0.0, due - self._clock()) + 1.0, self.tell)
            self._timer.daemon = True
            self._timer.start()


def _summed_up(rest: Rest[logging.LogRecord]) -> logging.LogRecord:
    record = rest.last
    return _like(record, "%d more lines like this one were left out: %s", rest.count, record.getMessage())


def _like(record: logging.LogRecord, text: str, *given: object) -> logging.LogRecord:
    """Another line of the same level, about the same thing."""
    made = logging.LogRecord(record.name, record.levelno, record.pathname, record.lineno, text, given, None)
    made.__dict__.update(about(record) if given else {})
    return made


def _safe(text: str) -> str:
    """Names from disk may hold anything: what would move the cursor or break the line is shown escaped."""
    return "".join(
        char if char.isprintable() or char == " " else char.encode("unicode_escape", "backslashreplace").decode("ascii")
        for char in text
    )


class _Plain(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        level = "" if record.levelno <= logging.INFO else f"{record.levelname.capitalize()}: "
        line = f"{when} {level}{_safe(record.getMessage())}"
        if not record.exc_info:
            return line
        # An exception may hold a name from disk too: indented, no part of it can pass for a line of the log.
        trace = self.formatException(record.exc_info).split("\n")
        return "\n".join([line, *(f"    {_safe(part)}" for part in trace)])


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        row = {
            "at": moment(record),
            "level": record.levelname.lower(),
            "from": record.name,
            "message": record.getMessage(),
            **about(record),
        }
        if record.exc_info:
            row["exception"] = self.formatException(record.exc_info)
        return json.dumps(row)
