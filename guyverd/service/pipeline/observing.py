"""What is on disk becomes files in the catalogue: settled paths one by one, whole folders by a survey.

Watching is a hint, a survey is the truth. A survey compares in steps, so that photos are read while it goes on; what
it finds is durable before anything is done with it.
"""

from __future__ import annotations

import logging
import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from guyverd.catalogue.rows import RootRow, within
from guyverd.catalogue.store import Catalogue
from guyverd.config import Config
from guyverd.folders.marker import MARKER
from guyverd.media.companions import is_companion, photo_stem
from guyverd.media.kinds import is_picture
from guyverd.model import Changes, FileId, KnownFile, RootId, RootIdentity, RootState, SeenFile, Stamp
from guyverd.service.pipeline.keeping.enrolling import ELSEWHERE
from guyverd.service.pipeline.mounted import Mounted
from guyverd.service.pipeline.recognising import recognise
from guyverd.watch.debounce import Settled
from guyverd.watch.mounts import identify, is_mount_point, state_of
from guyverd.watch.reconcile import below, piecewise, reconcile
from guyverd.watch.scanner import Directory, Rules, Scan, Unreadable, look

log = logging.getLogger(__name__)

STEP = 2000
"""Files a survey looks at in one step: some milliseconds of work."""


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
        """Pictures that surveys have seen, since the start."""
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
                log.warning("%s is offline: %s", _shown(before), detail, extra={"root": _shown(before)})
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
        return _stamp_at(root, path, self._rules) is not None

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
        if is_companion(path):
            # It is no picture, but its photo's folders show it.
            folder, name = os.path.split(path)
            return self._catalogue.shelves.note_beside(root.id, os.path.join(folder, photo_stem(name)))
        seen = look(root.path, path, self._rules(), is_picture)
        if isinstance(seen, Directory):
            self.survey(root, path)
            return False
        if isinstance(seen, Unreadable):
            file = os.fsdecode(os.path.join(root.path, path))
            log.warning("%s cannot be read: %s", file, seen.reason, extra={"file": file, "root": _shown(root)})
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


