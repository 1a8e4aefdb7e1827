"""Links made and replaced. What is not ours stays where it is, and our link takes a spare name."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from guyverd.folders import disk, shapes
from guyverd.folders.disk import Found
from guyverd.folders.removing import remove
from guyverd.folders.spare import LAST_SPARE, spare_name
from guyverd.folders.work import Stopped, Work, batches, by_folder
from guyverd.model import Stamp
from guyverd.published import PublishedLink


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
            work.ledger.intend([*(replace(link, made=False) for link in found.fresh), *found.right])
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
    before = len(found.right)
    try:
        with disk.folder(work.root, folder) as here:
            for link in links:
                there = disk.seen_at(here, os.path.basename(link.path))
                old = ours.get(link.path)
                if there is Found.NOTHING:
                    found.fresh.append(link)
                elif shapes.as_wanted(link, there, here):
                    found.right.append(_adopted(link, there))
                elif old is not None and disk.may_go(old, there):
                    found.instead.append((old, link))
                else:
                    if old is not None:
                        found.lost.append(link.path)
                    spare, exists = _spare(work, here, link, allotted)
                    (found.right if exists else found.fresh).append(spare)
        if len(found.right) > before:
            # Whoever made them may have died before they were safe.
            disk.settle_all(work.root, [folder])
    except FileNotFoundError:
        if folder in work.standing:
            # Made anew it would look as if only some links had been moved.
            work.problems.append((folder, "somebody moved or deleted it a moment ago"))
        else:
            found.fresh += links
    except OSError as problem:
        work.failed(folder, problem)


def _adopted(link: PublishedLink, there: bytes | Stamp | Found) -> PublishedLink:
    return replace(link, made=True, stamp=there if isinstance(there, Stamp) else None)


def _spare(work: Work, here: int, link: PublishedLink, allotted: set[bytes]) -> tuple[PublishedLink, bool]:
    """The same link under the next free name, and whether it stands there already."""
    work.leave(link.path)
    folder, name = os.path.split(link.path)
    for number in range(2, LAST_SPARE + 1):
        path = folder + b"/" + spare_name(name, number, folder=False)
        if path in allotted:
            continue
        there = disk.seen_at(here, os.path.basename(path))
        if there is Found.NOTHING or shapes.as_wanted(link, there, here):
            break
    allotted.add(path)
    exists = there is not Found.NOTHING
    return (_adopted(replace(link, path=path), there), True) if exists else (replace(link, path=path), False)


def _make(work: Work, links: Sequence[PublishedLink], allotted: set[bytes]) -> None:
    """A row is `made` when no power cut can take its link back: what is missing later, somebody took away.

    Where the disk would not say so, rows stay as they are, for `PeopleTree.recover`.
    """
    made: list[PublishedLink] = []
    unsure: set[bytes] = set()
    begun: set[bytes] = set()
    try:
        for folder, inside in by_folder(links):
            done: list[PublishedLink] = []
            settled = True
            try:
                with disk.folder(work.root, folder, create=True, begun=begun) as here:
                    try:
                        done += filter(None, (_make_one(work, here, link, allotted) for link in inside))
                    finally:
                        if done:
                            disk.settle(here)
            except disk.Unsettled as problem:
                settled = False
                unsure |= {link.path for link in (*inside, *done)}
                work.failed(folder, problem)
            except OSError as problem:
                with suppress(OSError):
                    disk.remove_empty(work.root, folder)
                work.failed(folder, problem)
            finally:
                made += done if settled else ()
    finally:
        _note(work, links, made, unsure, begun)


def _note(
    work: Work, links: Sequence[PublishedLink], made: list[PublishedLink], unsure: set[bytes], begun: set[bytes]
) -> None:
    """Write what became of links in folders some of which were only made now, in those that are `begun`."""
    stopped: Stopped | None = None
    try:
        disk.settle_all(work.root, begun)
    except OSError as problem:
        unsure |= {link.path for link in (*links, *made)}
        made = []
        try:
            work.failed(b"", disk.Unsettled(problem.errno, problem.strerror))
        except Stopped as end:
            stopped = end
    if made:
        work.ledger.intend(made)
    unmade = {link.path for link in links} - {link.path for link in made} - unsure
    if unmade:
        work.ledger.forget(sorted(unmade))
    if stopped is not None:
        raise stopped


def _make_one(work: Work, here: int, link: PublishedLink, allotted: set[bytes]) -> PublishedLink | None:
    """The link as it stands now; None where it could not be made. Raises OSError for what concerns the whole folder."""
    name = os.path.basename(link.path)
    try:
        made = shapes.create(link, here, name, work.root)
    except FileExistsError:
        # It came after we looked, or the file system takes its name for another's.
        there = disk.seen_at(here, name)
        if shapes.as_wanted(link, there, here):
            return _adopted(link, there)
        spare, exists = _spare(work, here, link, allotted)
        if exists:
            return spare
        work.ledger.intend([replace(spare, made=False)])
        made = shapes.create(spare, here, os.path.basename(spare.path), work.root)
    except PermissionError:
        raise
    except OSError as problem:
        work.failed(link.path, problem)
        return None
    work.counts["made"] += 1
    return made


def _replace(work: Work, pairs: Sequence[tuple[PublishedLink, PublishedLink]]) -> None:
    """Rename a finished link over the old one.

    While that is under way the ledger has two rows for it: the old link at its path, the new one at a temporary path
    that is derived from it. So whichever of the two a crash leaves is known for ours (`PeopleTree.recover`).
    """
    if not pairs:
        return
    # What is not settled keeps both its rows.
    old = {new.path: before for before, new in pairs}
    temporary = {new.path: disk.temporary_name(new.path) for _, new in pairs}
    work.ledger.intend(
        [
            *(replace(before, made=False) for before in old.values()),
            *(replace(new, path=temporary[new.path], made=False) for _, new in pairs),
        ]
    )
    done: list[PublishedLink] = []
    lost: list[bytes] = []
    unsure: set[bytes] = set()
    try:
        for folder, inside in by_folder(new for _, new in pairs):
            try:
                with disk.folder(work.root, folder) as here:
                    try:
                        for link in inside:
                            made = _replace_one(work, here, old[link.path], link, temporary[link.path])
                            if made is None:
                                lost.append(link.path)
                            else:
                                done.append(made)
                    finally:
                        disk.settle(here)
            except OSError as problem:
                if isinstance(problem, disk.Unsettled):
                    unsure |= {link.path for link in inside}
                work.failed(folder, problem)
    finally:
        finished = {*(link.path for link in done), *lost, *unsure}
        done = [link for link in done if link.path not in unsure]
        work.ledger.intend([*done, *(before for path, before in old.items() if path not in finished)])
        work.ledger.forget([*lost, *(name for path, name in temporary.items() if path not in unsure)])


def _replace_one(
    work: Work, here: int, old: PublishedLink, new: PublishedLink, temporary: bytes
) -> PublishedLink | None:
    """The link as it stands now; None where it was no longer ours to replace."""
    name = os.path.basename(new.path)
    made = shapes.create(new, work.root, temporary, work.root)
    try:
        if disk.may_go(old, disk.seen_at(here, name)):
            # rename(2) does nothing where both names are one file already. A temporary name that is left is taken away
            # with the next start; the new link stands all the same.
            os.rename(temporary, name, src_dir_fd=work.root, dst_dir_fd=here)
            with suppress(OSError):
                os.unlink(temporary, dir_fd=work.root)
            work.counts["made"] += 1
            return made
    except OSError:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=work.root)
        raise
    os.unlink(temporary, dir_fd=work.root)
    work.leave(new.path)
    return None
