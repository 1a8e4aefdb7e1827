"""Commands about the library as a whole: init, run, scan, status, check, failures."""

from __future__ import annotations

import os
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from guyverd.cli import output, progress, session
from guyverd.cli import status as status_screen
from guyverd.cli.format import duration, number, plural
from guyverd.cli.guard import INTERRUPTED
from guyverd.cli.output import Column, Row
from guyverd.cli.session import Session, json_option, pass_session
from guyverd.errors import CatalogueDamaged, CheckFailed, ConfigError

if TYPE_CHECKING:
    from guyverd.config import Config

FOLDER = click.Path(path_type=Path)
FILE_CHECK = "catalogue file"
"""What the check of the catalogue itself is called in `Library.check`."""


def _photo_folder(path: Path) -> Path:
    """`path`, absolute; raises ConfigError unless it is a folder that can be listed."""
    folder = Path(os.path.abspath(path))  # without `..`, as the config has it
    hint = "Name the folder that holds your photos."
    if not folder.exists():
        raise ConfigError(where="--photos", detail=f"there is no folder {folder}", hint=hint)
    if not folder.is_dir():
        raise ConfigError(where="--photos", detail=f"{folder} is not a folder", hint=hint)
    if not os.access(folder, os.R_OK | os.X_OK):
        raise ConfigError(where="--photos", detail=f"{folder} may not be read by you", hint="Mend its permissions.")
    return folder


def _command(path: Path, words: str) -> str:
    """What to type so that the library of the config at `path` answers."""
    from guyverd import config_file

    default = path == config_file.default_path().absolute()
    program = _program()
    return f"{program} {words}" if default else f"{program} --config {shlex.quote(str(path))} {words}"


def _program() -> str:
    """How this program can be called from here: by its name where the shell finds it, else by its path."""
    import shutil

    called = Path(sys.argv[0])
    if called.name != "guyverd" or shutil.which("guyverd") is not None:
        return "guyverd"
    return shlex.quote(str(called))


@click.command()
@click.option("--photos", type=FOLDER, multiple=True, required=True, metavar="DIR", help="A folder with photos.")
@click.option("--people", type=FOLDER, required=True, metavar="DIR", help="Where the folders of links will appear.")
@click.option("--state", type=FOLDER, metavar="DIR", help="Where guyverd keeps its catalogue; has a default.")
@click.argument("more", nargs=-1, type=FOLDER, metavar="[DIR]...")
@pass_session
def init(here: Session, photos: tuple[Path, ...], people: Path, state: Path | None, more: tuple[Path, ...]) -> None:
    """Write a commented config for your photo folders.

    Several folders: give --photos again, or list them after the first. An existing config is never changed.

    \b
    Examples:
      guyverd init --photos ~/Pictures --people ~/People
      guyverd init --photos ~/Pictures --photos /mnt/camera --people ~/People
      guyverd --config ~/wedding.yaml init --photos ~/Wedding --people ~/Wedding-people
    """
    from guyverd import config_file

    folders = [_photo_folder(path) for path in (*photos, *more)]
    path = here.path.absolute()
    config = config_file.make(folders, people, state, path)
    config_file.write(path, config)
    output.note(f"Config written:  {path}")
    output.note(f"People folder:   {config.people} (made at the first run)")
    output.note(f"State folder:    {config.state}")
    output.note(f"Now start it:    {_command(path, 'run')}")


@click.command()
@click.option("--photos", type=FOLDER, metavar="DIR", help="Watch this folder; a config for it is written if needed.")
@click.option(
    "--people", type=FOLDER, metavar="DIR", help="With --photos: the people folder (default: People beside it)."
)
@click.option("--log-json", is_flag=True, help="Log as JSON Lines.")
@pass_session
def run(here: Session, photos: Path | None, people: Path | None, log_json: bool) -> None:
    """Watch the photo folders and keep the people folder.

    This is the daemon; it runs until it is told to stop. Ctrl-C or SIGTERM ends it cleanly, SIGHUP makes it
    read its config again.

    \b
    Examples:
      guyverd run
      guyverd run --photos ~/Pictures
      guyverd run --photos ~/Pictures --people ~/People --log-json
    """
    if photos is None:
        if people is not None:
            raise click.UsageError("--people needs --photos; without them the config says where everything is.")
        path, config = here.path.absolute(), here.config
    else:
        path, config = _library_for(here, _photo_folder(photos), None if people is None else people.absolute())
    if not log_json:  # a machine reads along: every line must be JSON
        watched = ", ".join(str(folder) for folder in config.photos)
        output.note(f"Watching {watched}; the folders of people appear in {config.people} (config: {path}).")
        output.note(f"Ask from another terminal: {_command(path, 'people')}")
    session.run_daemon(path, config, json_log=log_json)


def _library_for(here: Session, photos: Path, people: Path | None) -> tuple[Path, Config]:
    """The config that watches `photos`, written now if there is none."""
    from guyverd import config_file

    if here.named is None:
        path, config = config_file.library_of(photos)
    else:
        path, config = here.named, here.config if here.named.exists() else None
    path = path.absolute()
    if config is None:
        config = config_file.make([photos], people or photos.parent / "People", None, path)
        config_file.write(path, config)
        return path, config
    if [os.path.realpath(folder) for folder in config.photos] != [os.path.realpath(photos)]:
        raise ConfigError(
            where=str(path),
            detail=f"it watches {', '.join(map(str, config.photos))}, not only {photos}",
            hint="Leave out --photos, or name another file with --config.",
        )
    if people is not None and os.path.realpath(config.people) != os.path.realpath(people):
        raise ConfigError(
            where=str(path),
            detail=f"its people folder is {config.people}, not {people}",
            hint="Leave out --people, or change `people` in that file.",
        )
    return path, config


