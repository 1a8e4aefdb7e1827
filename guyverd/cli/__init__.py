"""The command line: one small module per group of commands, thin over `guyverd.service`.

Nothing is imported before it is needed: `guyverd --help`, completion and short questions must be answered at once.
"""

from __future__ import annotations

from pathlib import Path

import click

from guyverd import __version__
from guyverd.cli.guard import Guarded
from guyverd.cli.session import Session
from guyverd.cli.shelf import Shelf


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


main.commands = Shelf(
    {
        "init": "library",
        "run": "library",
        "scan": "library",
        "status": "library",
        "people": "people",
        "person": "people",
        "faces": "people",
        "name": "people",
        "rename": "people",
        "merge": "people",
        "confirm": "decisions",
        "reject": "decisions",
        "split": "decisions",
        "same": "decisions",
        "different": "decisions",
        "hide": "decisions",
        "unhide": "decisions",
        "undo": "decisions",
        "redo": "decisions",
        "log": "decisions",
        "recluster": "recluster",
        "review": "review",
        "box": "boxes",
        "album": "albums",
        "albums": "albums",
        "folders": "folders",
        "who": "find",
        "search": "search",
        "together": "together",
        "timeline": "together",
        "follow": "follow",
        "follows": "follow",
        "unfollow": "follow",
        "export": "people",
        "crops": "people",
        "failures": "library",
        "accept": "accept",
        "forget": "forget",
        "check": "library",
        "backup": "backups",
        "backups": "backups",
        "restore": "backups",
        "doctor": "doctor",
        "bundle": "bundle",
        "evaluate": "evaluate",
        "tune": "evaluate",
        "completion": "completion",
    }
)
