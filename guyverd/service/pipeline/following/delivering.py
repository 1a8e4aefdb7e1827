"""What was noted for a saved search is put into its folder, in the order in which it was noted.

A name is noted before anything gets it, and that it was made only when it lasts. So whenever the process dies, what was
begun is known by its name, and either stands there or is made; nothing is put there twice, and what somebody took away
again stays away.
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from dataclasses import replace
from typing import NamedTuple

from guyverd.catalogue.store import Catalogue
from guyverd.errors import DeliveryStopped, GuyverError, VideoUnreadable
from guyverd.folders import delivering, disk
from guyverd.folders.delivering import SourceLost
from guyverd.folders.spare import byte_key
from guyverd.followed import Delivery, DeliveryId, Follow, Form, Source
from guyverd.service.pipeline.clipping import Clipper, ClipWanted, clip_suffix

log = logging.getLogger(__name__)

BATCH = 64
"""Links whose names are noted together."""
_TRIES = 100
"""Times that another name is looked for when somebody takes the one that was free."""
_SPARE = 1 << 20
"""Bytes that stay free on the folder's disk."""


class Ended(Exception):
    """The saved search, or the program, comes to its end."""


class Delivered(NamedTuple):
    """What came of it."""

    made: int
    """Files that are there now."""
    more: bool
    """Whether more could have been made, had there been time."""


