"""Originals and clips taken out of the library, as `export` and `search --copy-to` do it, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guyverd.cli import output, progress, session
from guyverd.cli.format import plural
from guyverd.cli.session import Session

if TYPE_CHECKING:
    from guyverd.service.export import Exported

_SHOWN = 10
"""Missing originals named one by one; a folder that is offline may hold thousands."""


def copy(here: Session, photos: Sequence[Sequence[str]], folder: Path) -> dict[str, Any]:
    """Copy one file of each photo. Returns {`folder`, `copied`, `already_there`, `missing`, `missing_files`}."""
    from guyverd.service.export import copy_originals

    folder = folder.absolute()
    with progress.steps("copying", len(photos)) as step:
        done = copy_originals(photos, folder, sacred=here.config.photos, each=step)
    return {"folder": str(folder), "copied": len(done.copied), **_rest(done)}


def link(here: Session, photos: Sequence[Sequence[str]], folder: Path) -> dict[str, Any]:
    """Put a link to one file of each photo into a folder. Returns what `copy` does, with `linked` for `copied`."""
    from guyverd.service.export import link_originals

    folder = folder.absolute()
    with progress.steps("linking", len(photos)) as step:
        done = link_originals(photos, folder, sacred=here.config.photos, each=step)
    return {"folder": str(folder), "linked": len(done.copied), **_rest(done)}


def cut(here: Session, moments: Sequence[dict[str, Any]], folder: Path, *, exact: bool) -> dict[str, Any]:
    """Cut moments, {`files`, `start`, `end`}, out of videos. Returns what `copy` does, with `clips` for `copied`."""
    folder = folder.absolute()
    with progress.steps("cutting", len(moments)) as step:
        done = session.cut_clips(here.config, moments, folder, exact=exact, each=step)
    for file, why in done.missing[:_SHOWN]:
        output.note(f"not cut: {file}: {why}")
    return {
        "folder": str(folder),
        "clips": len(done.written),
        "already_there": len(done.already),
        "missing": len(done.missing),
        "missing_files": [file for file, _ in done.missing],
    }


def added(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Both as one: counts are added, and lists joined."""
    both = {**one, **other}
    return both | {key: one[key] + other[key] for key in ("already_there", "missing", "missing_files")}


def _rest(done: Exported) -> dict[str, Any]:
    return {
        "already_there": len(done.already),
        "missing": len(done.missing),
        "missing_files": [tried[0] for tried in done.missing if tried],
    }


def summary(result: dict[str, Any]) -> str:
    """What was copied, linked and cut, in one line."""
    said = [plural(result["copied"], "file") + " copied"] if "copied" in result else []
    said += [plural(result["linked"], "link") + " made"] if "linked" in result else []
    said += [plural(result["clips"], "clip") + " cut"] if "clips" in result else []
    return (
        f"{', '.join(said)} into {result['folder']}; "
        f"{result['already_there']:,} already there, {result['missing']:,} missing."
    )


def note_missing(result: dict[str, Any]) -> None:
    """Name the originals that could not be read."""
    for path in result["missing_files"][:_SHOWN]:
        output.note(f"missing: {path}")
    if result["missing"] > _SHOWN:
        output.note(f"missing: {result['missing'] - _SHOWN:,} more")


def note_uncut(faces: Sequence[dict[str, Any]]) -> None:
    """Name the faces that could not be cut out of their photos, and why."""
    for face in faces[:_SHOWN]:
        where = "" if face["file"] is None else f"{face['file']}: "
        output.note(f"missing: face {face['face']}, {where}{face['reason']}")
    if len(faces) > _SHOWN:
        output.note(f"missing: {len(faces) - _SHOWN:,} more")
