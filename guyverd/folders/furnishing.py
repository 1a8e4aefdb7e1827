"""Files of ours beside the links, contact sheets and covers: made, made anew, taken away.

They follow the rule of links: a row comes before its file and goes after it, and nothing that is not as we made it is
ever written over. The row tells the very file, by its stamp, before that file gets its name.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from guyverd.folders import disk, shapes
from guyverd.folders.disk import Found
from guyverd.folders.linking import FILES_OF_OURS
from guyverd.folders.removing import remove
from guyverd.folders.work import Work
from guyverd.model import Stamp
from guyverd.published import PublishedLink


@dataclass(frozen=True, slots=True)
class Furnishing:
    """A file that should stand in somebody's folder."""

    link: PublishedLink
    """A page or a cover; its `target` tells what it is made of."""
    content: bytes


def furnish(
    work: Work, wanted: Sequence[Furnishing], stale: Iterable[PublishedLink], rows: Mapping[bytes, PublishedLink]
) -> None:
    """Make the files that are `wanted`, take away the `stale` ones; `rows` are all that is published at these paths."""
    remove(work, stale)
    for item in wanted:
        work.check()
        row = rows.get(item.link.path)
        if row is not None and row.kind not in FILES_OF_OURS:
            work.leave(item.link.path)  # a link that somebody gave this name
            continue
        try:
            with disk.folder(work.root, os.path.dirname(item.link.path)) as here:
                _put(work, here, item, row)
        except OSError as problem:
            work.failed(item.link.path, problem)


def _put(work: Work, here: int, item: Furnishing, row: PublishedLink | None) -> None:
    path = item.link.path
    name, temporary = os.path.basename(path), disk.temporary_name(path)
    there = disk.seen_at(here, name)
    if row is not None and disk.is_ours(row, there):
        if row.target == item.link.target and row.kind is item.link.kind:
            if not row.made or row.owner != item.link.owner:
                disk.settle(here)
                work.ledger.intend([replace(row, made=True, owner=item.link.owner)])
            return
    elif there is not Found.NOTHING:
        work.leave(path)
        if row is not None:
            work.ledger.forget([path])
        return
    try:
        new = replace(item.link, stamp=_write(work.root, temporary, item.content))
        if there is Found.NOTHING:
            work.ledger.intend([replace(new, made=False)])
            if not _name(work, temporary, here, name):
                work.ledger.forget([path])
                work.leave(path)
                return
        else:
            assert row is not None
            work.ledger.intend([replace(row, made=False), replace(new, path=temporary, made=False)])
            if not disk.is_ours(row, disk.seen_at(here, name)):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
            os.rename(temporary, name, src_dir_fd=work.root, dst_dir_fd=here)
        disk.settle(here)
        work.ledger.intend([replace(new, made=True)])
        if there is not Found.NOTHING:
            work.ledger.forget([temporary])
        work.counts["made"] += 1
    except disk.Unsettled:
        raise
    except OSError:
        _take_back(work, here, path, row, temporary)
        raise


def _take_back(work: Work, here: int, path: bytes, row: PublishedLink | None, temporary: bytes) -> None:
    """After an error: the ledger tells what was there before, if that is there still."""
    with suppress(OSError):
        os.unlink(temporary, dir_fd=work.root)
    work.ledger.forget([temporary])
    if row is not None and disk.is_ours(row, disk.seen_at(here, os.path.basename(path))):
        work.ledger.intend([row])
    else:
        work.ledger.forget([path])


def _name(work: Work, temporary: bytes, here: int, name: bytes) -> bool:
    """Give the finished file its name; False where something has it by now."""
    try:
        shapes.put(temporary, work.root, name, here)
    except FileExistsError:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=work.root)
        return False
    return True


def _write(root: int, name: bytes, content: bytes) -> Stamp:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=root)
    file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644, dir_fd=root)
    try:
        while content:
            content = content[os.write(file, content) :]
        os.fsync(file)
        return disk.stamp_of(os.fstat(file))
    finally:
        os.close(file)
