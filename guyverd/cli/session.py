"""What every command shares: which config is meant, and the library behind it.

The functions here are the only doors to the service. They import it when they are called, so that help and completion
stay quick; tests put a fake behind them.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from guyverd.cli import output

if TYPE_CHECKING:
    from guyverd.config import Config
    from guyverd.errors import CatalogueDamaged, GuyverError
    from guyverd.service.api import Library
    from guyverd.service.clips import Clips
    from guyverd.service.crops import Pictures, Saved
    from guyverd.service.evaluation import Audience, Extras, Task
    from guyverd.service.pipeline.meant import Meant

F = TypeVar("F", bound=Callable[..., Any])


def open_library(config: Config) -> AbstractContextManager[Library]:
    """The library of `config`, by way of its daemon or in this process."""
    from guyverd.service.access import open_library as opened

    return opened(config)


def backup(config: Config, to: Path | None) -> dict[str, Any]:
    """Save the catalogue in one file."""
    from guyverd.service import backups as service

    return service.backup(config, to)


def backups(config: Config) -> Iterator[dict[str, Any]]:
    """The backups there are, newest first."""
    from guyverd.service import backups as service

    return service.backups(config)


def restore(config: Config, file: Path, *, check: bool) -> dict[str, Any]:
    """Prove a backup, and put it in the catalogue's place."""
    from guyverd.service import backups as service

    return service.restore(config, file, check=check)


def repair(config: Config, problem: CatalogueDamaged) -> dict[str, Any]:
    """Make a catalogue that cannot be used usable again."""
    from guyverd.service import backups as service

    return service.repair(config, problem)


def advised(config: Config) -> AbstractContextManager[None]:
    """Within it, a catalogue that is damaged is told with the newest backup."""
    from guyverd.service.backups import advised as told

    return told(config)


def run_daemon(path: Path, config: Config, *, json_log: bool) -> None:
    """Be the daemon until told to stop."""
    from guyverd.service.backups import advised
    from guyverd.service.daemon import run

    with advised(config):
        run(path, config, json_log=json_log)


def evaluate(task: Task, extras: Extras, audience: Audience) -> dict[str, Any]:
    """How good the grouping of labelled photos is."""
    from guyverd.service import evaluation

    return evaluation.evaluate(task, extras, audience)


def tune(task: Task, audience: Audience) -> dict[str, Any]:
    """Which settings would group labelled photos best."""
    from guyverd.service import evaluation

    return evaluation.tune(task, audience)


def crop(file: str, box: Sequence[int], size: tuple[int, int]) -> bytes | None:
    """A face cut from its photo, a small JPEG; None where the photo cannot be read."""
    from guyverd.service import crops

    return crops.crop(file, box, size)


def pictures(config: Config) -> Pictures:
    """Small pictures of faces, for whoever shows many; see `service.crops.Pictures`."""
    from guyverd.service.crops import Pictures

    return Pictures(config.workers)


def save_crops(faces: Sequence[dict[str, Any]], folder: Path, **how: Any) -> Saved:
    """Faces cut from their photos, into a folder; see `service.crops.save`."""
    from guyverd.service import crops

    return crops.save(faces, folder, **how)


def meant(text: str) -> Meant:
    """What somebody wants to be found by; see `service.pipeline.meant`."""
    from guyverd.service.pipeline.meant import meant as told

    return told(text)


def meant_picture(text: str) -> Meant:
    """The same where only a picture can be meant."""
    from guyverd.service.pipeline.meant import picture

    return picture(text)


def nobody(text: str) -> GuyverError:
    """What to say where nobody is called `text` after all."""
    from guyverd.service.pipeline.meant import nobody as told

    return told(text)


def face_pictures(
    config: Config, path: str, at: float | None, boxes: Sequence[Sequence[int]], side: int
) -> list[bytes | None]:
    """Faces cut from a picture or a frame of a video, small JPEGs; see `service.showing.faces`."""
    from guyverd.service import showing

    return showing.faces(config, path, at, boxes, side)


def write_page(config: Config, path: Path, rows: Sequence[dict[str, Any]], **how: Any) -> None:
    """Show what was found on a page; see `service.showing.write_page`."""
    from guyverd.service import showing

    showing.write_page(config, path, rows, **how)


def cut_clips(config: Config, moments: Sequence[dict[str, Any]], folder: Path, **how: Any) -> Clips:
    """Moments of videos as files of their own; see `service.clips.cut`."""
    from guyverd.service import clips

    return clips.cut(config, moments, folder, **how)


def names(config: Config, *, hidden: bool | None = None) -> list[str]:
    """Everybody's name, or that of those who are hidden, or are not; read from the catalogue without opening it."""
    from guyverd.service.names import names

    return names(config.state, hidden=hidden)


def follow_names(config: Config) -> list[str]:
    """The names of all saved searches, likewise."""
    from guyverd.service.names import follow_names as found

    return found(config.state)


def examine(path: Path) -> Iterator[dict[str, Any]]:
    """What is wrong with the library of the config at `path`, verdict by verdict."""
    from guyverd.service import report

    return report.examine(path)


def bundle(path: Path, target: Path) -> dict[str, Any]:
    """A report on the library of the config at `path`, into a new file."""
    from guyverd.service import report

    return report.bundle(path, target)


class Session:
    """One run of the command line."""

    def __init__(self, named: Path | None) -> None:
        self.named = None if named is None else named.absolute()
        """The config given by --config."""

    @functools.cached_property
    def path(self) -> Path:
        """The config in use."""
        from guyverd import config_file

        return self.named or config_file.default_path()

    @functools.cached_property
    def config(self) -> Config:
        """Read once. Raises ConfigNotFound or ConfigError."""
        from guyverd import config_file

        return config_file.load(self.path)

    @contextlib.contextmanager
    def library(self) -> Iterator[Library]:
        """The library, for as long as its rows are read."""
        with output.logging_as_notes(), advised(self.config), open_library(self.config) as library:
            yield library


pass_session = click.make_pass_decorator(Session)


def json_option(command: F) -> F:
    """The option that every command with data has."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts instead of text.")(command)


def dry_option(command: F) -> F:
    """The option that every command has that changes what is known."""
    return click.option("--dry-run", "dry", is_flag=True, help="Tell what would change, and change nothing.")(command)


def absolute(path: str) -> str:
    """`path` as the daemon must see it, whose working directory is another one.

    Nothing else is changed: cutting `x/..` would be wrong where x is a link, and odd bytes stay as `os.fsdecode` made
    them.
    """
    return path if os.path.isabs(path) else os.path.join(os.getcwd(), path)
