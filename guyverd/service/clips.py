"""Moments of videos as files of their own, in a folder of the user's choice."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from guyverd.config import Config
from guyverd.errors import GuyverError, PictureError, WorkerError
from guyverd.service import export
from guyverd.service.api import Row

if TYPE_CHECKING:
    from guyverd.service.pipeline.clipping import Clipper


@dataclass(frozen=True, slots=True)
class Clips:
    """What became of the moments."""

    written: tuple[str, ...]
    """The new files."""
    already: tuple[str, ...]
    """Files that held the same bytes before."""
    missing: tuple[tuple[str, str], ...]
    """For each moment that could not be cut: a file of its video (empty where there is none), and why."""


def cut(
    config: Config,
    moments: Sequence[Row],
    folder: Path,
    *,
    exact: bool = False,
    each: Callable[[], object] = lambda: None,
) -> Clips:
    """Cut moments, {`files`, `start`, `end`}, into `folder`, as `<video's name> <start>-<end>` in the video's own kind.

    They are copied out as they are, or encoded anew where they are to be `exact`. The folder is made when it is not
    there; what stands in it is dealt with as by `export.copy_originals`, which tells of errors too. `each` is called
    after every moment.
    """
    from guyverd.service.pipeline.clipping import Clipper  # noqa: PLC0415  for clips only

    written: list[str] = []
    already: list[str] = []
    missing: list[tuple[str, str]] = []
    clipper = Clipper(config.workers)
    try:
        with export.receiving(folder, config.photos) as receiver:
            for moment in moments:
                try:
                    path, new = _cut(clipper, receiver, moment, exact=exact)
                    (written if new else already).append(path)
                except (PictureError, WorkerError) as problem:
                    file = moment["files"][0] if moment["files"] else ""
                    missing.append((file, _why(problem)))
                except MemoryError as problem:
                    missing.append((moment["files"][0], str(problem)))
                each()
    finally:
        clipper.close()
    return Clips(tuple(written), tuple(already), tuple(missing))


def _cut(clipper: Clipper, receiver: export.Receiver, moment: Row, *, exact: bool) -> tuple[str, bool]:
    from guyverd.service.pipeline.clipping import ClipWanted, clip_suffix  # noqa: PLC0415  as above

    files = [os.fsencode(file) for file in moment["files"]]
    if not files:
        raise PictureError(path="the video", detail="no file of it is there")
    suffix = clip_suffix(files[0], exact=exact)
    with receiver.part() as part:
        wanted = ClipWanted(tuple(files), moment["start"], moment["end"], os.fsencode(part), exact)
        source = clipper.submit(wanted).result()
        return receiver.settle(part, name(os.fsdecode(source), moment["start"], moment["end"], suffix))


def name(file: str, start: float, end: float, suffix: str) -> str:
    """What a clip is called: clip 00.12-00.19.mp4, for colons stand in no name on some disks."""
    stem = os.path.splitext(os.path.basename(file))[0]
    return export.fitting(stem, f" {_clock(start)}-{_clock(end)}{suffix}")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}.{minutes:02}.{rest:02}" if hours else f"{minutes:02}.{rest:02}"


def _why(problem: GuyverError) -> str:
    return str(problem.fields.get("detail") or problem.message)
