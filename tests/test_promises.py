"""Every promise on the page is shown by a test, and every test that shows one names one that is on the page."""

from __future__ import annotations

import re
from pathlib import Path

from tests.promises import Tally, promised

HERE = Path(__file__).parent


def shown() -> dict[str, set[str]]:
    """The promises that tests name, with the files."""
    found: dict[str, set[str]] = {}
    for path in HERE.rglob("test_*.py"):
        if path != Path(__file__):
            for names in re.findall(r"mark\.promise\(([^)]*)\)", path.read_text()):
                for name in re.findall(r'"([^"]+)"', names):
                    found.setdefault(name, set()).add(path.name)
    return found


def test_what_is_promised_is_shown_and_what_is_shown_is_promised() -> None:
    assert len(set(promised())) == len(promised())
    assert set(shown()) == set(promised())


def test_a_promise_is_broken_by_one_test_and_not_kept_by_none() -> None:
    tally = Tally()
    tally.add(["kill", "disk"], "", 1.0)
    tally.add(["kill", "disk"], "passed", 1.0)
    tally.add(["kill"], "failed", 1.0)
    tally.add(["index"], "skipped", 1.0)
    lines = {line.split()[0]: " ".join(line.split()[1:]) for line in tally.table()}
    assert lines["kill"] == "BROKEN 1 1 0 3.0"
    assert lines["disk"] == "kept 1 0 0 2.0"
    assert lines["index"] == "not shown here 0 0 1 1.0"
    assert lines["soak"] == "not shown here 0 0 0 0.0"
