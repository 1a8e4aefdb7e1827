"""Log lines: for people by default, JSON for machines by flag; always to standard error, one line each."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime


def configure(level: str, *, as_json: bool) -> None:
    """Send everything of `level` and above to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if as_json else _Plain())
    root = logging.getLogger("guyverd")
    root.handlers = [handler]
    root.propagate = False
    root.setLevel(level.upper())


def _safe(text: str) -> str:
    """Names from disk may hold anything: what would move the cursor or break the line is shown escaped."""
    return "".join(
        char if char.isprintable() or char == " " else char.encode("unicode_escape", "backslashreplace").decode("ascii")
        for char in text
    )


class _Plain(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        level = "" if record.levelno <= logging.INFO else f"{record.levelname.capitalize()}: "
        line = f"{moment} {level}{_safe(record.getMessage())}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        row = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "from": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            row["exception"] = self.formatException(record.exc_info)
        return json.dumps(row)
