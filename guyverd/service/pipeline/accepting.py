"""What stands in a photo folder's place is that photo folder from now on, because somebody says so."""

from __future__ import annotations

import logging
import os

from guyverd.errors import CannotDecide
from guyverd.model import RootState
from guyverd.service.api import Row
from guyverd.service.pipeline.coordinator import Coordinator
from guyverd.watch.mounts import identify

log = logging.getLogger(__name__)


def accept(work: Coordinator, folder: str, *, dry: bool) -> Row:
    """Take a root as it is now, as `Library.accept`."""
    path = os.fsencode(os.path.abspath(folder))
    told: Row = {}

    def job() -> None:
        roots = work.catalogue.files.roots()
        root = next((one for one in roots if one.path == path), None)
        shown = os.fsdecode(path)
        for one in roots:
            inner = path[len(one.path) + 1 :] if path.startswith(one.path + b"/") else b""
            if inner and inner in work.observing.mounted.away(one.id):
                known = len(work.catalogue.places.below(one.id, inner, -1))
                told.update(path=shown, detail="the disk that was there is away", known=known, dry_run=dry)
                if not dry:
                    work.observing.mounted.accept(one, inner, work.catalogue.now())
                    log.warning("%s is taken as it is now: somebody said so.", shown, extra={"root": shown})
                return
        if root is None:
            named = ", ".join(os.fsdecode(one.path) for one in roots)
            raise CannotDecide(detail=f"{shown} is no photo folder", hint=f"The photo folders are: {named}.")
        if identify(path) is None:
            raise CannotDecide(detail=f"{shown} is not there", hint="Mount its disk, or make the folder.")
        if root.state is not RootState.OFFLINE:
            raise CannotDecide(detail=f"{shown} is there, and is what it was", hint="Nothing is to be done.")
        told.update(path=shown, detail=root.detail, known=work.catalogue.places.count(root.id), dry_run=dry)
        if not dry:
            work.catalogue.places.begin_anew(root.id, work.catalogue.now())
            log.warning("%s is taken as it is now: somebody said so.", shown, extra={"root": shown})

    if dry:
        work.call(job)
    else:
        work.rescan(job)
    return told
