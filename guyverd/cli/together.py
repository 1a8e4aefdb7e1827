"""Commands about when people are seen: together, timeline."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from guyverd.cli import albums, completion, delivering, output
from guyverd.cli.delivering import Delivery
from guyverd.cli.format import NOTHING, number, width
from guyverd.cli.output import Column, Row
from guyverd.cli.search import filters
from guyverd.cli.session import Session, absolute, json_option, pass_session

_ACROSS = 40
"""Characters of the longest bar."""
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_FEW = 2
"""Months in a row in which there is nothing are listed up to so many; more are told by their number."""

_TOGETHER = [
    Column("taken", lambda row: row["taken_at"]),
    Column("file", delivering.file_text, long=True),
]


@click.command()
@click.argument("people", metavar="P...", nargs=-1, required=True, shell_complete=albums.company)
@filters
@delivering.options
@json_option
@pass_session
def together(
    here: Session,
    *,
    people: tuple[str, ...],
    since: str | None,
    until: str | None,
    within: str | None,
    without: tuple[str, ...],
    kind: str | None,
    copy_to: Path | None,
    link_to: Path | None,
    clips: bool,
    exact: bool,
    page: Path | None,
    as_json: bool,
) -> None:
    """Find photos, and moments of videos, that show several people.

    Each P is a person's number or name, or several of them as in "Alice & Bob". In a video it is the time at which all
    of them are seen at once.

    \b
    Examples:
      guyverd together Alice Bob
      guyverd together "Alice & Bob" --since 2023 --copy-to ~/us --clips
      guyverd together Alice Bob --without Carol --json | jq -r .file
    """
    delivery = Delivery(copy_to, link_to, clips, exact, page)
    folder = None if within is None else absolute(within)
    with here.library() as library:
        found = library.together(
            list(people), since=since, until=until, within=folder, without=list(without), kind=kind
        )
        rows = list(found)
    if as_json:
        output.lines(rows)
    elif delivery.page is None or not rows:
        output.table(_TOGETHER, rows, empty="Nothing shows them all.")
    if rows:
        delivering.deliver(here, rows, delivery, title=" & ".join(people))


@click.command()
@click.argument("person", metavar="P", shell_complete=completion.people)
@json_option
@pass_session
def timeline(here: Session, *, person: str, as_json: bool) -> None:
    """Show in which months somebody is seen, and how often.

    P is a person's number or name. A bar counts photos and videos together.

    \b
    Examples:
      guyverd timeline Alice
      guyverd timeline Alice --json | jq -r 'select(.videos > 0) | .month'
    """
    with here.library() as library:
        rows = list(library.timeline(person))
    if as_json:
        output.lines(rows)
        return
    if not rows:
        output.note("No photo of this person is there now.")
        return
    for line in chart(rows, plain=not _has_blocks()):
        output.say(line)


def chart(rows: list[Row], *, plain: bool = False) -> list[str]:
    """Months as lines with a bar, rows as `Library.timeline` gives them; months between of which nothing is told too.

    `plain` draws bars of # only.
    """
    most = max(row["photos"] + row["videos"] for row in rows)
    cells = [("month", "photos", "videos", "")]
    before: int | None = None
    for row in rows:
        now = None if row["month"] is None else _months(row["month"])
        if now is not None and before is not None:
            cells += _between(before, now)
        before = now
        counts = number(row["photos"]), number(row["videos"]) if row["videos"] else NOTHING
        bar = _bar((row["photos"] + row["videos"]) / most, plain=plain)
        cells.append((row["month"] or "undated", *counts, bar))
    widths = [max(width(line[at]) for line in cells) for at in range(3)]
    return [
        f"{month:<{widths[0]}}  {photos:>{widths[1]}}  {videos:>{widths[2]}}  {bar}".rstrip()
        for month, photos, videos, bar in cells
    ]


def _months(month: str) -> int:
    """Months since the year 0."""
    year, number = month.split("-")
    return int(year) * 12 + int(number) - 1


def _between(before: int, now: int) -> list[tuple[str, str, str, str]]:
    """Lines for the months between two of which something is told."""
    empty = range(before + 1, now)
    if len(empty) > _FEW:
        return [("…", "", "", f"({len(empty)} months without any)")]
    return [(f"{month // 12:04}-{month % 12 + 1:02}", NOTHING, NOTHING, "") for month in empty]


def _bar(share: float, *, plain: bool) -> str:
    """A bar for 0 < share <= 1; it is never so short that it is not seen."""
    if plain:
        return "#" * max(1, round(share * _ACROSS))
    eighths = max(1, round(share * _ACROSS * 8))
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def _has_blocks() -> bool:
    """Whether blocks can be written where the answer goes."""
    try:
        _EIGHTHS.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError, AttributeError):
        return False
    return True
