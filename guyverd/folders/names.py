"""Which name a person's folder and each link in it get. Pure: the same people and photos give the same names.

Names must be legal on every file system a people folder is likely to be seen through: Linux, a Windows share, a
case-insensitive disk.
"""

from __future__ import annotations

import datetime
import os
import re
import unicodedata
from collections.abc import Iterable
from hashlib import blake2b

from guyverd.folders.spare import MAX_NAME, byte_key, case_key, shortened, with_suffix
from guyverd.published import OwnerId, ShelfPhoto

_NAME_LIMIT = 200
"""Bytes of a person's name in their folder's name: well below MAX_NAME, so that suffixes fit."""
_REFUSED = re.compile(r'[/\\<>:"|?*]')
_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
"""Direction marks and overrides: they make a name read as another."""
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])\s*(\..*)?", re.IGNORECASE)
"""Names that a Windows machine takes for a device, with any extension."""
_CONTROL = re.compile(rb"[\x00-\x1f\x7f/]")


def folder_names(
    owners: Iterable[tuple[OwnerId, str | None]], unnamed: str, taken: Iterable[str] = ()
) -> dict[OwnerId, bytes]:
    """The path of each owner's folder relative to the people folder: b"Alice", or b"Unnamed/0007" without a name.

    No two are equal on a case-insensitive file system, nor is one among the `case_key`s that are `taken`: the lowest
    person has the plain name, others and albums get " (<id>)" behind it, as does whoever is called like the folder
    `unnamed`. A person with a higher id never changes another's folder.
    """
    in_use = {case_key(unnamed), *taken}
    found: dict[OwnerId, bytes] = {}
    for owner, name in sorted(owners, key=lambda item: (item[0] < 0, abs(item[0]))):
        folder = _usual(owner, name, unnamed)
        while case_key(folder) in in_use:
            folder += f" ({abs(owner)})"
        in_use.add(case_key(folder))
        found[owner] = folder.encode("utf-8", "surrogateescape")
    return found


def usual_path(owner: OwnerId, name: str | None, unnamed: str) -> bytes:
    """The path that an owner's folder gets where nobody else has it."""
    return _usual(owner, name, unnamed).encode("utf-8", "surrogateescape")


def _usual(owner: OwnerId, name: str | None, unnamed: str) -> str:
    number = abs(owner)
    if name is None:
        return f"{unnamed}/{number:04d}"
    # A name of nothing that can be shown is told apart by its number alone.
    return _legal(name) or f"{_legal(unnamed)} ({number})".lstrip()


def _legal(name: str) -> str:
    """The nearest legal folder name; empty where nothing is left of it."""
    text = "".join(_shown(char) for char in name)
    text = unicodedata.normalize("NFC", _BIDI.sub("", text))
    text = _stripped(_REFUSED.sub("_", text))
    text = _stripped(shortened(text.encode(), _NAME_LIMIT).decode())
    return f"_{text}" if _DEVICE.fullmatch(text) else text


def _shown(char: str) -> str:
    kind = unicodedata.category(char)
    if kind in ("Zl", "Zp") or char in "\t\n\v\f\r\x85":
        return " "
    return "_" if kind in ("Cc", "Cs") else char


def _stripped(text: str) -> str:
    """Without dots and spaces at either end: a leading dot hides a folder, trailing ones Windows drops silently."""
    start, end = 0, len(text)
    while start < end and (text[start] == "." or text[start].isspace()):
        start += 1
    while start < end and (text[end - 1] == "." or text[end - 1].isspace()):
        end -= 1
    return text[start:end]


def link_names(photos: Iterable[ShelfPhoto]) -> dict[bytes, bytes]:
    """The name of each photo's link, by target, within one folder: `2024-05-17_IMG_1234.jpg`, `undated_scan.png`.

    A file name keeps its bytes, also where they are not UTF-8, but for control characters, which become "_". No two
    are equal on a case-insensitive file system: of several that would be, the first target in byte order keeps the
    plain name and the others get a hash of their target before the extension. So a photo that is added renames at
    most one link, and none at all when it sorts behind, as the next folder or number of a camera does.
    """
    plain: dict[bytes, bytes] = {}
    for photo in photos:
        plain.setdefault(photo.target, _plain(photo))
    found: dict[bytes, bytes] = {}
    taken: set[str] = set()
    clashing = []
    for target in sorted(plain):
        key = byte_key(plain[target])
        if key in taken:
            clashing.append(target)
        else:
            taken.add(key)
            found[target] = plain[target]
    for target in clashing:
        name, attempt = plain[target], 0
        while (key := byte_key(name)) in taken:
            digest = blake2b(target, digest_size=4, salt=b"%d" % attempt).hexdigest()
            name, attempt = with_suffix(plain[target], b"~" + digest.encode()), attempt + 1
        taken.add(key)
        found[target] = name
    return found


def shown_name(file: bytes) -> bytes:
    """A file's name as it stands in its link's."""
    return _CONTROL.sub(b"_", file)


def _plain(photo: ShelfPhoto) -> bytes:
    name = shown_name(os.path.basename(photo.target))
    name = _date(photo.taken_at) + b"_" + name
    return with_suffix(name, b"") if len(name) > MAX_NAME else name


def _date(taken_at: str | None) -> bytes:
    day = (taken_at or "")[:10]
    try:
        datetime.date.fromisoformat(day)
    except ValueError:
        return b"undated"
    return day.encode() if len(day) == 10 and day[4] == "-" == day[7] else b"undated"
