"""Where everything the command line says is written.

Data goes to standard output, as JSON or as tables; notes and errors go to standard error. On a terminal tables fit it;
elsewhere they are plain columns that are never folded, so that paths can be searched and copied.
"""

from __future__ import annotations

import codecs
import contextlib
import json
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice, zip_longest
from typing import IO, Any

from guyverd.cli.format import safe, width
from guyverd.errors import GuyverError

Row = dict[str, Any]

_PAGE = 1000
"""Rows whose widths are measured together: a library's faces may be millions, so they are never all held."""
_NARROWEST = 8
"""A column is not folded any further; a terminal for which that is too wide wraps lines itself."""
_ASCII = {"–": "-", "…": "...", "×": "x", "─": "-"}


class ReaderGone(Exception):
    """Whoever read our standard output has closed it, as `head` does."""


class OutputLost(GuyverError):
    """The output could not be written: {detail}."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    title: str
    show: Callable[[Row], object]
    """The cell of a row; None is shown as a dash."""
    right: bool = False
    """Numbers stand to the right."""
    long: bool = False
    """Folded where the terminal is narrow; other columns keep their width."""


# ---- streams ---------------------------------------------------------------------------------------------------------


def prepare_streams() -> None:
    """Make sure that no character can fail to be written, whatever the encoding of the terminal or the pipe."""
    codecs.register_error("guyverd", _replace)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="guyverd")


def _replace(problem: UnicodeError) -> tuple[str, int]:
    if not isinstance(problem, UnicodeEncodeError):
        raise problem
    failed = problem.object[problem.start : problem.end]
    shown = (_ASCII.get(char) or char.encode("ascii", "backslashreplace").decode("ascii") for char in failed)
    return "".join(shown), problem.end


def interactive(stream: IO[str] | None) -> bool:
    """Whether a person looks at this stream."""
    return stream is not None and stream.isatty()


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    """Tell a failing standard output from any other OSError, such as a broken connection to the daemon."""
    try:
        yield
    except BrokenPipeError as problem:
        raise ReaderGone from problem
    except OSError as problem:
        raise OutputLost(detail=problem.strerror or problem) from problem


def _write(text: str) -> None:
    if sys.stdout is not None:
        with _writing():
            sys.stdout.write(text)


def flush() -> None:
    """Bring out what was written. Raises ReaderGone or OutputLost."""
    if sys.stdout is not None:
        with _writing():
            sys.stdout.flush()


def discard() -> None:
    """Send the rest of standard output nowhere, so that closing it at exit cannot fail a second time."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


# ---- data ------------------------------------------------------------------------------------------------------------


def record(row: Mapping[str, Any]) -> None:
    """One JSON object on one line, in ASCII: a path that is not UTF-8 survives as lone surrogates."""
    _write(json.dumps(row) + "\n")


def lines(rows: Iterable[Mapping[str, Any]]) -> None:
    """JSON Lines, each written as it comes."""
    for row in rows:
        record(row)


def say(text: str = "") -> None:
    """One line of the answer, for people."""
    _write(safe(text) + "\n")


def draw(text: str) -> None:
    """Something for a terminal as it is, with its own escapes: a picture."""
    _write(text)


def table(columns: Sequence[Column], rows: Iterable[Row], *, empty: str) -> None:
    """A table for people; `empty` is noted when there are no rows."""
    left = iter(rows)
    page = list(islice(left, _PAGE))
    if not page:
        note(empty)
    elif interactive(sys.stdout):
        import shutil

        across = shutil.get_terminal_size().columns
        while page:
            _drawn_table(columns, page, across)
            page = list(islice(left, _PAGE))
    else:
        _plain_table(columns, page, left)


def _cells(columns: Sequence[Column], row: Row) -> list[str]:
    return [safe(column.show(row)) for column in columns]


def _plain_table(columns: Sequence[Column], page: list[Row], left: Iterator[Row]) -> None:
    measured = [[column.title for column in columns], *(_cells(columns, row) for row in page)]
    widths = [max(width(cells[at]) for cells in measured) for at in range(len(columns))]
    for cells in chain(measured, (_cells(columns, row) for row in left)):
        _write(_in_columns(columns, widths, cells) + "\n")


def _drawn_table(columns: Sequence[Column], page: list[Row], across: int) -> None:
    """A page of rows with titles above, no wider than the terminal: long cells are folded, none is cut."""
    cells = [_cells(columns, row) for row in page]
    widths = [max(width(column.title), *(width(row[at]) for row in cells)) for at, column in enumerate(columns)]
    _narrow(columns, widths, across)
    bold, plain = ("\x1b[1m", "\x1b[0m") if os.environ.get("TERM", "dumb") not in ("dumb", "unknown") else ("", "")
    titles = _in_columns(columns, widths, [column.title for column in columns])
    lines = [f"{bold}{titles}{plain}", "─" * min(across, sum(widths) + 2 * len(widths) - 2)]
    for row in cells:
        if all(width(cell) <= wanted for cell, wanted in zip(row, widths, strict=True)):
            lines.append(_in_columns(columns, widths, row))
        else:
            folded = [_folded(cell, wanted) for cell, wanted in zip(row, widths, strict=True)]
            lines += (_in_columns(columns, widths, part) for part in zip_longest(*folded, fillvalue=""))
    _write("\n".join(lines) + "\n\n")


def _narrow(columns: Sequence[Column], widths: list[int], across: int) -> None:
    """Take from the widest of the long columns until the table fits or nothing sensible is left of them."""
    long = [at for at, column in enumerate(columns) if column.long]
    while long and (over := sum(widths) + 2 * len(widths) - 2 - across) > 0:
        order = sorted(long, key=lambda at: -widths[at])
        widest = widths[order[0]]
        if widest <= _NARROWEST:
            return
        next_ = widths[order[1]] if len(order) > 1 else 0
        widths[order[0]] = max(_NARROWEST, widest - over, min(next_, widest - 1))


def _in_columns(columns: Sequence[Column], widths: Sequence[int], cells: Sequence[str]) -> str:
    padded = []
    for cell, column, wanted in zip(cells, columns, widths, strict=True):
        space = " " * (wanted - width(cell))
        padded.append(space + cell if column.right else cell + space)
    return "  ".join(padded).rstrip()


def _folded(text: str, across: int) -> list[str]:
    """Pieces of at most so many columns; what has no width of its own stays with what it follows."""
    if text.isascii():
        return [text[start : start + across] for start in range(0, len(text), across)] or [""]
    pieces, current, taken = [], "", 0
    for char in text:
        wide = width(char)
        if taken + wide > across and current:
            pieces.append(current)
            current, taken = "", 0
        current, taken = current + char, taken + wide
    return [*pieces, current]


# ---- notes and errors ------------------------------------------------------------------------------------------------


def note(text: str) -> None:
    """One line on standard error; lost silently when nobody can read it."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(safe(text) + "\n")
            sys.stderr.flush()


class _Notes(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        note(record.getMessage())


@contextlib.contextmanager
def logging_as_notes() -> Iterator[None]:
    """Show what the library warns of while it works in this process; its lines hold file names."""
    logger, handler = logging.getLogger("guyverd"), _Notes(logging.WARNING)
    before = logger.propagate
    logger.propagate = False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = before


def fail(message: str, hint: str = "") -> None:
    """An error in one line."""
    note(f"guyverd: {message} {hint}".rstrip())
