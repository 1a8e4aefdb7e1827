"""What a saved search found is put into its folder: links, copies and clips, each once, over nothing.

The folder is the user's: guyverd adds files and never removes one, not even its own; all that it ever changes is where
a link of its own leads, when the photo has moved. So there is no marker, and no ledger of what should stand there, only
of what was put there.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from hashlib import blake2b

from guyverd.errors import DeliveryStopped
from guyverd.folders import disk, shapes
from guyverd.folders.disk import Found
from guyverd.folders.names import shown_name
from guyverd.folders.spare import byte_key, with_suffix
from guyverd.followed import Delivery, Form, Source
from guyverd.model import Stamp, storable

_MOST_NAMES = 100_000
"""Files of one name that a folder can take."""
_NO_LINKS = frozenset((errno.EPERM, errno.ENOTSUP, errno.ENOSYS))
_FULL = frozenset((errno.ENOSPC, errno.EDQUOT))

Cut = Callable[[bytes], object]
"""Writes a clip into a new file at the given absolute path."""


class SourceLost(Exception):
    """The photo or video is not there, or not as it was read."""


# ---- the folder ------------------------------------------------------------------------------------------------------


def mounted(folder: bytes) -> bool:
    """Whether a disk is mounted at that very folder."""
    return os.path.ismount(os.path.realpath(folder))


@contextmanager
def opened(folder: bytes, *, is_mount: bool, sacred: Iterable[bytes]) -> Iterator[int]:
    """The folder, open, if files may be put there now; `sacred` are those where none ever may, nor below.

    `is_mount` tells that a disk must be mounted there. It is never made: where it is missing, its disk may be. Raises
    DeliveryStopped.
    """
    try:
        here = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as problem:
        raise explained(folder, problem) from None
    try:
        check_outside(folder, sacred)
        if is_mount and not mounted(folder):
            raise _stopped(folder, "its disk is not mounted", "It goes on by itself when it is.")
        yield here
    finally:
        os.close(here)


def check_outside(folder: bytes, sacred: Iterable[bytes]) -> None:
    """Refuse a folder that is one of `sacred` or lies in one, by path and by identity, links followed.

    Raises DeliveryStopped.
    """
    real = os.path.realpath(folder)
    above = [real]
    while above[-1] != os.path.dirname(above[-1]):
        above.append(os.path.dirname(above[-1]))
    for each in sacred:
        if os.path.realpath(each) in above or any(_same(each, one) for one in above):
            raise _stopped(
                folder,
                f"it lies in {os.fsdecode(each)}, which guyverd keeps or reads",
                "Name a folder outside of the photo folders, the people folder and the state folder.",
            )


def _same(one: bytes, other: bytes) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def prepare(folder: bytes, form: Form) -> None:
    """Make the folder if only it is missing, and see whether what is to be put there can be. Raises DeliveryStopped."""
    try:
        with suppress(FileExistsError):
            os.mkdir(folder)
            above = os.open(os.path.dirname(folder) or b"/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                disk.settle(above)
            finally:
                os.close(above)
    except OSError as problem:
        raise explained(folder, problem) from None
    try_out(folder, form)


def try_out(folder: bytes, form: Form) -> None:
    """Make what is to be put there once and take it away again. Raises DeliveryStopped."""
    name = disk.TEMPORARY + os.urandom(12).hex().encode()
    try:
        here = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if form is Form.LINK:
                os.symlink(b"nowhere", name, dir_fd=here)
            else:
                os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, dir_fd=here))
            os.unlink(name, dir_fd=here)
        finally:
            os.close(here)
    except OSError as problem:
        raise explained(folder, problem) from None


def check_writable(folder: bytes) -> None:
    """Whether files can be put there, as far as that can be told without doing it. Raises DeliveryStopped."""
    try:
        disk_ = os.statvfs(folder)
    except OSError as problem:
        raise explained(folder, problem) from None
    code = 0
    if disk_.f_flag & os.ST_RDONLY:
        code = errno.EROFS
    elif not os.access(folder, os.W_OK | os.X_OK):
        code = errno.EACCES
    elif not disk_.f_bavail and disk_.f_blocks:
        code = errno.ENOSPC
    if code:
        raise explained(folder, OSError(code, os.strerror(code)))


def explained(folder: bytes, problem: OSError) -> DeliveryStopped:
    """What the system says, and what to do, as a person would say it."""
    if problem.errno == errno.ENOENT:
        return _stopped(folder, "it is not there", "Mount its disk, or make the folder; it goes on by itself.")
    if problem.errno in disk.NOT_A_FOLDER:
        return _stopped(folder, "there is no folder in its place", "`guyverd unfollow` ends it.")
    if problem.errno in _NO_LINKS:
        return _stopped(
            folder, "its disk has no symbolic links", "End it with `guyverd unfollow` and follow with --copy."
        )
    if problem.errno in _FULL:
        return _stopped(folder, "its disk is full", "Free some space; it goes on by itself.")
    if problem.errno == errno.EROFS:
        return _stopped(
            folder,
            "it is read-only for guyverd",
            "See findmnt; where systemd runs guyverd, add the folder to ReadWritePaths= of its unit.",
        )
    return _stopped(folder, disk.reason(problem), "It is tried again by itself.")


def _stopped(folder: bytes, detail: str, hint: str) -> DeliveryStopped:
    return DeliveryStopped(path=os.fsdecode(folder), detail=detail, hint=hint)


# ---- names -----------------------------------------------------------------------------------------------------------


def plain_name(path: bytes) -> bytes:
    """What a photo or video is called there: as its file, but for control characters."""
    return with_suffix(shown_name(os.path.basename(path)), b"")


def clip_name(path: bytes, start: float, end: float, extension: bytes | None = None) -> bytes:
    """What a moment is called: the video's name with its times, as minutes.seconds: `party 01.23-01.31.mp4`."""
    stem, own = os.path.splitext(shown_name(os.path.basename(path)))
    return with_suffix(stem + (own if extension is None else extension), b" %s-%s" % (_clock(start), _clock(end)))