class Delivering:
    """For one library; by one thread at a time."""

    def __init__(
        self, catalogue: Catalogue, sacred: Callable[[], Sequence[bytes]], clipper: Clipper, go_on: Callable[[], bool]
    ) -> None:
        """`sacred` tells the folders that nothing is ever put into; `go_on` whether there is still time."""
        self._catalogue = catalogue
        self._sacred = sacred
        self._clipper = clipper
        self._go_on = go_on
        self.aside: dict[DeliveryId, str] = {}
        """What could not be made though the folder is in order, and why; it is tried again when this is emptied."""

    def deliver(self, follow: Follow, time_left: Callable[[], bool] = lambda: True) -> Delivered:
        """Put there what waits and whose photo is there, as long as there is time left.

        Raises DeliveryStopped where nothing can be put there now, and Ended.
        """
        made = after = 0
        while some := self._catalogue.follows.open(follow.id, BATCH, after):
            if made and not time_left():
                return Delivered(made, True)
            after = some[-1].id
            with delivering.opened(follow.folder, is_mount=follow.mounted, sacred=self._sacred()) as here:
                done = self._some(here, follow, [one for one in some if one.id not in self.aside], time_left)
            made += done.made
            if done.more:
                return Delivered(made, True)
        return Delivered(made, False)

    def mend(self, follow: Follow) -> int:
        """Have links whose photos have moved lead there; returns how many. Raises DeliveryStopped and Ended."""
        if follow.form is not Form.LINK or not (astray := self._catalogue.follows.astray(follow.id)):
            return 0
        self._check(follow)
        mended: list[Delivery] = []
        with delivering.opened(follow.folder, is_mount=follow.mounted, sacred=self._sacred()) as here:
            held = self._catalogue.follows.sources({one.wanted.hash for one in astray})
            try:
                for one in astray:
                    if sources := held[one.wanted.hash]:
                        mended.append(delivering.lead_elsewhere(here, one, sources))
                if mended:
                    self._settled(here, mended)
            except OSError as problem:
                raise delivering.explained(follow.folder, problem) from problem
        return len(mended)

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _check(self, follow: Follow) -> None:
        if not self._go_on() or not self._catalogue.follows.there(follow.id):
            raise Ended

    def _some(self, here: int, follow: Follow, some: Sequence[Delivery], time_left: Callable[[], bool]) -> Delivered:
        self._check(follow)
        finished: list[Delivery] = []
        rest: list[Delivery] = []
        try:
            for one in some:
                (finished if delivering.is_made(here, one) else rest).append(one)
            for one in finished:
                delivering.clear(here, one)
            if finished:
                # Whoever made them may have died before they were safe.
                self._settled(here, finished)
            sources = self._sources(rest)
            links = [one for one in rest if follow.form is Form.LINK and one.wanted.start is None]
            made = self._links(here, follow, links, sources) + len(finished)
        except OSError as problem:
            raise delivering.explained(follow.folder, problem) from problem
        for one in rest:
            if one not in links and one.id in sources:
                if made and not time_left():
                    return Delivered(made, True)
                self._check(follow)
                made += self._one_file(here, follow, one, sources[one.id])
        return Delivered(made, False)

    def _sources(self, some: Sequence[Delivery]) -> dict[DeliveryId, Source]:
        """A file for each delivery that holds its photo as it was read; those without one wait."""
        held = self._catalogue.follows.sources({one.wanted.hash for one in some})
        found = {}
        for one in some:
            for source in held[one.wanted.hash]:
                try:
                    delivering.check_source(source)
                except SourceLost:
                    continue
                found[one.id] = source
                break
        return found

    def _taken(self, follow: Follow, some: Sequence[Delivery]) -> set[str]:
        """Names that other deliveries are about to have in the same folder."""
        ours = {one.id for one in some}
        begun = self._catalogue.follows.begun(follow.folder)
        return {byte_key(name) for name, number in begun.items() if number not in ours}

    def _settled(self, here: int, made: Sequence[Delivery]) -> None:
        disk.settle(here)
        self._catalogue.follows.done(made)

    # ---- links -------------------------------------------------------------------------------------------------------

    def _links(self, here: int, follow: Follow, some: Sequence[Delivery], sources: dict[DeliveryId, Source]) -> int:
        taken = self._taken(follow, some)
        there: list[Delivery] = []
        begun: list[Delivery] = []
        for one in some:
            if one.id not in sources:
                continue
            source = sources[one.id]
            plain = delivering.plain_name(source.path)
            name = delivering.named(here, plain, taken, delivering.is_link_to(source))
            delivery = replace(one, name=name.name, target=source.path, inode=None)
            # Two saved searches may share a folder, and a photo: one link shows both.
            (there if name.there else begun).append(delivery)
            taken.add(byte_key(name.name))
        if begun:
            self._catalogue.follows.begin(begun)
        made = list(there)
        try:
            made += [self._link(here, follow, one, sources[one.id]) for one in begun]
        finally:
            if made:
                self._settled(here, made)
        return len(made)

    def _link(self, here: int, follow: Follow, delivery: Delivery, source: Source) -> Delivery:
        for _ in range(_TRIES):
            try:
                delivering.link(here, delivery, source)
            except FileExistsError:
                # Somebody was quicker, or the disk takes the name for another's.
                delivery, there = self._renamed(here, follow, delivery, source)
                if there:
                    return delivery
            else:
                return delivery
        raise OSError(errno.EEXIST, "every free name was taken by somebody")

    def _renamed(self, here: int, follow: Follow, delivery: Delivery, source: Source) -> tuple[Delivery, bool]:
        """The delivery with the next free name, noted; and whether what is wanted stands there already."""
        assert delivery.name is not None
        taken = self._taken(follow, [delivery]) | {byte_key(delivery.name)}
        name = delivering.named(here, delivery.name, taken, delivering.is_link_to(source))
        delivery = replace(delivery, name=name.name)
        self._catalogue.follows.begin([delivery])
        return delivery, name.there

    # ---- copies and clips --------------------------------------------------------------------------------------------

    def _one_file(self, here: int, follow: Follow, delivery: Delivery, source: Source) -> int:
        """A copy or a clip; 1 where it was made, 0 where it waits. Raises DeliveryStopped and Ended."""
        try:
            self._file(here, follow, delivery, source)
        except SourceLost:
            return 0
        except CancelledError:
            raise Ended from None
        except OSError as problem:
            if problem.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
                raise delivering.explained(follow.folder, problem) from problem
            # Whose fault is it?
            delivering.try_out(follow.folder, follow.form)
            self._set_aside(delivery, source, disk.reason(problem))
            return 0
        except DeliveryStopped:
            raise
        except GuyverError as problem:
            self._set_aside(delivery, source, problem.message)
            return 0
        return 1

    def _set_aside(self, delivery: Delivery, source: Source, why: str) -> None:
        path = os.fsdecode(source.path)
        log.warning("%s could not be delivered: %s", path, why, extra={"file": path})
        self.aside[delivery.id] = why

    def _file(self, here: int, follow: Follow, delivery: Delivery, source: Source) -> None:
        start, end = delivery.wanted.start, delivery.wanted.end
        delivery = replace(delivery, target=source.path)
        if start is not None and end is not None:
            plain = delivering.clip_name(source.path, start, end, os.fsencode(clip_suffix(source.path)))
            made = delivering.clip(here, follow.folder, delivery, lambda path: self._cut(source, start, end, path))
        else:
            plain = delivering.plain_name(source.path)
            held = delivering.named(here, plain, self._taken(follow, [delivery]), delivering.is_copy_of(source, here))
            if held.there:
                self._settled(here, [replace(delivery, name=held.name)])
                return
            room = os.fstatvfs(here)
            if room.f_bavail * room.f_frsize < source.size + _SPARE:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            made = delivering.copy(here, delivery, source, self._check_time)
        try:
            self._published(here, follow, made, plain)
        finally:
            delivering.clear(here, made)

    def _cut(self, source: Source, start: float, end: float, target: bytes) -> None:
        """Write a moment into a new file. Raises GuyverError, OSError, and CancelledError where all ends."""
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666))
        try:
            self._clipper.submit(ClipWanted((source.path,), start, end, target)).result()
        except (MemoryError, RuntimeError) as problem:
            raise VideoUnreadable(path=os.fsdecode(source.path), detail=str(problem)) from problem

    def _check_time(self) -> None:
        if not self._go_on():
            raise Ended

    def _published(self, here: int, follow: Follow, delivery: Delivery, plain: bytes) -> None:
        for _ in range(_TRIES):
            name = delivering.named(here, plain, self._taken(follow, [delivery]))
            delivery = replace(delivery, name=name.name)
            self._check(follow)
            self._catalogue.follows.begin([delivery])
            try:
                delivering.publish(here, delivery)
            except FileExistsError:
                continue
            self._settled(here, [delivery])
            return
        raise OSError(errno.EEXIST, "every free name was taken by somebody")
