"""What is to change in the people folder: for everybody, or for whoever may have to be shown otherwise.

Of somebody with a folder only the photos are looked at that changed, so that one more photo of somebody who is in
thousands takes no longer than of anybody else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from guyverd.catalogue.store import Catalogue
from guyverd.config import Config
from guyverd.folders.linking import Style
from guyverd.folders.plan import Plan, plan
from guyverd.model import PhotoId
from guyverd.published import Home, OwnerId, PublishedLink, Shelf, person_of
from guyverd.service.pipeline.keeping.shelving import Shelving

Stale = Mapping[OwnerId, frozenset[PhotoId] | None]
"""The photos by which each owner's folder may have to change; None is by any."""

_MOST_OWNERS = 200
"""Folders planned by themselves; where more may have changed, all are."""
_MOST_PHOTOS = 50
"""Photos of one owner that are looked at by themselves."""


class Planning:
    """Makes plans. It changes nothing."""

    def __init__(self, config: Config, catalogue: Catalogue, folder: Callable[[], bytes]) -> None:
        """`folder` tells the real path of the people folder, which may not be there yet."""
        self._settings = config.folders
        self._catalogue = catalogue
        self._folder = folder
        self._shelving = Shelving(config, catalogue)

    def take_stale(self) -> Stale | None:
        """Whoever may have to be shown otherwise since this was last asked; None is everybody."""
        stale: dict[OwnerId, frozenset[PhotoId] | None] = self._catalogue.shelves.take_stale()
        stale |= dict.fromkeys(self._shelving.albums_of(stale))
        return None if len(stale) > _MOST_OWNERS else stale

    def everything(self) -> tuple[list[Shelf], Plan]:
        """What all folders should show, and what has to change."""
        shelves = self._shelving.shelves()
        return shelves, self._plan(shelves, self._catalogue.links.published(), None)

    def some(self, stale: Stale) -> tuple[list[Shelf], Plan]:
        """The same for some owners; of those of whom it looks at some photos, the shelf has only these."""
        stale = self._with_live(stale)
        homes = self._catalogue.links.homes()
        photos = {owner: some for owner, some in stale.items() if some and self._is_enough(homes.get(owner), some)}
        whole = stale.keys() - photos.keys()
        shelves = self._shelving.shelves(whole) + self._shelving.of_photos(photos)
        links = self._catalogue.links
        published = links.published(whole)
        for owner, some in photos.items():
            published += links.of_photos(owner, some)
        made = self._plan(shelves, published, stale.keys())
        clashing = self._clashing(made, photos)
        if clashing:
            return self.some({owner: None if owner in clashing else some for owner, some in stale.items()})
        return shelves, made

    def _with_live(self, stale: Stale) -> Stale:
        """A live photo and its video are looked at together: whether the one is linked tells how the other is.

        Where one is gone, or lies elsewhere by now, beside which something is linked, nobody knows what stays behind.
        """
        photos = {photo for some in stale.values() for photo in some or ()}
        if not photos or not self._catalogue.shelves.any_video():
            return stale
        live = self._catalogue.shelves.live(photos)
        found: dict[OwnerId, frozenset[PhotoId] | None] = {}
        for owner, some in stale.items():
            alone = [photo for photo in some or () if photo not in live]
            left = alone and any(link.companion for link in self._catalogue.links.of_photos(owner, alone))
            found[owner] = None if left or some is None else some.union(*(live.get(photo, ()) for photo in some))
        return found

    def _is_enough(self, home: Home | None, photos: Collection[PhotoId]) -> bool:
        """Whether these photos tell what changes: whether there is a folder does not depend on them."""
        if home is None or person_of(home.owner) is None or len(photos) > _MOST_PHOTOS or self._settings.contact_sheet:
            return False
        least = 1 if home.name is not None else self._settings.min_photos
        return self._catalogue.links.count_of(home.owner) >= least + len(photos)

    def _clashing(self, made: Plan, photos: Mapping[OwnerId, Collection[PhotoId]]) -> set[OwnerId]:
        """Whose links that come, go, or lead elsewhere have, or leave, the name of another.

        Who yields is told only by all of them, and by where their photos lie.
        """
        changes = (*made.make, *made.remove, *made.note)
        changed = {link.path: link for link in changes if link.owner in photos}.values()
        near = self._catalogue.links.of_like_names
        return {
            link.owner
            for link in changed
            if any(photo not in photos[link.owner] for photo in near(link.owner, link.path).values())
        }

    def _plan(
        self, shelves: Sequence[Shelf], published: Sequence[PublishedLink], owners: Collection[OwnerId] | None
    ) -> Plan:
        links = self._catalogue.links
        homes = links.homes()
        moving = {
            shelf.owner: shelf.name
            for shelf in shelves
            if (home := homes.get(shelf.owner)) is None or home.name != shelf.name
        }
        style = Style(
            self._folder(), self._settings.unnamed, self._settings.links, years=self._settings.layout == "year"
        )
        former = links.former(moving) if moving else {}
        return plan(shelves, published, homes, style=style, owners=owners, former=former)
