"""recluster: what it shows, what it asks of the library, and what it leaves alone."""

from __future__ import annotations

import pytest

from guyverd.errors import CannotDecide
from tests.cli.conftest import Run, parsed
from tests.cli.fake import LONG, FakeLibrary

pytestmark = pytest.mark.usefixtures("config")


def asked(library: FakeLibrary) -> list[tuple[object, ...]]:
    return [call for call in library.calls if call[0] == "recluster"]


@pytest.mark.parametrize("options", [[], ["--plan"]])
def test_a_plan_is_shown_with_a_summary_first(run: Run, library: FakeLibrary, options: list[str]) -> None:
    result = run("recluster", *options)
    assert result.exit_code == 0
    assert asked(library) == [("recluster", False, None, None)]
    lines = result.stdout.splitlines()
    assert lines[0] == "3 of 1,242 faces would change hands; of 3 people 1 would vanish, and 1 would appear."
    assert [line.split() for line in lines[1:4]] == [
        ["who", "becomes", "faces"],
        ["new", "1", "somebody", "new", "2"],
        ["person", "31", "nobody", "1"],
    ]
    assert lines[4].split() == ["face", "from", "to", "file"]
    assert lines[5].split(maxsplit=5) == ["1", "Alice", "(12)", "new", "1", LONG]
    assert r"[bold]Eve[/bold] :smile: \x1b[31m\n\u202egnp.exe (3)" in lines[6]
    assert r"caf\udce9.jpg" in lines[6]
    assert lines[7].split()[:4] == ["3", "person", "31", "–"]
    assert len(lines) == 8
    assert result.stderr == "Nothing was changed. To make it so: guyverd recluster --apply --expect 0a1b2c3d4e\n"


def test_how_to_apply_names_the_strictness_that_was_tried(run: Run, library: FakeLibrary) -> None:
    result = run("recluster", "--strictness", "-0.25")
    assert asked(library) == [("recluster", False, -0.25, None)]
    assert "guyverd recluster --strictness -0.25 --apply --expect 0a1b2c3d4e" in result.stderr
    words = result.stderr.split("guyverd ", 1)[1].split()
    assert run(*words).exit_code == 0
    assert asked(library)[1] == ("recluster", True, -0.25, "0a1b2c3d4e")


def test_applying_tells_the_decision_and_how_to_take_it_back(run: Run, library: FakeLibrary) -> None:
    result = run("recluster", "--apply")
    assert asked(library) == [("recluster", True, None, None)]
    lines = result.stdout.splitlines()
    assert lines[0] == "Decision 42: 3 of 1,242 faces changed hands; 1 person appeared, 1 vanished."
    assert lines[2].split() == ["person", "32", "somebody", "new", "2"]
    assert lines[5].split(maxsplit=5) == ["1", "Alice", "(12)", "person", "32", LONG]
    assert result.stderr == "To take it back: guyverd undo 42\n"


def test_json_is_the_librarys_answer(run: Run, library: FakeLibrary) -> None:
    (row,) = parsed(run("recluster", "--json"))
    assert row == library.recluster()
    (row,) = parsed(run("recluster", "--apply", "--json"))
    assert (row["decision"], row["appearing"]) == (42, [{"group": 1, "id": 32, "faces": 2}])


@pytest.mark.parametrize("options", [[], ["--apply"]])
def test_where_nothing_would_change_it_says_so(run: Run, library: FakeLibrary, options: list[str]) -> None:
    library.settled = True
    result = run("recluster", *options)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "Nothing would change: all of 1,242 faces are where the grouping puts them.\n"
    (row,) = parsed(run("recluster", *options, "--json"))
    assert (row["moved"], row["decision"]) == (0, None)


@pytest.mark.parametrize(
    "options",
    [["--plan", "--apply"], ["--expect", "0a"], ["--plan", "--expect", "0a"], ["--strictness", "3.1"],
     ["--strictness", "much"], ["--strictness", "nan"]],
)  # fmt: skip
def test_what_makes_no_sense_asks_nothing(run: Run, library: FakeLibrary, options: list[str]) -> None:
    result = run("recluster", *options)
    assert (result.exit_code, result.stdout, asked(library)) == (2, "", [])


def test_a_plan_that_is_refused_is_an_error_about_people(run: Run, library: FakeLibrary) -> None:
    library.trouble = CannotDecide(detail="the plan 0a is none that would be made now", hint="Look at it.")
    result = run("recluster", "--apply", "--expect", "0a")
    assert (result.exit_code, result.stdout) == (5, "")
    assert result.stderr == "guyverd: That cannot be: the plan 0a is none that would be made now. Look at it.\n"
