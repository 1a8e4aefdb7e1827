"""`guyverd accept`: the word that another disk, or another folder, is a photo folder from now on."""

from __future__ import annotations

from pathlib import Path

import click

from guyverd.cli import output
from guyverd.cli.format import plural
from guyverd.cli.session import Session, dry_option, json_option, pass_session


@click.command()
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
@dry_option
@json_option
@pass_session
def accept(here: Session, *, folder: Path, dry: bool, as_json: bool) -> None:
    """Take a photo folder as it is now, on whatever disk.

    A photo folder in whose place none of the photos stand that are known from it is offline: its disk may not be
    mounted, or be changed for another. Nothing is taken for deleted, and nothing that stands there is read, until the
    photos are back, or until this is said. Then what stands there is the photo folder. Photos that are not in it are
    gone, and are forgotten as any that are (see forget).

    \b
    Examples:
      guyverd accept /mnt/photos
      guyverd accept /mnt/photos --dry-run
    """
    with here.library() as library:
        answer = library.accept(str(folder.absolute()), dry)
    if as_json:
        output.record(answer)
        return
    verb = "Would be taken" if dry else "Taken"
    output.say(f"{verb} as it is now: {answer['path']}")
    output.note(f"Known from it so far: {plural(answer['known'], 'file')}; those that are not there are gone.")
