"""When a picture was taken, from what it says about itself.

EXIF comes first, in the order a camera would mean it; XMP is asked only when EXIF tells nothing. XMP is XML from a
stranger: it is searched for three properties by pattern and never parsed, so there are no entities to expand and
nothing to fetch.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping

# (date, fraction of its second, offset from UTC): EXIF 2.32, 4.6.5 and 4.6.6.
_EXIF_DATES = (
    (0x9003, 0x9291, 0x9011),  # DateTimeOriginal
    (0x9004, 0x9292, 0x9012),  # DateTimeDigitized
    (0x0132, 0x9290, 0x9010),  # DateTime
)
_XMP_DATES = ("exif:DateTimeOriginal", "photoshop:DateCreated", "xmp:CreateDate")
_XMP_SEARCHED = 1 << 20
"""Characters of XMP looked at; editors' histories can run to many megabytes, the dates stand near the start."""

_DATE = re.compile(
    r"\s*(\d{4})[:./-](\d{1,2})[:./-](\d{1,2})"
    r"(?:[ T]+(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:[.,](\d{1,12}))?)?)?"
    r"\s*(Z|[+-]\d{2}:?\d{2})?\s*",
    re.ASCII,
)
_OFFSET = re.compile(r"\s*(?:(Z)|([+-])(\d{2}):?(\d{2}))\s*", re.ASCII)

_FIRST_YEAR = 1826
"""The year of the oldest photograph that is left."""
_LAST_YEAR = 2200
_EPOCHS = {(1904, 1, 1)}
"""What an unset QuickTime clock says."""


def taken_at(tags: Mapping[int, object], xmp: object = None) -> str | None:
    """The capture time as ISO 8601, with an offset where the picture tells one; None where nothing sensible is said.

    `tags` maps EXIF tag numbers of the main and the Exif directory, merged, to values as Pillow gives them; `xmp` is
    the packet as bytes or text. A picture that knows only the day gives only the day. Never raises.
    """
    for date, fraction, offset in _EXIF_DATES:
        found = _read(_text(tags.get(date)), _text(tags.get(fraction)), _text(tags.get(offset)))
        if found:
            return found
    packet = _text(xmp)[:_XMP_SEARCHED]
    for name in _XMP_DATES:
        for value in _xmp_values(packet, name):
            found = _read(value, "", "")
            if found:
                return found
    return None


def _text(value: object) -> str:
    """A tag's value as text up to its first NUL; empty for anything that is no text."""
    if isinstance(value, tuple | list) and len(value) == 1:
        value = value[0]
    if isinstance(value, bytes | bytearray):
        value = bytes(value).decode("utf-8", "replace")
    return value.lstrip("\0").partition("\0")[0] if isinstance(value, str) else ""


def _xmp_values(packet: str, name: str) -> list[str]:
    """The values of one simple property, written as an attribute or as an element."""
    quoted = re.escape(name)
    pattern = rf"\b{quoted}\s*=\s*[\"']([^\"'<>]{{1,64}})[\"']|<{quoted}\s*>([^<>]{{1,64}})</{quoted}\s*>"
    return [attribute or element for attribute, element in re.findall(pattern, packet)]


def _read(date: str, fraction: str, offset: str) -> str | None:
    match = _DATE.fullmatch(date)
    if match is None:
        return None
    year, month, day = (int(match[part]) for part in (1, 2, 3))
    if not _FIRST_YEAR <= year <= _LAST_YEAR or (year, month, day) in _EPOCHS:
        return None
    try:
        if match[4] is None:
            return datetime.date(year, month, day).isoformat()
        digits = match[7] or fraction.strip()
        micro = int(digits[:6].ljust(6, "0")) if re.fullmatch(r"[0-9]{1,12}", digits) else 0
        second = int(match[6] or 0)
        zone = _zone(match[8] or offset)
        time = datetime.datetime(year, month, day, int(match[4]), int(match[5]), second, micro, tzinfo=zone)
    except ValueError:
        return None
    return time.isoformat(timespec="milliseconds" if micro else "seconds")


def _zone(text: str) -> datetime.timezone | None:
    match = _OFFSET.fullmatch(text)
    if match is None:
        return None
    if match[1]:
        return datetime.UTC
    hours, minutes = int(match[3]), int(match[4])
    # Clocks on Earth run from -12:00 to +14:00.
    if hours > 14 or minutes > 59:
        return None
    delta = datetime.timedelta(hours=hours, minutes=minutes)
    return datetime.timezone(-delta if match[2] == "-" else delta)


# ---- videos ----------------------------------------------------------------------------------------------------------

_FILM_DATES = ("com.apple.quicktime.creationdate", "creation_time", "date", "DATE", "com.android.capture.date")
_UNSET = ("1904-01-01", "1970-01-01")
"""What the clocks of QuickTime and of Unix say where nobody set them."""
_CAMERA = bytes.fromhex("17ee8c60f84d11d98cd60800200c9a66") + b"MDPM"
"""What marks a camcorder's own notes in the stream of pictures."""


def filmed_at(tags: Mapping[str, str]) -> str | None:
    """The capture time from a container's metadata, as `taken_at` has it. Never raises.

    A phone's own time, with its offset, goes before the container's, which is in UTC.
    """
    for name in _FILM_DATES:
        text = _text(tags.get(name)).strip()
        if not text.startswith(_UNSET) and (found := _read(text, "", "")):
            return found
    return None


def filmed_at_in_stream(note: bytes) -> str | None:
    """The capture time from a note that a camcorder left in the pictures (AVCHD); None where it is another note.

    The note is a list of pairs: a number of one byte and four bytes. 24 has the time zone, the year and the month, 25
    day, hour, minute and second, all but the time zone in decimal digits of four bits.
    """
    if not note.startswith(_CAMERA) or len(note) <= len(_CAMERA):
        return None
    pairs = note[len(_CAMERA) + 1 :]
    told = {pairs[at]: pairs[at + 1 : at + 5] for at in range(0, min(len(pairs) - 4, 5 * note[len(_CAMERA)]), 5)}
    if 24 not in told or 25 not in told:
        return None
    digits = (told[24][1:] + told[25]).hex()
    date = f"{digits[:4]}-{digits[4:6]}-{digits[6:8]} {digits[8:10]}:{digits[10:12]}:{digits[12:14]}"
    return _read(date, "", _camera_zone(told[24][0]))


def _camera_zone(value: int) -> str:
    """Bits: not known, summer time, minus, four of hours, half an hour more."""
    if value & 0x80:
        return ""
    minutes = 60 * (value >> 1 & 0x0F) + 30 * (value & 1)
    sign = "-" if value & 0x20 else "+"
    if value & 0x40:
        minutes += -60 if value & 0x20 else 60
    return f"{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
