"""Contact sheets and covers for the folders that changed, where the settings ask for them.

Sheets are text and made with the links. Covers take the decoding of a photo each, so they are made a few at a time, and
what goes wrong with one hinders nothing else.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from guyverd.catalogue.store import Catalogue
from guyverd.config import Config
from guyverd.folders.apply import PeopleTree
from guyverd.folders.furnishing import Furnishing
from guyverd.folders.ledger import Applied
from guyverd.folders.linking import FILES_OF_OURS
from guyverd.folders.pages import COVER, PAGE, Entry, contact_sheet, digest
from guyverd.media.kinds import is_video
from guyverd.model import PhotoId
from guyverd.people.moments import as_one
from guyverd.published import Home, LinkKind, OwnerId, PublishedLink, Shelf, person_of
from guyverd.service.pipeline.keeping.covering import VERSION, Covering, Cut

_STEP = 1.0
"""Seconds after which covers wait for whatever else there is to do."""


class Furnish:
    """Knows which covers are still to be cut."""

    def __init__(
        self,
        config: Config,
        catalogue: Catalogue,
        tree: PeopleTree,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = config.folders
        self._catalogue = catalogue
        self._tree = tree
        self._clock = clock
        self._covering = Covering(config.workers)
        self._waiting: dict[OwnerId, None] = {}
        self._stopped = False
        self._vain: set[bytes] = set()
        """What could not be cut; it is tried again after the next start."""

    @property
    def busy(self) -> bool:
        """Whether covers wait to be cut."""
        return bool(self._waiting) and not self._stopped

    def furnish(self, shelves: Sequence[Shelf], owners: Collection[OwnerId] | None) -> Applied | None:
        """Bring the sheets of these owners, or of everybody, up to date, and take away what is wanted no more.

        Their covers are cut by `some_covers`. None where there was nothing to do.
        """
        published = self._catalogue.links.published(owners)
        if self._settings.cover:
            # Also of whom no photo is looked at: the one that made their cover may be theirs no more.
            asked = sorted(owners) if owners is not None else [shelf.owner for shelf in shelves]
            self._waiting.update(dict.fromkeys(owner for owner in asked if owner > 0))
        ours = [link for link in published if link.kind in FILES_OF_OURS]
        if not ours and not self._settings.contact_sheet:
            return None
        homes = self._catalogue.links.homes()
        wanted = self._sheets(shelves, published, homes) if self._settings.contact_sheet else []
        shown = {link.owner for link in published if link.kind not in FILES_OF_OURS}
        rest = [link for link in published if not (link.owner in shown and self._is_cover(link, homes))]
        return self._tree.furnish(wanted, rest, self._catalogue.links)

    def some_covers(self) -> bool:
        """Cut covers for a second or so. Tells whether all of them last. Raises PeopleFolderError."""
        if not self._waiting:
            return True
        sure = True
        began, homes = self._clock(), self._catalogue.links.homes()
        while self._waiting and not self._stopped:
            owner = next(iter(self._waiting))
            del self._waiting[owner]
            if owner in homes:
                sure &= self._cover(owner, homes[owner])
            if self._clock() - began >= _STEP:
                break
        if not self._waiting:
            self._covering.rest()
        return sure

    def forget(self) -> None:
        """Cut nothing until somebody's folder is looked at again."""
        self._waiting.clear()
        self._covering.rest()

    def stop(self) -> None:
        """Cut nothing more; may be called from any thread."""
        self._stopped = True
        self._covering.stop()

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _is_cover(self, link: PublishedLink, homes: Mapping[OwnerId, Home]) -> bool:
        """Whether it is one that is wanted, where it should be."""
        home = homes.get(link.owner)
        there = self._settings.cover and link.kind is LinkKind.COVER and home is not None
        return there and home is not None and link.path == home.path + b"/" + COVER

    def _sheets(
        self, shelves: Iterable[Shelf], published: Iterable[PublishedLink], homes: Mapping[OwnerId, Home]
    ) -> list[Furnishing]:
        links: dict[OwnerId, list[PublishedLink]] = defaultdict(list)
        for link in published:
            if link.kind not in FILES_OF_OURS:
                links[link.owner].append(link)
        found = []
        for shelf in shelves:
            home = homes.get(shelf.owner)
            if home is not None and links[shelf.owner]:
                title = shelf.name or os.path.basename(home.path).decode("utf-8", "replace")
                page = contact_sheet(title, _entries(shelf, home, links[shelf.owner], self._moments(shelf)))
                link = PublishedLink(home.path + b"/" + PAGE, digest(page), shelf.owner, kind=LinkKind.PAGE)
                found.append(Furnishing(link, page))
        return found

    def _moments(self, shelf: Shelf) -> dict[PhotoId, tuple[tuple[float, float], ...]]:
        """When the person is seen in each video; an album does not say."""
        videos = {photo.photo for photo in shelf.photos if is_video(photo.target)}
        person = person_of(shelf.owner)
        if not videos or person is None:
            return dict.fromkeys(videos, ())
        seen = {row.photo: row.seen for row in self._catalogue.photos.pictures_of(person)}
        return {video: tuple(as_one(seen.get(video, ()))) for video in videos}

    def _cover(self, owner: OwnerId, home: Home) -> bool:
        published = self._catalogue.links.published([owner])
        person = person_of(owner)
        faces = [] if person is None else self._catalogue.shelves.best_faces([person])
        if not faces or all(link.kind in FILES_OF_OURS for link in published):
            return True
        made_of = b"%d.%d" % (faces[0].face, VERSION)
        link = PublishedLink(home.path + b"/" + COVER, made_of, owner, kind=LinkKind.COVER)
        there = next((one for one in published if one.path == link.path), None)
        if made_of in self._vain or (there is not None and self._is_right(there, link)):
            return True
        content = self._covering.cover(Cut(faces[0].file, faces[0].box, faces[0].at))
        if content is None:
            self._vain.add(made_of)
            return True
        rows = [one for one in published if one.kind is not LinkKind.PAGE]
        return not self._tree.furnish([Furnishing(link, content)], rows, self._catalogue.links).unsure

    def _is_right(self, there: PublishedLink, wanted: PublishedLink) -> bool:
        """Whether nothing is to be cut: that very cover is there, or a link has its name."""
        if there.kind is not LinkKind.COVER:
            return True
        return there.made and there.target == wanted.target and not self._tree.verify([there])


def _entries(
    shelf: Shelf,
    home: Home,
    links: Iterable[PublishedLink],
    moments: Mapping[PhotoId, tuple[tuple[float, float], ...]],
) -> list[Entry]:
    dates = {photo.photo: photo.taken_at for photo in shelf.photos}
    companions: dict[object, list[bytes]] = defaultdict(list)
    shown = []
    for link in links:
        if not link.path.startswith(home.path + b"/"):
            continue
        path = link.path[len(home.path) + 1 :]
        if link.companion:
            companions[link.photo].append(path)
        else:
            shown.append((path, link.photo))
    return [
        Entry(
            path,
            None if photo is None else dates.get(photo),
            tuple(sorted(companions[photo])),
            None if photo is None else moments.get(photo),
        )
        for path, photo in shown
    ]
