"""`guyverd bundle` as it is seen."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.fake import FakeLibrary

pytestmark = pytest.mark.promise("report")


def test_it_tells_what_is_in_it_and_to_look_first(run: Run, library: FakeLibrary, home: Path) -> None:
    result = run("bundle", home / "report.tar.gz")
    assert result.exit_code == 0
    assert re.search(r"^doctor\.json +1\.2 kB +what was found$", result.stdout, re.M)
    assert "Look into it before you send it" in result.stdout
    assert "Nothing was sent." in result.stdout
    assert library.calls == [("bundle", home / "config" / "config.yaml", home / "report.tar.gz")]


def test_without_a_name_it_gets_one_with_the_time_here(
    run: Run, library: FakeLibrary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("bundle", "--json")
    file = Path(json.loads(result.stdout)["file"])
    assert file.parent == tmp_path
    assert re.fullmatch(r"guyverd-bundle-\d{8}-\d{6}\.tar\.gz", file.name)
