"""confirm, reject, split, same, different, hide, unhide, undo, redo, log."""

from __future__ import annotations

import os

import pytest

from guyverd.cli.decisions import sentence
from tests.cli.conftest import Run, parsed
from tests.cli.fake import FakeLibrary, decision_row

pytestmark = pytest.mark.usefixtures("config")

WORDS = [
    (("confirm", "Alice", "1", "2"), ("confirm", "Alice", "1", "2"), "2 faces are Alice (12); 2 faces changed hands"),
    (("confirm", "12"), ("confirm", "12"), "2 faces are Alice (12); 2 faces changed hands"),
    (("reject", "12", "1"), ("reject", "12", "1"), "1 face is not Alice (12); 1 face changed hands"),
    (("split", "12", "1"), ("split", "12", "1"), "1 face is not Alice (12) but person 32; 1 face changed hands"),
    (
        ("split", "12", "1", "--name", "Al"),
        ("split", "12", "1", "Al"),
        "1 face is not Alice (12) but Al (32); 1 face changed hands",
    ),
    (("same", "1", "2"), ("same", "1", "2"), "faces 1 and 2 are one person, Alice (12); 2 faces changed hands"),
    (("different", "1", "2"), ("different", "1", "2", False), "faces 1 and 2 are two people; 2 faces changed hands"),
    (("different", "--people", "12", "31"), ("different", "12", "31", True), "Alice (12) and person 31 are two people"),
    (("hide", "12"), ("hide", "12"), "Alice (12) is hidden"),
    (("unhide", "12"), ("unhide", "12"), "Alice (12) is shown again"),
    (("undo",), ("undo", None), "decision 40 is undone: 1 face is not Alice (12)"),
    (("undo", "40"), ("undo", 40), "decision 40 is undone: 1 face is not Alice (12)"),
    (("redo", "40"), ("redo", 40), "decision 40 is made again: 1 face is not Alice (12)"),
]


@pytest.mark.parametrize(("typed", "asked", "told"), WORDS, ids=lambda value: " ".join(map(str, value)))
def test_every_word_is_told_in_one_line(
    run: Run, library: FakeLibrary, typed: tuple[str, ...], asked: tuple[object, ...], told: str
) -> None:
    result = run(*typed)
    assert asked in library.calls
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"Decision 41: {told}\n", "")
    (row,) = parsed(run(*typed, "--json"))
    assert (row["decision"], row["kept"]) == (41, 0)


@pytest.mark.parametrize(("typed", "asked", "told"), WORDS, ids=lambda value: " ".join(map(str, value)))
def test_every_word_can_be_tried(
    run: Run, library: FakeLibrary, typed: tuple[str, ...], asked: tuple[object, ...], told: str
) -> None:
    told = told.replace("changed hands", "would change hands")
    result = run(*typed, "--dry-run")
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"Would be decision 41: {told}\n", "")
    assert (*asked, "dry") in library.calls
    assert asked not in library.calls, "and is asked for in no other way"
    (row,) = parsed(run(*typed, "--dry-run", "--json"))
    assert (row["decision"], row["dry_run"]) == (41, True)
    library.kept = 3
    if typed[0] in ("undo", "redo"):
        assert run(*typed, "--dry-run").stdout.endswith(", 3 would stay: they were moved or spoken of since\n")
    library.said_already = True
    assert run(*typed, "--dry-run").stdout == "Nothing would change: that was decided already.\n"


def test_the_log_tells_what_was_done_to_the_folders(run: Run, library: FakeLibrary) -> None:
    library.decisions[1]["source"] = "deleted 2 links from Alice\x1b"
    lines = run("log").stdout.splitlines()
    assert r"1 face is not Alice (12), because you deleted 2 links from Alice\x1b" in lines[2]
    assert "because" not in lines[1]
    assert parsed(run("log", "--json"))[1]["source"] == "deleted 2 links from Alice\x1b"


def test_what_was_decided_already_changes_nothing(run: Run, library: FakeLibrary) -> None:
    library.said_already = True
    assert run("hide", "12").stdout == "Nothing changed: that was decided already.\n"
    (row,) = parsed(run("hide", "12", "--json"))
    assert (row["decision"], row["kind"]) == (None, "hide")


def test_what_could_not_be_put_back_is_counted(run: Run, library: FakeLibrary) -> None:
    library.kept = 3
    assert run("undo").stdout.endswith(", 3 stayed: they were moved or spoken of since\n")


def test_a_file_is_a_face_wherever_one_works(run: Run, library: FakeLibrary) -> None:
    run("confirm", "12", "a.jpg", "/b/c.jpg#2", "7", "007")
    here = os.getcwd()
    assert ("confirm", "12", f"{here}/a.jpg", "/b/c.jpg#2", "7", "007") in library.calls
    run("same", "m.jpg#1", "m.jpg#2")
    assert ("same", f"{here}/m.jpg#1", f"{here}/m.jpg#2") in library.calls
    run("different", "--people", "Alice", "31")
    assert ("different", "Alice", "31", True) in library.calls, "a person is not a file"
    run("log", "--face", "a.jpg")
    assert ("log", None, f"{here}/a.jpg") in library.calls


