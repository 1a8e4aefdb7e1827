"""The words between the people folder and whoever keeps the record of its links."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from guyverd.folders.plan import FolderRename
from guyverd.model import PublishedLink


class Ledger(Protocol):
    """The durable record of our links, keyed by path.

    A row comes before its link and goes after it. So whenever the process dies, every link of ours on disk has a row;
    a row may lack its link, which `PeopleTree.recover` mends. Every call is durable when it returns.
    """

    def intend(self, links: Sequence[PublishedLink]) -> None:
        """Write a row for each link, over the row its path may have."""

    def forget(self, paths: Sequence[bytes]) -> None:
        """Delete the rows of these paths; those without a row are passed over."""

    def renamed(self, renames: Sequence[FolderRename]) -> None:
        """In this order: every row below `old` gets its path below `new`, over the rows already there."""


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
