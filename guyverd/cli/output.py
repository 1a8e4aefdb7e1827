"""Where everything the command line says is written.

Data goes to standard output, as JSON or as tables; notes and errors go to standard error. Tables are drawn by rich on a
terminal only; elsewhere they are plain columns that are never cut, so that paths can be searched and copied.
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
from itertools import chain, islice
from typing import IO, Any

from guyverd.cli.format import safe, width
from guyverd.errors import GuyverError

Row = dict[str, Any]

_PAGE = 1000
"""Rows whose widths are measured together: a library's faces may be millions, so they are never all held."""
_ASCII = {"–": "-", "…": "...", "×": "x"}


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


def table(columns: Sequence[Column], rows: Iterable[Row], *, empty: str) -> None:
    """A table for people; `empty` is noted when there are no rows."""
    left = iter(rows)
    page = list(islice(left, _PAGE))
    if not page:
        note(empty)
    elif interactive(sys.stdout):
        while page:
            _rich_table(columns, page)
            page = list(islice(left, _PAGE))
    else:
        _plain_table(columns, page, left)


def _cells(columns: Sequence[Column], row: Row) -> list[str]:
    return [safe(column.show(row)) for column in columns]


def _plain_table(columns: Sequence[Column], page: list[Row], left: Iterator[Row]) -> None:
    measured = [[column.title for column in columns], *(_cells(columns, row) for row in page)]
    widths = [max(width(cells[at]) for cells in measured) for at in range(len(columns))]
    for cells in chain(measured, (_cells(columns, row) for row in left)):
        padded = []
        for cell, column, wanted in zip(cells, columns, widths, strict=True):
            space = " " * (wanted - width(cell))
            padded.append(space + cell if column.right else cell + space)
        _write("  ".join(padded).rstrip() + "\n")


def _rich_table(columns: Sequence[Column], page: list[Row]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        justify = "right" if column.right else "left"
        drawn.add_column(Text(column.title), justify=justify, overflow="fold", no_wrap=not column.long)  # type: ignore[arg-type]
    for row in page:
        # Text, not str: what looks like markup or an emoji code in a name is just its characters.
        drawn.add_row(*(Text(cell) for cell in _cells(columns, row)))
    with _writing():
        Console(file=sys.stdout, markup=False, emoji=False, highlight=False).print(drawn)


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
