"""Which tests show which of the promises in docs/promises.md, and how hard they try.

A test that shows a promise says so with `@pytest.mark.promise("kill")`; the names stand in the page. `make test` runs
all but those marked `torture`. `make torture` (`pytest --torture`) runs those that show a promise, those marked
`torture` among them, with more examples, and ends with a table.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "promises.md"
_HARD = "GUYVERD_TORTURE"


def torture() -> bool:
    """Whether tests are to try as hard as they can; known before test modules are loaded."""
    return bool(os.environ.get(_HARD))


def begin_torture() -> None:
    """From now on tests try as hard as they can, also those in processes started from here."""
    os.environ[_HARD] = "1"


def scaled(few: int, many: int) -> int:
    """How many examples: `few` in the suite, `many` under torture."""
    return many if torture() else few


def promised() -> list[str]:
    """The names of all promises, in the order of the page."""
    return re.findall(r"^\| `([a-z-]+)` \|", PAGE.read_text(), re.MULTILINE)


@dataclass
class Result:
    """What became of the tests that show one promise."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0

    def verdict(self) -> str:
        """In one word."""
        if self.failed:
            return "BROKEN"
        return "kept" if self.passed else "not shown here"


class Tally:
    """Results by promise."""

    def __init__(self) -> None:
        self.results: defaultdict[str, Result] = defaultdict(Result)

    def add(self, promises: list[str], outcome: str, seconds: float) -> None:
        """Take note of one phase of a test; `outcome` is one of pytest's, or "" where a phase merely passed."""
        for promise in promises:
            result = self.results[promise]
            result.seconds += seconds
            if outcome:
                setattr(result, outcome, getattr(result, outcome) + 1)

    def table(self) -> list[str]:
        """The lines of the summary."""
        lines = [f"{'promise':<16} {'result':<15} {'passed':>6} {'failed':>6} {'skipped':>7} {'seconds':>8}"]
        for name in promised():
            result = self.results.get(name, Result())
            lines.append(
                f"{name:<16} {result.verdict():<15} {result.passed:>6} {result.failed:>6} {result.skipped:>7}"
                f" {result.seconds:>8.1f}"
            )
        return lines
