"""Clips cut out of videos, in expendable processes: what a broken or hostile file does to a reader, it does there."""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future
from dataclasses import dataclass

from guyverd import config
from guyverd.errors import PictureError, PictureMissing
from guyverd.faces.pool import WorkerPool
from guyverd.faces.worker import another_part

_KINDS = {".mov": ".mov", ".qt": ".mov", ".mkv": ".mkv", ".webm": ".webm"}


def clip_suffix(path: bytes, *, exact: bool = False) -> str:
    """The suffix of a clip of the video at `path`: its own kind where that can hold what is cut out, else .mp4. Pure.

    What is to be `exact` is encoded anew, into MP4.
    """
    suffix = os.path.splitext(os.fsdecode(path))[1].lower()
    return ".mp4" if exact else _KINDS.get(suffix, ".mp4")


@dataclass(frozen=True, slots=True)
class ClipWanted:
    """A moment of a video."""

    paths: tuple[bytes, ...]
    """Absolute paths that should all hold the video; the first that can be read is taken. At least one."""
    start: float
    """Seconds from the beginning of the video."""
    end: float
    target: bytes
    """Absolute path of an empty file, into which the clip goes; it has the suffix that `clip_suffix` tells of the first
    of the paths."""
    exact: bool = False
    """Whether it is encoded anew, from the very frame."""


def cut(wanted: ClipWanted) -> bytes:
    """Cut a clip, in a worker; returns the path it was cut from. Raises what `media.clip.cut_clip` does."""
    # PyAV is loaded in the worker, and never in the daemon.
    from guyverd.media.clip import cut_clip  # noqa: PLC0415

    kind = clip_suffix(wanted.paths[0], exact=wanted.exact)
    problem: PictureError | None = None
    for path in wanted.paths:
        if clip_suffix(path, exact=wanted.exact) != kind:
            continue
        try:
            with open(wanted.target, "wb") as target:
                cut_clip(path, wanted.start, wanted.end, target, kind, exact=wanted.exact, alive=another_part)
        except PictureMissing:
            continue
        except PictureError as error:
            problem = error
            continue
        return path
    raise problem or PictureMissing(path=os.fsdecode(wanted.paths[0]))


class Clipper:
    """Processes that cut clips, started with the first; to be closed. Safe to use from several threads."""

    def __init__(self, workers: config.Workers, *, count: int = 1, gentle: bool = False) -> None:
        """Start nothing yet. Each part of a clip, some frames, has the deadline of a photo."""
        self._workers = workers
        self._count = count
        self._gentle = gentle
        self._guard = threading.Lock()
        self._pool: WorkerPool[ClipWanted, bytes] | None = None

    def submit(self, wanted: ClipWanted) -> Future[bytes]:
        """Have a clip cut; gives the path it was cut from.

        Raises through the future what `cut` does, and WorkerDied, DeadlineExceeded, WorkerNotStarted.
        """
        with self._guard:
            if self._pool is None:
                self._pool = WorkerPool(
                    cut,
                    count=self._count,
                    deadline=self._workers.deadline,
                    memory=self._workers.memory,
                    gentle=self._gentle,
                )
            return self._pool.submit(wanted)

    def close(self) -> None:
        """End the processes; what they have in hand is cancelled. It can be used again."""
        with self._guard:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.stop_now()
