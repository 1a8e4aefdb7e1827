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


def test_who_is_in_a_moment_of_a_video(run: Run, library: FakeLibrary, home: Path) -> None:
    (home / "clip.mp4").write_bytes(b"video")
    assert run("who", f"{home}/clip.mp4@0:12").exit_code == 0
    assert ("who", f"{home}/clip.mp4", 12.0) in library.calls
    assert run("who", home / "clip.mp4").stderr.startswith(f"guyverd: {home}/clip.mp4 is a video. Say which moment")
    assert run("who", f"{home}/clip.mp4@noon").exit_code == 6


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
