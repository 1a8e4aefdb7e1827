"""Commands that ask about any picture: who, search."""

from __future__ import annotations

from pathlib import Path

import click

from guyverd.cli import copying, output
from guyverd.cli.format import box_size, decimal, person, plural
from guyverd.cli.output import Column
from guyverd.cli.session import Session, absolute, json_option, pass_session

_NUMBERED = [
    Column("face", lambda row: row["number"], right=True),
    Column("left, top", lambda row: f"{row['box'][0]}, {row['box'][1]}"),
    Column("size", lambda row: box_size(row["box"])),
]

_WHO = [
    *_NUMBERED,
    Column("quality", lambda row: decimal(row["quality"]), right=True),
    Column("person", lambda row: person(row["person"]), long=True),
    Column("evidence", lambda row: decimal(row["evidence"]), right=True),
    Column("runner-up", lambda row: None if row["runner_up"] is None else person(row["runner_up"]), long=True),
    Column(
        "evidence", lambda row: None if row["runner_up"] is None else decimal(row["runner_up"]["evidence"]), right=True
    ),
]

_FOUND = [
    Column("evidence", lambda row: decimal(row["evidence"]), right=True),
    Column("distance", lambda row: decimal(row["distance"], 3), right=True),
    Column("face", lambda row: row["face"], right=True),
    Column(
        "person",
        lambda row: None if row["person"] is None else person({"id": row["person"], "name": row["name"]}),
        long=True,
    ),
    Column("file", lambda row: row["file"], long=True),
]


@click.command()
@click.argument("photo", metavar="PHOTO", type=click.Path())
@json_option
@pass_session
def who(here: Session, photo: str, as_json: bool) -> None:
    """Tell who is in a picture, face by face.

    The picture may lie anywhere and is not added to the library. Faces are numbered from left to right. Evidence tells
    by how much a face is more like the person than strangers are like it: 0 is as like as the most alike of them, and
    about 4 is enough in a library of some thousand faces.

    \b
    Examples:
      guyverd who ~/Downloads/party.jpg
      guyverd who party.jpg --json | jq -r '.faces[].person.name'
    """
    with here.library() as library:
        answer = library.who(absolute(photo))
    if as_json:
        output.record(answer)
    else:
        output.table(_WHO, answer["faces"], empty="There is no face in this picture.")


@click.command()
@click.argument("photo", metavar="PHOTO", type=click.Path())
@click.option("-k", "k", type=click.IntRange(min=1), default=20, show_default=True, help="How many faces to find.")
@click.option("--face", type=click.IntRange(min=1), metavar="N", help="Which face of PHOTO, from 1, left to right.")
@click.option("--copy-to", type=click.Path(path_type=Path), metavar="DIR", help="Copy the found originals to DIR.")
@json_option
@pass_session
def search(here: Session, *, photo: str, k: int, face: int | None, copy_to: Path | None, as_json: bool) -> None:
    """Find the faces most like one in a picture, and their photos.

    When PHOTO shows several faces and --face does not choose one, they are shown numbered and nothing is searched or
    copied. With --json there is one line for each face found; in the case without a choice there is one line only, an
    object with "faces" (the numbered faces) and "results" (empty). The exit code is 0 in either case.

    \b
    Examples:
      guyverd search ~/Downloads/alice.jpg
      guyverd search party.jpg --face 2 -k 100 --copy-to ~/found
      guyverd search alice.jpg --json | jq -r 'select(.evidence > 4) | .file'
    """
    with here.library() as library:
        answer = library.search(absolute(photo), k, face)
    if answer["face"] is None:
        if as_json:
            output.record({key: answer[key] for key in ("path", "faces", "results")})
        else:
            output.table(_NUMBERED, answer["faces"], empty="There is no face in this picture.")
        output.note(f"{plural(len(answer['faces']), 'face')} in this picture: choose one with --face N.")
        return
    if as_json:
        output.lines(answer["results"])
    else:
        output.table(_FOUND, answer["results"], empty="No face in the library is like this one.")
    if copy_to is not None:
        # One photo may hold several of the faces found, one above the other in the list.
        photos = {row["photo"]: [row["file"]] for row in answer["results"]}
        result = copying.copy(here, list(photos.values()), copy_to)
        copying.note_missing(result)
        output.note(copying.summary(result))
