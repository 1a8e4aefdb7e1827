"""Commands about saved albums, the folders of photos that show several people together: album, albums."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from guyverd.cli import completion, output, saved
from guyverd.cli.format import number, plural, told
from guyverd.cli.output import Column, Row
from guyverd.cli.session import Session, dry_option, json_option, pass_session

_ALBUMS = [
    Column("id", lambda row: row["id"], right=True),
    Column("title", lambda row: row["title"], long=True),
    Column("shows", saved.shown_in, long=True),
    Column("photos", lambda row: number(row["photos"]), right=True),
    Column("left out", lambda row: number(row["left_out"]), right=True),
    Column("folder", lambda row: row["folder"], long=True),
]


def company(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names, also those that may follow an &."""
    found = completion.people(ctx, param, incomplete)
    _, mark, last = incomplete.rpartition("&")
    if mark:
        begun = incomplete[: len(incomplete) - len(last.lstrip())]
        found += [CompletionItem(begun + item.value) for item in completion.people(ctx, param, last.lstrip())]
    return found


@click.command()
@click.argument("people", metavar="P...", nargs=-1, required=True, shell_complete=company)
@click.option("--since", metavar="DAY", help="The first day: YYYY, YYYY-MM or YYYY-MM-DD.")
@click.option("--until", metavar="DAY", help="The last day, likewise; a year or month counts whole.")
@click.option("--title", metavar="T", help="What it is called, instead of its people and days.")
@click.option("--rename", metavar="T", help="Give the album that is named another title.")
@click.option("--remove", is_flag=True, help="Take away the album that is named, and its folder.")
@dry_option
@json_option
@pass_session
def album(
    here: Session,
    *,
    people: tuple[str, ...],
    since: str | None,
    until: str | None,
    title: str | None,
    rename: str | None,
    remove: bool,
    dry: bool,
    as_json: bool,
) -> None:
    """Keep a folder of the photos that show several people.

    Each P is a person's number or name, or several of them as in "Alice & Bob". The folder follows: new photos that
    show all of them appear in it. With --rename and --remove, P is the title or number of an album.

    \b
    Examples:
      guyverd album "Alice & Bob" --since 2023
      guyverd album Alice Bob 31 --until 2019-08 --title "Before the move"
      guyverd album "Before the move" --remove
    """
    if rename is None and not remove:
        with here.library() as library:
            _tell(library.album(list(people), title, since, until, dry), as_json)
        return
    if rename is not None and remove:
        raise click.UsageError("An album is renamed or removed, not both.")
    if (since, until, title) != (None, None, None):
        raise click.UsageError("--since, --until and --title are for a new album.")
    if len(people) > 1:
        raise click.UsageError("Name one album, in quotes if its title has several words.")
    with here.library() as library:
        if rename is not None:
            answer = library.album_rename(people[0], rename, dry)
        else:
            answer = library.album_remove(people[0], dry)
    _tell(answer, as_json)


@click.command()
@json_option
@pass_session
def albums(here: Session, as_json: bool) -> None:
    """List the saved albums, by title.

    \b
    Examples:
      guyverd albums
      guyverd albums --json | jq -r .folder
    """
    with here.library() as library:
        if as_json:
            output.lines(library.albums())
        else:
            output.table(_ALBUMS, library.albums(), empty="No album is saved; `guyverd album` saves one.")


def _tell(row: Row, as_json: bool) -> None:
    if as_json:
        output.record(row)
    elif row["decision"] is None:
        output.say(f"{told(row, '').removesuffix('.')}; {_contents(row)}")
    else:
        contents = "" if row["album"]["now"] is None else f"; {_contents(row)}"
        output.say(told(row, saved.sentence(row["album"]) + contents))


def _contents(row: Row) -> str:
    if not row["photos"]:
        return "no photo is in it yet, so it has no folder"
    where = f", folder {row['folder']}" if row["folder"] else ""
    return f"{plural(row['photos'], 'photo')}{where}"
