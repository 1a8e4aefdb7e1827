"""Commands about saved searches, whose folders fill with what enters the library: follow, follows, unfollow."""

from __future__ import annotations

import sys

import click

from guyverd.cli import asking, completion, output, session
from guyverd.cli.format import number, person, plural
from guyverd.cli.output import Column, Row
from guyverd.cli.search import Query
from guyverd.cli.session import Session, absolute, json_option, pass_session
from guyverd.errors import UnknownPerson, WhomToFollow

_FOLLOWS = [
    Column("id", lambda row: row["id"], right=True),
    Column("name", lambda row: row["name"], long=True),
    Column("follows", lambda row: row["shows"], long=True),
    Column("person", lambda row: None if row["person"] is None else person(row["person"]), long=True),
    Column("puts", lambda row: ("copies" if row["form"] == "copy" else "links") + ", clips" * row["clips"]),
    Column("delivered", lambda row: number(row["delivered"]), right=True),
    Column("waiting", lambda row: number(row["waiting"]), right=True),
    Column("folder", lambda row: row["folder"], long=True),
]


@click.command()
@click.argument("query", metavar="QUERY", type=Query())
@click.option("--as", "name", required=True, metavar="NAME", help="What to call it.")
@click.option(
    "--to", "folder", required=True, type=click.Path(file_okay=False), metavar="DIR", help="Where to put what is found."
)
@click.option("--face", type=click.IntRange(min=1), metavar="N", help="Which face of QUERY, from 1, left to right.")
@click.option("--copy", is_flag=True, help="Copy the originals.")
@click.option("--link", is_flag=True, help="Link to the originals; so it is done where nothing else is said.")
@click.option("--clips", is_flag=True, help="Of videos the moments alone, cut out, not the whole.")
@click.option("--past", is_flag=True, help="Also what is in the library already.")
@json_option
@pass_session
def follow(
    here: Session,
    *,
    query: str,
    name: str,
    folder: str,
    face: int | None,
    copy: bool,
    link: bool,
    clips: bool,
    past: bool,
    as_json: bool,
) -> None:
    """Put all that shows somebody into a folder, from now on.

    QUERY is a picture, a moment of a video as in clip.mp4@1:23, or a person's number or name, as in search. Whatever
    enters the library and shows that person is linked or copied to DIR, whether anybody has a name or not.

    \b
    Examples:
      guyverd follow ~/kid.jpg --as "Our kid" --to ~/Kid
      guyverd follow Alice --as "For Alice" --to /media/usb/alice --copy --clips --past
    """
    if copy and link:
        raise click.UsageError("What is found is copied or linked, not both.")
    asked = session.meant(query)
    where = absolute(folder)
    how = {key: value for key, value in (("copy", copy), ("clips", clips), ("past", past)) if value}
    with here.library() as library:
        if asked.person:
            if face is not None:
                raise click.UsageError(f"--face is for a picture, and there is no file {query}.")
            try:
                row = library.follow(asked.query, name, where, person=True, **how)
            except UnknownPerson:
                raise session.nobody(query) from None
        else:
            path = absolute(asked.query)
            try:
                row = library.follow(path, name, where, face, at=asked.at, **how)
            except WhomToFollow:
                if as_json or not (output.interactive(sys.stdin) and output.interactive(sys.stdout)):
                    raise
                chosen = asking.which_face(here, path, library.search(path, 1, at=asked.at))
                if chosen is None:
                    raise
                row = library.follow(path, name, where, chosen, at=asked.at, **how)
    if as_json:
        output.record(row)
        return
    said = f"{row['name']}: what shows {_whom(row)} is {_done(row)} {row['folder']} from now on"
    if past:
        said += f"; {number(row['delivered'])} there, {number(row['waiting'])} to come"
    output.say(f"{said}.")
    _note_problems([row])


@click.command()
@json_option
@pass_session
def follows(here: Session, as_json: bool) -> None:
    """List the saved searches.

    \b
    Examples:
      guyverd follows
      guyverd follows --json | jq -r 'select(.problem) | .name'
    """
    with here.library() as library:
        rows = list(library.follows())
    if as_json:
        output.lines(rows)
    else:
        output.table(_FOLLOWS, rows, empty="Nobody is followed; `guyverd follow` begins it.")
        _note_problems(rows)


@click.command()
@click.argument("name", metavar="NAME", shell_complete=completion.follows)
@json_option
@pass_session
def unfollow(here: Session, name: str, as_json: bool) -> None:
    """End a saved search, told by its name or number.

    What it put into its folder stays there.

    \b
    Examples:
      guyverd unfollow "Our kid"
    """
    with here.library() as library:
        row = library.unfollow(name)
    if as_json:
        output.record(row)
    else:
        left = f"; the {plural(row['delivered'], 'file')} in {row['folder']} stay" if row["delivered"] else ""
        output.say(f"{row['name']} ended{left}.")


def _whom(row: Row) -> str:
    return row["shows"] if row["person"] is None else person(row["person"])


def _done(row: Row) -> str:
    return "copied to" if row["form"] == "copy" else "linked to"


def _note_problems(rows: list[Row]) -> None:
    for row in rows:
        if row["problem"] is not None:
            output.note(f"{row['name']}: {row['problem']}")
