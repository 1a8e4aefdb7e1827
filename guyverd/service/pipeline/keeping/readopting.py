"""The first look at the people folder after a restore: it concludes nothing, and the ledger says what stands there."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable

from guyverd.catalogue.store import Catalogue
from guyverd.config import Config
from guyverd.folders.apply import PeopleTree
from guyverd.folders.pages import COVER, HEAD, PAGE, is_cover, is_sheet
from guyverd.folders.readoption import NOBODY, Place, is_named_after, moved_since, readopt
from guyverd.folders.snapshot import Snapshot
from guyverd.model import Stamp
from guyverd.published import LinkKind, PublishedLink

log = logging.getLogger(__name__)

_LONGEST_PAGE = 1 << 26
_PIECE = 1 << 20


class Readopting:
    """To be used on the coordinator's thread."""

    def __init__(self, config: Config, catalogue: Catalogue, tree: PeopleTree) -> None:
        self._config = config
        self._catalogue = catalogue
        self._tree = tree
        self._folder = os.fsencode(config.people)
        self._files: dict[tuple[int, int], list[bytes]] | None = None

    def look(self, take: Callable[[tuple[bytes, ...]], Snapshot]) -> None:
        """Bring the ledger to what stands there. Folders that were renamed since get their path back.

        Raises PeopleFolderError, and then it is to be tried again.
        """
        links, restored = self._catalogue.links, self._catalogue.restored
        place = Place(
            self._tree.real,
            tuple(root.path for root in self._catalogue.files.roots()),
            self._config.folders.unnamed.encode("utf-8", "surrogateescape"),
        )
        enrolled, strays = frozenset(self._catalogue.heard.enrolled()), self._catalogue.heard.strays()
        published, homes = links.published(), links.homes()
        seen = take((b"",))
        moved = restored.moved()
        if back := moved_since(published, homes, enrolled, seen, place):
            # Written down first: what the links in them say is right only where they were.
            moved |= {new: old for old, new in back}
            restored.note_moved(moved)
            self._tree.move_back(back)
            seen = take((b"",))
        found = readopt(published, homes, enrolled, seen, place, moved=moved, made_of=self._made_of)
        restored.settle(
            forgotten=found.forgotten, links=found.links, homes=found.homes, gone=found.gone, strays=found.strays
        )
        self._files = None
        unknown = sum(link.owner == NOBODY for link in found.links)
        log.info(
            "The people folder was compared with the restored catalogue. Of its links %d are missing, %d others were"
            " made since; %d of these are of people it does not know, and go. What was done there since counts for"
            " nothing.",
            len(found.forgotten),
            len(found.links),
            unknown,
        )
        if left := len(found.strays - strays):
            log.info("%d links and files there are nobody's, and are left as they are.", left)

    def _made_of(self, path: bytes, stamp: Stamp) -> PublishedLink | None:
        """Whether a file in somebody's folder is of our making."""
        name = os.path.basename(path)
        whole = os.path.join(self._folder, path)
        try:
            for usual, kind, told in (
                (COVER, LinkKind.COVER, _begins_as_cover),
                (PAGE, LinkKind.PAGE, _reads_as_sheet),
            ):
                stem, extension = os.path.splitext(usual)
                if name.startswith(stem) and name.endswith(extension) and told(whole, stamp):
                    return PublishedLink(path, b"", NOBODY, kind=kind, stamp=stamp)
            return self._twin(path, whole, stamp)
        except OSError:
            return None  # what cannot be read is nobody's

    def _twin(self, path: bytes, whole: bytes, stamp: Stamp) -> PublishedLink | None:
        if self._config.folders.links not in ("hard", "copy"):
            return None
        if self._files is None:
            self._files = self._catalogue.restored.files_by_stamp()
        for original in self._files.get((stamp.size, stamp.mtime_ns), ()):
            if is_named_after(os.path.basename(path), original):
                if os.path.samefile(original, whole):
                    return PublishedLink(path, original, NOBODY, kind=LinkKind.HARD, stamp=stamp)
                if _same_bytes(original, whole):
                    return PublishedLink(path, original, NOBODY, kind=LinkKind.COPY, stamp=stamp)
        return None


def _begins_as_cover(path: bytes, _: Stamp) -> bool:
    with open(path, "rb") as file:
        return is_cover(file.read(HEAD))


def _reads_as_sheet(path: bytes, stamp: Stamp) -> bool:
    if stamp.size > _LONGEST_PAGE:
        return False
    with open(path, "rb") as file:
        return is_sheet(file.read())


_FURNITURE = ((COVER, LinkKind.COVER, _begins_as_cover), (PAGE, LinkKind.PAGE, _reads_as_sheet))


def _same_bytes(one: bytes, other: bytes) -> bool:
    with open(one, "rb") as first, open(other, "rb") as second:
        while True:
            piece = first.read(_PIECE)
            if piece != second.read(_PIECE):
                return False
            if not piece:
                return True
