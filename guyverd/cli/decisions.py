"""Commands that put right who is who, and take it back: confirm, reject, split, same, different, hide, undo, log."""

from __future__ import annotations

from collections.abc import Sequence

import click

from guyverd.cli import completion, output, saved
from guyverd.cli.format import NOTHING, plural, told
from guyverd.cli.format import person as person_text
from guyverd.cli.output import Column, Row
from guyverd.cli.people import NewName
from guyverd.cli.session import Session, absolute, dry_option, json_option, pass_session


def sentence(row: Row) -> str:
    """What a decision says, in words: a row of the log, or the `subject` of an undo."""
    faces = row["faces"]
    who, other = person_text(row["person"]), person_text(row["other"])
    several = f"{plural(len(faces), 'face')} {'is' if len(faces) == 1 else 'are'}"
    two = " and ".join(str(face) for face in faces)
    if row["kind"] == "undo" and row.get("subject"):
        about = row["subject"]
        told = "is made again" if about["again"] else "is undone"
        return f"decision {about['decision']} {told}: {sentence(about)}"
    if row["kind"] == "album":
        return saved.sentence(row["album"])
    if row["kind"] == "same" and row["person"] is not None:
        joined = "" if row["other"] is None else f", with {other}"
        return f"faces {two} are one person, {who}{joined}"
    texts = {
        "name": f"{who} is called {row['name'] or NOTHING}",
        "merge": f"{other} is part of {who}",
        "confirm": f"{several} {who}",
        "reject": f"{several} not {who}",
        "split": f"{several} not {who} but {other}",
        "hide": f"{who} is hidden",
        "unhide": f"{who} is shown again",
        "same": f"faces {two} may be one person, though seen together",
        "different": f"faces {two} are two people" if faces else f"{who} and {other} are two people",
        "box": f"face {two} was drawn by hand" + ("" if row["person"] is None else f", it is {who}"),
        "apply": (
            "a plan for the whole library was applied"
            if row["person"] is None
            else f"{who} was evidently several people and was parted"
        ),
    }
    kind: str = row["kind"]
    return texts.get(kind, kind)


def _inferred(row: Row) -> str:
    return sentence(row) + ("" if row["source"] is None else f", because you {row['source']}")


def _whose(person: int | None) -> str:
    return NOTHING if person is None else f"person {person}"


_LOG = [
    Column("decision", lambda row: row["decision"], right=True),
    Column("at", lambda row: row["at"]),
    Column("by", lambda row: row["author"]),
    Column("what", _inferred, long=True),
    Column("faces moved", lambda row: row["moved"], right=True),
    Column("undone by", lambda row: row["undone_by"], right=True),
]

_STORY = [
    *_LOG[:4],
    Column("from", lambda row: _whose(row["moves"][0]["was"]) if row["moves"] else ""),
    Column("to", lambda row: _whose(row["moves"][0]["now"]) if row["moves"] else ""),
    _LOG[5],
]


def face_text(text: str) -> str:
    """A face as the library takes it: a number as it is, a file as an absolute path."""
    return text if text.isascii() and text.isdigit() else absolute(text)


def _faces(texts: Sequence[str]) -> list[str]:
    return [face_text(text) for text in texts]


def tell(row: Row, as_json: bool) -> None:
    """What came of a decision, or would come, in one line."""
    if as_json:
        output.record(row)
    else:
        output.say(told(row, "" if row["decision"] is None else sentence(row)))


@click.command()
@click.argument("person", metavar="P", shell_complete=completion.people)
@click.argument("faces", metavar="[FACE]...", nargs=-1, shell_complete=completion.faces)
@dry_option
@json_option
@pass_session
def confirm(here: Session, person: str, faces: tuple[str, ...], *, dry: bool, as_json: bool) -> None:
    """Say that faces are P, for good.

    P is a person's number or name. A FACE is a number as `guyverd faces` lists it, or a file of the library: FILE, or
    FILE#2 for the second face from the left, or VIDEO@0:12 for whoever is seen in a video then. Without any, all faces
    that P has now are confirmed.

    \b
    Examples:
      guyverd confirm Alice
      guyverd confirm Alice 311 ~/Pictures/party.jpg#2 ~/Videos/party.mp4@0:12
    """
    with here.library() as library:
        tell(library.confirm(person, _faces(faces), dry), as_json)


@click.command()
@click.argument("person", metavar="P", shell_complete=completion.people)
@click.argument("faces", metavar="FACE...", nargs=-1, required=True, shell_complete=completion.faces)
@dry_option
@json_option
@pass_session
def reject(here: Session, person: str, faces: tuple[str, ...], *, dry: bool, as_json: bool) -> None:
    """Say that faces are not P; they are never P again.

    P is a person's number or name. A FACE is a number, FILE or FILE#2, as for `guyverd confirm`; of a FILE that shows
    several faces, the one of P is meant.

    \b
    Examples:
      guyverd reject Alice 311
      guyverd reject Alice ~/People/Alice/party.jpg
    """
    with here.library() as library:
        tell(library.reject(person, _faces(faces), dry), as_json)


