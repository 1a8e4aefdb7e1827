"""The people folder read back: what somebody did there since it was published becomes decisions."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterable

from guyverd.catalogue.store import Catalogue
from guyverd.config import Config
from guyverd.errors import PeopleFolderPaused
from guyverd.folders.acts import Moved, Parted, Returned, Shared
from guyverd.folders.apply import PeopleTree
from guyverd.folders.disk import is_ours
from guyverd.folders.feedback import Published, Reading, read_back
from guyverd.folders.names import usual_path
from guyverd.folders.snapshot import Snapshot, take, widened
from guyverd.folders.spare import parents
from guyverd.published import OwnerId, of_album, of_person
from guyverd.service.pipeline.keeping.enrolling import Enrolling
from guyverd.service.pipeline.keeping.meaning import Meaning
from guyverd.service.pipeline.keeping.readopting import Readopting
from guyverd.service.pipeline.words.albums import removed
from guyverd.service.pipeline.words.deciding import log_of, standing
from guyverd.watch.events import EventKind, PathEvent

log = logging.getLogger(__name__)

_ROUNDS = 3
"""Looks, at most, of which each finds what the one before it made somebody's."""
_CEILING = 60.0
"""Seconds after which a folder in which something is always going on is read all the same."""


class Heeding:
    """Hears what was touched in the people folder, and reads it when it has come to rest. One thread at a time."""

    def __init__(self, config: Config, catalogue: Catalogue, tree: PeopleTree) -> None:
        self._config = config
        self._catalogue = catalogue
        self._tree = tree
        self._folder = os.fsencode(config.people)
        self._touched: set[bytes] = {b""}
        """What may have changed since it was last read; b"" is everything, as after a start."""
        self._gone: set[bytes] = set()
        """Paths that are there no more, files or folders."""
        self._since: float | None = None
        self._seen_paused = False
        """Whether the folder was looked at since something happened there during a pause."""
        self._until = 0.0
        self.enrolling = Enrolling(config, catalogue)
        self._meaning = Meaning(catalogue, self.enrolling)
        self._readopting = Readopting(config, catalogue, tree)

    # ---- what was touched --------------------------------------------------------------------------------------------

    def notice(self, event: PathEvent, now: float) -> None:
        """Something happened at a path of the people folder."""
        if event.kind is EventKind.OVERFLOW or not event.path:
            self.touch(b"", now)
        elif event.kind is EventKind.SUBTREE or b"/" not in event.path:
            self.touch(event.path, now)
        elif event.kind is EventKind.GONE:
            self._gone.add(event.path)
            self._stir(now)
        else:
            self.touch(os.path.dirname(event.path), now)

    def touch(self, path: bytes, now: float) -> None:
        """Have a folder read, with all below, when nothing happened for a while."""
        self._touched.add(path)
        self._stir(now)

    def _stir(self, now: float) -> None:
        self._seen_paused = False
        self._since = now if self._since is None else self._since
        self._until = now + self._config.watch.quiet

    def deadline(self) -> float | None:
        """When there is something to read; None where nothing was touched."""
        return None if self._since is None else min(self._until, self._since + max(_CEILING, self._config.watch.quiet))

    @property
    def pending(self) -> bool:
        """Whether something was touched and not read."""
        return bool(self._touched or self._gone)

    def _place_gone(self) -> None:
        """What went was somebody's folder, or held some, or something in a folder: told here once for many."""
        if self._gone:
            holding = {above for home in self._catalogue.links.homes().values() for above in parents(home.path)}
            self._touched |= {path if path in holding else os.path.dirname(path) for path in self._gone}
            self._gone.clear()

    # ---- reading -----------------------------------------------------------------------------------------------------

    def read(self) -> bool:
        """Read what was touched. Tells whether anything came of it.

        Raises PeopleFolderPaused where more changed than anybody means to say at once, or did before and nobody has
        said what to do, nor put everything back; PeopleFolderError where the folder is not there, or cannot be read.
        """
        heard = self._readopt()
        if (reason := self._catalogue.heard.paused()) is not None:
            if not self._is_put_back():
                raise self._paused(reason)
            log.info("People folder: everything is where it was again.")
            self._catalogue.heard.pause(None, self._catalogue.now())
            heard = True
        self._place_gone()
        # What lies in a folder that became somebody's is heard only when it is theirs, so that is read once more.
        for _ in range(_ROUNDS):
            if not self._touched:
                break
            heard |= self._read(widened(self._touched))
        return heard

    def _read(self, scopes: tuple[bytes, ...]) -> bool:
        if not self._catalogue.links.homes() and not self._catalogue.heard.enrolled():
            self._settled(scopes)
            return False
        snapshot = self._look(scopes)
        if origins := self._origins(snapshot):
            scopes = widened({*scopes, *origins})
            snapshot = self._look(scopes)
        if self._is_as_published(snapshot):
            self._settled(scopes)
            return False
        reading = self._compared(snapshot, self._config.folders.loss_limit)
        if reading.excess:
            self._catalogue.heard.pause(reading.excess, self._catalogue.now())
            self._seen_paused, self._since = True, None
            raise self._paused(reading.excess)
        self._take(reading, snapshot)
        gone = self._note(snapshot, reading)
        self._settled(scopes)
        self._touched |= {act.new for act in reading.acts if isinstance(act, Moved)}
        self._touched |= {act.folder for act in reading.acts if isinstance(act, Parted | Returned)}
        return gone or bool(reading.acts)

    def leave(self, folders: Iterable[bytes]) -> None:
        """What is left in folders that are nobody's any more, because they were taken down, says nothing later."""
        folders = list(folders)
        try:
            left = take(self._folder, folders).entries if folders else {}
        except OSError:
            return  # the folder went; it tells when it is back
        if left:
            self._catalogue.heard.set_strays((), left)

    def advance(self) -> bool:
        """Decide about photos that were put into folders and whose faces are known by now."""
        return self.enrolling.advance()

    @property
    def heard(self) -> int:
        """Things that were done in the people folder and taken up, since the start."""
        return self._meaning.heard + self.enrolling.heard

    @property
    def paused(self) -> str | None:
        """Why publishing waits for a word; None where it does not."""
        return self._catalogue.heard.paused()

    def outlook(self) -> list[str]:
        """What was done in the whole folder since it was published, and not taken up yet, in words. Changes nothing.

        Raises PeopleFolderError where the folder is not there.
        """
        snapshot = self._look((b"",))
        if self._catalogue.restored.pending():
            return []
        reading = self._compared(snapshot, math.inf)
        return [act.source for act in reading.acts if self._meaning.is_news(act)]

    def resume(self, *, accept: bool) -> list[str]:
        """Go on after a pause: take what was done as meant, or have it put back. Returns what that was, in words.

        Raises PeopleFolderError where the folder is not there.
        """
        self._readopt()
        self._touched = {b""}
        self._gone.clear()
        snapshot = self._look((b"",))
        reading = self._compared(snapshot, math.inf)
        if accept:
            self._take(reading, snapshot)
        else:
            for act in reading.acts:
                self._meaning.ignore(act)
        self._note(snapshot, reading)
        self._catalogue.heard.pause(None, self._catalogue.now())
        self._settled((b"",))
        return [act.source for act in reading.acts]

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _readopt(self) -> bool:
        """After a restore: nothing that stands there was said to this catalogue, so nothing is heard."""
        if not self._catalogue.restored.pending():
            return False
        self._readopting.look(self._look)
        self._gone.clear()
        self._settled((b"",))
        return True

    def _take(self, reading: Reading, snapshot: Snapshot) -> None:
        # If the power fails, what somebody did must not seem to be undone where it was taken for their word.
        self._tree.settle({path for act in reading.acts if self._meaning.is_news(act) for path in act.paths()})
        copies: dict[tuple[OwnerId, tuple[OwnerId, ...]], list[Shared]] = {}
        for act in reading.acts:
            if isinstance(act, Shared):
                copies.setdefault((act.to, act.owners), []).append(act)
            else:
                self._meaning.take(act, snapshot)
        for some in copies.values():
            self._meaning.take_copies(some, snapshot)

    def _paused(self, reason: str) -> PeopleFolderPaused:
        return PeopleFolderPaused(path=self._config.people, detail=reason)

    def _is_put_back(self) -> bool:
        """Whether whoever took too much away brought all of it back. What is not touched is looked at once."""
        if self._seen_paused:
            return False
        self._seen_paused, self._since = True, None
        reading = self._compared(self._look((b"",)), math.inf)
        # What was put there besides is read when the pause is over.
        return not any(act.shifts for act in reading.acts)

    def _settled(self, scopes: Iterable[bytes]) -> None:
        self._touched -= {path for path in self._touched if any(_within(path, scope) for scope in scopes)}
        if not self._touched:
            self._since = None

    def _look(self, scopes: tuple[bytes, ...]) -> Snapshot:
        self._tree.check()
        try:
            found = take(self._folder, scopes)
        except OSError as problem:
            raise self._tree.explained(problem) from None
        # If the disk went meanwhile, what is not seen tells nothing.
        self._tree.check()
        return found

    def _origins(self, snapshot: Snapshot) -> set[bytes]:
        """Folders that were not looked at, and show what is new in those that were: there it came from."""
        links, enrolled = self._catalogue.links, self._catalogue.heard.enrolled()
        if b"" in snapshot.scopes:
            return set()
        new = {path: seen for path, seen in snapshot.entries.items() if path not in enrolled}
        for link in [link for scope in snapshot.scopes for link in links.below(scope)]:
            if link.path in new and is_ours(link, new[link.path]):
                del new[link.path]
        owners = links.like(new.values())
        return {
            home.path for owner, home in links.homes().items() if owner in owners and not snapshot.covers(home.path)
        }

    def _is_as_published(self, snapshot: Snapshot) -> bool:
        """Whether everything stands as it was published, and nothing else is there than was: told at a glance.

        That is what a look at everything finds nearly always. Where it cannot be told so it is compared in full.
        """
        if b"" not in snapshot.scopes or snapshot.unreadable or self._catalogue.heard.enrolled():
            return False
        homes, texts = self._catalogue.links.homes(), self._catalogue.links.texts()
        if texts is None or any(snapshot.folders.get(home.path) != home.inode for home in homes.values()):
            return False
        entries, strays = snapshot.entries, self._catalogue.heard.strays()
        others = [path for path, seen in entries.items() if texts.get(path) != seen]
        return len(entries) - len(others) == len(texts) and strays == set(others)

    def _compared(self, snapshot: Snapshot, limit: float) -> Reading:
        links, people = self._catalogue.links, self._catalogue.people
        said = standing(self._catalogue)
        homes, unnamed = links.homes(), self._config.folders.unnamed
        names = people.names()
        # Also where another folder stands in its place.
        moved = [
            home
            for home in homes.values()
            if snapshot.covers(home.path) and snapshot.folders.get(home.path, -1) != home.inode
        ]
        titles = {of_album(album): saved.title for album, saved in said.albums.items()}
        called = {of_person(person): name for person, name in names.items()} | titles
        usual = {home.owner: usual_path(home.owner, called.get(home.owner), unnamed) for home in moved}
        gone = {of_person(one): names.get(one) for one in said.hidden}
        gone |= {of_album(album): saved.title for album, (saved, _) in removed(log_of(self._catalogue), said).items()}
        hidden = {usual_path(owner, name, unnamed): owner for owner, name in gone.items()}
        hidden |= {path: owner for owner, path in links.former(gone).items()}
        known = (
            links.published()
            if b"" in snapshot.scopes
            else [link for scope in snapshot.scopes for link in links.below(scope)]
        )
        published = Published(
            links=known,
            homes=homes,
            usual=usual,
            names={name.casefold(): of_person(person) for person, name in names.items() if name is not None},
            hidden={path: owner for path, owner in hidden.items() if owner not in homes},
            strays=self._catalogue.heard.strays(),
            total=len(known) if b"" in snapshot.scopes else links.count(),
            unnamed=unnamed.encode("utf-8", "surrogateescape"),
        )
        return read_back(published, snapshot, limit=limit)

    def _note(self, snapshot: Snapshot, reading: Reading) -> bool:
        """What stands outside of everybody's folder, and which of the things people put there are gone: if any are."""
        heard, links = self._catalogue.heard, self._catalogue.links
        homes = {home.path for home in links.homes().values()}
        before = {path for path in heard.strays() if snapshot.covers(path)}
        # What was there before a folder became somebody's stays silent.
        strays = {path for path in reading.strange if path in before or homes.isdisjoint(parents(path))}
        if strays != before:
            heard.set_strays(before - strays, strays - before)
        gone = [
            path
            for path in heard.enrolled()
            if snapshot.covers(path) and path not in snapshot.entries and not snapshot.hides(path)
        ]
        if gone:
            heard.vanished(gone, self._catalogue.now())
        return bool(gone)


def _within(path: bytes, scope: bytes) -> bool:
    return not scope or path == scope or path.startswith(scope + b"/")
