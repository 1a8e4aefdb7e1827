"""Copies of originals into a folder of the user's choice.

Nothing is overwritten, no copy is ever seen half written, and nothing is put into a photo folder. Only here does
guyverd write files that are photos, or parts of them.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from guyverd.errors import ExportError

_BLOCK = 1 << 20
_LONGEST_NAME = 255
"""Bytes; the limit of every common Linux file system."""
_NO_HARD_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
"""What FAT, exFAT and some network file systems answer to link()."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What became of the photos."""

    copied: tuple[str, ...]
    """The new files."""
    already: tuple[str, ...]
    """Files that held the same bytes before."""
    missing: tuple[tuple[str, ...], ...]
    """For each photo of which no file could be read: all that were tried."""


class _SourceLost(Exception):
    """An original could not be read to its end."""


@dataclass(frozen=True, slots=True)
class _Source:
    fd: int
    name: str
    status: os.stat_result


def copy_originals(
    files: Iterable[Sequence[str]],
    folder: Path,
    *,
    sacred: Iterable[Path] = (),
    each: Callable[[], object] | None = None,
) -> Exported:
    """Copy one file of each photo into `folder`, which is made when it is not there.

    Each item of `files` lists the paths that hold one photo; the first that can be read is taken. The copy keeps its
    name and time of modification. Where a file of that name stands, it is skipped if its bytes are equal, else the
    copy is called `name (2).jpg`. `sacred` are the photo folders; `each` is called after every photo. Raises
    ExportError when `folder` lies in one of `sacred` or cannot be written; what was copied until then stays.
    """

    def copy(candidate: str) -> tuple[str, bool]:
        with _opened(candidate) as source:
            return _place(source, os.fspath(folder))

    return _each_put(files, folder, copy, sacred, each)


def link_originals(
    files: Iterable[Sequence[str]],
    folder: Path,
    *,
    sacred: Iterable[Path] = (),
    each: Callable[[], object] | None = None,
) -> Exported:
    """Put a symbolic link to one file of each photo into `folder`, which is made when it is not there.

    The first of a photo's files that is there is linked to, by its absolute path, under its name. A link to that very
    file that stands there counts as already there; beside anything else the link gets a number, as by
    `copy_originals`, which tells of `sacred`, `each` and the errors too.
    """

    def link(candidate: str) -> tuple[str, bool]:
        with _opened(candidate):
            pass
        return _link(os.path.abspath(candidate), os.fspath(folder))

    return _each_put(files, folder, link, sacred, each)


def _each_put(
    files: Iterable[Sequence[str]],
    folder: Path,
    put: Callable[[str], tuple[str, bool]],
    sacred: Iterable[Path],
    each: Callable[[], object] | None,
) -> Exported:
    """`put` the first of each photo's files that is not lost into `folder`; it tells where, and whether that is new."""
    new: list[str] = []
    already: list[str] = []
    missing: list[tuple[str, ...]] = []
    with _filled(folder, sacred):
        for candidates in files:
            for candidate in candidates:
                try:
                    target, made = put(candidate)
                except _SourceLost:
                    continue
                (new if made else already).append(target)
                break
            else:
                missing.append(tuple(candidates))
            if each is not None:
                each()
    return Exported(tuple(new), tuple(already), tuple(missing))


def _link(original: str, folder: str) -> tuple[str, bool]:
    """The link to `original` in `folder`, and whether it is new."""
    number = 1
    while True:
        target = os.path.join(folder, numbered(os.path.basename(original), number))
        try:
            os.symlink(original, target)
        except FileExistsError:
            if os.path.islink(target) and os.readlink(target) == original:
                return target, False
            number += 1
            continue
        return target, True


@contextlib.contextmanager
def filling(folder: Path, sacred: Iterable[Path] = ()) -> Iterator[Callable[[bytes, str], tuple[str, bool]]]:
    """What puts bytes into `folder` as a file of that name, by the rules of `copy_originals`, which raises the same.

    It returns the file that holds them, and whether it is new.
    """

    def put(data: bytes, name: str) -> tuple[str, bool]:
        # A file in memory is one more original.
        fd = os.memfd_create("made", os.MFD_CLOEXEC)
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            return _place(_Source(fd, name, os.fstat(fd)), os.fspath(folder))

    with _filled(folder, sacred):
        yield put


@contextlib.contextmanager
def receiving(folder: Path, sacred: Iterable[Path] = ()) -> Iterator[Receiver]:
    """Where files that are made piece by piece become part of `folder`, by the rules of `copy_originals`.

    It raises what `copy_originals` does.
    """
    with _filled(folder, sacred):
        yield Receiver(os.fspath(folder))


