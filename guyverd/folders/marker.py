"""The marker file: it tells our tree from a folder that merely has its path, such as an empty mount point."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress

from guyverd.errors import NotOurFolder, PeopleFolderError
from guyverd.folders import disk

MARKER = b".guyverd-people"
TEXT = """\
This folder is kept by guyverd, which finds the people in your photos.

It holds links only, or copies where you chose them, in one folder for each person. The photos themselves are elsewhere,
where you put them, and are never changed. Files of your own in here are left alone.

You may delete this whole folder: no photo elsewhere is lost. But leave this file in place while guyverd runs: by it
guyverd knows that the disk with this folder is really there. Without it, nothing in here is changed.
"""
_HARMLESS = frozenset((b"lost+found",))
"""What a fresh file system has by itself."""
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FULL = frozenset((errno.ENOSPC, errno.EDQUOT))
_NO_LINKS = frozenset((errno.EPERM, errno.ENOTSUP, errno.ENOSYS))


def prepare(root: bytes, *, expected: bool, links: str = "relative") -> None:
    """Make the folder and its marker, or verify them, and that `links` (as `plan.Style` has them) can be made there.

    With `expected`, links were published here before: then a folder or marker that is missing is an error, for it
    more likely means a disk that is not mounted than a new beginning.
    """
    if expected:
        check(root)
    else:
        try:
            disk.make_root(root)
        except (FileExistsError, NotADirectoryError):
            raise failure(
                root, "there is a file in its place", "Name another folder as `people` in the config."
            ) from None
        except OSError as problem:
            raise explained(root, problem) from None
    try:
        folder = disk.open_root(root)
    except OSError as problem:
        raise explained(root, problem) from None
    try:
        disk.remove_temporary(folder)
        if not _marked(folder):
            if set(map(os.fsencode, os.listdir(folder))) - _HARMLESS:
                raise NotOurFolder(path=os.fsdecode(root))
            _write(folder)
        disk.settle(folder)
        _try(folder, links)
    except OSError as problem:
        raise explained(root, problem, links) from None
    finally:
        os.close(folder)


def check(root: bytes) -> None:
    """Raise PeopleFolderError unless the folder is there with its marker."""
    try:
        folder = disk.open_root(root)
    except OSError as problem:
        if problem.errno == errno.ENOENT:
            raise _vanished(root, "it is not there") from None
        raise explained(root, problem) from None
    try:
        if not _marked(folder):
            raise _vanished(root, f"its marker file {os.fsdecode(MARKER)} is missing")
    except OSError as problem:
        raise explained(root, problem) from None
    finally:
        os.close(folder)


def _marked(folder: int) -> bool:
    try:
        return stat.S_ISREG(os.stat(MARKER, dir_fd=folder, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def _write(folder: int) -> None:
    file = os.open(MARKER, _NEW, 0o644, dir_fd=folder)
    try:
        data = TEXT.encode()
        while data:
            data = data[os.write(file, data) :]
        os.fsync(file)
    except OSError:
        with suppress(OSError):
            os.unlink(MARKER, dir_fd=folder)
        raise
    finally:
        os.close(file)


def _try(folder: int, links: str) -> None:
    """Learn now, not amid the first publishing, whether this file system takes such links."""
    name = disk.temporary_name(b"")
    if links == "copy":
        # What a copy takes was shown by the marker, if not by every other file.
        os.close(
            os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644, dir_fd=folder)
        )
    elif links == "hard":
        os.link(MARKER, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    else:
        os.symlink(b"a link that is removed at once", name, dir_fd=folder)
    os.unlink(name, dir_fd=folder)


def failure(root: bytes, detail: str, hint: str) -> PeopleFolderError:
    """The error about this people folder."""
    return PeopleFolderError(path=os.fsdecode(root), detail=detail, hint=hint)


def explained(root: bytes, problem: OSError, links: str = "relative") -> PeopleFolderError:
    """The same error, with what a person can do about it; `links` are those that were tried."""
    if problem.errno in _FULL:
        return failure(root, "its disk is full", "Free some space there; the links are completed then.")
    if problem.errno == errno.EROFS:
        return failure(root, "its disk is read-only", "Mount it writable, or name another folder as `people`.")
    if problem.errno == errno.EACCES:
        return failure(root, "guyverd may not write there", "Give its user the right to, or name another folder.")
    if problem.errno in _NO_LINKS:
        return failure(
            root,
            f"its file system has no {'hard' if links == 'hard' else 'symbolic'} links",
            "Write `links: copy` below `folders:` in the config, or put it on one that has them, such as ext4, btrfs or"
            " xfs; FAT and exFAT have none.",
        )
    return failure(root, disk.reason(problem), "Check the folder `people` in the config.")


def _vanished(root: bytes, detail: str) -> PeopleFolderError:
    return failure(
        root,
        detail,
        "Nothing was changed. Mount its disk; if you removed it yourself, `guyverd check --repair` makes it anew.",
    )
