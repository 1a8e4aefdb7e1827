"""Folders renamed as a whole, so that what the user put into them moves along."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from dataclasses import replace

from guyverd.folders import disk
from guyverd.folders.disk import Found
from guyverd.folders.plan import FolderRename
from guyverd.folders.spare import parents
from guyverd.folders.work import BATCH, Stopped, Work, batches
from guyverd.published import OwnerId, PublishedLink


def move_folders(work: Work, renames: Sequence[FolderRename]) -> tuple[dict[OwnerId, bytes], set[OwnerId]]:
    """Rename folders in order.

    Returns the path at which each owner's links lie now, and those whose folder could not be renamed on the
    last step: gone, replaced by something else, or its new path taken. Their links must be moved one by one.
    """
    at: dict[OwnerId, bytes] = {}
    stuck: set[OwnerId] = set()
    group: list[FolderRename] = []
    for rename in renames:
        if rename.owner in stuck:
            continue
        old = at.get(rename.owner, rename.old)
        try:
            new = work.place(rename.new)
            if group and (_touches(old, new, group) or _size(group) + len(rename.links) > BATCH):
                _move(work, group, at, stuck)
                group = []
                if rename.owner in stuck:
                    continue
            old = at.setdefault(rename.owner, rename.old)
            if disk.kind_at(work.root, old) is not Found.FOLDER:
                stuck.add(rename.owner)
            elif not disk.has_room(work.root, new, old):
                stuck.add(rename.owner)
                work.otherwise.append((old, f"its new name {os.fsdecode(new)} is a folder with other files"))
            else:
                group.append(FolderRename(rename.owner, old, new, tuple(_moved(rename, old))))
        except OSError as problem:
            at.setdefault(rename.owner, old)
            stuck.add(rename.owner)
            work.failed(old, problem)
    _move(work, group, at, stuck)
    return at, stuck


def _moved(rename: FolderRename, place: bytes) -> list[PublishedLink]:
    """Its links with paths below `place`."""
    return [replace(link, path=place + link.path[len(rename.old) :]) for link in rename.links]


def _size(group: Sequence[FolderRename]) -> int:
    return sum(len(rename.links) for rename in group)


def _touches(old: bytes, new: bytes, group: Sequence[FolderRename]) -> bool:
    """Whether a rename depends on one that is only about to be done."""
    places = {path for other in group for path in (other.old, other.new)}
    above = {path for place in places for path in parents(place)}
    return any(path in above or not places.isdisjoint(parents(path)) for path in (old, new))


def _move(work: Work, group: Sequence[FolderRename], at: dict[OwnerId, bytes], stuck: set[OwnerId]) -> None:
    """Rows for the new paths are written first: on whichever side of the rename we die, each link has its row."""
    if not group:
        return
    work.check()
    before = [link for rename in group for link in rename.links]
    after = [link for rename in group for link in _moved(rename, rename.new)]
    for batch in batches([replace(link, made=False) for link in (*before, *after)]):
        work.ledger.intend(batch)
    done: list[FolderRename] = []
    unsure: list[FolderRename] = []
    undone = list(group)
    try:
        while undone:
            rename = undone[0]
            try:
                disk.rename_folder(work.root, rename.old, rename.new)
            except OSError as problem:
                stuck.add(rename.owner)
                if isinstance(problem, disk.Unsettled):
                    unsure.append(rename)
                if problem.errno not in (errno.ENOENT, *disk.NOT_A_FOLDER):
                    work.failed(rename.old, problem)
            else:
                work.counts["renamed"] += 1
                at[rename.owner] = rename.new
                done.append(rename)
                work.tidy(_above(rename.old))
            undone.remove(rename)
    except Stopped:
        # Links that are here or there have rows for both, until `PeopleTree.recover` looks.
        _note(work, [rename for rename in group if rename not in unsure], done)
        raise
    _note(work, group, done)


def _above(path: bytes) -> bytes:
    return path.rpartition(b"/")[0]


def _note(work: Work, group: Sequence[FolderRename], done: Sequence[FolderRename]) -> None:
    if done:
        work.ledger.renamed(done)
    failed = [rename for rename in group if rename not in done]
    if failed:
        work.ledger.intend([link for rename in failed for link in rename.links])
        work.ledger.forget([link.path for rename in failed for link in _moved(rename, rename.new)])