class Survey:
    """One comparison of a folder with the catalogue, in steps."""

    def __init__(
        self,
        catalogue: Catalogue,
        root: RootRow,
        scope: bytes,
        *,
        rules: Callable[[], Rules],
        young: Callable[[SeenFile], bool],
        stands: Callable[[RootRow], bool],
        away: Callable[[RootRow], frozenset[bytes]],
    ) -> None:
        self.root = root
        self.scope = scope
        self.found = 0
        self.begun = False
        self.done = False
        self.lost = False
        """It ended for another directory stood in the root's place; nothing was concluded from that."""
        self._catalogue = catalogue
        self._rules = rules
        self._young = young
        self._stands = stands
        self._away = away
        self._unsettled: list[bytes] = []
        self._not_seen = array("q")
        """The numbers of the files that are known and were not seen so far: 8 bytes for each of what may be all."""
        self._looked_at = 0
        self._scan: Scan
        self._pieces: Iterator[Changes]

    def _begin(self) -> None:
        self.begun = True
        if not self.scope:
            self._catalogue.files.retry_failed(self.root.id)
        self._scan = Scan(self.root.path, self.scope, self._rules(), is_picture)
        self._pieces = piecewise(self._known, self._entries(), STEP)

    def _known(self, after: bytes | None, through: bytes | None, most: int) -> list[KnownFile]:
        return self._catalogue.files.known_between(self.root.id, self.scope, after, through, most)

    def _entries(self) -> Iterator[SeenFile]:
        for seen in self._scan:
            self.found += 1
            yield seen

    def advance(self) -> bool:
        """Compare the next files; at the end conclude which are gone. Tells whether files changed."""
        if not self.begun:
            self._begin()
        changes = next(self._pieces, None)
        if changes is None:
            return self._conclude()
        # Looked at after the files: these may be another disk's, some of them under names that are known.
        if not self._stands(self.root):
            self.done = self.lost = True
            return False
        self._not_seen.extend(changes.gone)
        changes = self._held_back(replace(changes, gone=(), returned=self._still_there(changes.returned)))
        self._catalogue.files.apply(self.root.id, changes, self._catalogue.now())
        return bool(changes)

    def _still_there(self, returned: Sequence[FileId]) -> tuple[FileId, ...]:
        """Those that are there at this moment: what was seen of them may be a step old, and they gone again since."""
        return tuple(one.id for one in self._catalogue.files.known_of(returned) if self._stamp_of(one) == one.stamp)

    def _held_back(self, changes: Changes) -> Changes:
        """Leave out what may still be written; it is looked at again when it has come to rest.

        And what stands where a disk is away: on another disk, or in the folder beneath.
        """
        away = self._away(self.root)
        if away:
            changes = replace(
                changes,
                new=tuple(item for item in changes.new if not below(item.path, away)),
                changed=tuple((file, seen) for file, seen in changes.changed if not below(seen.path, away)),
                returned=() if b"" in away else changes.returned,
            )
        young = {item.path for item in (*changes.new, *(seen for _, seen in changes.changed)) if self._young(item)}
        if not young:
            return changes
        self._unsettled += sorted(young)
        return replace(
            changes,
            new=tuple(item for item in changes.new if item.path not in young),
            changed=tuple((file, seen) for file, seen in changes.changed if seen.path not in young),
        )

    def take_unsettled(self) -> list[bytes]:
        """The paths held back since this was last asked."""
        taken, self._unsettled = self._unsettled, []
        return taken

    def _conclude(self) -> bool:
        """Take the next of the files that were not seen for gone, where that can be; with the last it is done."""
        some = self._not_seen[self._looked_at : self._looked_at + STEP]
        self._looked_at += len(some)
        changes = Changes(gone=self._gone(some))
        # Looked at after the files: where the root was taken away meanwhile, they may well be there.
        if changes.gone and not self._stands(self.root):
            changes = Changes()
        self._catalogue.files.apply(self.root.id, changes, self._catalogue.now())
        if self._looked_at >= len(self._not_seen):
            self._end()
        return bool(changes)

    def _gone(self, files: Sequence[int]) -> tuple[FileId, ...]:
        unreadable = frozenset(folder for folder, _ in self._scan.unreadable) | self._away(self.root)
        known = self._catalogue.files.known_of(files)
        return tuple(
            one.id
            for one in known
            if not one.missing and not below(one.path, unreadable) and self._stamp_of(one) is None
        )

    def _stamp_of(self, known: KnownFile) -> Stamp | str | None:
        # A file that was made, or was moved there, after its folder had been listed is known by now and was not seen.
        return _stamp_at(self.root.path, known.path, self._rules)

    def _end(self) -> None:
        self.done = True
        for folder, reason in self._scan.unreadable:
            file = os.fsdecode(os.path.join(self.root.path, folder))
            log.warning("%s cannot be read: %s", file, reason, extra={"file": file, "root": _shown(self.root)})
        if not self.scope:
            root = _shown(self.root)
            log.debug("%s compared: %d pictures.", root, self.found, extra={"root": root})
            self._catalogue.files.scanned(self.root.id, self._catalogue.now())


def _shown(root: RootRow) -> str:
    return os.fsdecode(root.path)


def _stamp_at(root: bytes, path: bytes, rules: Callable[[], Rules]) -> Stamp | str | None:
    """What stands at a path at this moment; a word where the disk does not say; None where no photo of ours is."""
    try:
        os.lstat(os.path.join(root, path))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as problem:
        return str(problem)
    match look(root, path, rules(), is_picture):
        case SeenFile(stamp=stamp):
            return stamp
        case Unreadable(reason=reason):
            return reason
    return None


def _covers(outer: bytes, inner: bytes) -> bool:
    return not outer or inner == outer or inner.startswith(outer + b"/")
