"""File names as bytes: comparing them as a case-insensitive file system would, shortening them, giving them suffixes.

When a name that a link or folder should have is occupied by something that is not ours, it takes a *spare name*: the
same name with `~2`, `~3` … (before a file's extension). The plan recognises such a name, so the link stays where it
found room instead of being moved at every publishing.
"""

from __future__ import annotations

import os
import re
import unicodedata

MAX_NAME = 255
"""Bytes in one name, on every file system we know."""
LAST_SPARE = 999
_LONGEST_EXTENSION = 16
_SPARE = re.compile(rb"~([1-9][0-9]{0,2})")


def case_key(name: str) -> str:
    """Equal for names that some file system takes for the same: case, composition and invisible characters aside."""
    if name.isascii():
        return name.lower()
    seen = "".join(char for char in name if unicodedata.category(char) != "Cf")
    # Folding can compose or decompose anew, so it is done until both agree (Unicode's canonical caseless match).
    folded = unicodedata.normalize("NFD", unicodedata.normalize("NFD", seen).casefold())
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", folded.casefold()))


def byte_key(name: bytes) -> str:
    """`case_key` of a name on disk, which need not be UTF-8."""
    return case_key(name.decode("utf-8", "surrogateescape"))


def shortened(name: bytes, limit: int) -> bytes:
    """The first `limit` bytes or a few less, so that no UTF-8 character is cut in two."""
    if len(name) <= limit:
        return name
    for border in range(limit, max(limit - 4, 0), -1):
        if name[border] & 0xC0 != 0x80:
            return name[:border]
    return name[:limit]  # not UTF-8


def with_suffix(name: bytes, suffix: bytes) -> bytes:
    """`suffix` put before the extension; the stem gives way where the whole would be longer than a name may be."""
    stem, extension = os.path.splitext(name)
    if len(extension) > _LONGEST_EXTENSION:
        stem, extension = name, b""
    return shortened(stem, MAX_NAME - len(suffix) - len(extension)) + suffix + extension


def spare_name(name: bytes, number: int, *, folder: bool) -> bytes:
    """The spare name of that number, 2 to 999."""
    suffix = b"~%d" % number
    return shortened(name, MAX_NAME - len(suffix)) + suffix if folder else with_suffix(name, suffix)


def is_spare_of(actual: bytes, name: bytes, *, folder: bool) -> bool:
    """Whether `actual` is `name` itself or one of its spare names."""
    if actual == name:
        return True
    if b"~" not in actual:
        return False
    numbers = {int(number) for number in _SPARE.findall(actual)}
    return any(spare_name(name, number, folder=folder) == actual for number in numbers if number > 1)


def parents(path: bytes) -> list[bytes]:
    """The path and every folder above it, outermost first: a/b/c gives a, a/b, a/b/c."""
    return [path[:end] for end in (*(at for at, byte in enumerate(path) if byte == 0x2F), len(path)) if end]
