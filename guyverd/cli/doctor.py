"""doctor: what is wrong, and what to type to cure it."""

from __future__ import annotations

import click

from guyverd.cli import output, session
from guyverd.cli.session import Session, json_option, pass_session
from guyverd.errors import CheckFailed

_MARKS = {"ok": "ok", "unknown": "?", "warning": "warning", "fault": "FAULT"}
_ORDER = ("ok", "unknown", "warning", "fault")


@click.command()
@json_option
@pass_session
def doctor(here: Session, as_json: bool) -> None:
    """Tell what is wrong and what to type to cure it.

    It works whether the daemon runs, hangs or cannot start. Exits with 13 when there is a fault; warnings and what
    could not be looked at do not count.

    \b
    Examples:
      guyverd doctor
      guyverd --config ~/wedding.yaml doctor
      guyverd doctor --json | jq '.checks[] | select(.verdict != "ok")'
    """
    rows = []
    for row in session.examine(here.path):
        rows.append(row)
        if not as_json:
            output.say(f"{_MARKS[row['verdict']]:<8} {row['name']:<16} {row['detail']}")
            if row["cure"]:
                output.say(f"{'':<25} cure: {row['cure']}")
            output.flush()
    verdicts = [row["verdict"] for row in rows]
    if as_json:
        output.record({"verdict": max(verdicts, key=_ORDER.index, default="ok"), "checks": rows})
    faults = verdicts.count("fault")
    if faults:
        failed = CheckFailed(count=faults, total=len(rows))
        failed.hint = "Each line marked FAULT is followed by its cure."
        raise failed
