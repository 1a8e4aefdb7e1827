"""Films with damaged tables, packets and frames: in a worker, each gives frames, all in order, or a reason."""

from __future__ import annotations

import itertools
import os
import random
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from guyverd.errors import DeadlineExceeded, PictureError, WorkerDied
from guyverd.faces.pool import WorkerPool
from guyverd.media.video import opened_film, read_frame
from tests.media.footage import B_FRAMES, number, written
from tests.promises import scaled

pytestmark = pytest.mark.promise("fuzz", "metadata")

EACH = 8
"""Films from one seed."""
MOST = 2000
"""Frames; a clip of fifty that gives more has none of its own."""
KINDS = {
    ".mp4": ("libx264", B_FRAMES),
    ".mov": ("mpeg4", {}),
    ".mkv": ("libx265", {"preset": "ultrafast", "x265-params": "log-level=none:pools=none:frame-threads=1"}),
    ".webm": ("libvpx", {"deadline": "realtime"}),
    ".avi": ("mpeg4", {}),
    ".mts": ("mpeg2video", {}),
    ".3gp": ("mpeg4", {}),
}
_NUMBERS = (0, 1, 2, 255, 65_535, 2**31 - 1, 2**31, 2**32 - 1)
_BOXES = (
    b"moov trak mdia minf stbl stts stsz stco stss ctts elst mvhd tkhd mdhd stsd avcC hdlr dref idx1 movi strf".split()
)


def cut(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(len(data)) :]


def flip(data: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 5, 50, 400))):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def blank(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    data[at : at + chance.randrange(2000)] = bytes(chance.randrange(2000))


def double(data: bytearray, chance: random.Random) -> None:
    at, other = chance.randrange(len(data)), chance.randrange(len(data))
    data[at:at] = data[other : other + chance.randrange(3000)]


def count(data: bytearray, chance: random.Random) -> None:
    """Numbers in the tables: how many, how long, how large, where."""
    places = [at for box in _BOXES if (at := data.find(box)) >= 0] or [0]
    for _ in range(chance.choice((1, 2, 6))):
        at = max(0, min(len(data) - 4, chance.choice(places) + 4 * chance.randrange(-1, 9)))
        data[at : at + 4] = struct.pack(">I", chance.choice(_NUMBERS))


WAYS: tuple[Callable[[bytearray, random.Random], None], ...] = (cut, flip, flip, blank, double, count, count)


def read(job: tuple[str, int]) -> dict[str, int]:
    """In a worker: how many films of a kind were read, and how many not. Anything but a reason is raised."""
    suffix, seed = job
    codec, options = KINDS[suffix]
    found = {"read": 0, "refused": 0}
    with tempfile.TemporaryDirectory() as folder:
        sound = written(Path(folder) / f"sound{suffix}", map(number, range(50)), codec, options=options).read_bytes()
        path = Path(folder) / f"odd{suffix}"
        for turn in range(EACH):
            chance = random.Random(f"{suffix} {seed} {turn}")
            data = bytearray(sound)
            chance.choice(WAYS)(data, chance)
            path.write_bytes(data)
            try:
                found["read" if _watched(os.fsencode(path)) else "refused"] += 1
            except Exception as problem:
                raise RuntimeError(f"{suffix} {seed} {turn}: {type(problem).__name__}: {problem}") from problem
    return found


def _watched(path: bytes) -> bool:
    try:
        with opened_film(path) as film:
            for start in (0.0, 1.0):
                times = [moment.time for moment in itertools.islice(film.frames(start), MOST)]
                assert len(times) < MOST
                assert times == sorted(set(times))
                assert not times or times[0] >= start - 1e-6
                if film.broken is not None:
                    assert 0 < len(film.broken) < 200
            for moment in itertools.islice(film.frames(0.5, every=True), 3):
                pixels, _ = film.picture(moment, 200)
                assert pixels.ndim == 3
        read_frame(path, 0.9)
    except MemoryError:
        # Tables that say they are huge.
        return False
    except PictureError as problem:
        detail = str(problem.fields.get("detail", "none"))
        assert detail
        assert len(detail) < 300
        assert "\n" not in detail
        return False
    return True


def test_any_bytes_are_a_film_or_give_a_reason() -> None:
    # One process, as in a pool of one worker: what is left of one film must not touch the next.
    pool: WorkerPool[tuple[str, int], dict[str, int]] = WorkerPool(
        read, count=1, deadline=100.0, memory=3e9, gentle=False
    )
    try:
        jobs = [(suffix, seed) for seed in range(scaled(1, 30)) for suffix in KINDS]
        found = []
        for job, future in [(job, pool.submit(job)) for job in jobs]:
            try:
                found.append(future.result())
            except (WorkerDied, DeadlineExceeded) as problem:
                pytest.fail(f"{job}: {problem}")
        assert sum(each["read"] for each in found) > 0
        assert sum(each["refused"] for each in found) > 0
    finally:
        pool.stop_now()