def _clock(seconds: float) -> bytes:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return b"%d.%02d.%02d" % (hours, minutes, rest) if hours else b"%02d.%02d" % (minutes, rest)


@dataclass(frozen=True, slots=True)
class Named:
    """The name of a delivery."""

    name: bytes
    there: bool
    """Whether what is wanted stands there already, by whomever it was made."""


Wish = Callable[[bytes, bytes | Stamp], bool]
"""Tells, of a name and what stands there, whether it is what is wanted."""


def named(here: int, plain: bytes, taken: Collection[str], is_wanted: Wish = lambda _, __: False) -> Named:
    """A free name in the open folder: `plain`, or `plain (2)`, … before the extension; or one with what is wanted.

    `taken` are names that others are about to get, as `byte_key`. Raises OSError.
    """
    for number in range(1, _MOST_NAMES):
        name = plain if number == 1 else with_suffix(plain, b" (%d)" % number)
        if byte_key(name) in taken:
            continue
        there = disk.seen_at(here, name)
        if there is Found.NOTHING:
            return Named(name, there=False)
        if not isinstance(there, Found) and is_wanted(name, there):
            return Named(name, there=True)
    raise OSError(errno.EEXIST, "too many files of that name")


def is_link_to(source: Source) -> Wish:
    """Tells the symbolic link to a photo or video."""
    return lambda _, there: there == source.path


def is_copy_of(source: Source, here: int) -> Wish:
    """Tells a file in the open folder that has the bytes of a photo or video."""
    return lambda name, there: isinstance(there, Stamp) and there.size == source.size and _equal(source, here, name)


def _equal(source: Source, here: int, name: bytes) -> bool:
    try:
        copied = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=here)
        with open(copied, "rb") as copy, open(source.path, "rb") as original:
            return disk.same_bytes(copy, original)
    except OSError:
        return False


