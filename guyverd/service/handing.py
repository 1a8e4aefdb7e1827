"""A picture as an open file: opened by whoever may, in a way that no odd file can abuse, and handed to the daemon.

The daemon opens nothing for others that is not in the library. Whoever asks about another picture opens it with their
own rights and sends the descriptor over the socket; from there on nobody's names matter any more, only that file.
"""

from __future__ import annotations

import fcntl
import os
import stat

from guyverd.errors import PictureMissing, PictureUnreadable


def opened(path: str) -> int:
    """A descriptor from which the picture at `path` can be read, whatever links lead there. Close it.

    What is no regular file is not even opened, for a device may do something when it is, and a pipe waits. Raises
    PictureMissing, PictureUnreadable.
    """
    try:
        seen = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            _check_regular(path, seen)
            # The same file, whatever stands at that path by now.
            again = f"/proc/self/fd/{seen}"
            return os.open(again, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        finally:
            os.close(seen)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a zero in the path
        raise PictureMissing(path=path) from None
    except OSError as problem:
        raise PictureUnreadable(path=path, detail=problem.strerror or str(problem)) from problem


def check_given(path: str, file: int) -> None:
    """Whether a descriptor that somebody handed over is a regular file open for reading only.

    Raises PictureUnreadable; `path` is what they say it is, for the message.
    """
    _check_regular(path, file)
    flags = fcntl.fcntl(file, fcntl.F_GETFL)
    if flags & os.O_ACCMODE != os.O_RDONLY or flags & os.O_PATH:
        raise PictureUnreadable(path=path, detail="it was not opened for reading only")


def real_path(file: int) -> bytes:
    """Where an open file really lies, links followed, as the kernel knows it."""
    return os.readlink(b"/proc/self/fd/%d" % file)


def _check_regular(path: str, file: int) -> None:
    mode = os.fstat(file).st_mode
    if not stat.S_ISREG(mode):
        detail = "it is a folder" if stat.S_ISDIR(mode) else "it is not a regular file"
        raise PictureUnreadable(path=path, detail=detail)
