"""Links made and replaced. What is not ours stays where it is, and our link takes a spare name."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from guyverd.folders import disk
from guyverd.folders.disk import Found
from guyverd.folders.removing import remove
from guyverd.folders.spare import LAST_SPARE, spare_name
from guyverd.folders.work import Stopped, Work, batches, by_folder
from guyverd.model import PublishedLink


@dataclass
class _Batch:
    """Links sorted by what stands at their path."""

    fresh: list[PublishedLink] = field(default_factory=list)
    """Nothing."""
    right: list[PublishedLink] = field(default_factory=list)
    """The very link that is wanted: taken for ours, as after the loss of a catalogue."""
    instead: list[tuple[PublishedLink, PublishedLink]] = field(default_factory=list)
    """An older link of ours, to be replaced: old, new."""
    lost: list[bytes] = field(default_factory=list)
    """A link of ours that somebody changed."""


def make(work: Work, links: Iterable[PublishedLink], ours: Mapping[bytes, PublishedLink]) -> None:
    """Make links. `ours` are links that go, by path; where a new one takes the path it is replaced in one step."""
    placed = []
    for folder, inside in by_folder(links):
        try:
            place = work.place(folder)
        except OSError as problem:
            work.failed(folder, problem)
            continue
        placed += [replace(link, path=place + b"/" + os.path.basename(link.path)) for link in inside]
    allotted = {link.path for link in placed}
    remove(work, (link for path, link in ours.items() if path not in allotted))
    for batch in batches(placed):
        work.check()
        found = _Batch()
        for folder, inside in by_folder(batch):
            _look(work, folder, inside, ours=ours, allotted=allotted, found=found)
        if found.fresh or found.right:
            work.ledger.intend([*found.fresh, *found.right])
        if found.lost:
            work.ledger.forget(found.lost)
        _make(work, found.fresh, allotted)
        _replace(work, found.instead)


def _look(
    work: Work,
    folder: bytes,
    links: Sequence[PublishedLink],
    *,
    ours: Mapping[bytes, PublishedLink],
    allotted: set[bytes],
    found: _Batch,
) -> None:
    try:
        with disk.folder(work.root, folder) as here:
            for link in links:
                there = disk.link_at(here, os.path.basename(link.path))
                old = ours.get(link.path)
                if there is Found.NOTHING:
                    found.fresh.append(link)
                elif there == link.target:
                    found.right.append(link)
                elif old is not None and there == old.target:
                    found.instead.append((old, link))
                else:
                    if old is not None:
                        found.lost.append(link.path)
                    spare, exists = _spare(work, here, link, allotted)
                    (found.right if exists else found.fresh).append(spare)
    except FileNotFoundError:
        found.fresh += links
    except OSError as problem:
        work.failed(folder, problem)


def _spare(work: Work, here: int, link: PublishedLink, allotted: set[bytes]) -> tuple[PublishedLink, bool]:
    """The same link under the next free name, and whether it stands there already."""
    work.leave(link.path)
    folder, name = os.path.split(link.path)
    for number in range(2, LAST_SPARE + 1):
        path = folder + b"/" + spare_name(name, number, folder=False)
        if path in allotted:
            continue
        there = disk.link_at(here, os.path.basename(path))
        if there is Found.NOTHING or there == link.target:
            break
    allotted.add(path)
    return replace(link, path=path), there == link.target


def _make(work: Work, links: Sequence[PublishedLink], allotted: set[bytes]) -> None:
    """symlink(2) is one step by itself and never overwrites."""
    unmade = {link.path for link in links}
    try:
        for folder, inside in by_folder(links):
            try:
                with disk.folder(work.root, folder, create=True) as here:
                    for link in inside:
                        if _make_one(work, here, link, allotted):
                            unmade.discard(link.path)
            except OSError as problem:
                disk.remove_empty(work.root, folder)
                work.failed(folder, problem)
    except Stopped:
        work.ledger.forget(sorted(unmade))
        raise
    if unmade:
        work.ledger.forget(sorted(unmade))


def _make_one(work: Work, here: int, link: PublishedLink, allotted: set[bytes]) -> bool:
    """Whether it now stands at its path. Raises OSError for what concerns the whole folder."""
    name = os.path.basename(link.path)
    try:
        os.symlink(link.target, name, dir_fd=here)
    except FileExistsError:
        # It came after we looked, or the file system takes its name for another's.
        if disk.link_at(here, name) == link.target:
            return True
        spare, exists = _spare(work, here, link, allotted)
        work.ledger.intend([spare])
        if not exists:
            os.symlink(spare.target, os.path.basename(spare.path), dir_fd=here)
            work.counts["made"] += 1
        return False
    except PermissionError:
        raise
    except OSError as problem:
        work.failed(link.path, problem)
        return False
    work.counts["made"] += 1
    return True


def _replace(work: Work, pairs: Sequence[tuple[PublishedLink, PublishedLink]]) -> None:
    """Rename a finished link over the old one.

    While that is under way the ledger has two rows for it: the old link at its path, the new one at a temporary path
    that is derived from it. So whichever of the two a crash leaves is known for ours (`PeopleTree.recover`).
    """
    if not pairs:
        return
    old = {new.path: before for before, new in pairs}
    temporary = {new.path: disk.temporary_name(new.path) for _, new in pairs}
    work.ledger.intend([replace(new, path=temporary[new.path]) for _, new in pairs])
    done: list[PublishedLink] = []
    lost: list[bytes] = []
    try:
        for folder, inside in by_folder(new for _, new in pairs):
            try:
                with disk.folder(work.root, folder) as here:
                    for link in inside:
                        if _replace_one(work, here, old[link.path], link, temporary[link.path]):
                            done.append(link)
                        else:
                            lost.append(link.path)
                    disk.settle(here)
            except OSError as problem:
                work.failed(folder, problem)
    except Stopped:
        _note(work, done, [*lost, *temporary.values()])
        raise
    _note(work, done, [*lost, *temporary.values()])


def _replace_one(work: Work, here: int, old: PublishedLink, new: PublishedLink, temporary: bytes) -> bool:
    """Whether it was still ours to replace."""
    name = os.path.basename(new.path)
    os.symlink(new.target, temporary, dir_fd=work.root)
    try:
        if disk.link_at(here, name) == old.target:
            os.rename(temporary, name, src_dir_fd=work.root, dst_dir_fd=here)
            work.counts["made"] += 1
            return True
    except OSError:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=work.root)
        raise
    os.unlink(temporary, dir_fd=work.root)
    work.leave(new.path)
    return False


def _note(work: Work, done: Sequence[PublishedLink], gone: Sequence[bytes]) -> None:
    if done:
        work.ledger.intend(done)
    work.ledger.forget(gone)
