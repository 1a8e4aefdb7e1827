"""`guyverd folders`: how the people folder stands, and what to do where it waits for a word."""

from __future__ import annotations

import click

from guyverd.cli import output
from guyverd.cli.format import plural
from guyverd.cli.output import Row
from guyverd.cli.session import Session, dry_option, json_option, pass_session


@click.command()
@click.argument("action", type=click.Choice(("status", "resume", "rebuild")), default="status")
@click.option("--accept", is_flag=True, help="With resume: what was done there is your word, however much it is.")
@dry_option
@json_option
@pass_session
def folders(here: Session, *, action: str, accept: bool, dry: bool, as_json: bool) -> None:
    """Show how the people folder stands, or put it in order.

    status tells whether it is kept or waits for a word, and what was done there that is not taken up yet. resume goes
    on after too much was changed there at once: everything is made as it was, or with --accept what was done counts.
    rebuild looks at every link and makes those anew that are not as they should be; what you put there stays.

    \b
    Examples:
      guyverd folders
      guyverd folders resume --accept
      guyverd folders rebuild --dry-run
    """
    if accept and action != "resume":
        raise click.UsageError("--accept goes with resume.")
    if action == "status":
        with here.library() as library:
            answer = library.folders()
        lines = _standing(answer)
    elif action == "resume":
        with here.library() as library:
            answer = library.folders_resume(accept, dry)
        lines = [_resumed(answer)]
    else:
        with here.library() as library:
            answer = library.folders_rebuild(dry)
        lines = [_rebuilt(answer)]
    if as_json:
        output.record(answer)
        return
    for note in (*(f"You {act}." for act in answer.get("acts", ())), *answer.get("problems", ())):
        output.note(note)
    for line in lines:
        output.say(line)


def _standing(row: Row) -> list[str]:
    count = row["folders"]
    lines = [
        f"People folder:  {row['path']}",
        f"State:          {row['state']}" + (f": {row['detail']}" if row["detail"] else ""),
        f"Watched:        {row['watched']}",
        f"Folders:        {count['named']} of people with a name, {count['unnamed']} without, "
        f"{count['albums']} of albums",
        f"Links:          {row['count']} ({row['links']}, by {row['layout']}), {row['placed']} where you put them",
        f"Put there:      {plural(row['own'], 'photo')} of yours, {row['waiting']} not read yet",
    ]
    if row["asked"]:
        lines.append(f"To answer:      {plural(row['asked'], 'question')}; `guyverd review` asks")
    lines += [f"Done there:     you {change}" for change in row["changes"]]
    if row["more_changes"]:
        lines.append(f"                and {row['more_changes']} more")
    return lines


def _resumed(row: Row) -> str:
    number = len(row["acts"]) + row["more_acts"]
    verb = "would be" if row["dry_run"] else "was" if number == 1 else "were"
    return f"{plural(number, 'change')} {verb} {'taken as your word' if row['accepted'] else 'put back'}."


def _rebuilt(row: Row) -> str:
    made = f"{'Would be made' if row['dry_run'] else 'Made'}: {plural(row['made'], 'link')}"
    return f"{made}; removed: {row['removed']}; folders renamed: {row['renamed']}."
