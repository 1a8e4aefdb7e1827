"""Values as people read them: numbers, times, sizes, and text that cannot upset a terminal."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

NOTHING = "–"
"""Shown where there is no value."""

_HARMLESS = {"\u200c", "\u200d"}
"""Joiners: invisible, but Persian and Indic names and emoji need them."""
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def safe(value: object) -> str:
    """The text of `value` with everything escaped that could move the cursor, reorder the line or break it.

    File names may hold control characters, line ends, bidi overrides and bytes that are no text (lone surrogates here).
    """
    text = NOTHING if value is None else str(value)
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if _plain(char) else _escaped(char) for char in text)


def _plain(char: str) -> bool:
    return char.isprintable() or char in _HARMLESS or unicodedata.category(char) == "Zs"


def _escaped(char: str) -> str:
    code = ord(char)
    if char in _SHORT:
        return _SHORT[char]
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def width(text: str) -> int:
    """Columns that safe text takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in "WF") for char in text)


def number(value: float | None) -> str:
    """A count with separators: 12,345."""
    return NOTHING if value is None else f"{value:,.0f}"


def plural(value: int, one: str, many: str | None = None) -> str:
    """1 photo, 2 photos."""
    return f"{value:,} {one if value == 1 else many or one + 's'}"


def decimal(value: float | None, digits: int = 2) -> str:
    """A measure with a fixed number of digits."""
    return NOTHING if value is None else f"{value:.{digits}f}"


def duration(seconds: float | None) -> str:
    """A time span in its two largest units: 4 s, 2 min 5 s, 3 h 20 min."""
    if seconds is None:
        return NOTHING
    whole = max(0, round(seconds))
    for size, unit, below, below_unit in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // below
            return f"{whole // size} {unit}" + (f" {rest} {below_unit}" if rest else "")
    return f"{whole} s"


def clock(seconds: float) -> str:
    """A time in a video, as a player shows it: 1:02:03 or 02:03; what begins a second counts."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"


def moment(start: float, end: float) -> str:
    """From when to when in a video; one time where both are in one second."""
    first, last = clock(start), clock(end)
    return first if first == last else f"{first}–{last}"


def sure(confidence: float | None) -> str:
    """How likely something is right; never rounded up, and never all."""
    if confidence is None:
        return NOTHING
    if confidence < 0.01:
        return "< 1 %"
    if confidence < 0.99:
        return f"{math.floor(100 * confidence + 1e-9)} %"
    return f"{math.floor(1000 * min(confidence, 0.999) + 1e-9) / 10:.1f} %"


def size(count: float | None) -> str:
    """Bytes in the unit that fits."""
    if count is None:
        return NOTHING
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def person(someone: Mapping[str, Any] | None) -> str:
    """Somebody as {`id`, `name`}: Alice (12), person 12, or unknown."""
    if someone is None:
        return "unknown"
    return f"person {someone['id']}" if someone["name"] is None else f"{someone['name']} ({someone['id']})"


def files(paths: Sequence[str]) -> str:
    """The first of the files that hold a photo, and how many more there are."""
    if not paths:
        return "(no file is there now)"
    more = len(paths) - 1
    return paths[0] + (f"  (and {plural(more, 'copy', 'copies')})" if more else "")


def box_size(box: Sequence[int]) -> str:
    """Width and height of [left, top, right, bottom]."""
    left, top, right, bottom = box
    return f"{right - left} x {bottom - top} px"


def told(row: Mapping[str, Any], what: str) -> str:
    """That `what` was decided, or would be, and how many faces changed hands by it."""
    dry = row["dry_run"]
    if row["decision"] is None:
        return f"Nothing {'would change' if dry else 'changed'}: that was decided already."
    moved = kept = ""
    if row.get("moved"):
        moved = f"; {plural(row['moved'], 'face')} {'would change' if dry else 'changed'} hands"
    if row.get("kept"):
        kept = f", {row['kept']} {'would stay' if dry else 'stayed'}: they were moved or spoken of since"
    return f"{'Would be decision' if dry else 'Decision'} {row['decision']}: {what}{moved}{kept}"
