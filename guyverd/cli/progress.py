"""Progress on standard error: a bar on a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

from guyverd.cli import output
from guyverd.cli.format import duration, number, plural

if TYPE_CHECKING:
    from rich.live import Live
    from rich.progress import Progress

Row = dict[str, Any]

POLL = 0.25
"""Seconds between two looks."""
LINE_EVERY = 5.0
"""Seconds between two lines where nobody watches a bar."""

_PHASES = {
    "scanning": "looking for files",
    "reading": "reading photos",
    "filming": "reading videos",
    "grouping": "grouping faces",
    "publishing": "updating folders",
    "idle": "done",
}


class _Display(Protocol):
    def show(self, now: Row) -> None: ...


def follow(
    first: Row,
    look: Callable[[], Row],
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> Row:
    """Show the pass that `first` began until it is over; returns its last state. `look` asks for the next one."""
    now = first
    with _bar() if output.interactive(sys.stderr) else contextlib.nullcontext(_Lines(clock)) as display:
        while True:
            display.show(now)
            if not now["busy"]:
                return now
            sleep(POLL)
            now = look()


def describe(now: Row) -> str:
    """A pass in one line."""
    return ", ".join(filter(None, (_phase(now), _position(now), _figures(now))))


def _phase(now: Row) -> str:
    return _PHASES.get(str(now["phase"]), str(now["phase"]))


def _position(now: Row) -> str:
    left = f", {duration(now['eta'])} left" if now["busy"] and now["eta"] is not None else ""
    what, done, total = _counted(now)
    return f"{number(int(done))} of {plural(total, what)}{left}" if total else ""


def _counted(now: Row) -> tuple[str, float, int]:
    """What is counted now, how many are done (of the videos in hand, their shares), and how many there are."""
    if now.get("videos_total") and (now["phase"] == "filming" or not now["photos_total"]):
        return "video", now["videos_done"] + sum(film["share"] for film in now["films"]), now["videos_total"]
    return "photo", now["photos_done"], now["photos_total"]


def _figures(now: Row) -> str:
    figures = [f"{plural(now['files_found'], 'file')} found", plural(now["faces"], "face")]
    long = [film for film in now.get("films", []) if film["share"]]
    figures += [f"{100 * film['share']:.0f} % of {os.path.basename(film['file'])}" for film in long[:1]]
    figures += [plural(now["failures"], "failure")] if now["failures"] else []
    figures += [f"{now['rate']:.1f} photos/s"] if now["rate"] else []
    return ", ".join(figures)


class _Lines:
    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.next = clock() + LINE_EVERY

    def show(self, now: Row) -> None:
        if now["busy"] and self.clock() >= self.next:
            output.note(describe(now))
            self.next = self.clock() + LINE_EVERY


class _Bar:
    """Two lines: the phase with its bar, and the figures, so that both fit on a terminal of 80 columns."""

    def __init__(self, progress: Progress, live: Live) -> None:
        self.progress = progress
        self.live = live
        self.task = progress.add_task("", total=None, phase="", position="")

    def show(self, now: Row) -> None:
        from rich.console import Group
        from rich.text import Text

        _, done, total = _counted(now)
        self.progress.update(
            self.task,
            completed=done,
            total=total or None,  # none yet: the bar only pulses
            phase=_phase(now),
            position=_position(now),
        )
        figures = Text(_figures(now), no_wrap=True, overflow="ellipsis")
        self.live.update(Group(self.progress, figures), refresh=True)


@contextlib.contextmanager
def _bar() -> Iterator[_Display]:
    from rich.live import Live
    from rich.progress import BarColumn, TextColumn

    progress = _rich(
        TextColumn("{task.fields[phase]}", markup=False),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[position]}", markup=False),
    )
    progress.expand = True
    # Drawn at every look and not by a thread of rich's own: one clock is enough. Notes appear above the bar.
    live = Live(console=progress.console, auto_refresh=False, transient=True, redirect_stdout=False)
    with live:
        yield _Bar(progress, live)


@contextlib.contextmanager
def steps(what: str, total: int) -> Iterator[Callable[[], object]]:
    """A bar for `total` equal steps; call what is yielded after each. Silent where there is no terminal."""
    if not output.interactive(sys.stderr):
        yield lambda: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    with _rich(TextColumn(what, markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()) as progress:
        task = progress.add_task("", total=total)
        yield lambda: progress.advance(task)


def _rich(*columns: Any) -> Progress:
    from rich.console import Console
    from rich.progress import Progress

    # Standard output is data: rich must not divert it through its own console.
    return Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False)
