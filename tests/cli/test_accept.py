"""accept: a photo folder is taken as it is, and only one that is not what it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run, parsed
from tests.cli.fake import FakeLibrary

pytestmark = [pytest.mark.usefixtures("config"), pytest.mark.promise("offline")]


@pytest.mark.parametrize(("options", "line"), [([], "Taken as it is now"), (["--dry-run"], "Would be taken as it is")])
def test_what_is_taken_is_told(run: Run, library: FakeLibrary, options: list[str], line: str) -> None:
    result = run("accept", "/mnt/nas", *options)
    assert result.exit_code == 0
    assert result.stdout.startswith(line)
    assert "5 files" in result.stderr
    assert ("accept", "/mnt/nas", bool(options)) in library.calls


def test_a_path_is_meant_from_here(
    run: Run, library: FakeLibrary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run("accept", "nas")
    assert ("accept", str(tmp_path / "nas"), False) in library.calls


def test_as_json_and_refused(run: Run, library: FakeLibrary) -> None:
    (row,) = parsed(run("accept", "/mnt/nas", "--json"))
    assert row == library.accept("/mnt/nas")
    refused = run("accept", "/photos")
    assert refused.exit_code == 5
    assert "is there, and is what it was" in refused.stderr
