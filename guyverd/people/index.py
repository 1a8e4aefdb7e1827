"""Which faces look most alike: an HNSW index over unit vectors, and its safe way to disk.

hnswlib is fast and trusts everybody, so this class does not: calls that change it overlap with no other (adding, asking
and growing at the same time corrupts it), a vector that is no direction is refused (one NaN poisons the graph), and
files go through `index_file`.

Faces are inserted by one thread in the given order, so the same calls always build the same index. They go in a few at
a time, and who asks meanwhile waits for these few.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import hnswlib
import numpy as np

from guyverd.model import EMBEDDING_SIZE, IndexStamp
from guyverd.people import index_file
from guyverd.people.index_file import EF_CONSTRUCTION, LINKS, IndexRefused
from guyverd.people.turns import Turns

if TYPE_CHECKING:
    from guyverd.model import BoolArray, FloatArray, IntArray

EF_SEARCH = 200
"""Candidates kept while searching, at least; 4 per neighbour wanted where that is more."""
EF_THOROUGH = 800
"""The same where one face is asked about and every neighbour counts: it takes some milliseconds in a large library."""
EF_PASSING, EF_NEIGHBOURS = 100, 64
"""The same two for an index that is made for one look at everybody (`FaceIndex.passing`)."""
_FURTHER = 8
"""So many times as many candidates are tried where removed faces cut off a part of the graph."""
_STEP = 100_000
"""Faces whose vectors are copied at a time."""
_BLOCK = 4096
"""Faces that are compared at a time where each must be."""
SPARE = 1024
"""Least room kept for faces to come; growing copies the whole index."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The nearest faces of some vectors, nearest first; rows that have fewer end in −1 and −1.0."""

    ids: IntArray
    """int64[n, k]."""
    similarity: FloatArray
    """float32[n, k]: cosine, -1..1."""


