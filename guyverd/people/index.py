"""Which faces look most alike: an HNSW index over unit vectors, and its safe way to disk.

hnswlib is fast and trusts everybody, so this class does not: calls never overlap (adding, asking and growing at the
same time corrupts it), a vector that is no direction is refused (one NaN poisons the graph), a file is only handed to
it after the hash of every byte was checked (a flipped bit loads silently or kills the process) and if the very same
code wrote it (the file is that code's memory, and says nothing of who wrote it), and a save is only believed when the
size on disk is the size announced (a full disk goes unreported).

Faces are inserted by one thread in the given order, so the same calls always build the same index.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import re
import struct
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING

import hnswlib
import numpy as np

from guyverd.errors import StateError
from guyverd.model import EMBEDDING_SIZE, IndexStamp

if TYPE_CHECKING:
    from guyverd.model import FloatArray, IntArray

LINKS = 16
"""hnswlib's M. Recall of 40 neighbours is 0.999 with it (see `EF_SEARCH`)."""
EF_CONSTRUCTION = 200
EF_SEARCH = 200
"""Candidates kept while searching, at least; 4 per neighbour wanted where that is more."""
EF_PASSING, EF_NEIGHBOURS = 100, 64
"""The same two for an index that is made for one look at everybody (`FaceIndex.passing`)."""
_STEP = 100_000
"""Faces whose vectors are copied at a time."""
SPARE = 1024
"""Least room kept for faces to come; growing copies the whole index."""

