"""Photos whose bytes say who is in them, and a reader that reads that and no more, when it is told to."""

from __future__ import annotations

import functools
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

import numpy as np

from guyverd.errors import PictureUnreadable
from guyverd.faces.worker import portable
from guyverd.model import Box, DetectedFace, PhotoReading, Quality
from guyverd.service.pipeline.jobs import Read, Wanted
from guyverd.service.pipeline.working import _bytes
from tests.people.helpers import directions

ENGINE = "made up, made up"
MOST_PEOPLE = 6
_SPREAD = 0.1


def shot(*people: int, salt: object = 0) -> bytes:
    """A photo of these people; two with other salts have other bytes."""
    return json.dumps({"people": people, "salt": str(salt)}).encode()


def spoilt(salt: object = 0) -> bytes:
    """What has the name of a photo and is none."""
    return f"no picture, {salt}".encode()


def people_in(data: bytes) -> list[int] | None:
    """Who is in a photo, from left to right; None where it is none."""
    try:
        found: list[int] = json.loads(data)["people"]
    except ValueError:
        return None
    return found


@functools.lru_cache(maxsize=4096)
def vectors(data: bytes) -> tuple[np.ndarray[tuple[int], np.dtype[np.float32]], ...]:
    """What the faces in a photo look like, each like its person and a little otherwise in every photo."""
    seed = int.from_bytes(hashlib.blake2b(data, digest_size=7).digest())
    chance = np.random.default_rng(seed)
    known = directions(MOST_PEOPLE)
    return tuple(
        (1.4 * (known[person] + _SPREAD * chance.normal(size=128) / np.sqrt(128))).astype(np.float32)
        for person in people_in(data) or []
    )


def reading(data: bytes, hash_: bytes) -> PhotoReading:
    """What is found in a photo. Raises PictureUnreadable where it is none."""
    if people_in(data) is None:
        raise PictureUnreadable(path="", detail="it is no picture")
    faces = tuple(
        DetectedFace(
            Box(100 * at + 10, 10, 100 * at + 90, 90),
            1.0,
            ((20.0, 20.0),) * 5,
            Quality(1.0, 0.9, 0.9, 0.9, 0.9),
            vector,
        )
        for at, vector in enumerate(vectors(data))
    )
    return PhotoReading(hash_, 100 * max(1, len(faces)), 100, "JPEG", None, faces)


class Lens:
    """Stands in for `Reader`: what is submitted waits until the test has it read, in any order."""

    def __init__(self, *_: Any, **__: Any) -> None:
        """It needs to know nothing of the settings."""
        self.width = 2
        self.awake = False
        self.gentle = True
        self.waiting: list[tuple[Wanted, Future[Read]]] = []
        self.read: Counter[bytes] = Counter()
        """How often each content was read with success, by its hash."""

    def submit(self, photos: Sequence[Wanted], *, urgent: bool = False) -> list[Future[Read]]:
        """See `Reader.submit`."""
        made: list[Future[Read]] = [Future() for _ in photos]
        self.waiting += zip(photos, made, strict=True)
        return made

    def develop(self, which: int = 0) -> bool:
        """Read one of those that wait. Tells whether there was one."""
        if not self.waiting:
            return False
        photo, future = self.waiting.pop(which % len(self.waiting))
        try:
            data, hash_, _ = _bytes(photo)
            found: PhotoReading | BaseException = reading(data, hash_)
            self.read[hash_] += 1
        except Exception as problem:
            found = portable(problem)
        future.set_result(Read(found, ENGINE, 0.1, 0))
        return True

    def engine(self) -> str:
        """See `Reader.engine`."""
        return ENGINE

    def rest(self) -> float | None:
        """See `Reader.rest`: there are no processes."""
        return None

    def set_gentle(self, gentle: bool) -> None:
        """See `Reader.set_gentle`."""
        self.gentle = gentle

    def stop(self) -> None:
        """See `Reader.stop`."""
        for _, future in self.waiting:
            future.cancel()
        self.waiting.clear()


class Inline:
    """Stands in for a pool of threads: what is submitted is done at once."""

    def submit(self, job: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """A future that is done."""
        done: Future[Any] = Future()
        try:
            done.set_result(job(*arguments))
        except Exception as problem:
            done.set_exception(problem)
        return done

    def shutdown(self, *, wait: bool = True, cancel_futures: bool = False) -> None:
        """Nothing is under way."""
