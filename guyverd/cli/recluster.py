"""The command that groups all faces anew: it shows what would change, and makes it so when told to."""

from __future__ import annotations

import math

import click

from guyverd.cli import output
from guyverd.cli.format import NOTHING, files, number, plural
from guyverd.cli.format import person as person_text
from guyverd.cli.output import Column, Row
from guyverd.cli.session import Session, json_option, pass_session


def _whom(row: Row, end: str) -> str:
    if row[end] is not None:
        return person_text(row[end])
    return NOTHING if end == "was" or row["group"] is None else f"new {row['group']}"


def _somebody(row: Row) -> str:
    return f"new {row['group']}" if row["id"] is None else f"person {row['id']}"


_MOVES = [
    Column("face", lambda row: row["face"], right=True),
    Column("from", lambda row: _whom(row, "was")),
    Column("to", lambda row: _whom(row, "now")),
    Column("file", lambda row: files(row["files"]), long=True),
]

_PEOPLE = [
    Column("who", lambda row: row["who"]),
    Column("becomes", lambda row: row["what"]),
    Column("faces", lambda row: number(row["faces"]), right=True),
]


@click.command()
@click.option("--plan", is_flag=True, help="Only show what would change (so it is without --apply).")
@click.option("--apply", "apply_", is_flag=True, help="Make it so, as one decision that `guyverd undo` takes back.")
@click.option(
    "--strictness",
    metavar="X",
    type=click.FloatRange(-3.0, 3.0),
    help="Instead of the config's, this once: above 0 fewer people are mixed, below 0 fewer are split.",
)
@click.option("--expect", metavar="STAMP", help="With --apply: only the plan that was shown with this stamp.")
@json_option
@pass_session
def recluster(
    here: Session, *, plan: bool, apply_: bool, strictness: float | None, expect: str | None, as_json: bool
) -> None:
    """Show what would change if all faces were grouped anew.

    Nothing moves until --apply is given. Faces that you spoke of stay where you put them, and nobody with a name
    vanishes.

    \b
    Examples:
      guyverd recluster
      guyverd recluster --strictness -0.5
      guyverd recluster --apply --expect 0a1b2c3d4e
    """
    if plan and apply_:
        raise click.UsageError("--plan only shows, --apply makes it so: give one of them.")
    if strictness is not None and math.isnan(strictness):
        raise click.UsageError("--strictness is a number from -3 to 3.")
    if expect is not None and not apply_:
        raise click.UsageError("--expect needs --apply.")
    with here.library() as library:
        answer = library.recluster(apply_, strictness, expect)
    if as_json:
        output.record(answer)
        return
    looked_at = plural(answer["faces"], "face")
    if not answer["moved"]:
        output.say(f"Nothing would change: all of {looked_at} are where the grouping puts them.")
        return
    output.say(_summary(answer, looked_at))
    changes = [{"who": _somebody(row), "what": "somebody new", "faces": row["faces"]} for row in answer["appearing"]]
    changes += [{"who": f"person {row['id']}", "what": "nobody", "faces": row["faces"]} for row in answer["vanishing"]]
    if changes:
        output.table(_PEOPLE, changes, empty="")
    output.table(_MOVES, answer["moves"], empty="")
    if answer["decision"] is None:
        setting = "" if strictness is None else f"--strictness {strictness} "
        output.note(
            f"Nothing was changed. To make it so: guyverd recluster {setting}--apply --expect {answer['stamp']}"
        )
    else:
        output.note(f"To take it back: guyverd undo {answer['decision']}")


def _summary(answer: Row, looked_at: str) -> str:
    """The first line: how much would change, or did."""
    came, went = len(answer["appearing"]), len(answer["vanishing"])
    faces, decision = f"{answer['moved']:,} of {looked_at}", answer["decision"]
    if decision is not None:
        appeared = plural(came, "person", "people")
        return f"Decision {decision}: {faces} changed hands; {appeared} appeared, {went:,} vanished."
    people = plural(answer["people"], "person", "people")
    return f"{faces} would change hands; of {people} {went:,} would vanish, and {came:,} would appear."
