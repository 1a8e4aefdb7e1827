"""What is done with photos and moments that were found: copied, linked, cut into clips, shown on a page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from guyverd.cli import copying, output, progress, session
from guyverd.cli.format import moment, plural
from guyverd.cli.output import Row
from guyverd.cli.session import Session

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Delivery:
    """Where to, and how."""

    copy_to: Path | None
    link_to: Path | None
    clips: bool
    exact: bool
    page: Path | None

    def __post_init__(self) -> None:
        """Raises click.UsageError for what does not go together."""
        if self.copy_to is not None and self.link_to is not None:
            raise click.UsageError("What is found is copied or linked, not both: give --copy-to or --link-to.")
        if self.clips and self.copy_to is None and self.link_to is None:
            raise click.UsageError("--clips goes with --copy-to or --link-to.")
        check_exact(clips=self.clips, exact=self.exact)


def check_exact(*, clips: bool, exact: bool) -> None:
    """Raises click.UsageError for --exact alone."""
    if exact and not clips:
        raise click.UsageError("--exact goes with --clips.")


def clip_options(command: F) -> F:
    """The options of every command that can cut clips."""
    exact = click.option(
        "--exact", is_flag=True, help="With --clips: encode them anew, from the very frame, which takes longer."
    )
    return click.option("--clips", is_flag=True, help="Of videos the moments alone, cut out, not the whole.")(
        exact(command)
    )


def options(command: F) -> F:
    """The options of every command that finds photos and moments."""
    where = click.Path(path_type=Path)
    command = click.option("--html", "page", type=where, metavar="FILE", help="Show them on a page, FILE.")(command)
    command = clip_options(command)
    command = click.option("--link-to", type=where, metavar="DIR", help="Put links to the originals into DIR.")(command)
    return click.option("--copy-to", type=where, metavar="DIR", help="Copy the found originals to DIR.")(command)


def deliver(here: Session, rows: Sequence[Row], how: Delivery, *, title: str, about: str = "") -> None:
    """Do it with rows as `Library.search` and `Library.together` give them, and tell on standard error what was done.

    `title` and `about` head the page.
    """
    folder = how.copy_to or how.link_to
    if folder is not None:
        whole = [row for row in rows if not (how.clips and row["kind"] == "video")]
        # A photo may be there several times: for each face that was found in it, or each moment.
        photos = list({row["photo"]: row["files"] for row in whole}.values())
        done = copying.copy(here, photos, folder) if how.link_to is None else copying.link(here, photos, folder)
        if how.clips:
            moments = [row for row in rows if row["kind"] == "video"]
            done = copying.added(done, copying.cut(here, moments, folder, exact=how.exact))
        copying.note_missing(done)
        output.note(copying.summary(done))
    if how.page is not None:
        with progress.steps("showing", len(rows)) as step:
            session.write_page(here.config, how.page, rows, title=title, about=about, each=step)
        output.note(f"{plural(len(rows), 'picture')} shown in {how.page.absolute()}.")


def file_text(row: Row) -> str:
    """A photo's file, or that of a video with the moment, and how many pictures are all but the same."""
    if row["file"] is None:
        return "(no file is there now)"
    text: str = row["file"]
    if row["start"] is not None:
        text += f" {moment(row['start'], row['end'])}"
    alike = len(row.get("duplicates") or ())
    return text + (f"  (and {alike} alike)" if alike else "")
