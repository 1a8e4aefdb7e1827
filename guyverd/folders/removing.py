"""Links taken away: each only if it still says what the ledger says."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

from guyverd.folders import disk
from guyverd.folders.disk import Found
from guyverd.folders.work import Stopped, Work, batches, by_folder
from guyverd.published import PublishedLink


def remove(work: Work, links: Iterable[PublishedLink]) -> None:
    """Remove links, and folders that fall empty by it; then forget them.

    A link that somebody changed or replaced stays and is forgotten: it is not ours any more.
    """
    for batch in batches(sorted(links, key=lambda link: link.path)):
        work.check()
        # From here on it tells nothing that one is missing.
        work.ledger.intend([replace(link, made=False) for link in batch])
        gone: list[bytes] = []
        try:
            for folder, inside in by_folder(batch):
                _remove_from(work, folder, inside, gone)
        except Stopped:
            work.ledger.forget(gone)
            raise
        work.ledger.forget(gone)


def _remove_from(work: Work, folder: bytes, links: list[PublishedLink], gone: list[bytes]) -> None:
    done: list[bytes] = []
    settled: list[bytes] = []
    try:
        with disk.folder(work.root, folder) as here:
            try:
                for link in links:
                    _remove_one(work, here, link)
                    done.append(link.path)
            finally:
                # The ledger forgets a link only when no power cut can bring it back.
                disk.settle(here)
                settled = done
    except OSError as problem:
        if problem.errno not in disk.NOT_A_FOLDER and problem.errno != errno.ENOENT:
            gone += settled
            work.failed(folder, problem)
            return
        # The folder itself is gone (removing one link never raises these), and what we made in it with it.
        if problem.errno != errno.ENOENT:
            work.leave(folder)
        settled = [link.path for link in links]
    # While their rows are there, a folder that could not be removed is tried again.
    work.tidy(folder)
    gone += settled


def _remove_one(work: Work, here: int, link: PublishedLink) -> None:
    name = os.path.basename(link.path)
    found = disk.seen_at(here, name)
    if disk.may_go(link, found):
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=here)
        work.counts["removed"] += 1
    elif found is not Found.NOTHING:
        work.leave(link.path)
