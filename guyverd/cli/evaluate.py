"""Commands that tell how good the grouping is, on photos that are labelled: evaluate, tune."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

import click

from guyverd.cli import output, progress, session
from guyverd.cli.format import NOTHING, decimal, duration, number, plural
from guyverd.cli.output import Column
from guyverd.cli.session import F, Session, json_option, pass_session
from guyverd.service.evaluation import RULES, Extras, Task

Row = dict[str, Any]

_THERE = click.Path(exists=True, path_type=Path)
_TO_BE = click.Path(path_type=Path)

_OPTIONS = (
    click.argument("photos", metavar="DIR", type=_THERE),
    click.option(
        "--labels",
        metavar="FILE",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="A CSV of file, left, top, right, bottom and name, instead of folders named after people.",
    ),
    click.option(
        "--rule",
        type=click.Choice(RULES),
        default=RULES[0],
        show_default=True,
        help="Which face of a photo its folder's name speaks of, where there are several.",
    ),
    click.option(
        "--keep",
        metavar="DIR",
        type=_TO_BE,
        help="Keep here what was found in the photos: the next time unchanged ones are not read again.",
    ),
)

_MEASURES: tuple[tuple[str, Callable[[Row], object]], ...] = (
    ("groups found", lambda row: number(row["clusters"])),
    ("more or fewer than people", lambda row: f"{row['surplus']:+.1%}"),
    ("faces attached to nobody", lambda row: number(row["unattached"])),
    ("pairwise precision", lambda row: decimal(row["pairwise"]["precision"], 3)),
    ("pairwise recall", lambda row: decimal(row["pairwise"]["recall"], 3)),
    ("pairwise F", lambda row: decimal(row["pairwise"]["f"], 3)),
    ("BCubed precision", lambda row: decimal(row["bcubed"]["precision"], 3)),
    ("BCubed recall", lambda row: decimal(row["bcubed"]["recall"], 3)),
    ("BCubed F", lambda row: decimal(row["bcubed"]["f"], 3)),
    ("adjusted Rand index", lambda row: decimal(row["ari"], 3)),
    ("adjusted mutual information", lambda row: decimal(row["ami"], 3)),
    ("homogeneity", lambda row: decimal(row["homogeneity"], 3)),
    ("completeness", lambda row: decimal(row["completeness"], 3)),
    ("V-measure", lambda row: decimal(row["v_measure"], 3)),
    ("Fowlkes-Mallows", lambda row: decimal(row["fowlkes_mallows"], 3)),
    ("silhouette", lambda row: decimal(row["silhouette"], 3)),
    ("faces among mostly somebody else", lambda row: f"{row['misplaced']:.2%}"),
    ("one person twice in a photo", lambda row: number(row["collisions"])),
)


def _options(command: F) -> F:
    """What both commands are told."""
    return reduce(lambda done, option: option(done), reversed(_OPTIONS), command)


def _task(here: Session, photos: Path, labels: Path | None, rule: str, keep: Path | None) -> Task:
    """DIR as it was given; a file there is a CSV of labels, and its folder holds the photos."""
    if photos.is_file():
        if labels is not None:
            raise click.UsageError("DIR is a file, and --labels names another.")
        photos, labels = photos.parent, photos
    photos = Path(os.path.abspath(photos))
    if keep is not None:
        keep = Path(os.path.abspath(keep))
        if keep.exists() and not keep.is_dir():
            raise click.UsageError(f"--keep: {keep} is no folder.")
        if keep.resolve().is_relative_to(photos.resolve()):
            raise click.UsageError("--keep: nothing is written into a folder of photos.")
    return Task(
        photos,
        None if labels is None else labels.absolute(),
        rule,
        None if here.named is None else here.config,
        keep,
    )


@click.command()
@_options
@click.option("--no-stability", is_flag=True, help="Leave out how much changes when photos arrive in other ways.")
@click.option("--no-review", is_flag=True, help="Leave out how many answers it takes until everybody has a name.")
@click.option(
    "--queries",
    type=click.IntRange(min=0),
    default=Extras().queries,
    show_default=True,
    metavar="N",
    help="Photos, chosen by chance, to ask `search --all` with.",
)
@click.option(
    "--films",
    type=click.IntRange(min=0),
    default=Extras().films,
    show_default=True,
    metavar="N",
    help="Make so many films of the photos, and look for people in them.",
)
@click.option("--compare", is_flag=True, help="Group the same faces by six other methods as well.")
@click.option("--html", metavar="FILE", type=_TO_BE, help="Write a page that shows the worst mixes and splits.")
@json_option
@pass_session
def evaluate(  # noqa: PLR0917  one for each option
    here: Session,
    photos: Path,
    labels: Path | None,
    rule: str,
    keep: Path | None,
    no_stability: bool,
    no_review: bool,
    queries: int,
    films: int,
    compare: bool,
    html: Path | None,
    as_json: bool,
) -> None:
    """Measure how well people are found, on labelled photos.

    DIR holds a folder of photos for each person, named after them; or it is a CSV of labels beside its photos. The
    real pipeline runs on all of them in a state of its own, with the default settings, or with those of the config
    that --config names. Your library is not touched.

    \b
    Examples:
      guyverd evaluate ~/labelled
      guyverd evaluate ~/labelled --compare --films 10 --html confusion.html
      guyverd evaluate ~/party --labels ~/party.csv --json | jq .scores.bcubed
    """
    task = _task(here, photos, labels, rule, keep)
    page = None if html is None else Path(os.path.abspath(html))
    if page is not None and (not os.access(page.parent, os.W_OK | os.X_OK) or page.is_dir()):
        raise click.UsageError(f"--html: {page} cannot be written.")
    if page is not None and page.is_relative_to(task.photos):
        raise click.UsageError("--html: nothing is written into a folder of photos.")
    with output.logging_as_notes():
        extras = Extras(not no_stability, compare, page, not no_review, queries, films)
        answer = session.evaluate(task, extras, progress)
    if as_json:
        output.record(answer)
    else:
        _show(answer)


@click.command()
@_options
@json_option
@pass_session
def tune(  # noqa: PLR0917  one for each option
    here: Session, photos: Path, labels: Path | None, rule: str, keep: Path | None, as_json: bool
) -> None:
    """Search for settings that suit labelled photos.

    What a setting gains is measured on people who had no say in choosing it. When it is no more than luck, the
    default is as good, and that is said; else the lines to put into your config are printed.

    \b
    Examples:
      guyverd tune ~/labelled
      guyverd tune ~/labelled --keep ~/.cache/labelled
      guyverd tune ~/labelled --json | jq -r .yaml
    """
    with output.logging_as_notes():
        answer = session.tune(_task(here, photos, labels, rule, keep), progress)
    if as_json:
        output.record(answer)
        return
    output.say(
        f"{number(answer['tried'])} settings tried on {plural(answer['labelled'], 'face')} of "
        f"{plural(answer['people'], 'person', 'people')}: BCubed F {answer['default_score']:.3f} with the default, "
        f"{answer['best_score']:.3f} with the best."
    )
    if answer["folds"]:
        output.say(
            f"On people who had no say in the choice it gains {answer['gain']:+.3f} ± {answer['error']:.3f} "
            f"({answer['folds']} folds)."
        )
    if answer["worthwhile"]:
        output.note("Put this into your config:")
        for line in answer["yaml"].splitlines():
            output.say(line)
    else:
        output.say("That is no more than luck: the default is as good.")


# ---- an evaluation for people ----------------------------------------------------------------------------------------


def _show(answer: Row) -> None:
    output.say(
        f"{plural(answer['photos'], 'photo')}, {plural(answer['faces'], 'face')}; of "
        f"{plural(answer['labelled'] + answer['not_found'], 'labelled face')} {number(answer['labelled'])} found, of "
        f"{plural(answer['people'], 'person', 'people')}, in {duration(answer['seconds'])}."
    )
    if answer["unreadable"]:
        output.note(f"{plural(answer['unreadable'], 'labelled file')} could not be read.")
    if answer["contradicting"]:
        output.note(f"{plural(answer['contradicting'], 'photo')} with several names left out.")
    methods = [answer["scores"], *(answer["methods"] or [])]
    _table(
        ["grouping", *(row["method"] for row in methods)],
        ([title, *(show(row) for row in methods)] for title, show in _MEASURES),
    )
    _table(["all photos of a person from one", ""], _retrieval(answer["retrieval"]))
    if answer["search"] is not None:
        _searched(answer["search"])
    if answer["films"] is not None:
        _table(["people in films made of the photos", ""], _films(answer["films"]))
    if answer["review"] is not None:
        _table(["answers until 95 % of the faces bear the right name", ""], _review(answer["review"]))
    if answer["stability"] is not None:
        _stability(answer["stability"])
    if answer["page"] is not None:
        output.note(f"Mixes and splits: {answer['page']}")


def _retrieval(found: Row) -> list[list[object]]:
    return [
        ["photos asked with", number(found["queries"])],
        ["sensitivity", decimal(found["sensitivity"], 3)],
        ["precision", decimal(found["precision"], 3)],
        ["pooled sensitivity", decimal(found["pooled_sensitivity"], 3)],
        ["pooled precision", decimal(found["pooled_precision"], 3)],
        ["the person among the 20 most alike", _percent(found["hit_rate"])],
    ]


def _searched(found: Row) -> None:
    of_both = zip(_retrieval(found["inside"]), _retrieval(found["outside"]), strict=True)
    _table(
        ["search --all, with a photo", "of the library", "from outside"],
        ([title, inside, outside] for (title, inside), (_, outside) in of_both),
    )
    calibration = found["calibration"]
    _table(
        ["confidence", "answers", "said", "right", ""],
        (
            [
                f"{row['low']:g} to {row['high']:g}",
                number(row["count"]),
                decimal(row["said"], 3),
                decimal(row["right"], 3),
                "off" if row["off"] else "",
            ]
            for row in calibration["bins"]
        ),
    )
    level = "none" if calibration["level"] is None else f"{calibration['level']:.2f}"
    output.note(
        f"search --all returns what is {found['sure']:g} sure; from outside, 99 of 100 are right from {level} on. "
        f"Mean error of the confidence {decimal(calibration['error'], 3)}, Brier score "
        f"{decimal(calibration['brier'], 3)}."
    )


def _films(found: Row) -> list[list[object]]:
    edge = found["edge"]
    rows: list[list[object]] = [
        ["films", number(found["films"])],
        ["their length", duration(found["length"])],
        ["read in", duration(found["seconds"])],
        ["photos shown", number(found["shown"])],
        ["photos beside them", number(found["photos"])],
        ["people asked for", number(found["queries"])],
        ["who are in none", number(found["absent"])],
        ["moments to be found", number(found["moments"])],
        ["moments answered", number(found["answered"])],
        ["moment precision", decimal(found["precision"], 3)],
        ["moment recall", decimal(found["recall"], 3)],
        ["precision of the time", decimal(found["time_precision"], 3)],
        ["recall of the time", decimal(found["time_recall"], 3)],
        ["edges off by, median", NOTHING if edge is None else f"{edge['median']:.2f} s"],
        ["nineteen of twenty below", NOTHING if edge is None else f"{edge['most']:.2f} s"],
    ]
    if found["unread"]:
        rows.insert(1, ["of which not read whole", number(found["unread"])])
    return rows


def _review(found: Row) -> list[list[object]]:
    return [
        ["in a review", number(found["answers"]) + ("" if found["reached"] else f", for {_percent(found['share'])}")],
        ["asking group by group, the largest first", number(found["baseline"])],
        ["at least, one for each name", number(found["least"])],
    ]


def _stability(found: Row) -> None:
    _table(
        ["photos added", "times", "changed person", "changed company", "found a person", "named people hit"],
        (
            [
                number(row["photos"]),
                number(row["times"]),
                _percent(row["moved"]),
                _percent(row["company"]),
                _percent(row["settled"]),
                f"{number(row['named_affected'])} of {number(row['named'])}",
            ]
            for row in found["added"]
        ),
    )
    _table(
        ["arrival", "BCubed F", "agreement"],
        [
            *([row["how"], decimal(row["bcubed_f"], 3), decimal(row["agreement"], 3)] for row in found["arrivals"]),
            *(
                [f"all at once, order {at}", decimal(score, 3), NOTHING]
                for at, score in enumerate(found["orders"]["bcubed_f"][1:], 2)
            ),
            ["least of three orders", NOTHING, decimal(found["orders"]["agreement"], 3)],
        ],
    )


def _percent(share: float | None) -> str:
    return NOTHING if share is None else f"{share:.2%}"


def _table(titles: list[str], rows: Iterable[Sequence[object]]) -> None:
    columns = [Column(title, lambda row, at=at: row[str(at)], right=at > 0) for at, title in enumerate(titles)]  # type: ignore[misc]
    output.say()
    output.table(columns, ({str(at): cell for at, cell in enumerate(row)} for row in rows), empty="None.")
