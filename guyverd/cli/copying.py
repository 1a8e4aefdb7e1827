"""Copying originals out of the library, as `export` and `search --copy-to` do it, and saying what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from guyverd.cli import output, progress
from guyverd.cli.format import plural
from guyverd.cli.session import Session

_SHOWN = 10
"""Missing originals named one by one; a folder that is offline may hold thousands."""


def copy(here: Session, photos: Sequence[Sequence[str]], folder: Path) -> dict[str, Any]:
    """Copy one file of each photo. Returns {`folder`, `copied`, `already_there`, `missing`, `missing_files`}."""
    from guyverd.service.export import copy_originals

    folder = folder.absolute()
    with progress.steps("copying", len(photos)) as step:
        done = copy_originals(photos, folder, sacred=here.config.photos, each=step)
    return {
        "folder": str(folder),
        "copied": len(done.copied),
        "already_there": len(done.already),
        "missing": len(done.missing),
        "missing_files": [tried[0] for tried in done.missing if tried],
    }


def summary(result: dict[str, Any]) -> str:
    """What was copied, in one line."""
    return (
        f"{plural(result['copied'], 'photo')} copied to {result['folder']}, "
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
