"""The command search: photos, and moments of videos, that show somebody."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from guyverd.cli import asking, completion, delivering, output, session
from guyverd.cli.delivering import Delivery
from guyverd.cli.format import decimal, person, plural, sure
from guyverd.cli.output import Column, Row
from guyverd.cli.session import Session, absolute, json_option, pass_session
from guyverd.errors import UnknownPerson

if TYPE_CHECKING:
    from pathlib import Path

    from guyverd.service.api import Library

_FOUND = [
    Column("sure", lambda row: sure(row["confidence"]), right=True),
    Column("distance", lambda row: decimal(row["distance"], 3), right=True),
    Column("margin", lambda row: decimal(row["margin"]), right=True),
    Column(
        "person",
        lambda row: None if row["person"] is None else person({"id": row["person"], "name": row["name"]}),
        long=True,
    ),
    Column("found by", lambda row: "person" if row["through"] else "likeness"),
    Column("file", delivering.file_text, long=True),
]
_LIKELY = 0.01
"""How sure something has to be that is shown where nothing is said of that: what is less has nothing to do with it."""
_UNDECIDED = ("path", "faces", "results", "at", "width", "height")


class Query(click.ParamType[str]):
    """PICTURE, VIDEO@TIME or PERSON."""

    name = "query"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """As it is, if it is anything."""
        if not value:
            self.fail("Nothing was asked about.", param, ctx)
        return value

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Names that begin like that, and files."""
        return [*completion.people(ctx, param, incomplete), *completion.faces(ctx, param, incomplete)]


def filters(command: session.F) -> session.F:
    """Options of every command that finds photos and moments: which of them."""
    for option in (
        click.option("--type", "kind", type=click.Choice(("photo", "video")), help="Only photos, or only videos."),
        click.option(
            "--without", metavar="P", multiple=True, shell_complete=completion.people, help="Not where P is seen too."
        ),
        click.option(
            "--in", "within", type=click.Path(file_okay=False), metavar="DIR", help="Only what lies below this folder."
        ),
        click.option("--until", metavar="DAY", help="The last day, likewise; a year or month counts whole."),
        click.option("--since", metavar="DAY", help="The first day: YYYY, YYYY-MM or YYYY-MM-DD."),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("query", metavar="QUERY", type=Query())
@click.option(
    "-k", "k", type=click.IntRange(min=1), metavar="K", help="How many, the most sure.  [default: 20 that are likely]"
)
@click.option("--all", "every", is_flag=True, help="All that is sure enough, however many.")
@click.option("--face", type=click.IntRange(min=1), metavar="N", help="Which face of QUERY, from 1, left to right.")
@click.option(
    "--with", "company", metavar="P", multiple=True, shell_complete=completion.people, help="Where P is seen too."
)
@filters
@click.option("--min-score", "least", type=click.FloatRange(0, 1), metavar="X", help="At least so sure, 0 to 1.")
@click.option("--direct", is_flag=True, help="By likeness to the face alone, not as a face of the person.")
@click.option("--duplicates", is_flag=True, help="Each of several pictures that are all but the same.")
@delivering.options
@json_option
@pass_session
def search(
    here: Session,
    *,
    query: str,
    k: int | None,
    every: bool,
    face: int | None,
    since: str | None,
    until: str | None,
    within: str | None,
    company: tuple[str, ...],
    without: tuple[str, ...],
    kind: str | None,
    least: float | None,
    direct: bool,
    duplicates: bool,
    copy_to: Path | None,
    link_to: Path | None,
    clips: bool,
    exact: bool,
    page: Path | None,
    as_json: bool,
) -> None:
    """Find photos, and moments of videos, that show somebody.

    QUERY is a picture, a moment of a video as in clip.mp4@1:23, or a person's number or name. When a picture shows
    several faces and --face does not choose one, they are shown numbered, and you are asked which.

    \b
    Examples:
      guyverd search ~/Downloads/alice.jpg
      guyverd search party.jpg --face 2 --all --copy-to ~/found --clips
      guyverd search Alice --with Bob --since 2023 --json | jq -r .file
    """
    delivery = Delivery(copy_to, link_to, clips, exact, page)
    if every and k is not None:
        raise click.UsageError("-k and --all contradict each other.")
    options: Row = {"every": every, "since": since, "until": until, "company": company, "without": without}
    options |= {"kind": kind, "least": least, "direct": direct, "duplicates": duplicates}
    options["within"] = None if within is None else absolute(within)
    given = {name: value for name, value in options.items() if value is not None and value is not False and value != ()}
    narrowed = bool({"since", "until", "within", "company", "without", "kind", "least"} & set(given))
    if not every and k is None and least is None:
        given["least"] = _LIKELY
    asked = session.meant(query)
    with here.library() as library:
        if asked.person:
            answer = _of_person(library, query, k or 20, face, given)
        else:
            path = absolute(asked.query)
            if asked.at is not None:
                given["at"] = asked.at
            answer = library.search(path, k or 20, face, **given)
            asks = not as_json and output.interactive(sys.stdin) and output.interactive(sys.stdout)
            if answer["face"] is None and asks and (chosen := asking.which_face(here, path, answer)) is not None:
                answer = library.search(path, k or 20, chosen, **given)
            if answer["face"] is None:
                if as_json:
                    output.record({key: answer[key] for key in _UNDECIDED})
                elif not asks:
                    output.table(asking.NUMBERED, answer["faces"], empty="There is no face in this picture.")
                output.note(f"{plural(len(answer['faces']), 'face')} in this picture: choose one with --face N.")
                return
    _tell(here, query, answer, delivery, nothing=_nothing(answer, narrowed=narrowed, k=k), as_json=as_json)


def _of_person(library: Library, text: str, k: int, face: int | None, given: Row) -> Row:
    if face is not None:
        raise click.UsageError(f"--face is for a picture, and there is no file {text}.")
    try:
        return library.search(text, k, person=True, **given)
    except UnknownPerson as problem:
        if problem.fields.get("person") in (text, repr(text)):
            raise session.nobody(text) from None
        raise  # it is one of --with or --without


def _tell(here: Session, query: str, answer: Row, delivery: Delivery, *, nothing: str, as_json: bool) -> None:
    results = answer["results"]
    through = answer["through"]
    about = "" if through is None else f"It is {person(through)}, {sure(through['confidence'])} sure."
    if as_json:
        output.lines(results)
    else:
        if about and answer["person"] is None:
            output.note(about)
        if delivery.page is None:
            output.table(_FOUND, results, empty=nothing)
        elif not results:
            output.note(nothing)
        if results and len(results) < (answer["total"] or 0):
            output.note(f"{len(results):,} of {answer['total']:,} are shown: --all shows all that is sure enough.")
    if results:
        delivering.deliver(here, results, delivery, title=f"Found by {query}", about=about)


def _nothing(answer: Row, *, narrowed: bool, k: int | None) -> str:
    """What to say where nothing was found."""
    if answer["person"] is not None:
        return f"Nothing that was asked for shows {person(answer['person'])}."
    what = "Nothing that was asked for" if narrowed else "Nothing in the library"
    more = "; -k 20 shows what is most alike" if k is None else ""
    return f"{what} shows this face, as far as can be told{more}."
