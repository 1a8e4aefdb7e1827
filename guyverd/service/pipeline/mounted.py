"""Disks that are mounted within photo folders: where one is away, nothing that was on it is gone."""

from __future__ import annotations

import logging
import os

from guyverd.catalogue.rows import RootRow, within
from guyverd.catalogue.store import Catalogue
from guyverd.model import RootId, RootIdentity
from guyverd.watch.mounts import identify, is_familiar, mounted_below

log = logging.getLogger(__name__)

_LOOKED_FOR = 200
"""Files that are looked for to tell one disk from another."""


class Mounted:
    """Remembers where disks were mounted. To be used on the coordinator's thread."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._standing: dict[RootId, dict[bytes, RootIdentity]] = {}
        """By whole path."""
        self._away: dict[RootId, frozenset[bytes]] = {}

    def away(self, root: RootId) -> frozenset[bytes]:
        """Folders of a root, relative to it, whose disk is away, as of the last inspection: nothing in them counts."""
        return self._away.get(root, frozenset())

    def changed(self) -> bool:
        """Whether another directory than at the last inspection stands where a disk is mounted."""
        return any(
            identify(path) != identity for standing in self._standing.values() for path, identity in standing.items()
        )

    def leave(self, root: RootId) -> None:
        """The root itself is away: there is nothing to be said of what is mounted in it."""
        self._standing.pop(root, None)
        self._away.pop(root, None)

    def inspect(self, root: RootRow) -> bool:
        """See which disks are mounted in a root that is there. Tells whether one came or went."""
        points = mounted_below(root.path)
        known = self._catalogue.places.mounts(root.id)
        standing: dict[bytes, RootIdentity] = {}
        away: set[bytes] = set()
        before = self.away(root.id)
        for path in sorted(points | known.keys()):
            whole = within(root.path, path)
            identity = identify(whole) if path in points else None
            same = identity is not None and identity == known.get(path) and path not in before
            if not same and not self._holds(root, path):
                away.add(path)
                self._catalogue.places.put_back(root.id, path)
            elif identity is None and path in known:
                self._catalogue.places.unmounted(root.id, path)
            elif identity is not None and not same:
                self._catalogue.places.mounted(root.id, path, identity)
            if identity is not None:
                standing[whole] = identity
        for path in sorted(away - before):
            folder = os.fsdecode(within(root.path, path))
            log.warning(
                "%s: the disk that was there is away, so nothing that was on it counts as gone.",
                folder,
                extra={"file": folder, "root": os.fsdecode(root.path)},
            )
        changed = before != away or self._standing.get(root.id, standing) != standing
        self._standing[root.id], self._away[root.id] = standing, frozenset(away)
        return changed

    def accept(self, root: RootRow, path: bytes, at: str) -> int:
        """What stands at a path is all there is, whatever disk was there; tells how many files are missing."""
        self._catalogue.places.unmounted(root.id, path)
        self._away[root.id] = self.away(root.id) - {path}
        return self._catalogue.places.begin_below(root.id, path, at)

    def _holds(self, root: RootRow, path: bytes) -> bool:
        """Whether files known from there are there, or none are known."""
        files = self._catalogue.places.below(root.id, path, _LOOKED_FOR)
        found = sum(_size(within(root.path, file)) == size for file, size in files)
        return not files or is_familiar(found, len(files))


def _size(path: bytes) -> int | None:
    try:
        return os.lstat(path).st_size
    except OSError:
        return None
