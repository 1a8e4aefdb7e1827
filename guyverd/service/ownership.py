"""The state folder is ours alone: faces are personal, and whoever could change the catalogue could rename people."""

from __future__ import annotations

import contextlib
import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from guyverd import private
from guyverd.errors import StateError, StateExposed

log = logging.getLogger(__name__)

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def claim(state: Path) -> None:
    """Make the state folder, 0700, or see to it that it is safe.

    What others could only read is closed to them, and that is told. Raises StateExposed where somebody else owns the
    folder or a file in it, or could have changed one, or could exchange the folder; StateError where it cannot be made
    or looked at.
    """
    try:
        private.make_folder(state, 0o700)
        _refuse(private.exposed_above(state))
        status = state.stat()
        _refuse(private.exposed(os.fspath(state), status))
        if status.st_mode & _OTHERS:
            state.chmod(0o700)
            about = {"file": str(state)}
            log.warning("%s could be looked at by others; now only you can (mode 0700).", state, extra=about)
        for path in _kept(state):
            # What is written by a running daemon comes and goes.
            with contextlib.suppress(FileNotFoundError):
                _close_to_others(path)
    except OSError as problem:
        raise StateError(path=state, detail=problem.strerror or str(problem)) from problem


def _refuse(found: private.Exposure | None) -> None:
    if found is not None:
        raise StateExposed(path=found.path, detail=found.detail, cure=found.cure)


def _kept(state: Path) -> Iterator[str]:
    """The files in the state folder, and in the folders in it."""
    for folder in (state, *(Path(entry.path) for entry in os.scandir(state) if entry.is_dir(follow_symlinks=False))):
        with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_file(follow_symlinks=False):
                    yield entry.path


def _close_to_others(path: str) -> None:
    status = os.stat(path, follow_symlinks=False)
    _refuse(private.exposed(path, status))
    if status.st_mode & _OTHERS and stat.S_ISREG(status.st_mode):
        os.chmod(path, 0o600)
        log.info("%s is now closed to others (mode 0600).", path, extra={"file": path})
