"""One comparison of a folder with the catalogue: both are read in the order of paths, a piece of each at a time."""

from __future__ import annotations

import logging
import os
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from guyverd.catalogue.rows import RootRow
from guyverd.catalogue.store import Catalogue
from guyverd.model import Changes, FileId, KnownFile, SeenFile, Stamp
from guyverd.watch.reconcile import below, piecewise
from guyverd.watch.scanner import Rules, Scan, Unreadable, look

log = logging.getLogger(__name__)

STEP = 2000
"""Files a survey looks at in one step: some milliseconds of work."""


class Survey:
    """One comparison of a folder with the catalogue, in steps."""

    def __init__(
        self,
        catalogue: Catalogue,
        root: RootRow,
        scope: bytes,
        *,
        rules: Callable[[], Rules],
        wanted: Callable[[bytes], bool],
        young: Callable[[SeenFile], bool],
        stands: Callable[[RootRow], bool],
        away: Callable[[RootRow], frozenset[bytes]],
    ) -> None:
        self.root = root
        self.scope = scope
        self.found = 0
        self.begun = False
        self.done = False
        self.lost = False
        """It ended for another directory stood in the root's place; nothing was concluded from that."""
        self._catalogue = catalogue
        self._rules = rules
        self._wanted = wanted
        self._young = young
        self._stands = stands
        self._away = away
        self._unsettled: list[bytes] = []
        self._not_seen = array("q")
        """The numbers of the files that are known and were not seen so far: 8 bytes for each of what may be all."""
        self._looked_at = 0
        self._scan: Scan
        self._pieces: Iterator[Changes]

    def _begin(self) -> None:
        self.begun = True
        if not self.scope:
            self._catalogue.files.retry_failed(self.root.id)
        self._scan = Scan(self.root.path, self.scope, self._rules(), self._wanted)
        self._pieces = piecewise(self._known, self._entries(), STEP)

    def _known(self, after: bytes | None, through: bytes | None, most: int) -> list[KnownFile]:
        return self._catalogue.files.known_between(self.root.id, self.scope, after, through, most)

    def _entries(self) -> Iterator[SeenFile]:
        for seen in self._scan:
            self.found += 1
            yield seen

    def advance(self) -> bool:
        """Compare the next files; at the end conclude which are gone. Tells whether files changed."""
        if not self.begun:
            self._begin()
        changes = next(self._pieces, None)
        if changes is None:
            return self._conclude()
        # Looked at after the files: these may be another disk's, some of them under names that are known.
        if not self._stands(self.root):
            self.done = self.lost = True
            return False
        self._not_seen.extend(changes.gone)
        changes = self._held_back(replace(changes, gone=(), returned=self._still_there(changes.returned)))
        self._catalogue.files.apply(self.root.id, changes, self._catalogue.now())
        return bool(changes)

    def _still_there(self, returned: Sequence[FileId]) -> tuple[FileId, ...]:
        """Those that are there at this moment: what was seen of them may be a step old, and they gone again since."""
        return tuple(one.id for one in self._catalogue.files.known_of(returned) if self._stamp_of(one) == one.stamp)

    def _held_back(self, changes: Changes) -> Changes:
        """Leave out what may still be written; it is looked at again when it has come to rest.

        And what stands where a disk is away: on another disk, or in the folder beneath.
        """
        away = self._away(self.root)
        if away:
            changes = replace(
                changes,
                new=tuple(item for item in changes.new if not below(item.path, away)),
                changed=tuple((file, seen) for file, seen in changes.changed if not below(seen.path, away)),
                returned=() if b"" in away else changes.returned,
            )
        young = {item.path for item in (*changes.new, *(seen for _, seen in changes.changed)) if self._young(item)}
        if not young:
            return changes
        self._unsettled += sorted(young)
        return replace(
            changes,
            new=tuple(item for item in changes.new if item.path not in young),
            changed=tuple((file, seen) for file, seen in changes.changed if seen.path not in young),
        )

    def take_unsettled(self) -> list[bytes]:
        """The paths held back since this was last asked."""
        taken, self._unsettled = self._unsettled, []
        return taken

    def _conclude(self) -> bool:
        """Take the next of the files that were not seen for gone, where that can be; with the last it is done."""
        some = self._not_seen[self._looked_at : self._looked_at + STEP]
        self._looked_at += len(some)
        changes = Changes(gone=self._gone(some))
        # Looked at after the files: where the root was taken away meanwhile, they may well be there.
        if changes.gone and not self._stands(self.root):
            changes = Changes()
        self._catalogue.files.apply(self.root.id, changes, self._catalogue.now())
        if self._looked_at >= len(self._not_seen):
            self._end()
        return bool(changes)

    def _gone(self, files: Sequence[int]) -> tuple[FileId, ...]:
        unreadable = frozenset(folder for folder, _ in self._scan.unreadable) | self._away(self.root)
        known = self._catalogue.files.known_of(files)
        return tuple(
            one.id
            for one in known
            if not one.missing and not below(one.path, unreadable) and self._stamp_of(one) is None
        )

    def _stamp_of(self, known: KnownFile) -> Stamp | str | None:
        # A file that was made, or was moved there, after its folder had been listed is known by now and was not seen.
        return stamp_at(self.root.path, known.path, self._rules, self._wanted)

    def _end(self) -> None:
        self.done = True
        for folder, reason in self._scan.unreadable:
            file = os.fsdecode(os.path.join(self.root.path, folder))
            log.warning("%s cannot be read: %s", file, reason, extra={"file": file, "root": shown(self.root)})
        if not self.scope:
            path = shown(self.root)
            log.debug("%s compared: %d pictures and videos.", path, self.found, extra={"root": path})
            self._catalogue.files.scanned(self.root.id, self._catalogue.now())


def shown(root: RootRow) -> str:
    """The path of a root, for people."""
    return os.fsdecode(root.path)


def stamp_at(
    root: bytes, path: bytes, rules: Callable[[], Rules], wanted: Callable[[bytes], bool]
) -> Stamp | str | None:
    """What stands at a path at this moment; a word where the disk does not say; None where nothing `wanted` is."""
    try:
        os.lstat(os.path.join(root, path))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as problem:
        return str(problem)
    match look(root, path, rules(), wanted):
        case SeenFile(stamp=stamp):
            return stamp
        case Unreadable(reason=reason):
            return reason
    return None
