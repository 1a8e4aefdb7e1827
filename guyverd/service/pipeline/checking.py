"""Every cache against the catalogue, and the catalogue against itself; what can be rebuilt is rebuilt on request."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from guyverd.errors import GuyverError, PeopleFolderError
from guyverd.people.index import FaceIndex
from guyverd.people.index_file import IndexRefused
from guyverd.service.api import Row
from guyverd.service.pipeline.words.agreeing import disagreements
from guyverd.service.pipeline.words.deciding import standing

if TYPE_CHECKING:
    from guyverd.service.pipeline.coordinator import Coordinator


@dataclass(frozen=True, slots=True)
class _Check:
    name: str
    problems: Callable[[Coordinator], list[str]]
    """What is wrong, a sentence each."""
    repair: Callable[[Coordinator], object] | None
    """Makes it right from the catalogue; None where the catalogue itself is wrong."""


def check(work: Coordinator, *, repair: bool) -> Row:
    """Run every check, on the coordinator's thread. The shape is that of `Library.check`."""
    rows = []
    for item in _CHECKS:
        found = item.problems(work)
        repaired = False
        if found and repair and item.repair is not None:
            try:
                item.repair(work)
                found = item.problems(work)
            except GuyverError as problem:
                found = [f"{problem.message} {problem.advice}"]
            repaired = not found
        detail = "; ".join(found[:5]) + (f"; and {len(found) - 5} more" if len(found) > 5 else "")
        rows.append({"name": item.name, "ok": not found, "detail": detail, "repaired": repaired})
    return {"checks": rows}


def _catalogue(work: Coordinator) -> list[str]:
    return work.catalogue.integrity()


def _people(work: Coordinator) -> list[str]:
    said = standing(work.catalogue)
    return work.catalogue.contradictions(said.together | said.alike)


def _decisions(work: Coordinator) -> list[str]:
    return disagreements(work.catalogue)


def _index(work: Coordinator) -> list[str]:
    # What changed since it was saved is no fault of the file.
    work.grouping.save(now=True)
    stamp = work.catalogue.index_stamp()
    if stamp is None:
        # Nothing was saved yet, so nothing can be wrong: it is built from the catalogue when it is needed.
        return []
    try:
        saved = FaceIndex.load(os.fsencode(work.config.state / "index"), stamp)
    except IndexRefused as problem:
        return [f"the saved index cannot be used: {problem}"]
    missing = np.setdiff1d(saved.ids(), work.catalogue.photos.all_ids())
    if len(missing):
        # What was forgotten since, and not saved before a kill, is taken out when it is opened.
        missing = np.setdiff1d(work.grouping.index.ids(), work.catalogue.photos.all_ids())
    return [f"{len(missing)} faces in the index are not in the catalogue"] if len(missing) else []


def _links(work: Coordinator) -> list[str]:
    if not os.path.lexists(work.config.people) and not work.catalogue.counts().faces:
        # No face was found yet, so no folder was needed: the first pass makes it.
        return []
    try:
        wrong = work.publishing.wrong()
    except PeopleFolderError as problem:
        return [problem.message]
    found = [f"{os.fsdecode(path)}: {problem}" for path, problem in wrong]
    planned = work.publishing.planned()
    if planned:
        found.append(f"{len(planned.make)} links are to be made and {len(planned.remove)} to be removed")
    return found


_CHECKS = (
    _Check("catalogue file", _catalogue, None),
    _Check("people in it", _people, None),
    _Check("decisions", _decisions, None),
    _Check("index", _index, lambda work: work.grouping.replace()),
    _Check("people folder", _links, lambda work: work.publishing.mend()),
)
