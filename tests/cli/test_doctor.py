"""`guyverd doctor` as it is seen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.fake import FakeLibrary

pytestmark = pytest.mark.promise("report")


def test_each_verdict_is_a_line_and_its_cure_another(run: Run, library: FakeLibrary) -> None:
    result = run("doctor")
    assert result.exit_code == 0, "a warning is no fault"
    lines = result.stdout.splitlines()
    assert lines == [
        r"ok       config           /photos/caf\udce9.jpg is right",
        "?        clock            nobody knows",
        "warning  daemon           no daemon runs",
        "                          cure: guyverd run",
    ]


def test_a_fault_is_told_by_the_exit_code(run: Run, library: FakeLibrary) -> None:
    library.findings.append({"name": "x", "verdict": "fault", "detail": "broken", "cure": "mend it"})
    result = run("doctor")
    assert result.exit_code == 13
    assert "FAULT    x                broken" in result.stdout
    assert "1 of 4 checks failed" in result.stderr
    as_json = run("doctor", "--json")
    assert as_json.exit_code == 13
    assert json.loads(as_json.stdout) == {"verdict": "fault", "checks": library.findings}


def test_it_asks_nothing_of_a_library_and_needs_no_config(run: Run, library: FakeLibrary, home: Path) -> None:
    assert run("doctor").exit_code == 0
    assert library.calls == [("examine", home / "config" / "config.yaml")]