class FaceIndex:
    """Faces by likeness. Every method may be called from any thread; who asks never waits for a long change."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        """Held by whoever changes anything, from the beginning to the end, and while it is saved."""
        self._turns = Turns()
        """Taken for each call into hnswlib but one that saves, which may go on beside questions."""
        self._hnsw = _fresh(SPARE)
        self._ids = np.empty(0, dtype=np.int64)
        """Rising. What is being added is not among them yet, and in `_count` it is."""
        self._count = 0
        self._ef, self._threads = EF_SEARCH, 1

    @classmethod
    def build(cls, ids: IntArray, vectors: FloatArray) -> FaceIndex:
        """An index of these faces. Raises ValueError as `add` does."""
        index = cls()
        index._hnsw = _fresh(len(ids) + max(SPARE, len(ids) // 4))
        index.add(ids, vectors)
        return index

    @classmethod
    def passing(cls, ids: IntArray, vectors: FloatArray) -> FaceIndex:
        """An index for one look at all of these faces, made on all cores and never saved.

        A quarter of the work of `build` and more for each core, for a recall of .99 instead of .999; and as threads
        insert in no certain order, not the same to the last neighbour each time. Raises ValueError as `add` does.
        """
        index = cls()
        index._hnsw = _fresh(len(ids), EF_PASSING)
        index._ef, index._threads = EF_NEIGHBOURS, -1
        for start in range(0, len(ids), _STEP):
            index.add(ids[start : start + _STEP], vectors[start : start + _STEP])
        return index

    def __len__(self) -> int:
        return self._count

    def __contains__(self, face: object) -> bool:
        return isinstance(face, int | np.integer) and bool(_among(np.array([face], dtype=np.int64), self._ids)[0])

    def ids(self) -> IntArray:
        """int64[n], rising."""
        return self._ids.copy()

    def add(self, ids: IntArray, vectors: FloatArray) -> None:
        """Insert faces: ids int64[n], vectors float32[n, 128] of any length but zero.

        A face that is there already gets the new vector. Raises ValueError, and inserts none, when an id is negative
        or given twice, or a vector is not finite or zero.
        """
        vectors = _directions(vectors)
        if len(ids) != len(vectors):
            raise ValueError(f"{len(ids)} ids for {len(vectors)} vectors")
        if len(np.unique(ids)) != len(ids):
            raise ValueError("a face is given twice")
        if len(ids) and int(ids.min()) < 0:
            raise ValueError("a face id is negative")
        with self._changing:
            held = _among(ids, self._ids)
            wanted = ~held
            # Writing a vector again disturbs the graph and takes three times as long as the first time.
            if held.any():
                before = np.asarray(self._hnsw.get_items(ids[held]))
                wanted[held] = np.abs(before - vectors[held]).max(axis=1) > 1e-6
            ids, vectors, held = ids[wanted], vectors[wanted], held[wanted]
            self._make_room(len(ids))
            done = 0
            try:
                while done < len(ids):
                    some = slice(done, done + self._at_once(1))
                    with self._turns:
                        self._hnsw.add_items(vectors[some], ids[some], num_threads=self._threads)
                        self._count += int((~held[some]).sum())
                    done += len(ids[some])
            finally:
                new = np.sort(ids[:done][~held[:done]])
                self._ids = np.insert(self._ids, np.searchsorted(self._ids, new), new)

    def _make_room(self, more: int) -> None:
        needed = self._hnsw.element_count + more
        if needed > self._hnsw.max_elements:
            with self._turns:
                self._hnsw.resize_index(needed + max(SPARE, needed // 4))

    def _at_once(self, most: int) -> int:
        """How many faces are added while others wait: a few milliseconds' worth. Asking takes a `most`th of it.

        Nobody waits for an index that is only passing.
        """
        return _STEP if self._ef == EF_NEIGHBOURS else most * min(64, max(2, 500_000 // max(1, self._count)))

    def remove(self, ids: IntArray) -> None:
        """Take faces out; those that are not in it are passed over."""
        with self._changing:
            gone = np.unique(ids[_among(ids, self._ids)])
            for face in gone.tolist():
                with self._turns:
                    self._hnsw.mark_deleted(face)
                    self._count -= 1
            self._ids = np.delete(self._ids, np.searchsorted(self._ids, gone))

    def neighbours(self, vectors: FloatArray, k: int, *, thorough: bool = False) -> Neighbours:
        """The k most similar faces of each vector, float32[n, 128]; a face that is in the index finds itself first.

        The similarities are exact, only the choice of faces is approximate: less so where it is `thorough`. Raises
        ValueError when a vector is not finite or zero.
        """
        vectors = _directions(vectors)
        ids = np.full((len(vectors), k), -1, dtype=np.int64)
        similarity = np.full((len(vectors), k), -1.0, dtype=np.float32)
        done = 0
        while done < len(vectors):
            some = slice(done, done + self._at_once(1 if thorough else 6))
            labels, cosines = self._nearest(vectors[some], k, EF_THOROUGH if thorough else self._ef)
            ids[some, : labels.shape[1]], similarity[some, : labels.shape[1]] = labels, cosines
            done += len(labels)
        return Neighbours(ids, np.clip(similarity, -1, 1))

    def _nearest(self, vectors: FloatArray, k: int, least: int) -> tuple[IntArray, FloatArray]:
        with self._turns:
            found = min(k, self._count)
            if not found:
                return np.empty((len(vectors), 0), np.int64), np.empty((len(vectors), 0), np.float32)
            ef = max(least, found if self._ef == EF_NEIGHBOURS else 4 * found)
            for candidates in (ef, _FURTHER * ef):
                # Removed faces can leave a part of the graph that cannot be reached.
                with suppress(RuntimeError):
                    self._hnsw.set_ef(candidates)
                    labels, distances = self._hnsw.knn_query(vectors, found)
                    return labels.astype(np.int64), 1 - distances
        return self._brute_force(vectors, found)

    def _brute_force(self, vectors: FloatArray, k: int) -> tuple[IntArray, FloatArray]:
        """The same, compared with every face."""
        with self._changing:
            ids = np.empty((len(vectors), 0), dtype=np.int64)
            similarity = np.empty((len(vectors), 0), dtype=np.float32)
            for start in range(0, len(self._ids), _BLOCK):
                some = self._ids[start : start + _BLOCK]
                held = np.asarray(self._hnsw.get_items(some), dtype=np.float32)
                ids = np.concatenate([ids, np.broadcast_to(some, (len(vectors), len(some)))], axis=1)
                similarity = np.concatenate([similarity, vectors @ held.T], axis=1)
                order = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
                ids, similarity = np.take_along_axis(ids, order, 1), np.take_along_axis(similarity, order, 1)
        return ids, similarity

    def save(self, folder: bytes | str, generation: int) -> IndexStamp:
        """Write `faces-<generation>.hnsw` into `folder` so that it is there whole or not at all.

        Returns what the catalogue must remember for `load`. Raises StateError when the disk does not take it. Questions
        are answered meanwhile, and changes wait as long as hnswlib writes, not for the disk.
        """

        def put(path: bytes) -> tuple[int, int]:
            with self._changing:
                self._hnsw.save_index(path)
                return self._hnsw.index_file_size(), self._count

        return index_file.write(folder, generation, put)

    @classmethod
    def load(cls, folder: bytes | str, stamp: IndexStamp) -> FaceIndex:
        """The index that `stamp` was given for.

        Raises IndexRefused where something else wrote it, or the file is not there or is not exactly that file: then
        hnswlib never sees it.
        """
        index = cls()
        index._hnsw = hnswlib.Index("cosine", EMBEDDING_SIZE)
        index_file.checked(folder, stamp, index._hnsw.load_index)
        index._ids = _live(index._hnsw, stamp.count)
        index._count = len(index._ids)
        if index._count != stamp.count:
            raise IndexRefused(f"{stamp.file} holds {index._count} faces instead of {stamp.count}")
        return index


def _fresh(capacity: int, ef_construction: int = EF_CONSTRUCTION) -> hnswlib.Index:
    hnsw = hnswlib.Index("cosine", EMBEDDING_SIZE)
    hnsw.init_index(capacity, M=LINKS, ef_construction=ef_construction)
    return hnsw


def _live(hnsw: hnswlib.Index, count: int) -> IntArray:
    """The faces in a loaded index that are not removed, rising.

    hnswlib lists both kinds, and tells them apart only by not giving the vectors of one.
    """
    every = np.sort(np.array(hnsw.get_ids_list(), dtype=np.int64))
    return every if len(every) == count else np.array(_not_removed(hnsw, every), dtype=np.int64)


def _not_removed(hnsw: hnswlib.Index, faces: IntArray) -> list[int]:
    if not len(faces):
        return []
    if len(faces) <= _BLOCK:
        with suppress(RuntimeError):
            hnsw.get_items(faces)
            found: list[int] = faces.tolist()
            return found
    if len(faces) == 1:
        return []
    # Few are removed, mostly: whole pieces without one are told at once.
    half = len(faces) // 2
    return _not_removed(hnsw, faces[:half]) + _not_removed(hnsw, faces[half:])


def _among(ids: IntArray, rising: IntArray) -> BoolArray:
    """Which of some ids are among others, bool[n]."""
    if not len(rising):
        return np.zeros(len(ids), dtype=bool)
    place = np.minimum(np.searchsorted(rising, ids), len(rising) - 1)
    found: BoolArray = rising[place] == ids
    return found


def _directions(vectors: FloatArray) -> FloatArray:
    """Unit vectors, or ValueError."""
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    if vectors.ndim != 2 or vectors.shape[1] != EMBEDDING_SIZE:
        raise ValueError(f"expected vectors of shape (n, {EMBEDDING_SIZE}), not {vectors.shape}")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    bad = np.flatnonzero(~np.isfinite(lengths[:, 0]) | (lengths[:, 0] < 1e-6))
    if len(bad):
        raise ValueError(f"vector {bad[0]} is zero or not finite")
    unit: FloatArray = vectors / lengths
    return unit
