"""What the steps of one run share: the open tree, the ledger, and what there is to report."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import TypeVar

from guyverd.folders import disk
from guyverd.folders.disk import Found
from guyverd.folders.ledger import Applied, Ledger
from guyverd.folders.spare import LAST_SPARE, spare_name
from guyverd.published import PublishedLink

BATCH = 500
"""Links for each call of the ledger."""
T = TypeVar("T")


class Stopped(Exception):
    """The disk is full, read-only or failing: there is no point in going on. It is in the problems already."""


def batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Slices of BATCH."""
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]


def by_folder(links: Iterable[PublishedLink]) -> Iterator[tuple[bytes, list[PublishedLink]]]:
    """Links grouped by their folder, both in order."""
    ordered = sorted((os.path.dirname(link.path), link.path, link) for link in _once(links))
    for folder, group in groupby(ordered, key=lambda item: item[0]):
        yield folder, [link for _, _, link in group]


def _once(links: Iterable[PublishedLink]) -> Iterable[PublishedLink]:
    """By path: sorting must never have to compare two links."""
    return {link.path: link for link in links}.values()


class Work:
    """One run over the tree."""

    def __init__(
        self,
        root: int,
        ledger: Ledger,
        check: Callable[[], None],
        busy: frozenset[bytes],
        standing: frozenset[bytes] = frozenset(),
    ) -> None:
        self.root = root
        self.ledger = ledger
        self.check = check
        """Raises when the tree is no longer ours; asked before every batch."""
        self.busy = busy
        """Folders that stay although they fall empty: they are filled again in a moment."""
        self.standing = standing
        """Folders that are there: one that is not was moved or deleted meanwhile, and is not made anew."""
        self.counts: Counter[str] = Counter()
        self.foreign: dict[bytes, None] = {}
        self.problems: list[tuple[bytes, str]] = []
        self.otherwise: list[tuple[bytes, str]] = []
        self.stopped: OSError | None = None
        """What was the whole disk's."""
        self.unsure = False
        """Something was done of which nobody knows whether it lasts; its rows are not `made`."""
        self._places: dict[bytes, bytes] = {}

    def leave(self, path: bytes) -> None:
        """Note that what stands there is not ours and was left alone."""
        self.foreign[path] = None

    def failed(self, path: bytes, problem: OSError) -> None:
        """Note an error; raises Stopped where it is the whole disk's."""
        self.unsure |= isinstance(problem, disk.Unsettled)
        self.problems.append((path, disk.reason(problem)))
        if problem.errno in disk.FATAL:
            self.stopped = problem
            raise Stopped from problem

    def tidy(self, folder: bytes) -> None:
        """Remove a folder that fell empty, and those above it. Raises Stopped."""
        try:
            disk.remove_empty(self.root, folder, self.busy)
        except OSError as problem:
            self.failed(folder, problem)

    def applied(self) -> Applied:
        """What became of it."""
        return Applied(
            made=self.counts["made"],
            removed=self.counts["removed"],
            renamed=self.counts["renamed"],
            kept_foreign=tuple(self.foreign),
            problems=tuple(self.problems),
            otherwise=tuple(self.otherwise),
            stopped=self.stopped,
            unsure=self.unsure,
        )

    def place(self, folder: bytes) -> bytes:
        """The folder to use for a wanted one: itself, or a spare where a link or file of somebody has its name.

        Raises OSError where that cannot be looked up.
        """
        if folder not in self._places:
            above, name = os.path.split(folder)
            above = self.place(above) + b"/" if above else b""
            for number in range(1, LAST_SPARE + 1):
                path = above + (name if number == 1 else spare_name(name, number, folder=True))
                if disk.kind_at(self.root, path) is not Found.OTHER:
                    break
                self.leave(path)
            self._places[folder] = path
        return self._places[folder]
