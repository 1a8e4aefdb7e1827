"""album, albums."""

from __future__ import annotations

import pytest
from click.shell_completion import ShellComplete

from guyverd.cli import main, session
from tests.cli.conftest import Run, parsed
from tests.cli.fake import EVIL, US, FakeLibrary

pytestmark = pytest.mark.usefixtures("config")

TOGETHER = "Alice (12) and person 31 together"


@pytest.mark.parametrize(
    ("typed", "asked", "told"),
    [
        (
            ["Alice & Bob", "--since", "2023"],
            ("album", ["Alice & Bob"], None, "2023", None, False),
            f"album Us shows {TOGETHER} since 2023; 4 photos, folder /people/Us",
        ),
        (
            ["Alice", "31", "--until", "2024-05-01", "--title", "We"],
            ("album", ["Alice", "31"], "We", None, "2024-05-01", False),
            f"album We shows {TOGETHER} until 2024-05-01; 4 photos, folder /people/We",
        ),
        (
            ["Us", "--rename", "We"],
            ("album_rename", "Us", "We", False),
            "album Us is called We; 4 photos, folder /people/We",
        ),
        (["--remove", "Us"], ("album_remove", "Us", False), "there is no album Us any more"),
    ],
    ids=lambda value: " ".join(map(str, value)),
)
def test_what_changed_is_told_in_one_line(
    run: Run, library: FakeLibrary, typed: list[str], asked: tuple[object, ...], told: str
) -> None:
    result = run("album", *typed)
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"Decision 41: {told}\n", "")
    assert asked in library.calls
    (row,) = parsed(run("album", *typed, "--json"))
    assert (row["decision"], row["kind"]) == (41, "album")
    assert run("album", *typed, "--dry-run").stdout == f"Would be decision 41: {told}\n"
    assert (*asked[:-1], True) in library.calls


def test_an_album_without_photos_has_no_folder_yet(run: Run, library: FakeLibrary) -> None:
    library.in_album = 0
    told = f"Decision 41: album Us shows {TOGETHER}; no photo is in it yet, so it has no folder\n"
    assert run("album", "Alice & 31").stdout == told
    assert parsed(run("albums", "--json"))[0]["folder"] is None


def test_an_album_that_is_there_already(run: Run, library: FakeLibrary) -> None:
    library.said_already = True
    told = "Nothing changed: that was decided already; 4 photos, folder /people/Us\n"
    assert run("album", "Alice & 31").stdout == told


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        ["Us", "--remove", "--rename", "We"],
        ["Us", "--remove", "--since", "2023"],
        ["Us", "--rename", "We", "--title", "They"],
        ["Us", "We", "--remove"],
        ["Us", "--rename"],
    ],
    ids=" ".join,
)
def test_wrong_usage_asks_nothing(run: Run, library: FakeLibrary, wrong: list[str]) -> None:
    assert run("album", *wrong).exit_code == 2
    assert library.calls == []


def test_albums_are_listed(run: Run, library: FakeLibrary) -> None:
    library.saved = [US, {**US, "title": EVIL, "until": "2024"}]
    lines = run("albums").stdout.splitlines()
    assert lines[0].split() == ["id", "title", "shows", "photos", "left", "out", "folder"]
    assert f"{TOGETHER} since 2023" in lines[1]
    assert r"\x1b[31m\n\u202egnp.exe" in lines[2]
    assert f"{TOGETHER} since 2023 until 2024" in lines[2]
    assert [row["title"] for row in parsed(run("albums", "--json"))] == ["Us", EVIL]


def test_no_album_is_saved(run: Run, library: FakeLibrary) -> None:
    library.saved = []
    result = run("albums")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "No album is saved" in result.stderr


@pytest.mark.parametrize(
    ("begun", "offered"),
    [
        ("b", ["Bob", "Bo & Co"]),
        ("Alice & b", ["Alice & Bob", "Alice & Bo & Co"]),
        ("Alice &", ["Alice &Alice", "Alice &Bob", "Alice &Bo & Co"]),
        ("Bo & ", ["Bo & Co", "Bo & Alice", "Bo & Bob", "Bo & Bo & Co"]),
        ("Zoe & Y", []),
    ],
)
def test_names_complete_also_behind_an_and(monkeypatch: pytest.MonkeyPatch, begun: str, offered: list[str]) -> None:
    def names(config: object, *, hidden: bool | None = None) -> list[str]:
        return ["Alice", "Bob", "Bo & Co"]

    monkeypatch.setattr(session, "names", names)
    shell = ShellComplete(main, {}, "guyverd", "_GUYVERD_COMPLETE")
    for words in (["album"], ["album", "Alice"], ["album", "--since", "2023"]):
        assert [item.value for item in shell.get_completions(words, begun)] == offered
