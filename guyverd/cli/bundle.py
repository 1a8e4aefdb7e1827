"""bundle: a report for whoever is to help, without pictures or names."""

from __future__ import annotations

import time
from pathlib import Path

import click

from guyverd.cli import output, session
from guyverd.cli.format import size
from guyverd.cli.output import Column
from guyverd.cli.session import Session, json_option, pass_session


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path), metavar="[FILE.tar.gz]")
@json_option
@pass_session
def bundle(here: Session, file: Path | None, as_json: bool) -> None:
    """Collect a report for whoever is to help.

    It holds no picture, no name, no path and no face: what the doctor found, versions, settings, counts, timings and
    the last lines of the log, with everything of yours replaced. It works whatever is broken. Look into it before you
    send it. Without FILE.tar.gz it gets a name with the time, in this folder.

    \b
    Examples:
      guyverd bundle
      guyverd bundle ~/report.tar.gz
      guyverd bundle report.tar.gz --json | jq -r .file
    """
    target = (file or Path(time.strftime("guyverd-bundle-%Y%m%d-%H%M%S.tar.gz"))).absolute()
    answer = session.bundle(here.path, target)
    if as_json:
        output.record(answer)
        return
    columns = [
        Column("in it", lambda row: row["name"]),
        Column("size", lambda row: size(row["size"]), right=True),
        Column("what it tells", lambda row: row["about"], long=True),
    ]
    output.table(columns, answer["contents"], empty="Nothing could be collected.")
    output.say(f"Written: {answer['file']} ({size(answer['size'])}). Nothing was sent.")
    output.say("It should hold no picture, name or path of yours. Look into it before you send it:")
    output.say(f"  tar -xzOf {answer['file']} | less")
