"""What somebody wants to be found by: a picture, a moment of a video, or a person, told from one word."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from guyverd.errors import GuyverError, NoMoment, NothingMeant, NoTime, PictureMissing, PictureUnreadable
from guyverd.media.kinds import is_media, is_video

_TIME = re.compile(r"(?:(?:(?P<hours>\d{1,4}):)?(?P<minutes>\d{1,4}):)?(?P<seconds>\d{1,7}(?:\.\d{1,9})?)", re.ASCII)
_PATHS = ("/", "./", "../")
"""What begins like that is a path. A slash alone tells nothing: `Unnamed/0007` may be somebody's folder of links."""


@dataclass(frozen=True, slots=True)
class Meant:
    """What is asked about, as `Library.search` takes it."""

    query: str
    """The path of a file that is there, as it was given, or a person's number or name, perhaps."""
    at: float | None = None
    """Of a video: seconds from its beginning."""
    person: bool = False
    """Whether it is a person."""


def meant(text: str) -> Meant:
    """What `text` means.

    A file that is there comes before all; then VIDEO@TIME, where that video is there. What looks like a path to a
    picture or video is not taken for a person. Raises PictureMissing, PictureUnreadable for a path to a folder,
    NoMoment for a video without a time and NoTime where what follows the @ is none.
    """
    found = _file(text)
    if found is not None:
        return found
    video, mark, _ = text.rpartition("@")
    if mark and is_video(os.fsencode(video)):
        raise PictureMissing(path=video)
    if is_media(os.fsencode(text)) or text.startswith(_PATHS):
        if os.path.isdir(text):
            raise PictureUnreadable(path=text, detail="it is a folder")
        raise PictureMissing(path=text)
    return Meant(text, person=True)


def picture(text: str) -> Meant:
    """The same where only a picture can be meant; whether there is one shows when it is opened.

    Raises NoMoment and NoTime.
    """
    return _file(text) or Meant(text)


def _file(text: str) -> Meant | None:
    if _is_file(text):
        if is_video(os.fsencode(text)):
            raise NoMoment(path=text)
        return Meant(text)
    video, mark, time = text.rpartition("@")
    if not mark or not _is_file(video):
        return None
    at = seconds(time)
    if at is None:
        raise NoTime(path=video, time=time or "nothing")
    return Meant(video, at)


def seconds(time: str) -> float | None:
    """How many seconds 83.5, 1:23 or 0:01:23 is; None for anything else. Minutes and seconds after a colon are < 60."""
    found = _TIME.fullmatch(time)
    if found is None:
        return None
    hours, minutes, rest = (float(found[part] or 0) for part in ("hours", "minutes", "seconds"))
    if (found["hours"] is not None and minutes >= 60) or (found["minutes"] is not None and rest >= 60):
        return None
    return hours * 3600 + minutes * 60 + rest


def _is_file(path: str) -> bool:
    """Whether something is there that is no folder; what it is shows when it is opened."""
    try:
        return os.path.exists(path) and not os.path.isdir(path)
    except ValueError:  # a zero in the path
        return False


def nobody(text: str) -> GuyverError:
    """What to say where nobody is called `text` after all."""
    if os.path.isdir(text):
        return PictureUnreadable(path=text, detail="it is a folder")
    return NothingMeant(person=text)
