"""The command review: questions about who is who, answered with single keys."""

from __future__ import annotations

import os
import shutil
import sys

import click

from guyverd.cli import completion, output, session
from guyverd.cli.format import decimal, number, plural
from guyverd.cli.graphics import WAYS, best_way
from guyverd.cli.keys import Keys
from guyverd.cli.output import Column, Row
from guyverd.cli.people import NewName
from guyverd.cli.reviewing import Review, sentence
from guyverd.cli.session import Session, json_option, pass_session

_LIST = [
    Column("question", lambda row: row["question"]),
    Column("what", sentence, long=True),
    Column("settles", lambda row: number(row["settles"]), right=True),
    Column("likely", lambda row: decimal(row["likely"]), right=True),
    Column("evidence", lambda row: decimal(row["evidence"]), right=True),
]


@click.command()
@click.option("-n", "count", type=click.IntRange(min=1), default=20, show_default=True, help="How many questions.")
@click.option(
    "--pictures",
    type=click.Choice(WAYS),
    default="auto",
    show_default=True,
    help="How faces are shown in the terminal.",
)
@click.option(
    "--answer",
    "answer_",
    metavar="ID ANSWER",
    type=(str, click.Choice(("yes", "no", "skip", "hide"))),
    help="Answer one question of the list: yes, no, skip or hide.",
)
@click.option(
    "--but", type=click.IntRange(min=1), metavar="N", multiple=True, help="Except the Nth that is asked about."
)
@click.option("--name", metavar="NAME", type=NewName(), help="With yes to who: somebody new of that name.")
@click.option("--person", metavar="P", shell_complete=completion.people, help="With yes to who: this person.")
@json_option
@pass_session
def review(
    here: Session,
    *,
    count: int,
    pictures: str,
    answer_: tuple[str, str] | None,
    but: tuple[int, ...],
    name: str | None,
    person: str | None,
    as_json: bool,
) -> None:
    """Answer questions about who is who.

    What settles most faces is asked first, with faces to look at. Each answer is one key and is recorded at once; u
    takes it back. Away from a terminal, and with --json, the questions are listed.

    \b
    Examples:
      guyverd review
      guyverd review --json | jq -r .question
      guyverd review --answer who-12 yes --name Alice
    """
    if answer_ is None and (but or name or person):
        raise click.UsageError("--but, --name and --person go with --answer.")
    if answer_ is not None and answer_[1] == "skip" and (but or name or person):
        raise click.UsageError("A question that is skipped takes no --but, --name or --person.")
    with here.library() as library:
        if answer_ is not None:
            done = library.answer(answer_[0], answer_[1], but, name=name, person=person)
            if as_json:
                output.record(done)
            else:
                output.say(_told(done))
        elif as_json:
            output.lines(library.review(count))
        elif not (output.interactive(sys.stdin) and output.interactive(sys.stdout)):
            output.table(_LIST, library.review(count), empty="There is nothing to ask.")
        else:
            way = best_way(os.environ, sys.stdout) if pictures == "auto" else pictures
            with Keys(sys.stdin.fileno()) as keys, session.pictures(here.config) as faces:
                Review(library, keys, way, shutil.get_terminal_size().columns, faces).run(count)


def _told(done: Row) -> str:
    if not done["decisions"]:
        return (
            "It is not asked for a while." if done["answer"] == "skip" else "Nothing changed: that was decided already."
        )
    numbers = ", ".join(str(one) for one in done["decisions"])
    if done["answer"] == "hide":
        return f"Decision {numbers}: hidden; no folder, and not asked about again."
    return f"Decision {numbers}: {plural(done['moved'], 'face')} changed hands."
