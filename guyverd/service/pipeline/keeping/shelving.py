"""Which folders there should be and what each should show: people's, and those of saved albums."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from guyverd.catalogue.store import Catalogue
from guyverd.config import Config
from guyverd.folders.spare import parents
from guyverd.media.companions import Companions
from guyverd.media.kinds import is_video
from guyverd.model import AlbumId, PersonId, PhotoId, SavedAlbum
from guyverd.published import OwnerId, Shelf, ShelfPhoto, of_album, person_of
from guyverd.service.pipeline.words.albums import people_in, photos_in
from guyverd.service.pipeline.words.deciding import standing


class Shelving:
    """Asks the catalogue, and the disk for what belongs to a photo."""

    def __init__(self, config: Config, catalogue: Catalogue) -> None:
        self._config = config
        self._catalogue = catalogue
        self._folder = os.fsencode(config.people)
        self._companions = Companions()
        self._seen: dict[AlbumId, tuple[SavedAlbum, tuple[PersonId, ...]]] = {}
        """The albums when `albums_of` was last asked, and who was in them."""

    def shelves(self, owners: Collection[OwnerId] | None = None) -> list[Shelf]:
        """Everybody's, or those of some owners."""
        people = None if owners is None else [person for owner in owners if (person := person_of(owner)) is not None]
        found = self._catalogue.shelves.of_people(self._config.folders.min_photos, people)
        found += self._albums(owners)
        self._companions.look_anew()
        return [self._completed(shelf) for shelf in self._with_own(found)]

    def of_photos(self, photos: Mapping[OwnerId, Collection[PhotoId]]) -> list[Shelf]:
        """Of people who have a folder, what these photos put there."""
        wanted = {person: some for owner, some in photos.items() if (person := person_of(owner)) is not None}
        found = self._catalogue.shelves.of_photos(wanted) if wanted else []
        return [self._completed(shelf) for shelf in self._with_own(found)]

    def albums_of(self, people: Iterable[OwnerId]) -> set[OwnerId]:
        """The saved albums that show any of these people, and those of which something was said since last asked."""
        said, changed = standing(self._catalogue), set(people)
        now = {album: (saved, people_in(saved, said)) for album, saved in said.albums.items()}
        before, self._seen = self._seen, now
        return {
            of_album(album)
            for album in before.keys() | now.keys()
            if before.get(album) != now.get(album) or not changed.isdisjoint((*now[album][0].people, *now[album][1]))
        }

    def _albums(self, owners: Collection[OwnerId] | None) -> list[Shelf]:
        said = standing(self._catalogue)
        found = []
        for album, saved in sorted(said.albums.items()):
            owner = of_album(album)
            photos = photos_in(self._catalogue, saved, said) if owners is None or owner in owners else ()
            if photos:
                found.append(Shelf(owner, saved.title, photos))
        return found

    def _with_own(self, shelves: list[Shelf]) -> list[Shelf]:
        """Mark the photos that somebody put into the very folder, where they can be seen.

        A link of one's own may lead nowhere since its folder was moved. To a disk that is away it leads all the same.
        """
        own: dict[bytes, set[PhotoId]] = {}
        for path, photo in self._catalogue.shelves.own():
            if self._leads_to(os.path.join(self._folder, path), photo):
                for above in parents(os.path.dirname(path)):
                    own.setdefault(above, set()).add(photo)
        if not own:
            return shelves
        homes = self._catalogue.links.homes()
        found = []
        for shelf in shelves:
            theirs = own.get(homes[shelf.owner].path, set()) if shelf.owner in homes else set()
            photos = tuple(replace(photo, own=True) if photo.photo in theirs else photo for photo in shelf.photos)
            found.append(replace(shelf, photos=photos))
        return found

    def _leads_to(self, whole: bytes, photo: PhotoId) -> bool:
        if os.path.exists(whole):
            return True
        return os.path.lexists(whole) and os.path.realpath(whole) in self._catalogue.files.paths_of([photo])[photo]

    def _completed(self, shelf: Shelf) -> Shelf:
        photos = tuple(
            replace(photo, companions=companions) if (companions := self._companions.of(photo.target)) else photo
            for photo in shelf.photos
        )
        return replace(shelf, photos=self._with_live(photos))

    def _with_live(self, photos: tuple[ShelfPhoto, ...]) -> tuple[ShelfPhoto, ...]:
        """The video of a live photo that is linked beside it is not linked a second time, wherever it lies too."""
        shown = {beside for photo in photos for beside in photo.companions if is_video(beside)}
        videos = [photo.photo for photo in photos if is_video(photo.target)] if shown else []
        if not videos:
            return photos
        paths = self._catalogue.files.paths_of(videos)
        live = {video for video in videos if not shown.isdisjoint(paths[video])}
        return tuple(replace(photo, beside=True) if photo.photo in live else photo for photo in photos)
