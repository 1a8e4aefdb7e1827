"""A walk through photo folders that counts what is there, as far as its time goes."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from guyverd.media.kinds import is_picture, is_video
from guyverd.watch.scanner import Rules, hidden

UNREAD = frozenset(
    {
        *("cr2", "cr3", "crw", "nef", "nrw", "arw", "sr2", "srf", "dng", "raf", "orf", "rw2", "pef", "srw", "x3f"),
        *("3fr", "fff", "iiq", "kdc", "dcr", "mrw", "erf", "mef", "mos", "rwl", "raw"),
        *("jp2", "j2k", "jpf", "jpx", "jxl", "jxr", "psd", "psb", "xcf", "svg", "eps", "tga", "pcx", "exr", "hdr"),
        *("mpg", "mpeg", "wmv", "asf", "flv", "vob", "ogv", "divx", "rm", "rmvb"),
    }
)
"""Extensions of pictures and videos that guyverd does not read."""


@dataclass(slots=True)
class Seen:
    """What a folder holds."""

    folders: int = 0
    """Itself among them."""
    pictures: int = 0
    videos: int = 0
    unread: Counter[str] = field(default_factory=Counter)
    """Pictures and videos of other kinds without one that is read of the same name beside them, by extension."""
    unreadable: int = 0
    first: tuple[bytes, str] | None = None
    """The first place that could not be looked at (an absolute path), and why."""
    counted_all: bool = True


def walk(root: bytes, rules: Rules, until: float, clock: Callable[[], float] = time.monotonic) -> Seen:
    """Count what `root` holds, until the time `until`: links are not followed, what `rules` leave out is left out."""
    seen = Seen()
    waiting = [root]
    while waiting:
        if clock() > until:
            seen.counted_all = False
            break
        folder = waiting.pop()
        seen.folders += 1
        try:
            with os.scandir(folder) as entries:
                waiting += _counted(entries, rules, seen)
        except OSError as problem:
            seen.unreadable += 1
            seen.first = seen.first or (folder, problem.strerror or str(problem))
    return seen


def _counted(entries: os._ScandirIterator[bytes], rules: Rules, seen: Seen) -> list[bytes]:
    """Count the files of one folder; returns the folders in it."""
    inner: list[bytes] = []
    stems: set[bytes] = set()
    others: list[tuple[bytes, str]] = []
    pictures = 0
    for entry in entries:
        if entry.name == rules.marker:
            return []
        if hidden(entry.name) or rules.pass_over(entry.name):
            continue
        if entry.is_dir(follow_symlinks=False):
            status = entry.stat(follow_symlinks=False)
            if (status.st_dev, status.st_ino) not in rules.excluded:
                inner.append(entry.path)
            continue
        stem, _, extension = entry.name.rpartition(b".")
        kind = extension.lower().decode("ascii", "replace")
        if is_picture(entry.name):
            pictures += 1
            stems.add(stem)
        elif is_video(entry.name):
            seen.videos += 1
        elif kind in UNREAD and stem:
            others.append((stem, kind))
    seen.pictures += pictures
    seen.unread.update(kind for stem, kind in others if stem not in stems)
    return inner
