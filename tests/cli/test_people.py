"""people, person, faces, name, merge, export."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import Run, parsed
from tests.cli.fake import EVIL, LONG, ODD, FakeLibrary

pytestmark = pytest.mark.usefixtures("config")


def test_people_as_json(run: Run, library: FakeLibrary) -> None:
    rows = parsed(run("people", "--json"))
    assert rows == library.everyone
    assert list(rows[0]) == ["id", "name", "faces", "photos", "folder", "hidden"]
    assert [row["name"] for row in rows] == ["Alice", EVIL, None]


def test_people_as_a_table(run: Run, library: FakeLibrary) -> None:
    result = run("people")
    assert result.exit_code == 0
    head, alice, eve, nobody = result.stdout.splitlines()
    assert head.split() == ["id", "name", "faces", "photos", "folder"]
    assert alice.split() == ["12", "Alice", "1,234", "1,000", "/people/Alice"]
    assert nobody.split() == ["31", "–", "1", "1", "–"]
    assert r"[bold]Eve[/bold] :smile: \x1b[31m\n\u202egnp.exe" in eve
    assert alice.index("/people") == head.index("folder")


def test_nobody(run: Run, library: FakeLibrary) -> None:
    library.everyone = []
    result = run("people")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "Nobody is known yet" in result.stderr
    assert parsed(run("people", "--json")) == []


def test_person(run: Run, library: FakeLibrary) -> None:
    (row,) = parsed(run("person", "Alice", "--json"))
    assert list(row) == ["id", "name", "faces", "photos", "folder", "hidden", "pictures"]
    told = ["photo", "files", "taken_at", "width", "height", "kind", "duration", "moments"]
    assert list(row["pictures"][0]) == told
    assert row["pictures"] == library.pictures
    result = run("person", 12)
    assert LONG in result.stdout, "a path must not be cut"
    assert r"/photos/caf\udce9.jpg" in result.stdout
    assert result.stderr == "Alice (12): 1,234 faces in 1,000 photos, folder /people/Alice\n"


def test_faces(run: Run, library: FakeLibrary) -> None:
    rows = parsed(run("faces", "--json"))
    assert rows == library.every_face
    told = ["face", "person", "photo", "files", "box", "confidence", "quality", "taken_at", "manual"]
    told += ["start", "end", "at"]
    assert list(rows[0]) == told
    assert os.fsencode(rows[1]["files"][0]) == b"/photos/caf\xe9.jpg"
    assert [row["face"] for row in parsed(run("faces", "--person", "Alice", "--json"))] == [1]
    table = run("faces").stdout.splitlines()
    assert len(table) == 4
    assert f"{LONG}  (and 1 copy)" in table[1]
    assert "100 x 120 px" in table[1]
    assert "(no file is there now)" in table[3]


def test_name(run: Run, library: FakeLibrary) -> None:
    assert parsed(run("name", "31", "  Bob  ", "--json")) == [
        {"id": 31, "name": "Bob", "previous": None, "folder": "/people/Bob", "decision": 41, "dry_run": False}
    ]
    assert ("name", "31", "Bob") in library.calls
    told = "ecision 41: person 12 is called Alice L, before Alice"
    for command in ("name", "rename"):
        assert run(command, "Alice", "Alice L").stdout == f"D{told}; folder /people/Alice L\n"
        assert run(command, "12", "Alice").stdout == "Nothing changed: that was decided already.\n"
        library.calls.clear()
        assert run(command, "Alice", "Alice L", "--dry-run").stdout == f"Would be d{told}\n"
        assert ("name", "Alice", "Alice L", "dry") in library.calls
    assert run("name", "31", "Bob").stdout == "Decision 41: person 31 is called Bob; folder /people/Bob\n"


@pytest.mark.parametrize("bad", ["", "   ", "\t\n", "\u200b\u2060", "caf\udce9"])
def test_names_that_cannot_be_seen_or_stored(run: Run, library: FakeLibrary, bad: str) -> None:
    result = run("name", "12", bad)
    assert result.exit_code == 2
    assert "name" in result.stderr.lower()
    assert library.calls == []


def test_a_name_that_is_taken(run: Run, library: FakeLibrary) -> None:
    result = run("name", "31", "Alice")
    assert result.exit_code == 5
    assert result.stderr.count("\n") == 1
    assert "guyverd merge 12 31" in result.stderr


def test_merge(run: Run, library: FakeLibrary) -> None:
    assert parsed(run("merge", "12", "31", "--json")) == [
        {
            "id": 12,
            "name": "Alice",
            "faces": 1235,
            "photos": 1001,
            "folder": "/people/Alice",
            "hidden": False,
            "absorbed": 31,
            "left_out": 0,
            "decision": 41,
            "dry_run": False,
        }
    ]
    told = "ecision 41: person 31 is part of Alice (12), 1,235 faces in 1,001 photos"
    assert run("merge", "Alice", "31").stdout == f"D{told}; folder /people/Alice\n"
    library.in_one_photo = 1
    both = "1 face in photos that show both"
    assert run("merge", "Alice", "31").stdout == f"D{told}; {both} stayed out; folder /people/Alice\n"
    assert run("merge", "Alice", "31", "--dry-run").stdout == f"Would be d{told}; {both} would stay out\n"
    assert ("merge", "Alice", "31", "dry") in library.calls


def test_export(run: Run, library: FakeLibrary, home: Path) -> None:
    (home / "photos" / "a.jpg").write_bytes(b"a")
    library.pictures = [
        {**library.pictures[0], "files": ["/gone/b.jpg", str(home / "photos" / "a.jpg")]},
        {**library.pictures[1], "files": ["/gone/\x1b[31mc.jpg"]},
        {**library.pictures[1], "files": []},
    ]
    result = run("export", "Alice", home / "out")
    assert result.exit_code == 0
    assert result.stdout == f"1 file copied into {home}/out; 0 already there, 2 missing.\n"
    assert result.stderr == "missing: /gone/\\x1b[31mc.jpg\n"
    assert (home / "out" / "a.jpg").read_bytes() == b"a"
    assert parsed(run("export", "Alice", home / "out", "--json")) == [
        {
            "folder": str(home / "out"),
            "copied": 0,
            "clips": 0,
            "already_there": 1,
            "missing": 2,
            "missing_files": ["/gone/\x1b[31mc.jpg"],
        }
    ]


def test_many_missing_originals_are_counted_not_listed(run: Run, library: FakeLibrary, home: Path) -> None:
    library.pictures = [{**library.pictures[0], "files": [f"/gone/{n}.jpg"]} for n in range(25)]
    result = run("export", "Alice", home / "out")
    assert result.stderr.splitlines()[-2:] == ["missing: /gone/9.jpg", "missing: 15 more"]


def test_export_into_a_photo_folder_is_refused(run: Run, library: FakeLibrary, home: Path) -> None:
    result = run("export", "Alice", home / "photos" / "out")
    assert result.exit_code == 12
    assert result.stderr.startswith("guyverd: ")
    assert result.stderr.count("\n") == 1
    assert os.listdir(home / "photos") == []


def test_odd_paths_reach_json_and_back(run: Run, library: FakeLibrary) -> None:
    result = run("faces", "--json")
    assert result.stdout.isascii()
    assert ODD in [path for row in parsed(result) for path in row["files"]]


def test_crops(run: Run, library: FakeLibrary, home: Path) -> None:
    file = home / "photos" / "party.jpg"
    Image.new("RGB", (400, 300), "red").save(file)
    library.every_face = [
        {**library.every_face[0], "face": 5, "person": 12, "files": [str(file)]},
        {**library.every_face[0], "face": 6, "person": 12, "photo": 9, "files": ["/photos/gone\x1b.jpg"]},
        {**library.every_face[0], "face": 7, "person": 3, "files": [str(file)]},
    ]
    out = home / "out"
    result = run("crops", "Alice", "--out", out)
    assert result.stdout == f"1 face written to {out}, 0 already there, 1 missing.\n"
    assert r"missing: face 6, /photos/gone\x1b.jpg: it is not there" in result.stderr
    with Image.open(out / "2024-05-01_party_5.jpg") as face:
        assert face.size == (120, 144), "the box and a tenth on each side"
    (row,) = parsed(run("crops", "Alice", "--out", out, "--json"))
    assert (row["written"], row["already_there"], row["missing"]) == (0, 1, 1)
    assert row["missing_faces"] == [{"face": 6, "file": "/photos/gone\x1b.jpg", "reason": "it is not there"}]
    run("crops", "Alice", "--out", home / "small", "--size", "24")
    with Image.open(home / "small" / "2024-05-01_party_5.jpg") as face:
        assert face.size == (20, 24)


def test_crops_that_cannot_be(run: Run, library: FakeLibrary, home: Path) -> None:
    inside = run("crops", "Alice", "--out", home / "photos" / "faces")
    assert inside.exit_code == 12
    assert not (home / "photos" / "faces").exists()
    assert run("crops", "Zoe", "--out", home / "out").exit_code == 5
    assert run("crops", "Alice").exit_code == 2
    assert run("crops", "Alice", "--out", home / "out", "--size", "0").exit_code == 2
    assert not (home / "out").exists()
