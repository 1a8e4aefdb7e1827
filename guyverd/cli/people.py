"""Commands about the people of the library: people, person, faces, name, rename, merge, export, crops."""

from __future__ import annotations

from pathlib import Path

import click

from guyverd.cli import completion, copying, delivering, output, progress, session
from guyverd.cli.format import box_size, decimal, files, moment, number, plural, told
from guyverd.cli.format import person as person_text
from guyverd.cli.output import Column, Row
from guyverd.cli.session import Session, dry_option, json_option, pass_session

_PEOPLE = [
    Column("id", lambda row: row["id"], right=True),
    Column("name", lambda row: row["name"], long=True),
    Column("faces", lambda row: number(row["faces"]), right=True),
    Column("photos", lambda row: number(row["photos"]), right=True),
    Column("folder", lambda row: row["folder"], long=True),
]

_PICTURES = [
    Column("photo", lambda row: row["photo"], right=True),
    Column("taken", lambda row: row["taken_at"]),
    Column("pixels", lambda row: f"{row['width']} x {row['height']}" if row["width"] else None),
    Column("file", lambda row: files(row["files"]) + _moments(row), long=True),
]

_FACES = [
    Column("face", lambda row: row["face"], right=True),
    Column("person", lambda row: row["person"], right=True),
    Column("photo", lambda row: row["photo"], right=True),
    Column("left, top", lambda row: f"{row['box'][0]}, {row['box'][1]}"),
    Column("size", lambda row: box_size(row["box"])),
    Column("confidence", lambda row: decimal(row["confidence"]), right=True),
    Column("quality", lambda row: decimal(row["quality"]), right=True),
    Column("taken", lambda row: row["taken_at"]),
    Column("file", lambda row: files(row["files"]) + _seen(row), long=True),
]


_SHOWN = 3
"""Moments of a video that are told; how many more there are is."""


def _moments(picture: Row) -> str:
    """When the person is seen in a video."""
    every = picture["moments"] or []
    told = ", ".join(moment(start, end) for start, end in every[:_SHOWN])
    more = f" and {len(every) - _SHOWN:,} more" if len(every) > _SHOWN else ""
    return f"  {told}{more}" if told else ""


def _seen(face: Row) -> str:
    """When a face is seen in a video."""
    return "" if face["start"] is None else f"  {moment(face['start'], face['end'])}"


