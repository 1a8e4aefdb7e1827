"""One verdict of the doctor.

Its words are fixed, and what is filled in is kept beside them, so that a report for strangers can leave out the one and
keep the other.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from guyverd.errors import GuyverError


class Verdict(StrEnum):
    """How bad it is."""

    OK = "ok"
    UNKNOWN = "unknown"
    """It could not be looked at."""
    WARNING = "warning"
    """It works, and something should be done."""
    FAULT = "fault"
    """Something does not work."""


ORDER = (Verdict.OK, Verdict.UNKNOWN, Verdict.WARNING, Verdict.FAULT)


class Figure(str):
    """A number with its unit, or a word of the program's own: nothing of anybody's."""

    __slots__ = ()


Value = Path | Figure | str | int | float
Show = Callable[[Value], str]


@dataclass(frozen=True, slots=True)
class Finding:
    """What is, and what to type to cure it."""

    check: str
    verdict: Verdict
    detail: str
    """One line, with {fields}."""
    cure: str = ""
    """One line, with {fields}; empty where nothing is to be done."""
    fields: Mapping[str, Value] = field(default_factory=dict)
    """Paths as `Path`; text of others, such as an error's, as str."""

    def told(self, show: Show | None = None) -> dict[str, Any]:
        """The row that is told: `name`, `verdict`, `detail`, `cure`. `show` says how fields are written."""
        shown = {name: (show or plain)(value) for name, value in self.fields.items()}
        # In what is to be typed, a path is one word of the shell.
        typed = {
            name: (show or quoted)(value) if isinstance(value, Path) else shown[name]
            for name, value in self.fields.items()
        }
        return {
            "name": self.check,
            "verdict": str(self.verdict),
            "detail": self.detail.format(**shown),
            "cure": self.cure.format(**typed),
        }


def of_error(check: str, problem: GuyverError) -> Finding:
    """What an error of the program says of itself."""
    return Finding(
        check, Verdict.FAULT, "{problem}", "{advice}", {"problem": problem.message, "advice": problem.advice}
    )


def plain(value: Value) -> str:
    """A field as it is, on one line."""
    if isinstance(value, int):
        return f"{value:,}"
    return " ".join(value.split()) if type(value) is str else str(value)


def quoted(value: Value) -> str:
    """A field as one word of the shell."""
    return shlex.quote(os.fspath(value)) if isinstance(value, Path) else plain(value)


def worst(findings: list[Finding]) -> Verdict:
    """Of all of them."""
    return max((finding.verdict for finding in findings), key=ORDER.index, default=Verdict.OK)


def size(count: float) -> Figure:
    """Bytes in the unit that fits."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return Figure(f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}")
        count /= 1000
    return Figure(f"{count:.1f} TB")


def span(seconds: float) -> Figure:
    """A time span in the unit that fits."""
    for length, unit in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= length:
            return Figure(f"{seconds / length:.1f} {unit}")
    return Figure(f"{seconds:.1f} s" if seconds >= 0.1 else f"{1000 * seconds:.1f} ms")


def listed(counts: Mapping[str, int], most: int = 5) -> Figure:
    """The most frequent of some words of our own, with how many of each: 400 of nef, 12 of jxl."""
    order = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    told = [f"{count:,} {name}" for name, count in order[:most]]
    return Figure(", ".join([*told, f"{len(order) - most} kinds more"] if len(order) > most else told))