@pytest.mark.parametrize(
    "wrong", [("reject", "12"), ("split", "12"), ("same", "1"), ("confirm",), ("undo", "x"), ("undo", "0"), ("hide",)]
)
def test_wrong_usage_asks_nothing(run: Run, library: FakeLibrary, wrong: tuple[str, ...]) -> None:
    assert run(*wrong).exit_code == 2
    assert library.calls == []


def test_nobody_of_that_name(run: Run, library: FakeLibrary) -> None:
    result = run("hide", "Zoe")
    assert result.exit_code == 5
    assert result.stderr.count("\n") == 1


def test_the_log_as_a_table(run: Run, library: FakeLibrary) -> None:
    row = {**decision_row(9, "undo"), "undoes": 2}
    about = {key: library.decisions[1][key] for key in ("decision", "kind", "person", "other", "name", "faces")}
    library.decisions.append({**row, "subject": {**about, "again": False}})
    lines = run("log").stdout.splitlines()
    assert lines[0].split() == ["decision", "at", "by", "what", "faces", "moved", "undone", "by"]
    assert r"[bold]Eve[/bold] :smile: \x1b[31m\n\u202egnp.exe" in lines[1]
    assert "1 face is not Alice (12)" in lines[2]
    assert "decision 2 is undone: 1 face is not Alice (12)" in lines[3]
    assert ("log", None, None) in library.calls
    run("log", "Alice")
    assert ("log", "Alice", None) in library.calls


def test_the_story_of_a_face_tells_from_whom_to_whom(run: Run, library: FakeLibrary) -> None:
    lines = run("log", "--face", "1").stdout.splitlines()
    assert lines[0].split() == ["decision", "at", "by", "what", "from", "to", "undone", "by"]
    assert lines[2].split()[-4:] == ["person", "12", "–", "–"]


def test_nothing_was_decided(run: Run, library: FakeLibrary) -> None:
    library.decisions = []
    result = run("log")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "Nothing was decided.\n")


def test_the_hidden_are_listed_apart(run: Run, library: FakeLibrary) -> None:
    library.everyone[2]["hidden"] = True
    assert [row["id"] for row in parsed(run("people", "--json"))] == [12, 3]
    assert [row["id"] for row in parsed(run("people", "--hidden", "--json"))] == [31]
    library.everyone[2]["hidden"] = False
    assert "Nobody is hidden." in run("people", "--hidden").stderr


A, B = {"id": 12, "name": "Alice"}, {"id": 31, "name": None}


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (decision_row(1, "name", A, name="Al"), "Alice (12) is called Al"),
        (decision_row(1, "name", B), "person 31 is called –"),
        (decision_row(1, "merge", A, B, [1, 2], "Alice"), "person 31 is part of Alice (12)"),
        (decision_row(1, "same", A, B, [1, 2]), "faces 1 and 2 are one person, Alice (12), with person 31"),
        (decision_row(1, "same", None, None, [1, 2]), "faces 1 and 2 may be one person, though seen together"),
        (decision_row(1, "box", A, None, [5]), "face 5 was drawn by hand, it is Alice (12)"),
        (decision_row(1, "box", None, None, [5]), "face 5 was drawn by hand"),
        (decision_row(1, "apply"), "a plan for the whole library was applied"),
        (decision_row(1, "apply", B), "person 31 was evidently several people and was parted"),
        (decision_row(1, "something newer"), "something newer"),
    ],
)
def test_every_kind_has_its_words(row: dict[str, object], told: str) -> None:
    assert sentence(row) == told


US = {"title": "Us", "people": [A, B], "since": "2023", "until": None, "without": [7]}


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (None, US, "album Us shows Alice (12) and person 31 together since 2023"),
        (
            None,
            {**US, "people": [A, B, A], "until": "2024-05"},
            "album Us shows Alice (12), person 31 and Alice (12) together since 2023 until 2024-05",
        ),
        (None, {**US, "people": [A], "since": None}, "album Us shows Alice (12)"),
        (US, None, "there is no album Us any more"),
        (US, {**US, "title": "We"}, "album Us is called We"),
        (US, {**US, "without": [7, 8, 9]}, "album Us is without 2 photos"),
        (US, {**US, "without": []}, "album Us has 1 photo back"),
        (US, {**US, "title": "We", "since": None, "without": [8]}, None),
        (US, US, "album Us is as it was"),
        (None, None, "there is no album 5 any more"),
    ],
)
def test_albums_are_told_by_what_became_of_them(
    before: dict[str, object] | None, now: dict[str, object] | None, told: str | None
) -> None:
    row = {**decision_row(5, "album"), "album": {"id": 5, "before": before, "now": now}}
    several = (
        "album Us is called We and shows Alice (12) and person 31 together and is without 1 photo and has 1 photo back"
    )
    assert sentence(row) == (told or several)
