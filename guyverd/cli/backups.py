"""`guyverd backup`, `backups` and `restore`: the catalogue kept safe."""

from __future__ import annotations

from pathlib import Path

import click

from guyverd.cli import output, session
from guyverd.cli.format import number, plural, size
from guyverd.cli.output import Column, Row
from guyverd.cli.session import Session, json_option, pass_session

PLACE = click.Path(path_type=Path)


@click.command()
@click.argument("to", type=PLACE, required=False, metavar="[FILE|DIR]")
@json_option
@pass_session
def backup(here: Session, to: Path | None, as_json: bool) -> None:
    """Save everything that guyverd knows in one file.

    That is the catalogue: who is who, what you said, and what was found in the photos; not the photos themselves. It is
    of one moment, also while the daemon runs. Without a place it goes where the daemon puts those it makes by itself;
    a FILE that is a backup of this library is replaced, and nothing else ever is.

    \b
    Examples:
      guyverd backup
      guyverd backup /mnt/disk/
      guyverd backup /mnt/disk/family.tar.gz --json
    """
    # A slash at its end says that it is a folder, which a path alone would not keep.
    place = None if to is None else to.absolute()
    row = session.backup(here.config, place)
    if as_json:
        output.record(row)
        return
    output.say(f"{row['file']}: {_content(row)}, {size(row['size'])}.")


@click.command()
@json_option
@pass_session
def backups(here: Session, as_json: bool) -> None:
    """List the backups, newest first.

    Those are listed that lie where the daemon puts those it makes by itself.

    \b
    Examples:
      guyverd backups
      guyverd backups --json | jq -r .file
    """
    columns = [
        Column("made", lambda row: row["at"]),
        Column("decisions", lambda row: number(row["decisions"]), right=True),
        Column("names", lambda row: number(row["named"]), right=True),
        Column("faces", lambda row: number(row["faces"]), right=True),
        Column("photos", lambda row: number(row["photos"]), right=True),
        Column("size", lambda row: size(row["size"]), right=True),
        Column("file", lambda row: row["file"], long=True),
    ]
    rows = session.backups(here.config)
    if as_json:
        output.lines(rows)
    else:
        output.table(columns, rows, empty="There is no backup yet; `guyverd backup` makes one.")


@click.command()
@click.argument("file", type=PLACE, metavar="FILE")
@click.option("--check", is_flag=True, help="Only prove that it could be restored; change nothing.")
@json_option
@pass_session
def restore(here: Session, file: Path, check: bool, as_json: bool) -> None:
    """Put a backup in the place of the catalogue, once it is proved.

    It is read whole and compared with what it says of itself. What is there now is moved aside and never deleted. The
    daemon must not run. When it starts again, photos added since are read again, and the people folder is made as it
    was: what was done there since counts for nothing, and files of your own stay.

    \b
    Examples:
      guyverd restore /mnt/disk/family.tar.gz
      guyverd restore family.tar.gz --check
    """
    row = session.restore(here.config, file.absolute(), check=check)
    if as_json:
        output.record(row)
        return
    if not row["restored"]:
        output.say(f"{row['file']} is sound: {_content(row)}, of {row['at']}.")
        return
    output.say(f"Restored from {row['file']}: {_content(row)}, of {row['at']}.")
    if row["aside"] is not None:
        output.note(f"What was there before is in {row['aside']}; delete it when you are content.")
    if row["other"]:
        output.note("It is of another library than the one that was there.")


def _content(row: Row) -> str:
    return (
        f"{plural(row['decisions'], 'decision')}, {plural(row['named'], 'person', 'people')} with a name, "
        f"{plural(row['faces'], 'face')} in {plural(row['photos'], 'photo')}"
    )
