"""Pictures that somebody asks about: which of them a daemon opens, and what a worker gets to read.

A daemon opens what lies in a photo folder or the people folder, wherever the links in a path lead, and nothing else.
Any other picture must be handed to it as an open file (`service.handing`). Either way it is the open file that is
judged and copied, into a private file that is gone when the answer is given: what names lead to may change meanwhile.
Of a video, which may be large, the worker opens that very file instead, and looks whether it changes.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from guyverd.config import Config
from guyverd.errors import PictureElsewhere, PictureError, PictureMissing, PictureUnreadable, StateError
from guyverd.model import Box
from guyverd.service import handing
from guyverd.service.pipeline.jobs import MOST_BYTES, Read, Wanted
from guyverd.service.pipeline.reading import Reader

_AT_ONCE = 4
"""Copies that exist at a time; each may be as large as a photo."""
_PIECE = 1 << 24


class Asked:
    """To be used from any thread."""

    def __init__(self, config: Config, reader: Reader, *, daemon: bool) -> None:
        """Whoever is no `daemon` is the user's own command, and opens what it is told."""
        self._roots = [os.fsencode(path) for path in (*config.photos, config.people)]
        self._folder = config.state / "asked"
        self._reader = reader
        self._daemon = daemon
        self._places = threading.BoundedSemaphore(_AT_ONCE)
        if daemon:
            # What a daemon left that was killed.
            shutil.rmtree(self._folder, ignore_errors=True)

    def read(
        self,
        path: str,
        opened: int | None = None,
        *,
        boxes: Sequence[Box] = (),
        search: bool = True,
        at: float | None = None,
    ) -> Read:
        """Have a picture read, from a descriptor that was handed over with its path, or by its path.

        With `at` it is a video, and the picture is what it shows then, in seconds. Waits for a worker. What hinders the
        reading itself is in the answer. Raises PictureElsewhere for a path that a daemon does not open; PictureMissing,
        PictureUnreadable; and StateError where the copy cannot be made.
        """
        wanted = Wanted((), boxes=tuple(boxes), search=search, at=at)
        if opened is None and not self._daemon:
            return self._named(path, self._read(wanted, _found(path)))
        file = self._open(path) if opened is None else opened
        try:
            handing.check_given(path, file)
            if at is not None:
                # As large as a film is, it is not copied: the worker opens the same file, whatever it is called by now.
                with self._places:
                    return self._named(path, self._read(wanted, b"/proc/%d/fd/%d" % (os.getpid(), file)))
            with self._places, self._copied(path, file) as copy:
                return self._named(path, self._read(wanted, copy))
        finally:
            if opened is None:
                os.close(file)

    def _open(self, path: str) -> int:
        file = handing.opened(path)
        # Where it lies is asked of the open file: a name may lead elsewhere by now.
        real = handing.real_path(file)
        if not any(real.startswith(os.path.join(os.path.realpath(root), b"")) for root in self._roots):
            os.close(file)
            raise PictureElsewhere(path=path)
        return file

    @contextmanager
    def _copied(self, path: str, file: int) -> Iterator[bytes]:
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._folder)
        except OSError as problem:
            raise StateError(path=self._folder, detail=problem.strerror or str(problem)) from problem
        try:
            with open(handle, "wb") as copy:
                _copy(path, file, copy.fileno(), self._folder)
            yield os.fsencode(name)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(name)

    def _read(self, wanted: Wanted, path: bytes) -> Read:
        return self._reader.one(replace(wanted, paths=(path,)))

    def _named(self, path: str, read: Read) -> Read:
        """Nobody knows the copy by its name: a problem is told of the picture that was asked about."""
        problem = read.found
        if isinstance(problem, PictureError) and "path" in problem.fields:
            return replace(read, found=type(problem)(**{**problem.fields, "path": path}))
        return read


def _found(path: str) -> bytes:
    # A link in a person's folder is a picture too: what it points to is read.
    try:
        real = os.path.realpath(os.fsencode(path))
        mode = os.stat(real).st_mode
    except (OSError, ValueError):  # ValueError: a zero in the path
        raise PictureMissing(path=path) from None
    if stat.S_ISDIR(mode):
        raise PictureUnreadable(path=path, detail="it is a folder")
    return real


def _copy(path: str, file: int, copy: int, folder: Path) -> None:
    """All of a file's bytes as there are now; never more, however it grows meanwhile."""
    size = os.fstat(file).st_size
    if size > MOST_BYTES:
        detail = f"it has {size / 1e6:,.0f} MB; at most {MOST_BYTES / 1e6:,.0f} MB are read"
        raise PictureUnreadable(path=path, detail=detail)
    place = 0
    while place < size:
        try:
            piece = os.pread(file, min(_PIECE, size - place), place)
        except OSError as problem:
            raise PictureUnreadable(path=path, detail=problem.strerror or str(problem)) from problem
        if not piece:
            break  # it was cut short meanwhile; the decoder will tell
        try:
            place += os.write(copy, piece)
        except OSError as problem:
            raise StateError(path=folder, detail=problem.strerror or str(problem)) from problem
