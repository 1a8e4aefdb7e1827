"""box, and what scan is asked for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from guyverd.errors import BoxRefused
from tests.cli.conftest import Run, parsed
from tests.cli.fake import EVIL, FakeLibrary

BOX = ["410", "120", "520", "250"]

pytestmark = pytest.mark.usefixtures("config")


def test_a_box_is_sent_with_whose_it_is(run: Run, library: FakeLibrary, home: Path) -> None:
    result = run("box", "/photos/a.jpg", *BOX, "--person", "Alice")
    assert result.exit_code == 0, result.output
    assert ("box", "/photos/a.jpg", [410, 120, 520, 250], "Alice", None) in library.calls
    assert result.stdout == "Decision 41: face 77 is added, it is Alice (12); folder /people/Alice\n"
    assert run("box", "a.jpg", *BOX).stdout == "Decision 41: face 77 is added, nobody knows yet whose it is\n"
    assert ("box", os.path.join(os.getcwd(), "a.jpg"), [410, 120, 520, 250], None, None) in library.calls
    assert "Bob (40)" in run("box", "/a.jpg", *BOX, "--name", " Bob ").stdout
    assert ("box", "/a.jpg", [410, 120, 520, 250], None, "Bob") in library.calls


def test_a_box_that_is_only_tried(run: Run, library: FakeLibrary) -> None:
    told = run("box", "/a.jpg", *BOX, "--name", "Bob", "--dry-run").stdout
    assert told == "Would be decision 41: face 77 is added, it is Bob (40)\n"
    assert ("box", "/a.jpg", [410, 120, 520, 250], None, "Bob", "dry") in library.calls
    told = run("box", "/a.jpg", *BOX, "--dry-run").stdout
    assert told == "Would be decision 41: face 77 is added, it would be compared with all others\n"


def test_json_is_one_object(run: Run, library: FakeLibrary) -> None:
    (row,) = parsed(run("box", "/a.jpg", *BOX, "--person", "31", "--json"))
    assert (row["face"], row["person"], row["name"], row["folder"]) == (77, 31, None, None)


def test_names_that_do_harm_are_shown_escaped(run: Run, library: FakeLibrary) -> None:
    out = run("box", "/a.jpg", *BOX, "--person", "3").stdout
    assert "\x1b" not in out
    assert out.count("\n") == 1
    assert EVIL not in out


@pytest.mark.parametrize(
    "arguments",
    [
        ["/a.jpg", *BOX, "--person", "12", "--name", "Bob"],
        ["/a.jpg", *BOX[:3]],
        ["/a.jpg", *BOX, "7"],
        ["/a.jpg", "10", "20", "wide", "40"],
        ["/a.jpg", "10", "20", "30.5", "40"],
        ["/a.jpg", *BOX, "--name", "  "],
    ],
)
def test_wrong_usage_asks_for_nothing(run: Run, library: FakeLibrary, arguments: list[str]) -> None:
    assert run("box", *arguments).exit_code == 2
    assert library.calls == []


def test_a_negative_number_is_a_number(run: Run, library: FakeLibrary) -> None:
    library.trouble = BoxRefused(path="/a.jpg", detail="the box reaches past it")
    result = run("box", "/a.jpg", "-5", "0", "30", "40")
    assert ("box", "/a.jpg", [-5, 0, 30, 40], None, None) in library.calls
    assert result.exit_code == 6
    assert "reaches past it" in result.stderr
    assert "upright picture" in result.stderr


@pytest.mark.parametrize(
    ("options", "asked"),
    [([], ("scan",)), (["--again"], ("scan", "again")), (["--all"], ("scan", "every")), (["--again", "--all"], None)],
)
def test_a_scan_can_read_photos_again(
    run: Run, library: FakeLibrary, options: list[str], asked: tuple[str, ...] | None
) -> None:
    assert run("scan", *options).exit_code == 0
    assert (asked or ("scan", "again", "every")) in library.calls
