"""What counts as evidence in the library as it stands, learned anew as it grows."""

from __future__ import annotations

import threading
from contextlib import suppress

from guyverd.catalogue.store import Catalogue
from guyverd.config import People
from guyverd.errors import GuyverError
from guyverd.people.evidence import CROWD, Measure

_STEPS = 16
"""How often it is learned anew while the library doubles."""
_KEPT = 2
"""Measures that are kept: what is read is ahead of what is grouped, and both are asked for in turns."""

_Key = tuple[object, int, int]
"""Which of the library's photos are compared at all, and up to which photo and which video."""


class Measuring:
    """Keeps the last measures. From any thread."""

    def __init__(self, settings: People, catalogue: Catalogue) -> None:
        self._settings = settings
        self._catalogue = catalogue
        self._learning = threading.Lock()
        self._kept: dict[_Key, Measure] = {}
        """In the order in which they were learned. Replaced, never changed."""

    def at(self, through: int) -> Measure:
        """The measure for grouping the photos up to that number.

        It is learned from the photos up to a round number below, so that it depends on the photos and not on timing: a
        pass that was stopped and begun again measures as one that was not. While photos are read again because another
        network made their vectors, it is learned anew each time.
        """
        return self._at(self._key(through, self._catalogue.films.last_grouped()))

    def of_films(self, through: int) -> Measure:
        """The measure for grouping the videos up to that number, once all photos are."""
        return self._at(self._key(self._catalogue.photos.next_id() - 1, through))

    def now(self) -> Measure:
        """The measure for asking the library as it stands."""
        return self.at(self._catalogue.photos.next_id() - 1)

    def lately(self) -> Measure:
        """The same, or one that is hardly older, where there is one; then a thread learns the new one.

        For whoever waits: learning takes a second in a large library.
        """
        photos, films = self._catalogue.photos.next_id() - 1, self._catalogue.films.last_grouped()
        key, kept = self._key(photos, films), self._kept
        alike = [measure for (compared, *_), measure in kept.items() if compared == key[0]]
        if key in kept or not alike:
            return self._at(key)
        if not self._learning.locked():
            threading.Thread(target=self._learn, args=(key,), name="measure", daemon=True).start()
        return alike[-1]

    def _learn(self, key: _Key) -> None:
        with suppress(GuyverError):  # the next one to ask tries again
            self._at(key)

    def _key(self, through: int, films: int) -> _Key:
        return self._catalogue.renewal.compared(), _round(through), _round(films)

    def _at(self, key: _Key) -> Measure:
        if (found := self._kept.get(key)) is not None:
            return found
        with self._learning:
            found = self._kept.get(key)
            if found is None:
                _, through, films = key
                faces, crowd = self._catalogue.photos.crowd(through, CROWD, films)
                found = Measure(self._settings, faces, crowd)
                before = [item for item in self._kept.items() if item[0][0] == key[0]]
                self._kept = dict([*before[1 - _KEPT :], (key, found)])
            return found


def _round(number: int) -> int:
    """The round number below it: of sixteen steps between two powers of two."""
    step = max(1, (1 << max(0, number.bit_length() - 1)) // _STEPS)
    return number // step * step
