"""What the reader's tests have workers do; a module of its own, because workers import it by name."""

from __future__ import annotations

import os
import signal
import time

from guyverd.config import Faces
from guyverd.errors import EngineError, PictureUnreadable
from guyverd.faces.worker import another_part
from guyverd.model import PhotoReading
from guyverd.service.pipeline.jobs import Read, ReadJob

NOTES = "READS_NOTES"
"""The environment's name for a file in which each photo is noted as it is begun."""


def read(job: ReadJob) -> list[Read]:
    """Do with each photo what its name says."""
    return [_read(photo.paths[0], len(job.photos)) for photo in job.photos]


def _read(path: bytes, together: int) -> Read:
    another_part()
    name = os.path.basename(path).decode().partition("-")[0]
    with open(os.environ[NOTES], "a", encoding="ascii") as notes:
        notes.write(f"{name} {together}\n")
    if name == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if name == "hang":
        time.sleep(600)
    if name == "slow":
        time.sleep(0.7)
    if name == "broken":
        return Read(PictureUnreadable(path=name, detail="it is broken"), "engine", 0.1, 0)
    return Read(PhotoReading(path, 1, 1, "JPEG", None, ()), "engine", 0.1, 0)


def process(job: ReadJob) -> list[Read]:
    """Tell which process it is, as the hash of each photo."""
    facts = PhotoReading(b"%d" % os.getpid(), 1, 1, "JPEG", None, ())
    return [Read(facts, "engine", 0.1, 0) for _ in job.photos]


def no_models(_: Faces) -> None:
    raise EngineError(detail="no weights here")


def no_name(_: Faces) -> str:
    raise EngineError(detail="no weights here")
