"""The command who: who is in any picture."""

from __future__ import annotations

import click

from guyverd.cli import output, session
from guyverd.cli.asking import NUMBERED
from guyverd.cli.format import decimal, person
from guyverd.cli.output import Column
from guyverd.cli.session import Session, absolute, json_option, pass_session

_WHO = [
    *NUMBERED,
    Column("quality", lambda row: decimal(row["quality"]), right=True),
    Column("person", lambda row: person(row["person"]), long=True),
    Column("evidence", lambda row: decimal(row["evidence"]), right=True),
    Column("runner-up", lambda row: None if row["runner_up"] is None else person(row["runner_up"]), long=True),
    Column(
        "evidence", lambda row: None if row["runner_up"] is None else decimal(row["runner_up"]["evidence"]), right=True
    ),
]


@click.command()
@click.argument("photo", metavar="PHOTO", type=click.Path())
@json_option
@pass_session
def who(here: Session, photo: str, as_json: bool) -> None:
    """Tell who is in a picture, face by face.

    The picture, or moment of a video, may lie anywhere and is not added to the library. Faces are numbered from left to
    right. Evidence tells by how much a face is more like the person than strangers are like it: 0 is as like as the
    most alike of them, and about 4 is enough in a library of some thousand faces.

    \b
    Examples:
      guyverd who ~/Downloads/party.jpg
      guyverd who clip.mp4@1:23
      guyverd who party.jpg --json | jq -r '.faces[].person.name'
    """
    asked = session.meant_picture(photo)
    with here.library() as library:
        answer = library.who(absolute(asked.query), at=asked.at)
    if as_json:
        output.record(answer)
    else:
        output.table(_WHO, answer["faces"], empty="There is no face in this picture.")
