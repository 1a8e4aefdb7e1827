"""The people folder on disk: made, verified, changed as a plan says, and mended after a crash."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace

from guyverd.errors import PeopleFolderError
from guyverd.folders import disk, marker, shapes
from guyverd.folders.application import carry_out
from guyverd.folders.disk import Found
from guyverd.folders.furnishing import Furnishing, furnish
from guyverd.folders.ledger import Applied, Ledger
from guyverd.folders.linking import FILES_OF_OURS
from guyverd.folders.plan import Plan
from guyverd.folders.spare import parents
from guyverd.folders.work import Stopped, Work, batches, by_folder
from guyverd.model import Stamp
from guyverd.published import Home, OwnerId, PublishedLink

__all__ = ["CHANGED", "DANGLING", "MISSING", "UNREADABLE", "Applied", "Ledger", "PeopleTree"]

MISSING = "missing"
CHANGED = "changed"
"""Something else stands at the path: another link, a file, a folder."""
DANGLING = "dangling"
"""The link is ours, but its photo cannot be reached; so are all while the photos' disk is not mounted."""
UNREADABLE = "unreadable"


class PeopleTree:
    """The folder that holds a folder of links for each person.

    Only links that the ledger knows, and that still say what the ledger says, are ever removed or replaced. One thread
    at a time.
    """

    def __init__(self, root: bytes, links: str = "relative") -> None:
        """`links` are made there: see `plan.Style`."""
        self.root = root
        self._links = links

    @property
    def real(self) -> bytes:
        """The path without symbolic links in it: what `plan` must be told, so that relative links lead home."""
        return os.path.realpath(self.root)

    def prepare(self, *, expected: bool = False) -> None:
        """Make the folder and its marker, or verify them.

        `expected` says that links were published here before: then nothing is made, and a missing folder or marker
        raises PeopleFolderError as in `check`. Raises NotOurFolder where other things and no marker are found,
        PeopleFolderError where links cannot be made.
        """
        marker.prepare(self.root, expected=expected, links=self._links)

    def explained(self, problem: OSError) -> PeopleFolderError:
        """What an error of the disk with this folder means."""
        return marker.explained(self.root, problem)

    def check(self) -> None:
        """Raise PeopleFolderError unless the folder is there with its marker."""
        marker.check(self.root)

    def apply(self, plan: Plan, ledger: Ledger) -> Applied:
        """Carry out a plan.

        An error at one path or folder becomes a problem in the answer and the rest goes on; a full, read-only or
        failing disk ends it there, with the ledger true. Raises PeopleFolderError when the marker is gone; whatever
        the ledger raises passes through.
        """
        self.check()
        root = self._open()
        try:
            return carry_out(root, plan, ledger, self.check)
        finally:
            os.close(root)

    def furnish(self, wanted: Sequence[Furnishing], published: Sequence[PublishedLink], ledger: Ledger) -> Applied:
        """Make the pages and covers that are `wanted`, and take away those among `published` that are not.

        Errors are as in `apply`.
        """
        self.check()
        paths = {item.link.path for item in wanted}
        stale = [link for link in published if link.kind in FILES_OF_OURS and link.path not in paths]
        root = self._open()
        work = Work(root, ledger, self.check, frozenset())
        try:
            with suppress(Stopped):
                furnish(work, wanted, stale, {link.path: link for link in published})
        finally:
            os.close(root)
        return work.applied()

    def recover(
        self,
        published: Sequence[PublishedLink],
        ledger: Ledger,
        *,
        homes: Collection[Home] = (),
        missing: bool = False,
    ) -> tuple[PublishedLink, ...]:
        """Bring the ledger to what a killed run left on disk: call it at start, before anything is read or planned.

        Rows that were not `made` are if their link stands, and is settled, and else forgotten; where that cannot be
        seen they stay as they are. Of `homes`, those are noted whose folder was renamed and the run died before it
        said so. With `missing`, rows are forgotten too whose link somebody took away, and folders left empty are
        removed: that is to repair. Returns the links that are known then. Raises PeopleFolderError when the marker is
        gone.
        """
        self.check()
        root = self._open()
        try:
            known, unfinished = _current(root, published)
            if unfinished:
                ledger.intend([link for link in known if disk.temporary_name(link.path) in unfinished])
                disk.remove_temporary(root)
                ledger.forget(sorted(unfinished))
            unsure = [link for link in known if not link.made]
            seen = {link.path: _made(root, link) for link in unsure}
            sure = {path: link for path, link in seen.items() if isinstance(link, PublishedLink)}
            lost = {path for path, link in seen.items() if link is Found.NOTHING}
            arrived = _arrived(root, homes, unsure)
            if missing:
                lost |= {path for path, problem in _verify(root, known) if problem == MISSING}
            for path in sorted({os.path.dirname(path) for path in lost}):
                disk.remove_empty(root, path)
            disk.settle_all(root, {os.path.dirname(path) for path in (*sure, *lost)})
            if arrived:
                ledger.settle(arrived)
            for paths in batches(sorted(lost)):
                ledger.forget(paths)
            for links in batches(list(sure.values())):
                ledger.intend(links)
            disk.remove_temporary(root)
        except OSError as problem:
            raise marker.explained(self.root, problem) from None
        finally:
            os.close(root)
        return tuple(sure.get(link.path, link) for link in known if link.path not in lost)

    def move_back(self, moves: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """Move folders, each from one path to another where nothing is; returns those that could be.

        Raises PeopleFolderError when the marker is gone.
        """
        self.check()
        root = self._open()
        done = []
        try:
            for old, new in moves:
                with suppress(OSError):
                    disk.rename_folder(root, old, new)
                    done.append((old, new))
        finally:
            os.close(root)
        return done

    def verify(self, published: Sequence[PublishedLink]) -> list[tuple[bytes, str]]:
        """Every link that is MISSING, CHANGED, DANGLING or UNREADABLE, by path. Changes nothing.

        Raises PeopleFolderError when the marker is gone: a lost mount is not a thousand missing links.
        """
        self.check()
        root = self._open()
        try:
            return _verify(root, _current(root, published)[0])
        except OSError as problem:
            raise marker.explained(self.root, problem) from None
        finally:
            os.close(root)

    def settle(self, paths: Collection[bytes]) -> None:
        """Make what stands at these paths, or stands there no more, survive a power cut.

        Before anything is concluded from it: what somebody did and the disk forgets would be taken for undone by them.
        Raises PeopleFolderError.
        """
        root = self._open()
        try:
            disk.settle_all(root, {os.path.dirname(path) for path in paths})
        except OSError as problem:
            raise marker.explained(self.root, problem) from None
        finally:
            os.close(root)

    def _open(self) -> int:
        try:
            return disk.open_root(self.root)
        except OSError as problem:
            raise marker.explained(self.root, problem) from None


def _current(root: int, published: Sequence[PublishedLink]) -> tuple[list[PublishedLink], set[bytes]]:
    """The links as they are if the last run died while replacing some, and the rows it left: see `making._replace`."""
    known = {link.path: link for link in published}
    unfinished = {path for path in known if path.startswith(disk.TEMPORARY)}
    if unfinished:
        for path in known.keys() - unfinished:
            new = known.get(disk.temporary_name(path))
            if new is not None and isinstance(_made(root, replace(new, path=path)), PublishedLink):
                known[path] = replace(new, path=path)
    return [link for path, link in known.items() if path not in unfinished], unfinished


def _made(root: int, link: PublishedLink) -> PublishedLink | Found:
    """A link that was about to be made, as it stands; NOTHING where it does not, OTHER where that cannot be seen."""
    try:
        with disk.folder(root, os.path.dirname(link.path)) as folder:
            found = disk.seen_at(folder, os.path.basename(link.path))
            if disk.is_ours(link, found):
                return replace(link, made=True)
            if shapes.as_wanted(link, found, folder) or _is_copy(link, found, folder):
                return replace(link, made=True, stamp=found if isinstance(found, Stamp) else None)
    except _Unseen:
        return Found.OTHER
    except OSError as problem:
        if problem.errno in disk.FATAL:
            raise
        return Found.NOTHING if problem.errno in (errno.ENOENT, *disk.NOT_A_FOLDER) else Found.OTHER
    return Found.NOTHING


class _Unseen(Exception):
    """What it was copied from cannot be read now: nobody can tell whether it is ours."""


def _is_copy(link: PublishedLink, found: bytes | Stamp | Found, folder: int) -> bool:
    try:
        return shapes.is_copy(link, found, folder)
    except OSError:
        raise _Unseen from None


def _arrived(root: int, homes: Collection[Home], unsure: Sequence[PublishedLink]) -> list[Home]:
    """Folders that are not where they are noted, but where their links were about to be moved to."""
    there: dict[OwnerId, set[bytes]] = {}
    for link in unsure:
        there.setdefault(link.owner, set()).update(parents(os.path.dirname(link.path)))
    return [
        replace(home, path=path)
        for home in homes
        if home.inode is not None and home.owner in there and disk.inode_of(root, home.path) != home.inode
        for path in sorted(there[home.owner])
        if disk.inode_of(root, path) == home.inode
    ]


def _verify(root: int, links: Sequence[PublishedLink]) -> list[tuple[bytes, str]]:
    found = []
    for path, inside in by_folder(links):
        try:
            with disk.folder(root, path) as folder:
                states = [(link.path, _state(folder, link)) for link in inside]
        except OSError as problem:
            # A link or file in the folder's place: what we made there is gone, and nobody may look behind it.
            gone = problem.errno == errno.ENOENT or problem.errno in disk.NOT_A_FOLDER
            if problem.errno in disk.FATAL:
                raise
            states = [(link.path, MISSING if gone else UNREADABLE) for link in inside]
        found += [(path, state) for path, state in states if state is not None]
    return found


def _state(folder: int, link: PublishedLink) -> str | None:
    name = os.path.basename(link.path)
    try:
        found = disk.seen_at(folder, name)
        if found is Found.NOTHING:
            return MISSING
        if not disk.is_ours(link, found):
            return CHANGED
        os.stat(name, dir_fd=folder)
    except PermissionError:
        return UNREADABLE
    except OSError:
        return DANGLING
    return None
