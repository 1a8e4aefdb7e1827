"""The file of a saved index: written aside, synced and renamed, and believed only where it is that very file.

hnswlib loads flipped bits silently or dies of them, reports no full disk, and its file is its own memory, which says
nothing of who wrote it. So no file is handed to it whose bytes do not have the hash that was stored when it was saved,
or that other code wrote.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import re
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import metadata

import hnswlib

from guyverd.errors import StateError
from guyverd.model import EMBEDDING_SIZE, IndexStamp

LINKS = 16
"""hnswlib's M. Recall of 40 neighbours is 0.999 with it (see `index.EF_SEARCH`)."""
EF_CONSTRUCTION = 200

_SAVED = re.compile(rb"faces-[0-9]+\.hnsw(\.part)?")


class IndexRefused(Exception):
    """A saved index cannot be used, and why, as the end of "it was rebuilt: …". It is made again from the catalogue."""


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


def write(folder: bytes | str, generation: int, put: Callable[[bytes], tuple[int, int]]) -> IndexStamp:
    """Have `put` write `faces-<generation>.hnsw` into `folder` so that it is there whole or not at all.

    `put` gets a path to write to, and returns how many bytes that are and how many faces are in them. Returns what the
    catalogue must remember for `checked`. Raises StateError when the disk does not take it.
    """
    folder = os.fsencode(folder)
    name = f"faces-{generation}.hnsw"
    final = os.path.join(folder, os.fsencode(name))
    aside = final + b".part"
    try:
        # hnswlib would make it with whatever rights the umask leaves; a file that is there keeps its own.
        os.close(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
        size, count = put(aside)
        stamp = IndexStamp(name, size, _synced_hash(aside), count, maker())
        written = os.path.getsize(aside)
        if written != size:
            raise OSError(0, f"only {written} of {size} bytes were written")  # noqa: TRY301
        os.replace(aside, final)
        _sync_folder(folder)
    except (OSError, RuntimeError) as problem:
        with suppress(OSError):
            os.unlink(aside)
        raise StateError(path=os.fsdecode(final), detail=f"the index was not saved: {_told(problem)}") from problem
    return stamp


def checked(folder: bytes | str, stamp: IndexStamp, load: Callable[[bytes], object]) -> None:
    """Have `load` read the file that `stamp` was given for.

    Raises IndexRefused where something else wrote it, or the file is not there or is not exactly that file: then it is
    not called; and where it cannot load it all the same.
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
        load(path)
    except FileNotFoundError:
        raise IndexRefused(f"{stamp.file} is missing") from None
    except (OSError, RuntimeError, ValueError) as problem:
        raise IndexRefused(f"{stamp.file} cannot be read: {_told(problem)}") from problem


def prune(folder: bytes | str, keep: str) -> None:
    """Remove every saved index from `folder` but `keep`, and what an interrupted save left."""
    folder = os.fsencode(folder)
    with suppress(FileNotFoundError):
        for name in os.listdir(folder):
            if _SAVED.fullmatch(name) and name != os.fsencode(keep):
                with suppress(FileNotFoundError):
                    os.unlink(os.path.join(folder, name))


def _told(problem: Exception) -> str:
    return getattr(problem, "strerror", None) or str(problem)


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
