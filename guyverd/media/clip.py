"""A moment of a film as a film of its own: cut out as it is, or encoded anew where that is asked for or cannot be else.

Cut out, nothing is lost and it takes no time: the packets are copied, with the sound. A film can only be decoded from a
frame on that depends on no other, so they begin with the last such frame before the moment; MP4 and MOV tell players to
begin where the moment does, other kinds begin up to some seconds before it. Encoded anew, it begins with the very
frame, upright. Calls C code fed by strangers: for expendable workers only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

from guyverd.errors import PictureUnreadable
from guyverd.media.containers import film_opened
from guyverd.media.cutting import Misfit, Part, Target
from guyverd.media.encoding import encode
from guyverd.media.remuxing import copy_out

_FORMATS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}


def cut_clip(
    path: bytes,
    start: float,
    end: float,
    target: BinaryIO,
    suffix: str,
    *,
    exact: bool = False,
    alive: Callable[[], object] = lambda: None,
) -> bool:
    """Write what the video at `path` shows from `start` to `end`, in seconds, into the empty file `target`.

    `suffix` tells its kind: .mp4, .mov, .mkv or .webm. `alive` is called every now and then. Returns whether it was
    encoded anew: where it is to be `exact`, or its packets do not fit. Raises what `film_opened` does,
    PictureUnreadable also where the video shows nothing then; OSError where `target` cannot be written.
    """
    format_ = _FORMATS[suffix]
    into = Target(target)
    part = Part(start, end, into, format_, alive)
    try:
        if not exact:
            try:
                with film_opened(path, sound=True) as (container, film):
                    copy_out(container, film, part)
            except Misfit:
                into.clear()
            else:
                return False
        encode(path, part)
    except PictureUnreadable:
        if into.problem is not None:
            raise into.problem from None
        raise
    return True