_SAVED = re.compile(rb"faces-[0-9]+\.hnsw(\.part)?")


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The nearest faces of some vectors, nearest first; rows that have fewer end in −1 and −1.0."""

    ids: IntArray
    """int64[n, k]."""
    similarity: FloatArray
    """float32[n, k]: cosine, -1..1."""


class IndexRefused(Exception):
    """A saved index cannot be used, and why, as the end of "it was rebuilt: …". It is made again from the catalogue."""


class FaceIndex:
    """Faces by likeness. Every method may be called from any thread; calls wait for one another."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hnsw = _fresh(SPARE)
        self._live: set[int] = set()
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
        return len(self._live)

    def __contains__(self, face: object) -> bool:
        return face in self._live

    def ids(self) -> IntArray:
        """int64[n], rising."""
        with self._lock:
            return np.array(sorted(self._live), dtype=np.int64)

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
        if not len(ids):
            return
        with self._lock:
            # One by one: to compare with all that are held would cost as much as the library is large.
            new = np.array([face not in self._live for face in ids.tolist()], dtype=bool)
            # Writing a vector again disturbs the graph and takes three times as long as the first time.
            if not new.all():
                held = self._hnsw.get_items(ids[~new])
                new[~new] = np.abs(np.asarray(held) - vectors[~new]).max(axis=1) > 1e-6
            needed = self._hnsw.element_count + int(new.sum())
            if needed > self._hnsw.max_elements:
                self._hnsw.resize_index(needed + max(SPARE, needed // 4))
            self._hnsw.add_items(vectors[new], ids[new], num_threads=self._threads)
            self._live.update(ids[new].tolist())

    def remove(self, ids: IntArray) -> None:
        """Take faces out; those that are not in it are passed over."""
        with self._lock:
            for face in ids.tolist():
                if face in self._live:
                    self._hnsw.mark_deleted(face)
                    self._live.discard(face)

    def neighbours(self, vectors: FloatArray, k: int) -> Neighbours:
        """The k most similar faces of each vector, float32[n, 128]; a face that is in the index finds itself first.

        The similarities are exact, only the choice of faces is approximate. Raises ValueError when a vector is not
        finite or zero.
        """
        vectors = _directions(vectors)
        ids = np.full((len(vectors), k), -1, dtype=np.int64)
        similarity = np.full((len(vectors), k), -1.0, dtype=np.float32)
        with self._lock:
            found = min(k, len(self._live))
            if not found or not len(vectors):
                return Neighbours(ids, similarity)
            self._hnsw.set_ef(max(self._ef, 4 * found) if self._ef == EF_SEARCH else max(self._ef, found))
            try:
                labels, distances = self._hnsw.knn_query(vectors, found)
                ids[:, :found], similarity[:, :found] = labels, 1 - distances
            except RuntimeError:
                # Removed faces can leave a part of the graph that cannot be reached: compare with everything instead.
                ids[:, :found], similarity[:, :found] = self._brute_force(vectors, found)
        return Neighbours(ids, np.clip(similarity, -1, 1))

    def _brute_force(self, vectors: FloatArray, k: int) -> tuple[IntArray, FloatArray]:
        every = np.array(sorted(self._live), dtype=np.int64)
        held = np.asarray(self._hnsw.get_items(every), dtype=np.float32)
        ids, similarity = [], []
        for start in range(0, len(vectors), 256):
            likeness = vectors[start : start + 256] @ held.T
            order = np.argsort(-likeness, axis=1, kind="stable")[:, :k]
            ids.append(every[order])
            similarity.append(np.take_along_axis(likeness, order, axis=1))
        return np.concatenate(ids), np.concatenate(similarity)

    def save(self, folder: bytes | str, generation: int) -> IndexStamp:
        """Write `faces-<generation>.hnsw` into `folder` so that it is there whole or not at all.

        Returns what the catalogue must remember for `load`. Raises StateError when the disk does not take it.
        """
        folder = os.fsencode(folder)
        name = f"faces-{generation}.hnsw"
        final = os.path.join(folder, os.fsencode(name))
        aside = final + b".part"
        with self._lock:
            try:
                # hnswlib would make it with whatever rights the umask leaves; a file that is there keeps its own.
                os.close(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
                self._hnsw.save_index(aside)
                size, hash_ = self._hnsw.index_file_size(), _synced_hash(aside)
                stamp = IndexStamp(name, size, hash_, len(self._live), maker())
                size = os.path.getsize(aside)
                if size != stamp.size:
                    raise OSError(0, f"only {size} of {stamp.size} bytes were written")  # noqa: TRY301
                os.replace(aside, final)
                _sync_folder(folder)
            except (OSError, RuntimeError) as problem:
                with suppress(OSError):
                    os.unlink(aside)
                detail = getattr(problem, "strerror", None) or str(problem)
                raise StateError(path=os.fsdecode(final), detail=f"the index was not saved: {detail}") from problem
        return stamp

    @classmethod
    def load(cls, folder: bytes | str, stamp: IndexStamp) -> FaceIndex:
        """The index that `stamp` was given for.

        Raises IndexRefused where something else wrote it, or the file is not there or is not exactly that file: then
        hnswlib never sees it.
        """
        if stamp.maker != maker():
            raise IndexRefused(f"the saved one was made by {stamp.maker or 'an earlier version'}, this is {maker()}")
        if not _SAVED.fullmatch(os.fsencode(stamp.file)):
            raise IndexRefused(f"{stamp.file!r} is no name of a saved one")
        path = os.path.join(os.fsencode(folder), os.fsencode(stamp.file))
        try:
            with open(path, "rb") as file:
                if (size := os.fstat(file.fileno()).st_size) != stamp.size:
                    raise IndexRefused(f"{stamp.file} has {size} bytes instead of {stamp.size}")
                if hashlib.file_digest(file, _blake).hexdigest() != stamp.hash:
                    raise IndexRefused(f"{stamp.file} is not as it was saved")
            index = cls()
            index._hnsw = hnswlib.Index("cosine", EMBEDDING_SIZE)
            index._hnsw.load_index(path)
        except FileNotFoundError:
            raise IndexRefused(f"{stamp.file} is missing") from None
        except (OSError, RuntimeError, ValueError) as problem:
            detail = getattr(problem, "strerror", None) or str(problem)
            raise IndexRefused(f"{stamp.file} cannot be read: {detail}") from problem
        index._live = _live(index._hnsw, stamp.count)
        if len(index._live) != stamp.count:
            raise IndexRefused(f"{stamp.file} holds {len(index._live)} faces instead of {stamp.count}")
        return index

    @staticmethod
    def prune(folder: bytes | str, keep: str) -> None:
        """Remove every saved index from `folder` but `keep`, and what an interrupted save left."""
        folder = os.fsencode(folder)
        with suppress(FileNotFoundError):
            for name in os.listdir(folder):
                if _SAVED.fullmatch(name) and name != os.fsencode(keep):
                    with suppress(FileNotFoundError):
                        os.unlink(os.path.join(folder, name))


@functools.cache
def maker() -> str:
    """What reads and writes index files in this process, in words: files are exchanged between equals only.

    A version does not tell how hnswlib was built, and it is mostly built where it is used; so its code is part of it.
    """
    with open(hnswlib.__file__, "rb") as code:
        build = hashlib.file_digest(code, lambda: hashlib.blake2b(digest_size=6)).hexdigest()
    parameters = f"cosine of {EMBEDDING_SIZE}, M {LINKS}, ef {EF_CONSTRUCTION}"
    machine = f"{platform.machine()}, {8 * struct.calcsize('P')} bits, {sys.byteorder} end first"
    return f"hnswlib {metadata.version('hnswlib')} (build {build}; {parameters}; {machine})"


def _fresh(capacity: int, ef_construction: int = EF_CONSTRUCTION) -> hnswlib.Index:
    hnsw = hnswlib.Index("cosine", EMBEDDING_SIZE)
    hnsw.init_index(capacity, M=LINKS, ef_construction=ef_construction)
    return hnsw


def _live(hnsw: hnswlib.Index, count: int) -> set[int]:
    """The faces in a loaded index that are not removed; hnswlib lists both kinds and gives the vectors of one."""
    every = hnsw.get_ids_list()
    if len(every) == count:
        return set(every)
    live = set()
    for face in every:
        with suppress(RuntimeError):
            hnsw.get_items([face])
            live.add(face)
    return live


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


def _blake() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=32)


def _synced_hash(path: bytes) -> str:
    with open(path, "rb+") as file:
        os.fsync(file.fileno())
        return hashlib.file_digest(file, _blake).hexdigest()


def _sync_folder(folder: bytes) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
