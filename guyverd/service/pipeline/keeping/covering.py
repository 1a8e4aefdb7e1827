"""Covers: faces cut from their photos in an expendable process, a few at a time."""

from __future__ import annotations

import logging
import os
from concurrent.futures import CancelledError
from dataclasses import dataclass

from guyverd import config
from guyverd.errors import GuyverError
from guyverd.faces.pool import WorkerPool
from guyverd.folders.pages import as_cover
from guyverd.model import Box

log = logging.getLogger(__name__)

SIDE = 512
"""Pixels of a cover's longer side, at most."""
VERSION = 2
"""Of how a cover is cut: with another, all are made anew."""
_DEADLINE = 20.0
"""Seconds for one; it is an ornament, and a picture that takes longer has none."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A face to be cut."""

    file: bytes
    """Absolute path of its photo."""
    box: Box
    """In pixels of the upright photo."""
    at: float | None = None
    """Seconds: the frame of a video in which the box is; None in a photo."""


def cut(job: Cut) -> bytes | None:
    """The face as a JPEG; None where it is not in the photo any more. Raises PictureError. Runs in a worker."""
    from guyverd.service.pipeline.cropping import cut_out  # noqa: PLC0415  decoders are loaded in the worker only

    (found,) = cut_out(job.file, [job.box], SIDE, job.at)
    return as_cover(found) if isinstance(found, bytes) else None


class Covering:
    """One worker, from the first cover that is wanted until `rest`."""

    def __init__(self, workers: config.Workers) -> None:
        self._pool = WorkerPool(
            cut,
            count=1,
            deadline=min(workers.deadline, _DEADLINE),
            memory=workers.memory,
            gentle=workers.speed == "gentle",
        )

    def cover(self, job: Cut) -> bytes | None:
        """The face as a JPEG; None, with a line in the log, where it cannot be cut."""
        try:
            return self._pool.submit(job).result()
        except CancelledError:
            return None
        except (GuyverError, MemoryError, OSError, RuntimeError) as problem:
            file = os.fsdecode(job.file)
            log.info("No cover from %s: %s", file, problem, extra={"file": file})
            return None

    def rest(self) -> None:
        """Let the worker go."""
        self._pool.close(wait=False)

    def stop(self) -> None:
        """Let the worker go at once."""
        self._pool.stop_now()
