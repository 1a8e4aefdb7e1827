"""The command for a face that was not found: box."""

from __future__ import annotations

import click

from guyverd.cli import completion, output
from guyverd.cli.format import person as person_text
from guyverd.cli.format import told
from guyverd.cli.people import NewName
from guyverd.cli.session import Session, absolute, dry_option, json_option, pass_session


@click.command(context_settings={"ignore_unknown_options": True})  # -5 is no option but a number that is refused
@click.argument("photo", metavar="PHOTO", type=click.Path())
@click.argument("left", metavar="LEFT", type=int)
@click.argument("top", metavar="TOP", type=int)
@click.argument("right", metavar="RIGHT", type=int)
@click.argument("bottom", metavar="BOTTOM", type=int)
@click.option(
    "--person", metavar="P", shell_complete=completion.people, help="Whose face it is; P is a number or a name."
)
@click.option("--name", "new_name", metavar="NAME", type=NewName(), help="It is somebody new, of this name.")
@dry_option
@json_option
@pass_session
def box(
    here: Session,
    *,
    photo: str,
    left: int,
    top: int,
    right: int,
    bottom: int,
    person: str | None,
    new_name: str | None,
    dry: bool,
    as_json: bool,
) -> None:
    """Add a face that was not found.

    PHOTO is a photo of the library; the box is in pixels of the upright picture. It need not be exact: any box around
    the face will do. Without --person or --name the face is compared with all others, like one that was found.
    `guyverd undo` takes it away again.

    \b
    Examples:
      guyverd box ~/Pictures/party.jpg 410 120 520 250 --person Alice
      guyverd box ~/Pictures/party.jpg 410 120 520 250 --name "Alice Liddell"
      guyverd box party.jpg 410 120 520 250 --json | jq .face
    """
    if person is not None and new_name is not None:
        raise click.UsageError("--person says who it is, --name that it is somebody new: give one of them.")
    with here.library() as library:
        answer = library.box(absolute(photo), [left, top, right, bottom], person, new_name, dry)
    if as_json:
        output.record(answer)
        return
    whose = "nobody knows yet whose it is"
    if answer["person"] is not None:
        whose = "it is " + person_text({"id": answer["person"], "name": answer["name"]})
    elif dry:
        whose = "it would be compared with all others"
    where = f"; folder {answer['folder']}" if answer["folder"] and not dry else ""
    output.say(told(answer, f"face {answer['face']} is added, {whose}") + where)
