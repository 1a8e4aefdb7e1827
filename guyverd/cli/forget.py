"""`guyverd forget`: what would be forgotten for good, and the word that forgets it."""

from __future__ import annotations

import click

from guyverd.cli import output
from guyverd.cli.format import number, plural
from guyverd.cli.format import person as person_text
from guyverd.cli.output import Column, Row
from guyverd.cli.session import Session, json_option, pass_session

_FOLDERS = [
    Column("files", lambda row: number(row["files"]), right=True),
    Column("gone since", lambda row: row["since"]),
    Column("folder", lambda row: f"{row['root'].rstrip('/')}/{row['folder']}".rstrip("/") or "/", long=True),
]

_PEOPLE = [
    Column("person", person_text, long=True),
    Column("photos forgotten", lambda row: number(row["photos"]), right=True),
    Column("photos left", lambda row: number(row["left"]), right=True),
]


@click.command()
@click.option("--apply", "stamp", metavar="STAMP", help="Forget what was shown with that stamp, for good.")
@click.option("--dry-run", "dry", is_flag=True, help="Only show what would be forgotten (so it is without --apply).")
@json_option
@pass_session
def forget(here: Session, *, stamp: str | None, dry: bool, as_json: bool) -> None:
    """Show which photos are gone for good, and forget them.

    Few are forgotten by themselves, when they have been gone for `watch.removal_grace`. Where they are more than
    `watch.removal_limit` of the library, guyverd asks first: this shows what would be forgotten, where it was and who
    would lose photos, and with --apply and the stamp of what was shown forgets just that. Names are kept. No file is
    touched, and nothing is forgotten of a photo folder that is not there.

    \b
    Examples:
      guyverd forget
      guyverd forget --apply 65a1b2c3-0d4e5f6a7b
      guyverd forget --json | jq '.people[] | select(.left == 0) | .name'
    """
    if dry and stamp is not None:
        raise click.UsageError("--dry-run only shows, --apply forgets: give one of them.")
    with here.library() as library:
        answer = library.forget(stamp is not None, stamp)
    if as_json:
        output.record(answer)
        return
    output.say(_summary(answer))
    if not answer["photos"]:
        return
    if answer["folders"]:
        output.table(_FOLDERS, answer["folders"], empty="")
    if answer["more_folders"]:
        output.note(f"And {plural(answer['more_folders'], 'folder')} more.")
    if answer["people"]:
        output.table(_PEOPLE, answer["people"], empty="")
    if not answer["forgotten"]:
        output.note(f"Nothing was forgotten. To forget them for good: guyverd forget --apply {answer['stamp']}")


def _summary(row: Row) -> str:
    grace = f"Gone, but not for long enough: {plural(row['in_grace'], 'photo')}." if row["in_grace"] else ""
    if not row["photos"]:
        return f"Nothing is to be forgotten. {grace}".rstrip()
    verb = "Forgotten" if row["forgotten"] else "Would be forgotten"
    text = f"{verb}: {number(row['photos'])} of {plural(row['total'], 'photo')} with {plural(row['faces'], 'face')}"
    if row["spoken_of"]:
        text += f", of {number(row['spoken_of'])} of which you said whose they are"
    if row["replaced"]:
        text += f"; {number(row['replaced'])} of them were replaced by other photos in their place"
    if row["nameless"]:
        text += f"; {plural(row['nameless'], 'person', 'people')} without a name among those who lose some"
    return f"{text}. {grace}".rstrip()
