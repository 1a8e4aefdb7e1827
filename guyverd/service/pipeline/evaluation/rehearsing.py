"""Libraries put together from photos that were read before: what other orders, settings or arrivals make of them.

They go through the real catalogue and the real grouping. Nothing of this touches a photo or looks for a face.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from guyverd.catalogue.rows import FaceRow, ReadPhoto
from guyverd.catalogue.store import Catalogue
from guyverd.config import Config, People
from guyverd.model import Changes, PersonId, PhotoId, SeenFile, Stamp
from guyverd.people.evidence import CROWD, Measure
from guyverd.people.grouping import group
from guyverd.service.pipeline.grouping import SEED, Grouping
from guyverd.service.pipeline.words.deciding import Deciding

if TYPE_CHECKING:
    from guyverd.model import FloatArray, IntArray

_STEP = 2000
"""Photos that are written in one transaction."""
_ROOT = b"/rehearsal"


class Material:
    """Photos that were read, and all their faces as rows, by photo and place in it."""

    def __init__(self, photos: Iterable[ReadPhoto]) -> None:
        self.photos = tuple(photos)
        counts = [len(photo.faces) for photo in self.photos]
        self.starts: IntArray = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64)
        """int64[photos + 1]: the rows of photo i are starts[i] up to starts[i + 1]."""
        self.photo_of: IntArray = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
        """int64[faces]: for each row, the place of its photo in `photos`."""

    def __len__(self) -> int:
        return len(self.photo_of)

    def faces(self) -> IntArray:
        """int64[faces]: the number of each face in the catalogue it is from."""
        return np.array([face for photo in self.photos for face in photo.faces], dtype=np.int64)

    def people(self) -> IntArray:
        """int64[faces]: who each is attached to there, 0 for nobody."""
        return np.array([person for photo in self.photos for person in photo.people], dtype=np.int64)

    def vectors(self) -> FloatArray:
        """float32[faces, 128], raw."""
        found = [face.embedding for photo in self.photos for face in photo.reading.faces]
        return np.stack(found).astype(np.float32) if found else np.empty((0, 128), dtype=np.float32)


class Rehearsal:
    """A library of `material` in a folder of its own, to which photos come in an order that is chosen beforehand."""

    def __init__(
        self, folder: Path, material: Material, settings: People, order: IntArray, *, arrived: int = 0
    ) -> None:
        """`order`: places in `material.photos`, each at most once. `arrived` of them are in `folder` already."""
        self.folder = folder
        self.material = material
        self.settings = settings
        self.order = order
        folder.mkdir(parents=True, exist_ok=True)
        config = Config(photos=(Path("/rehearsal"),), people=folder / "People", state=folder, clustering=settings)
        self.catalogue = Catalogue(os.fsencode(folder / "catalogue.db"))
        self.grouping = Grouping(config, self.catalogue)
        if not self.catalogue.files.roots():
            put(self.catalogue, _ROOT, [(b"%d" % at, material.photos[at], _stamp(at)) for at in order.tolist()])
        self.arrived = arrived

    def __enter__(self) -> Rehearsal:
        return self

    def __exit__(self, *_: object) -> None:
        self.catalogue.close()

    def arrive(self, count: int | None = None) -> None:
        """Let the next `count` photos (all that are left) come at once, and group them as the daemon would."""
        left = len(self.order) - self.arrived
        came = left if count is None else min(count, left)
        numbers = range(self.arrived, self.arrived + came)
        readings = [(PhotoId(number + 1), self.material.photos[int(self.order[number])].reading) for number in numbers]
        for start in range(0, len(readings), _STEP):
            self.catalogue.photos.read(readings[start : start + _STEP], "rehearsal", self.catalogue.now())
        self.arrived += came
        while self.grouping.advance(first_unread=None):
            pass

    def people(self) -> IntArray:
        """int64[faces of the material]: who each is attached to now; 0 for nobody, and for faces that did not come."""
        found = np.zeros(len(self.material), dtype=np.int64)
        for row, face in self._faces():
            found[row] = face.person or 0
        return found

    def faces(self) -> IntArray:
        """int64[faces of the material]: the number of each in this library; −1 for faces that did not come."""
        found = np.full(len(self.material), -1, dtype=np.int64)
        for row, face in self._faces():
            found[row] = face.id
        return found

    def regrouped(self, settings: People | None = None) -> IntArray:
        """The same if all faces that came were grouped anew together, by other settings if given; groups are negative.

        Nothing is changed by it.
        """
        rows = np.array([row for row, _ in self._faces()], dtype=np.int64)
        photos = self.catalogue.photos
        table = photos.table(np.array([face.id for _, face in self._faces()], dtype=np.int64))
        measure = Measure(settings or self.settings, *photos.crowd(photos.next_id() - 1, CROWD))
        found = np.zeros(len(self.material), dtype=np.int64)
        found[rows] = group(table, self.grouping.index, measure, seed=SEED).labels
        return found

    def _faces(self) -> Iterator[tuple[int, FaceRow]]:
        """Every face that came, with its row, by photo and place in it."""
        before, ordinal = 0, 0
        for face in self.catalogue.photos.faces():
            ordinal = ordinal + 1 if face.photo == before else 0
            before = face.photo
            yield int(self.material.starts[int(self.order[face.photo - 1])]) + ordinal, face

    def name(self, names: Mapping[int, str]) -> None:
        """Name people, as a user would."""
        deciding = Deciding(self.catalogue)
        for person, name in names.items():
            deciding.name(PersonId(person), name)

    def there(self) -> IntArray:
        """The rows of the faces that came, rising."""
        came = np.isin(self.material.photo_of, self.order[: self.arrived])
        rows: IntArray = np.flatnonzero(came).astype(np.int64)
        return rows

    def copied(self, folder: Path) -> Rehearsal:
        """Another library in that folder, which stands as this one does; this one must be closed."""
        shutil.copytree(self.folder, folder)
        return Rehearsal(folder, self.material, self.settings, self.order, arrived=self.arrived)


def _stamp(number: int) -> Stamp:
    return Stamp(1, 1, number + 1)


def put(catalogue: Catalogue, root: bytes, files: Sequence[tuple[bytes, ReadPhoto, Stamp]]) -> dict[bytes, PhotoId]:
    """Make files known to an empty catalogue: the path of each below the root, the photo it holds, its stamp.

    Returns the number of each photo by its hash: they count from 1 in the order in which they first come in `files`.
    They are still to be read.
    """
    catalogue.files.configure([root])
    row = catalogue.files.roots()[0]
    for start in range(0, len(files), _STEP):
        some = files[start : start + _STEP]
        seen = tuple(SeenFile(path, stamp) for path, _, stamp in some)
        catalogue.files.apply(row.id, Changes(new=seen), catalogue.now())
    known = {file.path: file.id for file in catalogue.files.known(row.id)}
    for start in range(0, len(files), _STEP):
        some = files[start : start + _STEP]
        found = [(known[path], stamp, photo.reading.hash) for path, photo, stamp in some]
        videos = {known[path] for path, photo, _ in some if photo.reading.duration is not None}
        catalogue.files.identified(found, videos=videos)
    hashes = dict.fromkeys(photo.reading.hash for _, photo, _ in files)
    return {hash_: PhotoId(number) for number, hash_ in enumerate(hashes, 1)}