class NewName(click.ParamType[str]):
    """A name that can be seen and stored."""

    name = "name"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name without the blanks around it."""
        if not any(char.isprintable() and not char.isspace() for char in value):
            self.fail("A name needs at least one visible character.", param, ctx)
        try:
            value.encode()
        except UnicodeEncodeError:
            self.fail("The name is not valid UTF-8 text.", param, ctx)
        return value.strip()


@click.command()
@click.option("--hidden", is_flag=True, help="Those who are hidden, and nobody else.")
@json_option
@pass_session
def people(here: Session, hidden: bool, as_json: bool) -> None:
    """List everyone, most photographed first.

    \b
    Examples:
      guyverd people
      guyverd people --hidden
      guyverd people --json | jq -r 'select(.name == null) | .folder'
    """
    nobody = "Nobody is hidden." if hidden else "Nobody is known yet; `guyverd status` tells what is waiting."
    with here.library() as library:
        if as_json:
            output.lines(library.people(hidden))
        else:
            output.table(_PEOPLE, library.people(hidden), empty=nobody)


@click.command()
@click.argument("person", metavar="P", shell_complete=completion.people)
@json_option
@pass_session
def person(here: Session, person: str, as_json: bool) -> None:
    """Show one person's photos, oldest first.

    P is a person's number or name.

    \b
    Examples:
      guyverd person 12
      guyverd person Alice
      guyverd person Alice --json | jq -r '.pictures[].files[0]'
    """
    with here.library() as library:
        answer = library.person(person)
    if as_json:
        output.record(answer)
        return
    where = f", folder {answer['folder']}" if answer["folder"] else ""
    output.note(
        f"{person_text(answer)}: {plural(answer['faces'], 'face')} in {plural(answer['photos'], 'photo')}{where}"
    )
    output.table(_PICTURES, answer["pictures"], empty="No photo of this person is there now.")


@click.command()
@click.option(
    "--person",
    metavar="P",
    shell_complete=completion.people,
    help="Only this person's faces; P is a number or a name.",
)
@json_option
@pass_session
def faces(here: Session, person: str | None, as_json: bool) -> None:
    """List every face, one line each.

    A box is [left, top, right, bottom] in pixels of the upright picture.

    \b
    Examples:
      guyverd faces
      guyverd faces --person Alice
      guyverd faces --json | jq -c 'select(.person == null) | .box'
    """
    with here.library() as library:
        rows = library.faces(person)
        if as_json:
            output.lines(rows)
        else:
            output.table(_FACES, rows, empty="No face is known yet; `guyverd status` tells what is waiting.")


@click.command()
@click.argument("person", metavar="P", shell_complete=completion.people)
@click.argument("new_name", metavar="NAME", type=NewName())
@dry_option
@json_option
@pass_session
def name(here: Session, person: str, new_name: str, *, dry: bool, as_json: bool) -> None:
    """Name a person.

    P is the person's number or present name. Put a name of several words in quotes.

    \b
    Examples:
      guyverd name 12 Alice
      guyverd name Alice "Alice Liddell"
    """
    _name(here, person, new_name, dry=dry, as_json=as_json)


@click.command()
@click.argument("person", metavar="P", shell_complete=completion.people)
@click.argument("new_name", metavar="NAME", type=NewName())
@dry_option
@json_option
@pass_session
def rename(here: Session, person: str, new_name: str, *, dry: bool, as_json: bool) -> None:
    """Give a person another name.

    It is what `guyverd name` does. P is the person's number or present name.

    \b
    Examples:
      guyverd rename Alice "Alice Liddell"
      guyverd rename "Alice Liddell" Alice --dry-run
    """
    _name(here, person, new_name, dry=dry, as_json=as_json)


def _name(here: Session, person: str, new_name: str, *, dry: bool, as_json: bool) -> None:
    with here.library() as library:
        answer = library.name(person, new_name, dry)
    if as_json:
        output.record(answer)
        return
    before = "" if answer["previous"] is None else f", before {answer['previous']}"
    output.say(told(answer, f"person {answer['id']} is called {answer['name']}{before}") + _folder(answer))


def _folder(answer: Row) -> str:
    """Where the links stand after what was decided."""
    done = answer["decision"] is not None and not answer["dry_run"]
    return f"; folder {answer['folder']}" if answer["folder"] and done else ""


@click.command()
@click.argument("person", metavar="P", shell_complete=completion.people)
@click.argument("other", metavar="Q", shell_complete=completion.people)
@dry_option
@json_option
@pass_session
def merge(here: Session, person: str, other: str, *, dry: bool, as_json: bool) -> None:
    """Make two people one: Q becomes part of P.

    P and Q are numbers or names; the number and name of P stay.

    \b
    Examples:
      guyverd merge 12 31
      guyverd merge Alice 31
    """
    with here.library() as library:
        answer = library.merge(person, other, dry)
    if as_json:
        output.record(answer)
        return
    what = (
        f"person {answer['absorbed']} is part of {person_text(answer)}, "
        f"{plural(answer['faces'], 'face')} in {plural(answer['photos'], 'photo')}"
    )
    if answer["left_out"]:
        out = plural(answer["left_out"], "face")
        what += f"; {out} in photos that show both {'would stay' if dry else 'stayed'} out"
    output.say(told(answer, what) + _folder(answer))


@click.command()
@click.argument("person", metavar="P", shell_complete=completion.people)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--type", "kind", type=click.Choice(("photo", "video")), help="Only photos, or only videos.")
@delivering.clip_options
@json_option
@pass_session
def export(
    here: Session, person: str, folder: Path, *, kind: str | None, clips: bool, exact: bool, as_json: bool
) -> None:
    """Copy a person's original photos and videos into a folder.

    Nothing is overwritten: a file with the same bytes is skipped, another one of the same name gets a number. DIR is
    made if needed and must not lie in a photo folder. An original that is missing is reported, and the rest copied.

    \b
    Examples:
      guyverd export Alice ~/for-alice
      guyverd export Alice ~/for-alice --type video --clips
      guyverd export 12 /media/stick/photos --json
    """
    delivering.check_exact(clips=clips, exact=exact)
    with here.library() as library:
        pictures = [one for one in library.person(person)["pictures"] if kind in (None, one["kind"])]
    whole = [one["files"] for one in pictures if not (clips and one["kind"] == "video")]
    result = copying.copy(here, whole, folder)
    if clips:
        moments = [
            {"files": one["files"], "start": start, "end": end}
            for one in pictures
            for start, end in one["moments"] or ()
        ]
        result = copying.added(result, copying.cut(here, moments, folder, exact=exact))
    copying.note_missing(result)
    if as_json:
        keys = ("folder", "copied", "clips", "already_there", "missing", "missing_files")
        output.record({key: result.get(key, 0) for key in keys})
    else:
        output.say(copying.summary(result))


@click.command()
@click.argument("person", metavar="P", shell_complete=completion.people)
@click.option(
    "--out", "folder", metavar="DIR", required=True, type=click.Path(path_type=Path), help="Where the files go."
)
@click.option("--size", metavar="PX", type=click.IntRange(min=1), help="No side is longer than so many pixels.")
@json_option
@pass_session
def crops(here: Session, person: str, *, folder: Path, size: int | None, as_json: bool) -> None:
    """Cut a person's faces out of their photos.

    Each is a JPEG, upright and as large as it is in the photo: its box, enlarged by 10 % on each side. Nothing is
    overwritten, as by `guyverd export`, and DIR must not lie in a photo folder.

    \b
    Examples:
      guyverd crops Alice --out ~/faces-of-alice
      guyverd crops 12 --out /tmp/12 --size 256
    """
    with here.library() as library:
        rows = list(library.faces(person))
    folder = folder.absolute()
    with progress.steps("cutting", len(rows)) as step:
        done = session.save_crops(
            rows, folder, longest=size, sacred=here.config.photos, each=step, workers=here.config.workers
        )
    missing = [{"face": face, "file": file or None, "reason": why} for face, file, why in done.missing]
    result = {
        "folder": str(folder),
        "written": len(done.written),
        "already_there": len(done.already),
        "missing": len(done.missing),
        "missing_faces": missing,
    }
    copying.note_uncut(missing)
    if as_json:
        output.record(result)
        return
    output.say(
        f"{plural(len(done.written), 'face')} written to {folder}, "
        f"{len(done.already):,} already there, {len(done.missing):,} missing."
    )
