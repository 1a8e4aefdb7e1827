"""Kinds of values: how each is written in a config, read and shown.

A value that is wrong raises ValueError with a sentence that says what is expected.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Unit:
    """How a value is written, read and shown."""

    name: str
    read: Callable[[object], Any]
    """Raises ValueError with a sentence that says what is expected."""
    show: Callable[[Any], str] = str


def quoted(text: str) -> str:
    """A YAML scalar: plain for an ordinary path or word, else in double quotes."""
    # The words that YAML reads as something else are those of `yes`, `off`, `null`: none has six letters.
    if re.fullmatch(r"(~?/|[A-Za-z]{6})([A-Za-z0-9_./+ -]*[A-Za-z0-9])?", text):
        return text
    escaped = "".join(
        char
        if char.isprintable() and char not in '"\\'
        else f"\\u{ord(char):04x}"
        if ord(char) < 0x10000
        else f"\\U{ord(char):08x}"
        for char in text
    )
    return f'"{escaped}"'


def _measure(name: str, units: Mapping[str, str], such: str, low: str, high: str) -> Unit:
    """A number with a unit, such as `such`, from `low` to `high`; `units` gives each name's factor, smallest first.

    Reckoned in decimals: what is shown reads back as exactly the same number.
    """
    factors = {unit: Decimal(factor) for unit, factor in units.items()}
    pattern = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([a-zA-Z%]+)\s*", re.ASCII)

    def number_in(text: object) -> Decimal | None:
        match = pattern.fullmatch(text) if isinstance(text, str) else None
        return None if match is None or match[2] not in factors else Decimal(match[1]) * factors[match[2]]

    least, most = number_in(low), number_in(high)
    assert least is not None
    assert most is not None

    def read(value: object) -> float:
        number = number_in(value)
        if number is None:
            raise ValueError(f"expected a number with a unit ({', '.join(factors)}), such as {such}")
        if not least <= number <= most:
            raise ValueError(f"expected {low} to {high}")
        return float(number)

    def show(value: float) -> str:
        exact = Decimal(repr(value))
        # The largest unit that makes it a short number; failing that the finest, in which every number ends.
        for unit, factor in reversed(factors.items()):
            if exact >= factor and exact / factor * 1000 % 1 == 0:
                return f"{plain(exact / factor)} {unit}"
        unit, factor = next(iter(factors.items()))
        return f"{plain(exact / factor)} {unit}"

    return Unit(name, read, show)


def plain(number: Decimal) -> str:
    """Decimals without an exponent, which YAML would take for a text, and without idle zeros."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _whole(at_least: int, at_most: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not at_least <= value <= at_most:
            raise ValueError(f"expected a whole number from {at_least} to {at_most}")
        return value

    return read


def _between(low: float, high: float) -> Callable[[object], float]:
    def read(value: object) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError(f"expected a number from {low:g} to {high:g}")
        return float(value)

    return read


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("expected a text")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise ValueError("expected a list of texts, such as ['*.tmp', '*.part']")
    return tuple(value)


def _folder_name(value: object) -> str:
    text = _text(value)
    plain = "/" not in text and not text.startswith(".") and text.isprintable() and text == text.strip()
    if not plain or len(text.encode()) > 200:
        raise ValueError("expected a plain folder name: no slash, no dot at its start, 200 bytes at most")
    return text


def _file(ending: str) -> Callable[[object], Path | None]:
    def read(value: object) -> Path | None:
        if value is None or value == "":
            return None
        if not isinstance(value, str) or "\0" in value or not value.startswith("/") or not value.endswith(ending):
            ends = f" that ends in {ending}" if ending else ""
            raise ValueError(f"expected an absolute path{ends}, or an empty text")
        return Path(os.path.normpath("/" + value.lstrip("/")))

    return read


def choice(*names: str) -> Unit:
    """One of some words."""

    def read(value: object) -> str:
        if value not in names:
            raise ValueError(f"expected one of: {', '.join(names)}")
        return str(value)

    return Unit("one of " + ", ".join(names), read)


def duration(low: str = "0 s") -> Unit:
    """A time, kept in seconds; at most a century, which every clock can wait for."""
    units = {"ms": "0.001", "s": "1", "min": "60", "h": "3600", "d": "86400"}
    return _measure("time: ms, s, min, h, d", units, "2 s", low, "36500 d")


def share(low: str = "0 %", high: str = "100 %") -> Unit:
    """A share of a whole, kept as 0 to 1."""
    return _measure("share: %", {"%": "0.01"}, "5 %", low, high)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("expected yes or no")  # noqa: TRY004  as every unit does
    return value


DURATION = duration()
SIZE = _measure("memory: MB, GB", {"MB": "1e6", "GB": "1e9"}, "2 GB", "1 GB", "100000 GB")
SHARE = share()
FLAG = Unit("yes or no", _flag, lambda value: "yes" if value else "no")
PROM_FILE = Unit("a path", _file(".prom"), lambda value: '""' if value is None else quoted(str(value)))
FOLDER = Unit("a folder's path", _file(""), lambda value: '""' if value is None else quoted(str(value)))
FOLDER_NAME = Unit("a folder name", _folder_name, quoted)
PATTERNS = Unit("a list of patterns", _texts, lambda value: "[" + ", ".join(map(quoted, value)) + "]")


@dataclass(frozen=True, slots=True)
class Hours:
    """A span of every day, by the clock on the wall; it may pass midnight."""

    begin: int
    """Minutes after midnight, 0 to 1439."""
    end: int
    """The minute in which it is over; another one than `begin`."""

    def holds(self, minute: int) -> bool:
        """Whether that minute of a day is within."""
        if self.begin < self.end:
            return self.begin <= minute < self.end
        return minute >= self.begin or minute < self.end

    def __str__(self) -> str:
        return f"{_clock(self.begin)}-{_clock(self.end)}"


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _hours(value: object) -> Hours | None:
    if value is None or value == "":
        return None
    found = re.fullmatch(r"\s*([0-9]{1,2}):([0-9]{2})\s*[-–]\s*([0-9]{1,2}):([0-9]{2})\s*", str(value), re.ASCII)
    expected = 'expected two times of a day, such as "22:00-07:00", or "" for never'
    if found is None or not isinstance(value, str):
        raise ValueError(expected)
    hours, minutes = [int(found[1]), int(found[3])], [int(found[2]), int(found[4])]
    begin, end = (60 * hour + minute for hour, minute in zip(hours, minutes, strict=True))
    if max(minutes) > 59 or begin >= 1440 or end > 1440:
        raise ValueError(expected)
    if begin == end % 1440:
        raise ValueError("expected two different times")
    return Hours(begin, end % 1440)


HOURS = Unit('hours: "22:00-07:00"', _hours, lambda value: '""' if value is None else f'"{value}"')


def count(at_least: int, at_most: int = 1_000_000) -> Unit:
    """A whole number."""
    return Unit(f"a whole number, {at_least} or more", _whole(at_least, at_most))


def number(low: float, high: float) -> Unit:
    """A number within bounds."""
    return Unit(
        f"a number from {low:g} to {high:g}", _between(low, high), lambda value: plain(Decimal(repr(float(value))))
    )
