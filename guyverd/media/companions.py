"""Files that belong to a photo: the video of a live photo, the raw picture of a pair, a sidecar.

They have the photo's name but for the extension, and are told by it alone: nothing is opened.
"""

from __future__ import annotations

import os

from guyverd.media.kinds import VIDEO_EXTENSIONS, is_media, is_video

RAW = frozenset(
    (
        *(b"cr2", b"cr3", b"crw", b"nef", b"nrw", b"arw", b"srf", b"sr2", b"dng", b"raf", b"orf", b"rw2", b"pef"),
        *(b"srw", b"x3f", b"3fr", b"iiq", b"kdc", b"dcr", b"mrw", b"rwl", b"erf", b"mef", b"mos"),
    )
)
SIDECAR = frozenset((b"xmp", b"aae"))


def is_companion(name: bytes) -> bool:
    """Whether a file of this name may belong to a photo."""
    return os.path.splitext(name)[1][1:].lower() in _EXTENSIONS


def photo_stem(name: bytes) -> bytes:
    """What it has in common with the name of its photo: `IMG_1` for `IMG_1.MOV` as for `IMG_1.HEIC.xmp`."""
    stem = os.path.splitext(name)[0]
    return os.path.splitext(stem)[0] if is_media(stem) else stem


class Companions:
    """Looks for what belongs to photos. A folder is listed once, and again when it has changed since."""

    def __init__(self) -> None:
        self._folders: dict[bytes, tuple[int, dict[bytes, list[bytes]]]] = {}
        self._fresh: set[bytes] = set()

    def look_anew(self) -> None:
        """Begin another look: a folder may have changed since the last one."""
        self._fresh.clear()

    def of(self, photo: bytes) -> tuple[bytes, ...]:
        """The files that belong to the photo or video at that absolute path, by name; none where it cannot be seen.

        To a video belong its sidecars alone: a raw picture, and another video, belong to the photo beside it.
        """
        folder, name = os.path.split(photo)
        beside = self._beside(folder)
        if not beside:
            return ()
        stem = os.path.splitext(name)[0]
        # "1.HEIC.xmp" belongs to "1.HEIC" and not to "1.JPG", "1.MOV" to both.
        there = (one for one in beside.get(stem, ()) if os.path.splitext(one)[0] in (stem, name))
        if is_video(name):
            there = (one for one in there if os.path.splitext(one)[1][1:].lower() in SIDECAR)
        return tuple(os.path.join(folder, one) for one in there)

    def _beside(self, folder: bytes) -> dict[bytes, list[bytes]]:
        known = self._folders.get(folder)
        if known is not None and folder in self._fresh:
            return known[1]
        try:
            # Before it is listed, so that what comes meanwhile is looked for the next time.
            changed = os.stat(folder).st_mtime_ns
        except OSError:
            changed = -1
        if known is None or known[0] != changed:
            known = self._folders[folder] = (changed, _listed(folder))
        self._fresh.add(folder)
        return known[1]


def _listed(folder: bytes) -> dict[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    try:
        names = os.listdir(folder)
    except OSError:
        return found
    for name in sorted(name for name in map(os.fsencode, names) if is_companion(name)):
        if not name.startswith(b"."):
            found.setdefault(photo_stem(name), []).append(name)
    return found


_EXTENSIONS = VIDEO_EXTENSIONS | RAW | SIDECAR
