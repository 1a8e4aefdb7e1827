"""Another file put in the catalogue's place, with all that lies beside it: all of that happens, or none.

What is to be done is written down first. From then on it is carried out to its end, whenever the process dies: by the
next who opens the catalogue, if need be. What stood there is moved aside as it is and never deleted.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress

from guyverd.catalogue.custody import MARK

_PLAN = b"-replace"
_BESIDE = (b"-wal", b"-shm", MARK)
"""What SQLite and we put beside a catalogue; without its log it may lack what was written last."""


def replace(path: bytes, new: bytes, aside: bytes) -> None:
    """Put the finished file `new`, which lies in the same folder, in the place of the catalogue at `path`.

    That goes into the new folder `aside`, which lies there too. Nobody may have either open. Raises OSError; then
    nothing was changed, or the next `finish` ends it.
    """
    _sync(new)
    plan = json.dumps({"new": os.fsdecode(os.path.basename(new)), "aside": os.fsdecode(os.path.basename(aside))})
    draft = path + _PLAN + b".part"
    with open(draft, "wb") as file:
        file.write(plan.encode("ascii"))
        file.flush()
        os.fsync(file.fileno())
    os.rename(draft, path + _PLAN)
    _sync(os.path.dirname(path))
    finish(path)


def of(path: bytes) -> list[bytes]:
    """The catalogue and what may lie beside it."""
    return [path + beside for beside in (b"", *_BESIDE)]


def finish(path: bytes) -> None:
    """Carry out what was begun, if anything was. Raises OSError."""
    try:
        with open(path + _PLAN, "rb") as file:
            plan = json.loads(file.read())
    except FileNotFoundError:
        return
    folder, name = os.path.split(path)
    new = os.path.join(folder, os.fsencode(plan["new"]))
    aside = os.path.join(folder, os.fsencode(plan["aside"]))
    if os.path.lexists(new):
        os.makedirs(aside, mode=0o700, exist_ok=True)
        # The catalogue itself goes last: while it stands there, what lies beside it is its own.
        for beside in (*_BESIDE, b""):
            with suppress(FileNotFoundError):
                os.rename(path + beside, os.path.join(aside, name + beside))
        _sync(aside)
        _sync(folder)
        os.rename(new, path)
        _sync(folder)
    os.unlink(path + _PLAN)
    _sync(folder)


def _sync(path: bytes) -> None:
    opened = os.open(path or b".", os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
