"""How each kind of link is made on disk; every way in one step, and none that overwrites."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from guyverd.folders import disk
from guyverd.folders.disk import Found
from guyverd.model import Stamp, storable
from guyverd.published import LinkKind, PublishedLink

_FICLONE = 0x40049409
"""ioctl(2) by which a file takes the blocks of another (btrfs, xfs, bcachefs)."""
_PIECE = 1 << 24
_NO_LINKS = frozenset((errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK))


def create(link: PublishedLink, here: int, name: bytes, root: int) -> PublishedLink:
    """Make the link as `name` in the open folder `here`; returns it as it was found then.

    Raises FileExistsError where the name is taken, and any other OSError.
    """
    if link.kind is LinkKind.SYMBOLIC:
        os.symlink(link.target, name, dir_fd=here)
        return replace(link, made=True)
    if link.kind is LinkKind.HARD:
        _check_photo(os.lstat(link.target))
        os.link(link.target, name, dst_dir_fd=here, follow_symlinks=False)
    else:
        _copy(link, here, name, root)
    status = os.stat(name, dir_fd=here, follow_symlinks=False)
    if not stat.S_ISREG(status.st_mode):
        # In that moment something else took the photo's place.
        os.unlink(name, dir_fd=here)
        _check_photo(status)
    return replace(link, made=True, stamp=disk.stamp_of(status))


def as_wanted(link: PublishedLink, seen: bytes | Stamp | Found, here: int) -> bool:
    """Whether what stands there is the very link that is wanted, whoever made it."""
    if link.kind is LinkKind.SYMBOLIC:
        return seen == link.target
    if link.kind is LinkKind.HARD and isinstance(seen, Stamp):
        with suppress(OSError):
            status = os.stat(link.target)
            return (storable(status.st_ino), status.st_dev) == (seen.inode, os.fstat(here).st_dev)
    return False


def is_copy(link: PublishedLink, seen: bytes | Stamp | Found, here: int) -> bool:
    """Whether a file has the very bytes it was to be a copy of."""
    if link.kind is not LinkKind.COPY or not isinstance(seen, Stamp):
        return False
    copied = os.open(os.path.basename(link.path), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
    with open(copied, "rb") as copy, open(_opened(link.target), "rb") as original:
        return disk.same_bytes(copy, original)


def _copy(link: PublishedLink, here: int, name: bytes, root: int) -> None:
    temporary = disk.temporary_name(link.path) + b"-copy"
    with suppress(FileNotFoundError):
        os.unlink(temporary, dir_fd=root)
    try:
        write_copy(link.target, temporary, root)
        put(temporary, root, name, here)
    finally:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=root)


def put(temporary: bytes, root: int, name: bytes, here: int) -> None:
    """Give a finished file at the top of the tree its name in the folder `here`, and take its old one.

    Raises FileExistsError where something has that name.
    """
    try:
        os.link(temporary, name, src_dir_fd=root, dst_dir_fd=here, follow_symlinks=False)
    except OSError as problem:
        if problem.errno not in _NO_LINKS:
            raise
        # A file system without links has no way to rename that spares what is there: look first.
        if disk.seen_at(here, name) is not Found.NOTHING:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
        os.rename(temporary, name, src_dir_fd=root, dst_dir_fd=here)
    else:
        # It has its name, whatever becomes of the other one; `disk.remove_temporary` tries again.
        with suppress(OSError):
            os.unlink(temporary, dir_fd=root)


def write_copy(source: bytes, name: bytes, root: int, go_on: Callable[[], object] = lambda: None) -> os.stat_result:
    """A new file with the bytes of a photo, and its time; returns what the file system says of it.

    `go_on` is called before each piece, and may raise something to end it. Raises OSError.
    """
    reading = _opened(source)
    try:
        writing = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644, dir_fd=root)
        try:
            if not _clone(writing, reading):
                while piece := os.read(reading, _PIECE):
                    go_on()
                    while piece:
                        piece = piece[os.write(writing, piece) :]
            status = os.fstat(reading)
            os.utime(writing, ns=(status.st_atime_ns, status.st_mtime_ns))
            os.fsync(writing)
            return os.fstat(writing)
        finally:
            os.close(writing)
    finally:
        os.close(reading)


def _opened(photo: bytes) -> int:
    """A photo for reading, and nothing that somebody put in its place: the people folder may be seen by others.

    A link could lead to what only we may read; a pipe would keep us waiting.
    """
    file = os.open(photo, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        _check_photo(os.fstat(file))
    except OSError:
        os.close(file)
        raise
    return file


def _check_photo(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "something else took the photo's place")


def _clone(writing: int, reading: int) -> bool:
    try:
        fcntl.ioctl(writing, _FICLONE, reading)
    except OSError:
        return False
    return True
