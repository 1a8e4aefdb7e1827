"""Photos that are gone for good: forgotten after their time of grace, by themselves where they are few.

Where they are more than a share of the library, nothing happens until somebody has looked at what would be forgotten
and said so: a disk that was emptied by mistake, or a folder taken out of its place, must not cost a family their names.
What was looked at is what is forgotten: the answer names it by its stamp.
"""

from __future__ import annotations

import logging
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from guyverd.catalogue.rows import within
from guyverd.errors import CannotDecide
from guyverd.model import RootState
from guyverd.service.api import Row
from guyverd.watch.mounts import identify

if TYPE_CHECKING:
    from collections.abc import Collection

    from guyverd.catalogue.removal import Going
    from guyverd.catalogue.store import Catalogue
    from guyverd.model import FaceId

log = logging.getLogger(__name__)

ALWAYS = 10
"""So many photos are forgotten by themselves, however small the library is."""
_MOST_FOLDERS = 100
_STAMP = re.compile(r"([0-9a-f]{1,12})-([0-9a-f]{10})")


class Forgetting:
    """What has been missing for long. To be used on the coordinator's thread, but for what says otherwise."""

    def __init__(
        self,
        catalogue: Catalogue,
        limit: float,
        *,
        long_ago: Callable[[], str],
        drop: Callable[[list[int]], None],
        again: Callable[[bytes, bytes], None],
        there: Callable[[bytes, bytes], bool],
        kept: Callable[[], Collection[FaceId]],
    ) -> None:
        """`limit` is the share of the library above which it asks; `long_ago` tells since when, ISO 8601, is long.

        `drop(faces)` takes faces out of the index. `there(root, path)` tells whether a file may be there, and
        `again(root, path)` has one looked at again. `kept` tells of which faces something was said: their photos are
        remembered.
        """
        self._catalogue = catalogue
        self._limit = limit
        self._long_ago = long_ago
        self._drop = drop
        self._again = again
        self._there = there
        self._kept = kept
        self.waiting: tuple[int, int] | None = None
        """Photos that would be forgotten, of how many, where it waits for a word; read from any thread."""

    def settle(self) -> bool:
        """Forget what has been missing long enough, unless it is too much. Tells whether anything was forgotten."""
        before = self._settled_roots()
        overdue, total = self._catalogue.files.overdue(before)
        most = max(ALWAYS, self._limit * total)
        waiting = (overdue, total) if overdue > most and self._catalogue.removal.matter(before) > most else None
        if waiting is not None and waiting != self.waiting:
            log.warning("%s", _asking(overdue, total))
        self.waiting = waiting
        if not overdue or waiting is not None:
            return False
        if self._returned(before):
            return False
        self._drop(self._catalogue.files.forget(before, kept=self._kept()))
        log.info("Forgotten, for they were replaced or gone for long: %d photos.", overdue)
        return True

    def notice(self) -> str | None:
        """What a person should know, if it waits for a word. From any thread."""
        return None if self.waiting is None else _asking(*self.waiting)

    def cutoff(self, stamp: str | None = None) -> str:
        """Since when, ISO 8601, is long: now, or when a plan with that stamp was shown."""
        before = self._settled_roots()
        if stamp is None:
            return before
        shown, _ = _parts(stamp)
        if shown > before:
            raise CannotDecide(detail="no plan was shown with that stamp", hint="Look at one: `guyverd forget`.")
        return shown

    def apply(self, stamp: str) -> int:
        """Forget what was shown with that stamp, and nothing else; tells how many photos.

        Raises CannotDecide where that is not what would be forgotten now, or where some of it is there again.
        """
        before = self.cutoff(stamp)
        if count := self._returned(before):
            raise CannotDecide(
                detail=f"{count} of the files are there again",
                hint="`guyverd scan` takes them up; then look again: `guyverd forget`.",
            )
        overdue, _ = self._catalogue.files.overdue(before)
        self._drop(self._catalogue.files.forget(before, _parts(stamp)[1], self._kept()))
        self.waiting = None
        log.info("Forgotten, for somebody said so: %d photos.", overdue)
        return overdue

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _settled_roots(self) -> str:
        """Since when is long; a root that is not there at this moment counts as offline from now on."""
        for root in self._catalogue.files.roots():
            if root.state is RootState.ONLINE and root.identity is not None and identify(root.path) != root.identity:
                self._catalogue.files.set_root(root.id, None, RootState.OFFLINE, "it is not the folder it was")
        return self._long_ago()

    def _returned(self, before: str) -> int:
        """How many files of what would be forgotten are there, or cannot be looked at; they are looked at again."""
        count = 0
        for root, path, own, _ in self._catalogue.removal.files(before):
            if os.path.lexists(within(root, path)) if own else self._there(root, path):
                count += 1
                if not own:
                    self._again(root, path)
        return count


def plan(catalogue: Catalogue, before: str, spoken_of: Collection[FaceId]) -> Row:
    """What would be forgotten, as `Library.forget` tells it; from any thread."""
    going = catalogue.removal.going(before)
    folders: Counter[tuple[str, str]] = Counter()
    since: dict[tuple[str, str], str] = {}
    files = 0
    for place, at in _places(catalogue, before):
        folders[place] += 1
        since[place] = min(at, since.get(place, at))
        files += 1
    most = sorted(folders, key=lambda place: (-folders[place], place))[:_MOST_FOLDERS]
    gone, total = catalogue.files.overdue("9999")[0], going.total
    return {
        "stamp": _stamp(before, going),
        "photos": going.photos,
        "total": total,
        "replaced": going.replaced,
        "files": files,
        "faces": len(going.faces),
        "spoken_of": len(going.faces & frozenset(spoken_of)),
        "in_grace": gone - going.photos,
        "folders": [
            {"root": root, "folder": folder, "files": folders[root, folder], "since": since[root, folder]}
            for root, folder in most
        ],
        "more_folders": len(folders) - len(most),
        "people": [
            {"id": loss.person, "name": loss.name, "photos": loss.photos, "left": loss.left} for loss in going.losses
        ],
        "nameless": going.nameless,
        "forgotten": False,
    }


def _places(catalogue: Catalogue, before: str) -> Iterator[tuple[tuple[str, str], str]]:
    for root, path, _, since in catalogue.removal.files(before):
        yield (os.fsdecode(root), os.fsdecode(os.path.dirname(path))), since


def _stamp(before: str, going: Going) -> str:
    return f"{int(datetime.fromisoformat(before).timestamp()):x}-{going.digest}"


def _parts(stamp: str) -> tuple[str, str]:
    """Since when was long, and the digest of the photos. Raises CannotDecide for what is no stamp."""
    match = _STAMP.fullmatch(stamp)
    if match is None or int(match[1], 16) > 253_402_300_799:  # the end of the year 9999
        raise CannotDecide(detail=f"{stamp} is no stamp", hint="Look at the plan: `guyverd forget`.")
    return datetime.fromtimestamp(int(match[1], 16), UTC).isoformat(timespec="seconds"), match[2]


def _asking(overdue: int, total: int) -> str:
    return (
        f"{overdue} of {total} photos are gone; so many at once are not forgotten by themselves."
        " `guyverd forget` shows which, and forgets them when you say so."
    )
