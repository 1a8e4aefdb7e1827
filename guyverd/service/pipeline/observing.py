"""What is on disk becomes files in the catalogue: settled paths one by one, whole folders by a survey.

Watching is a hint, a survey is the truth. A survey compares in steps, so that photos are read while it goes on; what
it finds is durable before anything is done with it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from guyverd.catalogue.rows import RootRow, within
from guyverd.catalogue.store import Catalogue
from guyverd.config import Config
from guyverd.folders.marker import MARKER
from guyverd.media.companions import is_companion, photo_stem
from guyverd.media.kinds import readable
from guyverd.model import RootId, RootIdentity, RootState, SeenFile
from guyverd.service.pipeline.keeping.enrolling import ELSEWHERE
from guyverd.service.pipeline.mounted import Mounted
from guyverd.service.pipeline.recognising import recognise
from guyverd.service.pipeline.surveying import STEP, Survey, shown, stamp_at
from guyverd.watch.debounce import Settled
from guyverd.watch.mounts import identify, is_mount_point, state_of
from guyverd.watch.reconcile import below, reconcile
from guyverd.watch.scanner import Directory, Rules, Unreadable, look

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Watched:
    """A root to follow, or to leave alone."""

    root: RootRow
    came: bool
    """It is there and was not before, or another directory stands there now, or this is the first look."""
    went: bool
    """It was there and is not any more."""


class Observing:
    """Compares the disk with the catalogue and makes the differences durable."""

    def __init__(
        self,
        config: Config,
        catalogue: Catalogue,
        unsettled: Callable[[bytes, bytes], None],
        clock: Callable[[], float],
    ) -> None:
        """Begin with the config's roots.

        `unsettled(root, path)` is called for files that a survey finds changed so lately that they may still be
        written; `clock` is the time of day, in seconds, that file times are compared with.
        """
        self._clock = clock
        self._config = config
        self._catalogue = catalogue
        self.found = 0
        """Pictures and videos that surveys have seen, since the start."""
        self.done = 0
        """Surveys that came to their end, since the start."""
        self._seen_before: set[RootId] = set()
        self._stood: dict[RootId, tuple[bytes, RootIdentity | None] | None] = {}
        self.mounted = Mounted(catalogue)
        self._surveys: list[Survey] = []
        self._put_off: list[tuple[RootId, bytes]] = []
        """Surveys of roots in whose place something else stood, until these are inspected."""
        self._people = os.path.realpath(os.fsencode(config.people))
        self._unsettled = unsettled
        self._wanted = readable(videos=config.videos.read)
        own = (os.fsencode(config.people), ELSEWHERE)
        catalogue.files.configure([os.fsencode(path) for path in config.photos], own)

    # ---- roots -------------------------------------------------------------------------------------------------------

    def inspect_roots(self, unbroken: Callable[[bytes], bool] = lambda _: False) -> list[Watched]:
        """See which roots are there, and note it. A root that is absent or was replaced by something else is offline.

        `unbroken` tells whether a root was watched all the time since it was last inspected.
        """
        try:
            return self._inspected(unbroken)
        except BaseException:
            # Nobody heard which of them came: the next inspection tells of all.
            self._seen_before.clear()
            raise

    def _inspected(self, unbroken: Callable[[bytes], bool]) -> list[Watched]:
        found = []
        for before in self._catalogue.files.roots():
            identity = identify(before.path)
            same = identity is not None and identity == before.identity
            seen = before.id in self._seen_before
            sure = same and ((seen and unbroken(before.path)) or not is_mount_point(before.path))
            doubtful = not sure and identity is not None and before.identity is not None
            sight = recognise(self._catalogue, before, self._rules()) if doubtful else None
            state, detail = state_of(before.identity, identity, sight)
            online = state is RootState.ONLINE
            if (state, detail) != (before.state, before.detail) or (online and identity != before.identity):
                self._catalogue.files.set_root(before.id, identity if online else None, state, detail)
            came = online and not (same and seen)
            went = not online and seen
            if came:
                self._seen_before.add(before.id)
            if went:
                self._seen_before.discard(before.id)
                log.warning("%s is offline: %s", shown(before), detail, extra={"root": shown(before)})
                self._surveys = [survey for survey in self._surveys if survey.root.id != before.id]
            self._stood[before.id] = (before.path, identity) if online else None
            found.append(Watched(before, came, went))
            if not online:
                self.mounted.leave(before.id)
            elif self.mounted.inspect(before):
                self.survey(before)
            for scope in [scope for root, scope in self._put_off if root == before.id and online]:
                self.survey(before, scope)
        self._put_off.clear()
        return found

    def notices(self) -> list[str]:
        """What a person should know of disks in the roots."""
        return [
            f"{os.fsdecode(within(root.path, path))}: the disk that was there is away; its photos stay whose they are."
            " `guyverd accept` with that folder says that it does not come back."
            for root in self._catalogue.files.roots()
            for path in sorted(self.mounted.away(root.id))
        ]

    def displaced(self) -> bool:
        """Whether another directory stands where a root, or a disk in it, stood when it was last inspected, or none."""
        stood = [place for place in self._stood.values() if place is not None]
        return any(identify(path) != identity for path, identity in stood) or self.mounted.changed()

    def concerns(self, root: bytes, path: bytes) -> bool:
        """Whether a path below a root can matter: not the people folder, which may lie inside, nor what is in it."""
        whole = os.path.join(root, path) if path else root
        return not (whole + b"/").startswith((self._people + b"/", os.fsencode(self._config.people) + b"/"))

    def there(self, root: bytes, path: bytes) -> bool:
        """Whether a photo stands at a path of a root at this moment, or the disk does not say."""
        return stamp_at(root, path, self._rules, self._wanted) is not None

    # ---- what may have changed ---------------------------------------------------------------------------------------

    def settled(self, items: Iterable[Settled]) -> bool:
        """Look at paths that have come to rest; folders are put down for a survey. Tells whether files changed."""
        roots = {root.path: root for root in self._catalogue.files.roots()}
        changed = False
        for item in items:
            root = roots.get(item.root)
            if root is None or root.id not in self._seen_before:
                continue
            if item.subtree:
                self.survey(root, item.path)
            elif not below(item.path, self.mounted.away(root.id)):
                changed |= self._look(root, item.path)
        return changed

    def _look(self, root: RootRow, path: bytes) -> bool:
        beside = False
        if is_companion(path):
            # Whether it is read itself or not, the folders of its photo show it.
            folder, name = os.path.split(path)
            beside = self._catalogue.shelves.note_beside(root.id, os.path.join(folder, photo_stem(name)))
            if not self._wanted(path):
                return beside
        return self._look_itself(root, path) or beside

    def _look_itself(self, root: RootRow, path: bytes) -> bool:
        seen = look(root.path, path, self._rules(), self._wanted)
        if isinstance(seen, Directory):
            self.survey(root, path)
            return False
        if isinstance(seen, Unreadable):
            file = os.fsdecode(os.path.join(root.path, path))
            log.warning("%s cannot be read: %s", file, seen.reason, extra={"file": file, "root": shown(root)})
            return False
        known = self._catalogue.files.known_between(root.id, path, most=STEP)
        if len(known) == STEP:
            # A large folder went: a step at a time.
            self.survey(root, path)
            return False
        changes = reconcile(known, [seen] if isinstance(seen, SeenFile) else [], self._away(root))
        if changes and not self._stands(root):
            return False
        self._catalogue.files.apply(root.id, changes, self._catalogue.now())
        # It was touched: what kept it from being read may be over, though it looks as it did.
        again = isinstance(seen, SeenFile) and not changes and self._catalogue.files.retry_at(root.id, path)
        return bool(changes) or again

    # ---- surveys -----------------------------------------------------------------------------------------------------

    def survey(self, root: RootRow, scope: bytes = b"") -> None:
        """Put a folder down for comparison; one that is already waiting for a wider survey is not surveyed twice."""
        for waiting in self._surveys:
            if waiting.root.id == root.id and not waiting.begun and _covers(waiting.scope, scope):
                return
        self._surveys.append(
            Survey(
                self._catalogue,
                root,
                scope,
                rules=self._rules,
                wanted=self._wanted,
                young=self._young,
                stands=self._stands,
                away=self._away,
            )
        )

    def survey_all(self) -> None:
        """Put every root that is there down for comparison."""
        for root in self._catalogue.files.roots():
            if root.id in self._seen_before:
                self.survey(root)
        for own in self._catalogue.files.own().values():
            # What is in them is seen with the people folder; what could not be read there is tried again here.
            self._catalogue.files.retry_failed(own)

    @property
    def surveying(self) -> bool:
        """Whether a comparison waits or goes on."""
        return bool(self._surveys)

    def advance(self) -> bool:
        """Do one step of the first survey. Tells whether files changed."""
        if not self._surveys:
            return False
        survey = self._surveys[0]
        before = survey.found
        changed = survey.advance()
        self.found += survey.found - before
        for path in survey.take_unsettled():
            self._unsettled(survey.root.path, path)
        if survey.done and survey in self._surveys:
            self._surveys.remove(survey)
            self.done += 1
            if survey.lost:
                self._put_off.append((survey.root.id, survey.scope))
        return changed

    def _stands(self, root: RootRow) -> bool:
        """Whether the directory at the root's path is the one that was last inspected.

        If not, as where a disk was unmounted a moment ago, what is not in it may well be elsewhere.
        """
        known = {one.id: one.identity for one in self._catalogue.files.roots()}
        return root.id in known and identify(root.path) == known[root.id]

    def _away(self, root: RootRow) -> frozenset[bytes]:
        """Folders of a root of which nothing is concluded from what is not in them."""
        # What was unmounted since the last inspection is not known to be away yet: then of none.
        return frozenset({b""}) if self.mounted.changed() else self.mounted.away(root.id)

    def _young(self, seen: SeenFile) -> bool:
        age = self._clock() - seen.stamp.mtime_ns / 1e9
        return 0 <= age < self._config.watch.quiet

    def _rules(self) -> Rules:
        excluded = identify(self._people)
        return Rules(
            self._config.watch.ignore,
            frozenset() if excluded is None else frozenset({(excluded.device, excluded.inode)}),
            MARKER,
        )


def _covers(outer: bytes, inner: bytes) -> bool:
    return not outer or inner == outer or inner.startswith(outer + b"/")
