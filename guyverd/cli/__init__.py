"""The command line: one small module per group of commands, thin over `guyverd.service`.

Nothing heavy is imported before a command needs it: `guyverd --help` and shell completion must answer at once.
"""

from __future__ import annotations

from pathlib import Path

import click

from guyverd import __version__
from guyverd.cli import (
    accept,
    albums,
    backups,
    boxes,
    bundle,
    completion,
    decisions,
    doctor,
    evaluate,
    find,
    folders,
    follow,
    forget,
    library,
    people,
    recluster,
    review,
    search,
    together,
)
from guyverd.cli.guard import Guarded
from guyverd.cli.session import Session


@click.group(cls=Guarded, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--config",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The config of the library that is meant (default: $GUYVERD_CONFIG, else the user's own).",
)
@click.version_option(__version__, "--version", prog_name="guyverd", message="%(prog)s %(version)s")
@click.pass_context
def main(ctx: click.Context, config: Path | None) -> None:
    """Find the people in your photos and keep a folder of links for each of them.

    Commands talk to the running daemon, or do the work themselves when none runs. They only ever read your photos.

    \b
    Examples:
      guyverd init --photos ~/Pictures --people ~/People
      guyverd run
      guyverd people
    """
    ctx.obj = Session(config)


for _command in (
    library.init,
    library.run,
    library.scan,
    library.status,
    people.people,
    people.person,
    people.faces,
    people.name,
    people.rename,
    people.merge,
    decisions.confirm,
    decisions.reject,
    decisions.split,
    decisions.same,
    decisions.different,
    decisions.hide,
    decisions.unhide,
    decisions.undo,
    decisions.redo,
    decisions.log,
    recluster.recluster,
    review.review,
    boxes.box,
    albums.album,
    albums.albums,
    folders.folders,
    find.who,
    search.search,
    together.together,
    together.timeline,
    follow.follow,
    follow.follows,
    follow.unfollow,
    people.export,
    people.crops,
    library.failures,
    accept.accept,
    forget.forget,
    library.check,
    backups.backup,
    backups.backups,
    backups.restore,
    doctor.doctor,
    bundle.bundle,
    evaluate.evaluate,
    evaluate.tune,
    completion.completion,
):
    main.add_command(_command)
