"""One plan carried out on disk, in an order that survives being killed at any moment.

A ledger row is written before its link is made and deleted after its link is gone. Links go by batches, so that the
ledger commits once for many.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

from guyverd.folders import disk
from guyverd.folders.ledger import Applied, Ledger
from guyverd.folders.making import make
from guyverd.folders.moving import move_folders
from guyverd.folders.plan import Plan
from guyverd.folders.removing import remove
from guyverd.folders.spare import parents
from guyverd.folders.work import Stopped, Work


def carry_out(root: int, plan: Plan, ledger: Ledger, check: Callable[[], None]) -> Applied:
    """Remove, rename, make; `check` raises when the tree is no longer ours."""
    filled = {os.path.dirname(link.path) for link in plan.make} | {rename.new for rename in plan.renames}
    work = Work(root, ledger, check, frozenset(above for folder in filled for above in parents(folder)))
    try:
        disk.remove_temporary(root)
        _steps(work, plan)
    except Stopped:
        pass
    return Applied(
        made=work.counts["made"],
        removed=work.counts["removed"],
        renamed=work.counts["renamed"],
        kept_foreign=tuple(work.foreign),
        problems=tuple(work.problems),
    )


def _steps(work: Work, plan: Plan) -> None:
    first = {rename.person: rename for rename in reversed(plan.renames)}
    final = {rename.person: rename.new for rename in plan.renames}
    spots = {path for rename in plan.renames for path in (rename.old, rename.new)}
    wanted = {link.path for link in plan.make}
    # Links that go before anything moves; those that a new one replaces in place; those in a folder that moves first.
    at_once, in_place, moving = [], [], []
    for link in plan.remove:
        if link.person in first and link.path.startswith(first[link.person].old + b"/"):
            moving.append(link)
        elif link.path in wanted and spots.isdisjoint(parents(os.path.dirname(link.path))):
            in_place.append(link)
        else:
            at_once.append(link)
    remove(work, at_once)

    at, stuck = move_folders(work, plan.renames)
    for link in moving:
        if link.person not in stuck:
            tail = link.path[len(first[link.person].old) :]
            in_place.append(replace(link, path=at[link.person] + tail))
    # A folder that could not be renamed: its links move one by one.
    unwanted = {link.path for link in moving}
    left, anew = [], []
    for person in sorted(stuck):
        old = first[person].old
        for link in first[person].links:
            tail = link.path[len(old) :]
            left.append(replace(link, path=at[person] + tail))
            if link.path not in unwanted:
                anew.append(replace(link, path=final[person] + tail))
    remove(work, left)
    make(work, [*plan.make, *anew], {link.path: link for link in in_place})