# ---- making ----------------------------------------------------------------------------------------------------------


def check_source(source: Source) -> None:
    """Raise SourceLost unless the file is as it was when it was read."""
    try:
        status = os.lstat(source.path)
    except OSError:
        raise SourceLost from None
    if not stat.S_ISREG(status.st_mode) or not _as_read(status, source):
        raise SourceLost


def _as_read(status: os.stat_result, source: Source) -> bool:
    return (status.st_size, storable(status.st_mtime_ns)) == (source.size, source.mtime_ns)


def link(here: int, delivery: Delivery, source: Source) -> None:
    """Make the link of that delivery. Raises FileExistsError, and any other OSError."""
    assert delivery.name is not None
    os.symlink(source.path, delivery.name, dir_fd=here)


def lead_elsewhere(here: int, delivery: Delivery, sources: Collection[Source]) -> Delivery:
    """Have a link that was made lead to where its photo is now, if it still is that link; returns what is to be noted.

    Raises OSError.
    """
    assert delivery.name is not None
    paths = [source.path for source in sources]
    there = disk.seen_at(here, delivery.name)
    if there == delivery.target and paths:
        with _temporary(here, delivery) as name:
            os.symlink(paths[0], name, dir_fd=here)
            os.rename(name, delivery.name, src_dir_fd=here, dst_dir_fd=here)
        return replace(delivery, target=paths[0])
    # It was done already, or is somebody else's affair by now.
    return replace(delivery, target=there if isinstance(there, bytes) and there in paths else paths[0])


def copy(here: int, delivery: Delivery, source: Source, go_on: Callable[[], object]) -> Delivery:
    """Write the copy of that delivery under a name of its own; `publish` gives it the right one.

    Returns the delivery with what the copy is known by. Raises SourceLost, OSError, and whatever `go_on` raises.
    """
    with _temporary(here, delivery) as name:
        status = shapes.write_copy(source.path, name, here, go_on)
        check_source(source)
        if status.st_size != source.size:
            raise SourceLost
        return replace(delivery, inode=storable(status.st_ino))


def clip(here: int, folder: bytes, delivery: Delivery, cut: Cut) -> Delivery:
    """The same for a clip, which `cut` writes. Raises OSError and whatever `cut` raises."""
    with _temporary(here, delivery) as name:
        cut(os.path.join(folder, name))
        made = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
        try:
            os.fsync(made)
            return replace(delivery, inode=storable(os.fstat(made).st_ino))
        finally:
            os.close(made)


def publish(here: int, delivery: Delivery) -> None:
    """Give a finished copy or clip its name. Raises FileExistsError where it is taken, and any other OSError."""
    assert delivery.name is not None
    shapes.put(temporary(delivery), here, delivery.name, here)


def is_made(here: int, delivery: Delivery) -> bool:
    """Whether a delivery that was begun, and broken off, stands under its name. Raises OSError."""
    if delivery.name is None:
        return False
    there = disk.seen_at(here, delivery.name)
    if delivery.inode is None:
        return delivery.target is not None and there == delivery.target
    return isinstance(there, Stamp) and there.inode == delivery.inode


def clear(here: int, delivery: Delivery) -> None:
    """Take away what is left of a delivery that was broken off, under the name that only we give."""
    with suppress(OSError):
        os.unlink(temporary(delivery), dir_fd=here)


def temporary(delivery: Delivery) -> bytes:
    """The name of a copy or clip while it is written: like no other's, and the same after a new start."""
    told = b"%d %s %r" % (delivery.id, delivery.wanted.hash, (delivery.wanted.start, delivery.wanted.end))
    return disk.TEMPORARY + blake2b(told, digest_size=12).hexdigest().encode() + b"-copy"


@contextmanager
def _temporary(here: int, delivery: Delivery) -> Iterator[bytes]:
    """That name, free; what was written is taken away again if it was not finished."""
    name = temporary(delivery)
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=here)
    try:
        yield name
    except BaseException:
        clear(here, delivery)
        raise
