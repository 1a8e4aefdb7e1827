"""Who is seen together: faces of one photo, and tracks of one video that overlap in time. They are two people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from guyverd.model import IntArray, Spans


def companions(photos: IntArray, spans: Spans | None = None) -> tuple[IntArray, IntArray]:
    """Every pair of rows that are seen together, once, the smaller first: int64[m] each.

    `photos`, int64[n], tells the photo or video of each row, in any order; `spans` when it is seen, None where all are
    faces of photos. A film of thousands of tracks has few pairs for each: only those that overlap are ever looked at.
    """
    if spans is None or np.isneginf(spans.starts).all():
        return _of_photos(photos, np.arange(len(photos), dtype=np.int64))
    films = np.isin(photos, photos[~np.isneginf(spans.starts)])
    still = _of_photos(photos, np.flatnonzero(~films))
    moving = _of_films(photos, spans, np.flatnonzero(films))
    return np.concatenate([still[0], moving[0]]), np.concatenate([still[1], moving[1]])


def _of_photos(photos: IntArray, rows: IntArray) -> tuple[IntArray, IntArray]:
    order = rows[np.argsort(photos[rows], kind="stable")]
    _, first, counts = np.unique(photos[order], return_index=True, return_counts=True)
    first, counts = first[counts > 1], counts[counts > 1]
    # Each member of a photo of c faces stands c times, beside each of the c.
    squares = counts * counts
    each = np.repeat(np.arange(len(counts)), squares)
    within = np.arange(len(each)) - np.repeat(np.cumsum(squares) - squares, squares)
    one, other = np.divmod(within, counts[each])
    once = one < other
    start = first[each[once]]
    one, other = order[start + one[once]], order[start + other[once]]
    return np.minimum(one, other), np.maximum(one, other)


def _of_films(photos: IntArray, spans: Spans, rows: IntArray) -> tuple[IntArray, IntArray]:
    """By rising start each overlaps with those right after it that begin before it ends."""
    order = rows[np.lexsort((rows, spans.starts[rows], photos[rows]))]
    n = len(order)
    begins = np.repeat(np.array([1, 0], dtype=np.int64), n)
    times = np.concatenate([spans.starts[order], spans.ends[order]])
    # Of equal times the end comes first: it is exclusive.
    events = np.lexsort((begins, times, np.tile(photos[order], 2)))
    begun = np.empty(2 * n, dtype=np.int64)
    begun[events] = np.cumsum(begins[events])
    at = np.arange(n)
    counts = np.maximum(begun[n:] - at - 1, 0)
    one = np.repeat(at, counts)
    within = np.arange(len(one)) - np.repeat(np.cumsum(counts) - counts, counts)
    first, second = order[one], order[one + 1 + within]
    return np.minimum(first, second), np.maximum(first, second)
