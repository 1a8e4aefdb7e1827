"""The bytes of a file: read once, whole, and told apart by their hash.

Photos are opened read-only, never through a symbolic link, and never in a way that could wait for someone: a named
pipe or a device in a photo folder must not hang a worker. The stamp is taken from the open file before and after, so
that a hash never stands for bytes that were half old and half new.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import os
import stat
import time
from collections.abc import Callable, Iterator

from guyverd.errors import FileUnreadable, PictureError, PictureMissing, PictureUnreadable
from guyverd.model import Stamp

HASH_SIZE = 32
_PIECE = 1 << 20
_LOOK = 16
"""Pieces after which it is looked at whether the file changes."""
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


class ContentChanged(PictureError):
    """{path} changed while it was read."""

    hint = "It is read again by itself when it has come to rest."

    def __init__(self, *, path: str) -> None:
        super().__init__(path=path)


def hash_bytes(data: bytes) -> bytes:
    """BLAKE2b-256 of `data`, 32 bytes."""
    return hashlib.blake2b(data, digest_size=HASH_SIZE).digest()


def hash_file(path: bytes, given_up: Callable[[], bool] = lambda: False) -> tuple[bytes, Stamp]:
    """BLAKE2b-256 of a file's bytes, read in pieces of 1 MiB, and the stamp it had all the while.

    A large one takes minutes: where it is `given_up` meanwhile, that is as if the disk did not give it. And one that is
    still being written, as a recording that goes on for hours, is not read to its end.
    Raises ContentChanged when the stamp changed while reading, PictureMissing when there is no such file, and
    PictureUnreadable for anything that is no regular file, FileUnreadable where the disk does not give it.
    """
    digest = hashlib.blake2b(digest_size=HASH_SIZE)
    with opened(path) as (file, before):
        for number in itertools.count(1):
            piece = os.read(file, _PIECE)
            if not piece or number % _LOOK == 0:
                checked_unchanged(path, file, before)
            if not piece:
                break
            digest.update(piece)
            if given_up():
                raise InterruptedError(errno.EINTR, "nobody wants it any more")
    return digest.digest(), before


def read_file(path: bytes, limit: int) -> tuple[bytes, bytes]:
    """A file's bytes and their BLAKE2b-256.

    Raises PictureUnreadable for more than `limit` bytes, and otherwise as `hash_file`.
    """
    with opened(path) as (file, before):
        if before.size > limit:
            detail = f"it has {before.size / 1e6:,.0f} MB; at most {limit / 1e6:,.0f} MB are read"
            raise PictureUnreadable(path=os.fsdecode(path), detail=detail)
        data = bytearray()
        # One byte more than expected is asked for, so that growth shows at once and memory stays bounded.
        while piece := os.read(file, min(_PIECE, before.size + 1 - len(data))):
            data += piece
            if len(data) > before.size:
                raise ContentChanged(path=os.fsdecode(path))
        checked_unchanged(path, file, before)
    content = bytes(data)
    return content, hash_bytes(content)


@contextlib.contextmanager
def opened(path: bytes, *, follow: bool = False) -> Iterator[tuple[int, Stamp]]:
    """The file's descriptor and stamp; every OSError within becomes an error of ours, as `hash_file` has them.

    With `follow` a symbolic link is followed, as for a descriptor that another process holds open.
    """
    try:
        file = os.open(path, _FLAGS & ~os.O_NOFOLLOW if follow else _FLAGS)
        try:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode):
                raise PictureUnreadable(path=os.fsdecode(path), detail="it is not a regular file")
            if (wait := settling_time(status.st_mtime_ns, time.time_ns())) > 0:
                time.sleep(wait)
                status = os.fstat(file)
            yield file, _stamp(status)
        finally:
            os.close(file)
    except (FileNotFoundError, NotADirectoryError):
        raise PictureMissing(path=os.fsdecode(path)) from None
    except OSError as problem:
        reason = problem.strerror or type(problem).__name__
        raise FileUnreadable(path=os.fsdecode(path), detail=reason) from problem


def settling_time(modified: int, now: int) -> float:
    """Seconds until whatever is written to a file gets it another time of modification; both in ns since 1970. Pure.

    File systems count time in steps: in ticks of the kernel of up to 10 ms, FAT in steps of 2 s. What is written within
    the step of the last change, and leaves the size as it is, cannot be told by the stamp; so reading begins after it.
    """
    step = 2_000_000_000 if modified % 1_000_000_000 == 0 else 20_000_000
    age = now - modified
    return (step - age) / 1e9 if 0 <= age < step else 0.0


def _stamp(status: os.stat_result) -> Stamp:
    return Stamp(size=status.st_size, mtime_ns=status.st_mtime_ns, inode=status.st_ino)


def checked_unchanged(path: bytes, file: int, before: Stamp) -> None:
    """Raise ContentChanged unless the open file still has the stamp that it had."""
    if _stamp(os.fstat(file)) != before:
        raise ContentChanged(path=os.fsdecode(path))
