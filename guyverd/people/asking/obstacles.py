"""Who cannot be whom, by what was said and by what photos and videos show; for many pairs at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from guyverd.company import companions
from guyverd.people.graph import rows_of

if TYPE_CHECKING:
    from guyverd.model import BoolArray, IntArray, Standing
    from guyverd.people.asking.likening import Groups, Pairs


class Obstacles:
    """For the groups of a library."""

    def __init__(self, groups: Groups, said: Standing) -> None:
        self._groups = groups
        self._g = max(1, len(groups))
        table, place = groups.table, groups.place
        # Photos by photo, whatever they show; a video by the moments in which two are seen.
        in_film = np.zeros(len(table), dtype=bool)
        if table.spans is not None:
            in_film = np.isin(table.photos, table.photos[~np.isneginf(table.spans.starts)])
        attached = np.flatnonzero((place >= 0) & ~in_film)
        self._in_photo: IntArray = np.unique(table.photos[attached] * self._g + place[attached])
        """Photo and group, for every group in every photo."""
        self._met = self._meetings(np.flatnonzero(in_film))
        """Row and group, for every group that is seen together with a track."""
        apart = rows_of(table.ids, _columns(said.apart))
        apart = apart[(apart >= 0).all(axis=1)]
        owners = place[apart]
        people = self._places(_columns(said.apart_people))
        self._apart = self._keys(np.concatenate([people, owners, self._sharing()]))
        """Pairs of groups."""
        barred = _columns(said.barred)
        rows = np.stack([rows_of(table.ids, barred[:, 0]), self._places(barred[:, 1])], axis=1)
        both = np.concatenate([apart, apart[:, ::-1]])
        rows = np.concatenate([rows, np.stack([both[:, 0], place[both[:, 1]]], axis=1)])
        rows = rows[(rows >= 0).all(axis=1)]
        self._barred: IntArray = np.unique(rows[:, 0] * self._g + rows[:, 1])
        """Row and group."""
        # Who was said not to be somebody speaks for the whole group.
        of_group = np.stack([place[rows[:, 0]], rows[:, 1]], axis=1)
        self._apart = np.union1d(self._apart, self._keys(of_group))

    def of_faces(self, pairs: Pairs) -> BoolArray:
        """Whether each face cannot be the person of that group."""
        photos = self._groups.table.photos[pairs.one]
        found: BoolArray = np.isin(photos * self._g + pairs.group, self._in_photo)
        return found | np.isin(pairs.one * self._g + pairs.group, np.concatenate([self._met, self._barred]))

    def of_people(self, pairs: Pairs) -> BoolArray:
        """Whether two groups cannot be one person."""
        low, high = np.minimum(pairs.one, pairs.group), np.maximum(pairs.one, pairs.group)
        found: BoolArray = (low == high) | np.isin(low * self._g + high, self._apart)
        return found

    def _places(self, people: IntArray) -> IntArray:
        return rows_of(self._groups.numbers, people)

    def _keys(self, pairs: IntArray) -> IntArray:
        kept = pairs[(pairs >= 0).all(axis=1)]
        found: IntArray = np.unique(kept.min(axis=1) * self._g + kept.max(axis=1)) if len(kept) else pairs[:0, 0]
        return found

    def _meetings(self, tracks: IntArray) -> IntArray:
        table, place = self._groups.table, self._groups.place
        if table.spans is None or not len(tracks):
            return np.empty(0, dtype=np.int64)
        one, other = companions(table.photos[tracks], table.spans.of(tracks))
        rows, beside = tracks[np.concatenate([one, other])], place[tracks[np.concatenate([other, one])]]
        return np.unique((rows * self._g + beside)[beside >= 0])

    def _sharing(self) -> IntArray:
        """Pairs of groups that are seen together, int64[m, 2]."""
        row, group = np.divmod(self._met, self._g)
        met = np.stack([self._groups.place[row], group], axis=1)
        photos, place = np.divmod(self._in_photo, self._g)
        _, first, counts = np.unique(photos, return_index=True, return_counts=True)
        found = [met]
        for size in np.unique(counts[counts > 1]).tolist():
            one, other = np.triu_indices(size, 1)
            starts = first[counts == size][:, None]
            pairs = np.stack([place[starts + one].ravel(), place[starts + other].ravel()], axis=1)
            found.append(pairs)
        return np.concatenate(found)


def _columns(pairs: Iterable[tuple[int, int]]) -> IntArray:
    return np.array([*pairs], dtype=np.int64).reshape(-1, 2)
