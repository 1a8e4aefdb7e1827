"""One plan carried out on disk, in an order that survives being killed at any moment.

A ledger row is written before its link is made and deleted after its link is gone. Links go by batches, so that the
ledger commits once for many.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace

from guyverd.folders import disk
from guyverd.folders.ledger import Applied, Ledger
from guyverd.folders.linking import FILES_OF_OURS
from guyverd.folders.making import make
from guyverd.folders.moving import move_folders
from guyverd.folders.plan import Plan
from guyverd.folders.removing import remove
from guyverd.folders.spare import parents
from guyverd.folders.work import Stopped, Work, batches
from guyverd.model import storable
from guyverd.published import Home, OwnerId, PublishedLink


def carry_out(root: int, plan: Plan, ledger: Ledger, check: Callable[[], None]) -> Applied:
    """Remove, rename, make; `check` raises when the tree is no longer ours."""
    filled = {os.path.dirname(link.path) for link in plan.make} | {rename.new for rename in plan.renames}
    # What moves is made anew one by one where it is not there any more.
    moving_to = {rename.new for rename in plan.renames}
    standing = frozenset(folder for folder in plan.standing if moving_to.isdisjoint(parents(folder)))
    work = Work(root, ledger, check, frozenset(above for folder in filled for above in parents(folder)), standing)
    try:
        _clear(work)
        # A folder that is noted and not there yet tells nothing; one that is there and not noted would seem new.
        moving = {rename.owner for rename in plan.renames}
        ledger.settle([home for home in plan.homes if home.owner not in moving])
        at = _steps(work, plan)
        ledger.settle(_found(work, plan, at), plan.gone)
    except Stopped:
        pass
    return work.applied()


def _clear(work: Work) -> None:
    try:
        disk.remove_temporary(work.root)
    except OSError as problem:
        work.failed(b"", problem)


def _found(work: Work, plan: Plan, at: Mapping[OwnerId, bytes]) -> list[Home]:
    """Where the folders are in fact, and by what to know them again."""
    homes = []
    for home in plan.homes:
        path = at.get(home.owner, home.path)
        try:
            path = path if home.owner in at else work.place(path)
            with disk.folder(work.root, path) as here:
                homes.append(replace(home, path=path, inode=storable(os.fstat(here).st_ino)))
        except OSError:
            homes.append(replace(home, path=path))
    return homes


def _steps(work: Work, plan: Plan) -> dict[OwnerId, bytes]:
    """Returns where the folders that were renamed lie now."""
    first = {rename.owner: rename for rename in reversed(plan.renames)}
    final = {rename.owner: rename.new for rename in plan.renames}
    spots = {path for rename in plan.renames for path in (rename.old, rename.new)}
    wanted = {link.path for link in plan.make}
    # Links that go before anything moves; those that a new one replaces in place; those in a folder that moves first.
    at_once, in_place, moving = [], [], []
    for link in plan.remove:
        if link.owner in first and link.path.startswith(first[link.owner].old + b"/"):
            moving.append(link)
        elif link.path in wanted and spots.isdisjoint(parents(os.path.dirname(link.path))):
            in_place.append(link)
        else:
            at_once.append(link)
    remove(work, at_once)

    at, stuck = move_folders(work, plan.renames)
    moved = {owner: path for owner, path in at.items() if owner not in stuck}
    work.ledger.settle([replace(home, path=moved[home.owner]) for home in plan.homes if home.owner in moved])
    notes = [_follow(link, final, moved) for link in plan.note if link.owner not in stuck]
    for batch in batches(notes):
        work.ledger.intend(batch)
    for link in moving:
        if link.owner not in stuck:
            tail = link.path[len(first[link.owner].old) :]
            in_place.append(replace(link, path=at[link.owner] + tail))
    # A folder that could not be renamed: its links move one by one.
    unwanted = {link.path for link in moving}
    left, anew = [], []
    for owner in sorted(stuck):
        old = first[owner].old
        for link in first[owner].links:
            tail = link.path[len(old) :]
            left.append(replace(link, path=at[owner] + tail))
            # A sheet or a cover is of no file: it is made again with the other furniture.
            if link.path not in unwanted and link.kind not in FILES_OF_OURS:
                anew.append(replace(link, path=final[owner] + tail))
    remove(work, left)
    fresh = [link if link.owner in stuck else _follow(link, final, moved) for link in plan.make]
    make(work, [*fresh, *anew], {link.path: link for link in in_place})
    return moved


def _follow(link: PublishedLink, final: Mapping[OwnerId, bytes], moved: Mapping[OwnerId, bytes]) -> PublishedLink:
    """The link in the folder as it came to be called, which may be a spare name."""
    wanted, there = final.get(link.owner), moved.get(link.owner)
    if wanted is None or there is None or wanted == there or not link.path.startswith(wanted + b"/"):
        return link
    return replace(link, path=there + link.path[len(wanted) :])
