"""The few things done to the people folder on disk, each relative to an open folder and never through a link.

A user may replace any folder in the tree by a symbolic link to somewhere else. Every component is therefore opened
with O_NOFOLLOW, and nothing is ever written or deleted behind such a link.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from hashlib import blake2b
from typing import BinaryIO

from guyverd.folders.spare import parents
from guyverd.model import Stamp, storable
from guyverd.published import LinkKind, PublishedLink

TEMPORARY = b".guyverd-tmp-"
"""How the names of unfinished links begin; they stand at the top of the people folder."""
_TEMPORARY = re.compile(re.escape(TEMPORARY) + rb"[0-9a-f]{24}(-copy)?")

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
NOT_A_FOLDER = frozenset((errno.ENOTDIR, errno.ELOOP))
FATAL = frozenset(
    (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE, errno.ENODEV, errno.ENOTCONN, errno.EMFILE)
)
"""Errors after which trying the next link is pointless."""


_PIECE = 1 << 22
"""Bytes of each file that are compared at a time."""


class Unsettled(OSError):
    """It was done, but the disk would not say that it lasts: nobody knows what will be there when it is back."""


class Found(Enum):
    """What stands at a path."""

    NOTHING = "nothing"
    FOLDER = "a folder"
    OTHER = "something else"
    """Where links are looked for: neither a link nor a file. Where folders are: anything but a folder."""


def open_root(path: bytes) -> int:
    """The people folder itself. The user chose its path, so links in that are followed."""
    return os.open(path, _FOLDER)


@contextmanager
def folder(root: int, path: bytes, *, create: bool = False, begun: set[bytes] | None = None) -> Iterator[int]:
    """An open folder of the tree; with `create`, it and those above are made where missing.

    A folder in which one was made is settled at once, or is added to `begun` for the caller to do so. Raises OSError:
    ENOENT where it is missing, one of NOT_A_FOLDER where something else stands in its place.
    """
    here = os.dup(root)
    above: list[bytes] = []
    try:
        for name in path.split(b"/") if path else ():
            if create:
                with suppress(FileExistsError):
                    os.mkdir(name, dir_fd=here)
                    if begun is None:
                        settle(here)
                    else:
                        begun.add(b"/".join(above))
                above.append(name)
            inner = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=here)
            os.close(here)
            here = inner
        yield here
    finally:
        os.close(here)


def seen_at(parent: int, name: bytes) -> bytes | Stamp | Found:
    """What the link of that name says; the stamp of a file; or what else is there."""
    try:
        return os.readlink(name, dir_fd=parent)
    except FileNotFoundError:
        return Found.NOTHING
    except OSError as problem:
        if problem.errno != errno.EINVAL:
            raise
    try:
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return Found.NOTHING
    return stamp_of(status) if stat.S_ISREG(status.st_mode) else Found.OTHER


def stamp_of(status: os.stat_result) -> Stamp:
    """What the file system says of a file."""
    return Stamp(status.st_size, status.st_mtime_ns, status.st_ino)


def is_ours(link: PublishedLink, seen: bytes | Stamp | Found) -> bool:
    """Whether what stands at the path of a link of ours, or is found elsewhere, is that link as we made it."""
    if link.kind is LinkKind.SYMBOLIC:
        return seen == link.target
    if link.kind is LinkKind.HARD:
        # The photo's own file: somebody who edits it edits both.
        return isinstance(seen, Stamp) and link.stamp is not None and seen.inode == link.stamp.inode
    return isinstance(seen, Stamp) and seen == link.stamp


def may_go(link: PublishedLink, seen: bytes | Stamp | Found) -> bool:
    """Whether what stands at the path of a link of ours may be taken away: a hard link is looked at twice.

    When its photo is gone, a file of somebody's may have got its number: then it must be as we made it.
    """
    if not is_ours(link, seen):
        return False
    if link.kind is not LinkKind.HARD or seen == link.stamp:
        return True
    try:
        return isinstance(seen, Stamp) and storable(os.stat(link.target).st_ino) == seen.inode
    except OSError:
        return False


def kind_at(root: int, path: bytes) -> Found:
    """Whether a folder, nothing or something else stands at a path of the tree."""
    above, name = os.path.split(path)
    try:
        with folder(root, above) as parent:
            mode = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return Found.NOTHING
    return Found.FOLDER if stat.S_ISDIR(mode) else Found.OTHER


def inode_of(root: int, path: bytes) -> int | None:
    """By what a folder of the tree is known; None where there is none, or none that can be looked at."""
    try:
        with folder(root, path) as here:
            return storable(os.fstat(here).st_ino)
    except OSError:
        return None


def has_room(root: int, new: bytes, old: bytes) -> bool:
    """Whether the folder `old` can become `new`: nothing is there, or an empty folder, or `old` in other letters."""
    try:
        with folder(root, new) as there:
            if not os.listdir(there):
                return True
            with folder(root, old) as here:
                return os.path.samestat(os.fstat(here), os.fstat(there))
    except FileNotFoundError:
        return True


def rename_folder(root: int, old: bytes, new: bytes) -> None:
    """Move a folder; those above `new` are made.

    Raises OSError: ENOTEMPTY where a folder with content is there, Unsettled where it may be here or there.
    """
    with (
        folder(root, os.path.dirname(old)) as here,
        folder(root, os.path.dirname(new), create=True) as there,
    ):
        # rename(2) never puts a folder over a file or a link, nor over a folder with content.
        os.rename(os.path.basename(old), os.path.basename(new), src_dir_fd=here, dst_dir_fd=there)
        settle(here)
        settle(there)


def remove_empty(root: int, path: bytes, keep: frozenset[bytes] = frozenset()) -> None:
    """Remove a folder if nothing is in it, then the one above likewise; those in `keep` stay.

    Raises OSError where the disk fails.
    """
    while path and path not in keep:
        above, name = os.path.split(path)
        try:
            with folder(root, above) as parent:
                os.rmdir(name, dir_fd=parent)
                settle(parent)
        except FileNotFoundError:
            pass
        except OSError as problem:
            if problem.errno in FATAL:
                raise
            return  # a user's file is in it, or it is no folder of ours
        path = above


def settle(parent: int) -> None:
    """Make what was done in a folder survive a power cut; file systems that cannot promise it are taken as they are.

    Raises Unsettled where one that can did not.
    """
    try:
        os.fsync(parent)
    except OSError as problem:
        if problem.errno in FATAL:
            raise Unsettled(problem.errno, problem.strerror) from None


def settle_all(root: int, paths: Iterable[bytes]) -> None:
    """The same for these folders of the tree and all above them, as far as they are there. Raises OSError."""
    for each in sorted({above for path in paths for above in (b"", *parents(path))}):
        try:
            with folder(root, each) as here:
                settle(here)
        except OSError as problem:
            if problem.errno in FATAL:
                raise


def make_root(path: bytes) -> None:
    """Make the people folder and those above it where missing, and have them survive a power cut. Raises OSError."""
    os.makedirs(path, exist_ok=True)
    # Not only those that were made just now: whoever made them may have been killed before they were safe.
    above, device = os.path.dirname(os.path.realpath(path)), os.stat(path).st_dev
    while os.stat(above).st_dev == device:
        with suppress(PermissionError):
            here = os.open(above, _FOLDER)
            try:
                settle(here)
            finally:
                os.close(here)
        if above == os.path.dirname(above):
            return
        above = os.path.dirname(above)


def temporary_name(path: bytes) -> bytes:
    """The name under which the link that shall replace `path` is made first."""
    return TEMPORARY + blake2b(path, digest_size=12).hexdigest().encode()


def remove_temporary(root: int) -> None:
    """Remove what an interrupted run left at the top: links and files under temporary names, nothing else."""
    for name in os.listdir(root):
        raw = os.fsencode(name)
        if _TEMPORARY.fullmatch(raw) and not isinstance(seen_at(root, raw), Found):
            os.unlink(raw, dir_fd=root)


def reason(problem: OSError) -> str:
    """The error as a person would say it."""
    return (problem.strerror or str(problem)).lower()


def same_bytes(one: BinaryIO, other: BinaryIO) -> bool:
    """Whether two open files hold the same from here on. Raises OSError."""
    while (piece := one.read(_PIECE)) == other.read(_PIECE):
        if not piece:
            return True
    return False
