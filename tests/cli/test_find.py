"""who, search."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.conftest import Run, parsed
from tests.cli.fake import EVIL, LONG, ODD, FakeLibrary

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
    run("who", "link/../x.jpg")
    run("who", ODD)
    run("search", "caf\udce9.jpg")
    asked = [call[1] for call in library.calls if call[0] in ("who", "search")]
    assert asked == [f"{home}/link/../x.jpg", ODD, f"{home}/caf\udce9.jpg"]
    assert os.fsencode(str(asked[2])).endswith(b"/caf\xe9.jpg")


def test_search(run: Run, library: FakeLibrary) -> None:
    rows = parsed(run("search", "/x.jpg", "--json"))
    assert list(rows[0]) == ["file", "face", "evidence", "distance", "person", "name", "photo"]
    assert [row["person"] for row in rows] == [12, 3, None]
    assert ("search", "/x.jpg", 20, None) in library.calls
    table = run("search", "/x.jpg").stdout.splitlines()
    assert LONG in table[1]
    assert table[1].split()[:2] == ["6.50", "0.200"]
    assert EVIL not in table[2]
    assert "[bold]Eve[/bold]" in table[2]


def test_search_options(run: Run, library: FakeLibrary) -> None:
    library.faces_in_picture = 3
    assert len(parsed(run("search", "/x.jpg", "-k", 2, "--face", 3, "--json"))) == 2
    assert ("search", "/x.jpg", 2, 3) in library.calls
    assert run("search", "/x.jpg", "-k", 0).exit_code == 2
    assert run("search", "/x.jpg", "--face", 0).exit_code == 2
    result = run("search", "/x.jpg", "--face", 4)
    assert result.exit_code == 6
    assert "numbered from 1 to 3" in result.stderr


def test_several_faces_and_no_choice(run: Run, library: FakeLibrary, home: Path) -> None:
    library.faces_in_picture = 2
    result = run("search", "/x.jpg", "--copy-to", home / "out")
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["face", "1", "2"]
    assert "80 x 90 px" in result.stdout
    assert result.stderr == "2 faces in this picture: choose one with --face N.\n"
    assert not (home / "out").exists()


def test_several_faces_and_no_choice_as_json(run: Run, library: FakeLibrary) -> None:
    library.faces_in_picture = 2
    (row,) = parsed(run("search", "/x.jpg", "--json"))
    assert list(row) == ["path", "faces", "results"]
    assert row["results"] == []
    assert [face["number"] for face in row["faces"]] == [1, 2]
    assert row["faces"][0]["box"] == [100, 20, 180, 110]


def test_no_face(run: Run, library: FakeLibrary) -> None:
    library.faces_in_picture = 0
    result = run("search", "/x.jpg")
    assert result.exit_code == 6
    assert result.stderr.startswith("guyverd: No face was found in /x.jpg. Faces narrower than 5 % of its longer side")


def test_copy_the_found(run: Run, library: FakeLibrary, home: Path) -> None:
    result = run("search", "/x.jpg", "--copy-to", home / "out", "--json")
    assert len(parsed(result)) == 3
    assert result.stderr.splitlines() == [
        f"missing: {LONG}",
        r"missing: /photos/caf\udce9.jpg",
        f"0 photos copied to {home}/out, 0 already there, 2 missing.",
    ], "two of the three faces are in one photo"
    refused = run("search", "/x.jpg", "--copy-to", home / "photos")
    assert refused.exit_code == 12
