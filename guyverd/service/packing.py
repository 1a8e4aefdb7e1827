"""A new file with a report in it: nothing is overwritten, and nothing in it says who made it."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from guyverd.errors import ExportError


@dataclass(frozen=True, slots=True)
class Part:
    """A file of the report."""

    name: str
    content: bytes


def write(target: Path, parts: Iterable[Part], sacred: Iterable[Path]) -> int:
    """Put a report at `target`, which must not be there yet nor lie in one of `sacred`. Returns its size.

    Raises ExportError.
    """
    place = Path(os.path.realpath(target))
    for folder in sacred:
        if place.is_relative_to(os.path.realpath(folder)):
            raise ExportError(path=target, detail="nothing is put into a photo folder or the people folder")
    data = _packed(parts)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(target, flags, 0o600), "wb") as file:
            try:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                target.unlink()
                raise
    except OSError as problem:
        raise ExportError(path=target, detail=problem.strerror or str(problem)) from problem
    return len(data)


def _packed(parts: Iterable[Part]) -> bytes:
    """A gzipped tar that says nothing of who made it: no owner, and no name in gzip's head."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=packed) as squeezed,
        tarfile.open(fileobj=squeezed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for part in parts:
            entry = tarfile.TarInfo(f"guyverd-bundle/{part.name}")
            entry.size, entry.mtime, entry.mode = len(part.content), int(time.time()), 0o600
            tar.addfile(entry, io.BytesIO(part.content))
    return packed.getvalue()