@click.command()
@click.option("--again", is_flag=True, help="Also read those photos anew that an older engine read.")
@click.option("--all", "every", is_flag=True, help="Read every photo anew, also those that failed.")
@json_option
@pass_session
def scan(here: Session, again: bool, every: bool, as_json: bool) -> None:
    """Go over all photos once, showing progress.

    New and changed photos are read and the people folder is brought up to date. With --json the last state of
    the pass is printed as one object. Ctrl-C stops it; what was done is kept.

    Photos that are read anew keep their people, names, decisions and folders: a face that is found at the place of
    one that was known is that face.

    \b
    Examples:
      guyverd scan
      guyverd scan --again
      guyverd scan --json 2>/dev/null
    """
    began = time.monotonic()
    with here.library() as library:
        try:
            last = progress.follow(library.scan(again, every), library.progress)
            counts = None if as_json else library.status()["counts"]
        except KeyboardInterrupt:
            output.note("Stopped. What was done is kept; the next scan goes on from there.")
            raise click.exceptions.Exit(INTERRUPTED) from None
    if counts is None:
        output.record(last)
        return
    output.say(
        f"{_photos(last['photos_done'], last['videos_done'])} read, {plural(last['faces'], 'face')} found, "
        f"{plural(last['failures'], 'failure')}, in {duration(time.monotonic() - began)}; "
        f"the library has {plural(counts['people'], 'person', 'people')} in"
        f" {_photos(counts['photos'], counts['videos'])}."
    )
    if last.get("quiet_until"):
        left = [last[f"{kind}_total"] - last[f"{kind}_done"] for kind in ("photos", "videos")]
        waiting = _photos(*left)
        output.note(f"{waiting} wait until {last['quiet_until']}: these are the daemon's quiet hours.")


def _photos(photos: int, videos: int) -> str:
    return plural(photos, "photo") + (f" and {plural(videos, 'video')}" if videos else "")


@click.command()
@json_option
@pass_session
def status(here: Session, as_json: bool) -> None:
    """Show how the library stands.

    That is: what is waiting and how fast it goes, how each photo folder is watched, counts, sizes and versions.

    \b
    Examples:
      guyverd status
      guyverd status --json | jq .backlog
    """
    with here.library() as library:
        answer = library.status()
    if as_json:
        output.record(answer)
        return
    for line in status_screen.screen(answer):
        output.say(line)


@click.command()
@click.option("--repair", is_flag=True, help="Rebuild what can be rebuilt from the catalogue.")
@json_option
@pass_session
def check(here: Session, repair: bool, as_json: bool) -> None:
    """Check every cache against the catalogue.

    Exits with 13 when something is wrong at the end. A catalogue that is damaged is replaced, with --repair, by the
    newest backup that is sound, or, where there is none, by what can still be read of it; it is kept aside.

    \b
    Examples:
      guyverd check
      guyverd check --repair
      guyverd check --json | jq '.checks[] | select(.ok | not)'
    """
    checks, problem = _checked(here, repair=repair)
    if problem is not None and repair:
        done = session.repair(here.config, problem)
        kept = f" (the damaged one is in {done['aside']})" if done["aside"] else ""
        checks, problem = _checked(here, repair=True)
        told = {"name": FILE_CHECK, "ok": problem is None, "detail": done["detail"] + kept, "repaired": problem is None}
        checks = [told, *(row for row in checks if row["name"] != FILE_CHECK)]
    answer = {"checks": checks}
    if as_json:
        output.record(answer)
    else:
        columns = [
            Column("check", lambda row: row["name"]),
            Column("result", lambda row: "repaired" if row["repaired"] else "ok" if row["ok"] else "WRONG"),
            Column("detail", lambda row: row["detail"], long=True),
        ]
        output.table(columns, checks, empty="There was nothing to check.")
    wrong = sum(not row["ok"] and not row["repaired"] for row in checks)
    if wrong:
        failed = CheckFailed(count=wrong, total=len(checks))
        if problem is not None:
            failed.hint = problem.advice
        elif repair:
            failed.hint = "This could not be rebuilt; the log of guyverd tells more."
        raise failed


def _checked(here: Session, *, repair: bool) -> tuple[list[Row], CatalogueDamaged | None]:
    """Every check, and why the catalogue itself cannot be relied on; then the others may tell nothing."""
    try:
        with here.library() as library:
            checks: list[Row] = library.check(repair)["checks"]
    except CatalogueDamaged as problem:
        return [{"name": FILE_CHECK, "ok": False, "detail": problem.message, "repaired": False}], problem
    for row in checks:
        if row["name"] == FILE_CHECK and not row["ok"]:
            return checks, CatalogueDamaged(path=str(here.config.state / "catalogue.db"), detail=row["detail"])
    return checks, None


@click.command()
@json_option
@pass_session
def failures(here: Session, as_json: bool) -> None:
    """List the files that could not be read, and why.

    A file is tried again when its bytes change, and by `guyverd scan --all`.

    \b
    Examples:
      guyverd failures
      guyverd failures --json | jq -r .file
    """
    columns = [
        Column("when", lambda row: row["at"]),
        Column("state", lambda row: row["state"]),
        Column("attempts", lambda row: number(row["attempts"]), right=True),
        Column("reason", lambda row: row["reason"], long=True),
        Column("file", lambda row: row["file"], long=True),
    ]
    with here.library() as library:
        if as_json:
            output.lines(library.failures())
        else:
            output.table(columns, library.failures(), empty="Every file could be read.")
