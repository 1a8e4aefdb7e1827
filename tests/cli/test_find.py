"""who."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.conftest import Run, parsed
from tests.cli.fake import ODD, FakeLibrary

pytestmark = pytest.mark.usefixtures("config")


def test_who(run: Run, library: FakeLibrary) -> None:
    library.faces_in_picture = 2
    (row,) = parsed(run("who", "/x.jpg", "--json"))
    assert list(row) == ["path", "width", "height", "enough", "faces"]
    of_face = {"number", "box", "confidence", "quality", "person", "evidence", "distance", "runner_up"}
    assert set(row["faces"][0]) == of_face
    assert row["faces"][0]["runner_up"] == {"id": 31, "name": None, "evidence": -1.5, "distance": 0.5}
    table = run("who", "/x.jpg").stdout.splitlines()
    assert "Alice (12)" in table[1]
    assert "person 31" in table[1]
    assert "7.35" in table[1]
    assert "-1.5" in table[1]
    assert "unknown" in table[2]


def test_paths_are_sent_absolute_and_otherwise_as_given(
    run: Run, library: FakeLibrary, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    (home / "caf\udce9.jpg").write_bytes(b"")
    run("who", "link/../x.jpg")
    run("who", ODD)
    run("search", "photos/../caf\udce9.jpg")
    asked = [call[1] for call in library.calls if call[0] in ("who", "search")]
    assert asked == [f"{home}/link/../x.jpg", ODD, f"{home}/photos/../caf\udce9.jpg"]
    assert os.fsencode(str(asked[2])).endswith(b"/caf\xe9.jpg")
