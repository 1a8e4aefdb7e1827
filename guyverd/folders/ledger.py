"""The words between the people folder and whoever keeps the record of its links."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from guyverd.folders.plan import FolderRename
from guyverd.published import Home, OwnerId, PublishedLink


class Ledger(Protocol):
    """The durable record of our links, keyed by path.

    A row comes before its link and goes after it, and is not `made` meanwhile. So whenever the process dies, every link
    of ours on disk has a row, and a row that is `made` lacks its link only if somebody took it away. What is not is
    mended by `PeopleTree.recover`. Every call is durable when it returns.
    """

    def intend(self, links: Sequence[PublishedLink]) -> None:
        """Write a row for each link, over the row its path may have."""

    def forget(self, paths: Sequence[bytes]) -> None:
        """Delete the rows of these paths; those without a row are passed over."""

    def renamed(self, renames: Sequence[FolderRename]) -> None:
        """In this order: every row below `old` gets its path below `new`, over the row there, and is `made`.

        So does every home at or below it.
        """

    def settle(self, homes: Sequence[Home], gone: Collection[OwnerId] = ()) -> None:
        """Write where folders are, and whose are no more."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a plan."""

    made: int
    """Links made or replaced."""
    removed: int
    renamed: int
    """Folders."""
    kept_foreign: tuple[bytes, ...]
    """Paths at which something that is not ours, or not as we made it, was left as it is."""
    problems: tuple[tuple[bytes, str], ...]
    """Paths at which the plan could not be carried out, and why; the next plan says it again."""
    otherwise: tuple[tuple[bytes, str], ...] = ()
    """Folders that could not move, and why: their links were made anew one by one, and nothing is left to do."""
    stopped: OSError | None = None
    """What ended it before all was tried: the whole disk is full, read-only or failing."""
    unsure: bool = False
    """The disk would not say that all of it lasts: before anything else is done there, `PeopleTree.recover` looks."""
