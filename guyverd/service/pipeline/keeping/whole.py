"""What is asked of, and done to, the people folder as a whole: `guyverd folders`."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

from guyverd.errors import PeopleFolderError
from guyverd.published import Home, album_of
from guyverd.service.api import Row

if TYPE_CHECKING:
    from guyverd.service.pipeline.coordinator import Coordinator

MOST = 50
"""Things that are listed one by one."""


def stand(work: Coordinator) -> Row:
    """How the people folder stands. The shape is that of `Library.folders`."""
    catalogue, settings = work.catalogue, work.config.folders
    publishing = work.publishing
    problem, changes = publishing.problem, list[str]()
    paused = publishing.heeding.paused
    try:
        if publishing.prepared or catalogue.links.homes():
            publishing.tree.check()
            changes = publishing.heeding.outlook()
    except PeopleFolderError as found:
        problem = found
    state = "paused" if paused is not None else "in trouble" if problem is not None else "kept"
    homes, links = catalogue.links.homes().values(), catalogue.links.published()
    watching = work.watcher.at(os.fsencode(work.config.people))
    waiting = Counter(one.state for one in catalogue.heard.open())
    return {
        "path": str(work.config.people),
        "state": state,
        "detail": paused or ("" if problem is None else f"{problem.message} {problem.advice}".strip()),
        "watched": "not running" if watching is None else watching.word,
        "layout": settings.layout,
        "links": settings.links,
        "folders": _folders(list(homes)),
        "count": len(links),
        "placed": sum(link.placed for link in links),
        "own": len(catalogue.heard.enrolled()),
        "waiting": waiting["waiting"],
        "asked": waiting["asked"] + len(catalogue.heard.proposals()),
        "changes": changes[:MOST],
        "more_changes": max(0, len(changes) - MOST),
    }


def resume(work: Coordinator, *, accept: bool, dry: bool) -> Row:
    """Go on after a pause, as `Library.folders_resume`."""
    if dry:
        done = work.publishing.heeding.outlook()
    else:
        done = work.publishing.resume(accept=accept)
        work.publish_now()
    return {"accepted": accept, "acts": done[:MOST], "more_acts": max(0, len(done) - MOST), "dry_run": dry}


def rebuild(work: Coordinator, *, dry: bool) -> Row:
    """Make everything there anew that is not as it should be, as `Library.folders_rebuild`.

    Raises PeopleFolderError where that cannot be.
    """
    publishing = work.publishing
    if dry:
        missing = {path for path, _ in publishing.wrong()}
        plan = publishing.planned()
        return _told(
            made=len({link.path for link in plan.make} | missing),
            removed=len(plan.remove),
            renamed=len(plan.renames),
            problems=[],
            dry=True,
        )
    publishing.mend()
    if publishing.problem is not None:
        raise publishing.problem
    applied = publishing.applied
    if applied is None:
        return _told(made=0, removed=0, renamed=0, problems=[], dry=False)
    problems = [f"{os.fsdecode(path)}: {reason}" for path, reason in (*applied.problems, *applied.otherwise)]
    return _told(made=applied.made, removed=applied.removed, renamed=applied.renamed, problems=problems, dry=False)


def _told(*, made: int, removed: int, renamed: int, problems: list[str], dry: bool) -> Row:
    return {"made": made, "removed": removed, "renamed": renamed, "problems": problems[:MOST], "dry_run": dry}


def _folders(homes: list[Home]) -> Row:
    albums = sum(album_of(home.owner) is not None for home in homes)
    unnamed = sum(home.name is None for home in homes)
    return {"named": len(homes) - albums - unnamed, "unnamed": unnamed, "albums": albums}