class Receiver:
    """A folder that takes files which somebody else writes, each under a name of its own until it is whole."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    @contextlib.contextmanager
    def part(self) -> Iterator[str]:
        """An empty file to write into; what is left of it afterwards is removed."""
        path = os.path.join(self._folder, f".guyverd-{secrets.token_hex(8)}.part")
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
        try:
            yield path
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    def settle(self, part: str, name: str) -> tuple[str, bool]:
        """Give the finished `part` its name, or find that a file with its bytes is there; and whether it is new."""
        fd = os.open(part, os.O_RDONLY | os.O_CLOEXEC)
        try:
            # Before the name appears: after a power cut a named file must be a whole one.
            os.fsync(fd)
            made = _Source(fd, name, os.fstat(fd))
            number = 1
            while True:
                target = os.path.join(self._folder, numbered(name, number))
                if not os.path.lexists(target):
                    # Taken by someone else in this moment: look again under the same number.
                    with contextlib.suppress(FileExistsError):
                        _publish(part, target)
                        return target, True
                    continue
                if _holds(target, made):
                    return target, False
                number += 1
        finally:
            os.close(fd)


@contextlib.contextmanager
def _filled(folder: Path, sacred: Iterable[Path]) -> Iterator[None]:
    """Make a folder, or refuse it, and see to it that what is put in it is durable."""
    refuse_inside(folder, sacred)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
        _sync_folder(folder)
    except OSError as problem:
        raise ExportError(path=folder, detail=problem.strerror or str(problem)) from problem


def refuse_inside(folder: Path, sacred: Iterable[Path]) -> None:
    """By path with links followed, and by identity, so that a bind mount of a photo folder is recognised too."""
    real = Path(os.path.realpath(folder))
    above = [real, *real.parents]
    for root in sacred:
        if Path(os.path.realpath(root)) in above or any(_same_folder(root, item) for item in above):
            raise ExportError(path=folder, detail=f"it lies in the photo folder {root}, where guyverd never writes")


def _same_folder(first: Path, second: Path) -> bool:
    try:
        return os.path.samefile(first, second)
    except OSError:
        return False


@contextlib.contextmanager
def _opened(path: str, flags: int = 0) -> Iterator[_Source]:
    try:
        # O_NONBLOCK: a pipe in the place of a photo must not keep us waiting.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | flags)
    except (OSError, ValueError) as problem:
        raise _SourceLost from problem
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise _SourceLost
        yield _Source(fd, os.path.basename(path), status)
    finally:
        os.close(fd)


def _blocks(source: _Source) -> Iterator[bytes]:
    """The bytes of the original from the start; a failing disk under it is no fault of the target's."""
    offset = 0
    while True:
        try:
            block = os.pread(source.fd, _BLOCK, offset)
        except OSError as problem:
            raise _SourceLost from problem
        if not block:
            return
        yield block
        offset += len(block)


def _place(source: _Source, folder: str) -> tuple[str, bool]:
    """The file that holds the photo in `folder`, and whether it is new."""
    part: str | None = None
    number = 1
    try:
        while True:
            target = os.path.join(folder, numbered(source.name, number))
            if os.path.lexists(target):
                if _holds(target, source):
                    return target, False
                number += 1
                continue
            if part is None:
                part = os.path.join(folder, f".guyverd-{secrets.token_hex(8)}.part")
                _write(part, source)
            # Taken by someone else in this moment: look again under the same number.
            with contextlib.suppress(FileExistsError):
                _publish(part, target)
                return target, True
    finally:
        if part is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(part)


def numbered(name: str, number: int) -> str:
    """`name`, or from 2 on `name (number)` before its suffix, cut to what a file system can hold."""
    if number == 1:
        return name
    stem, suffix = os.path.splitext(name)
    return fitting(stem, f" ({number}){suffix}")


def fitting(stem: str, tail: str) -> str:
    """The two as one name, the first cut to what a file system can hold."""
    while len(os.fsencode(stem + tail)) > _LONGEST_NAME and stem:
        stem = stem[:-1]
    return stem + tail


def _holds(target: str, source: _Source) -> bool:
    """Whether `target` is a plain file with the original's bytes; a link to the original is not a copy of it."""
    try:
        with _opened(target, os.O_NOFOLLOW) as there:
            if there.status.st_size != source.status.st_size:
                return False
            return all(ours == theirs for ours, theirs in itertools.zip_longest(_blocks(source), _blocks(there)))
    except _SourceLost:
        # If it was the original that failed, writing the copy will fail the same way and say so.
        return False


def _write(part: str, source: _Source) -> None:
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    with os.fdopen(fd, "wb", buffering=0) as file:
        for block in _blocks(source):
            view = memoryview(block)
            while view:
                view = view[file.write(view) :]
        os.utime(fd, ns=(source.status.st_atime_ns, source.status.st_mtime_ns))
        # Before the name appears: after a power cut a named file must be a whole one.
        os.fsync(fd)


def _publish(part: str, target: str) -> None:
    """Give the finished file its name. Raises FileExistsError when the name is taken."""
    try:
        os.link(part, target)
    except OSError as problem:
        if problem.errno not in _NO_HARD_LINKS:
            raise
    else:
        return
    # No hard links here: reserve the name with an empty file, which fails if it is taken, and replace that.
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
    try:
        os.rename(part, target)
    except BaseException:
        os.unlink(target)
        raise


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):  # some network file systems cannot
            os.fsync(fd)
    finally:
        os.close(fd)