@click.command()
@click.argument("person", metavar="P", shell_complete=completion.people)
@click.argument("faces", metavar="FACE...", nargs=-1, required=True, shell_complete=completion.faces)
@click.option("--name", "new_name", metavar="NAME", type=NewName(), help="What the new person is called.")
@dry_option
@json_option
@pass_session
def split(
    here: Session, person: str, faces: tuple[str, ...], *, new_name: str | None, dry: bool, as_json: bool
) -> None:
    """Make a new person of some of P's faces.

    P is a person's number or name. A FACE is a number, FILE or FILE#2, as for `guyverd confirm`; of a FILE that shows
    several faces, the one of P is meant. The two are never made one again by themselves.

    \b
    Examples:
      guyverd split Alice 311 312 340
      guyverd split Alice ~/People/Alice/1999*.jpg --name "Alice's mother"
    """
    with here.library() as library:
        tell(library.split(person, _faces(faces), new_name, dry), as_json)


@click.command()
@click.argument("face", metavar="F", shell_complete=completion.faces)
@click.argument("other", metavar="G", shell_complete=completion.faces)
@dry_option
@json_option
@pass_session
def same(here: Session, face: str, other: str, *, dry: bool, as_json: bool) -> None:
    """Say that two faces are one person.

    F and G are numbers of faces, FILE or FILE#2. They may be in one photo, as with a mirror or a collage. If they
    belong to two people these become one, unless both have a name.

    \b
    Examples:
      guyverd same 311 4802
      guyverd same mirror.jpg#1 mirror.jpg#2
    """
    with here.library() as library:
        tell(library.same(face_text(face), face_text(other), dry), as_json)


@click.command()
@click.argument("face", metavar="F", shell_complete=completion.people_if_asked)
@click.argument("other", metavar="G", shell_complete=completion.people_if_asked)
@click.option("--people", is_flag=True, help="F and G are people, by number or name, and not faces.")
@dry_option
@json_option
@pass_session
def different(here: Session, *, face: str, other: str, people: bool, dry: bool, as_json: bool) -> None:
    """Say that two faces, or two people, are not the same.

    F and G are numbers of faces, FILE or FILE#2. If they are one person now, the face that was not confirmed leaves,
    else the poorer one. With --people they are two people, who are never made one by themselves.

    \b
    Examples:
      guyverd different 311 4802
      guyverd different --people Alice 31
    """
    with here.library() as library:
        if people:
            answer = library.different(face, other, True, dry)
        else:
            answer = library.different(face_text(face), face_text(other), False, dry)
    tell(answer, as_json)


@click.command()
@click.argument("person", metavar="P", shell_complete=completion.shown_people)
@dry_option
@json_option
@pass_session
def hide(here: Session, person: str, *, dry: bool, as_json: bool) -> None:
    """Keep a person out of the folders and lists.

    P is a person's number or name. The faces stay theirs, so that new photos of them are quiet too.

    \b
    Examples:
      guyverd hide 31
      guyverd hide "The lady in the background"
    """
    with here.library() as library:
        tell(library.hide(person, dry), as_json)


@click.command()
@click.argument("person", metavar="P", shell_complete=completion.hidden_people)
@dry_option
@json_option
@pass_session
def unhide(here: Session, person: str, *, dry: bool, as_json: bool) -> None:
    """Give a hidden person a folder again.

    P is a person's number or name.

    \b
    Examples:
      guyverd unhide 31
    """
    with here.library() as library:
        tell(library.unhide(person, dry), as_json)


@click.command()
@click.argument("decision", metavar="[ID]", type=click.IntRange(min=1), required=False)
@dry_option
@json_option
@pass_session
def undo(here: Session, decision: int | None, *, dry: bool, as_json: bool) -> None:
    """Take back your last decision, or the one numbered ID.

    ID may be any decision that `guyverd log` lists, also one of guyverd's own merges: the two are kept apart then.
    Faces go back where they were, unless something else was said of them since.

    \b
    Examples:
      guyverd undo
      guyverd undo 41
    """
    with here.library() as library:
        tell(library.undo(decision, dry), as_json)


@click.command()
@click.argument("decision", metavar="[ID]", type=click.IntRange(min=1), required=False)
@dry_option
@json_option
@pass_session
def redo(here: Session, decision: int | None, *, dry: bool, as_json: bool) -> None:
    """Make a decision again that was undone.

    It is the one that was undone last, or the one numbered ID.

    \b
    Examples:
      guyverd redo
      guyverd redo 41
    """
    with here.library() as library:
        tell(library.redo(decision, dry), as_json)


@click.command()
@click.argument("person", metavar="[P]", required=False, shell_complete=completion.people)
@click.option("--face", metavar="FACE", help="Only what concerns this face: its number, FILE or FILE#2.")
@json_option
@pass_session
def log(here: Session, person: str | None, face: str | None, as_json: bool) -> None:
    """Tell all decisions, or the story of a person or face.

    P is a person's number or name. The newest stands last.

    \b
    Examples:
      guyverd log
      guyverd log Alice
      guyverd log --face 311
    """
    with here.library() as library:
        rows = library.log(person, None if face is None else face_text(face))
        if as_json:
            output.lines(rows)
        else:
            output.table(_LOG if face is None else _STORY, rows, empty="Nothing was decided.")
