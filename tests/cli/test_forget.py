"""forget: what it shows, and that nothing is forgotten that was not shown."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Run, parsed
from tests.cli.fake import FakeLibrary

pytestmark = [pytest.mark.usefixtures("config"), pytest.mark.promise("removal")]
STAMP = "65a1b2c3-0d4e5f6a7b"


def asked(library: FakeLibrary) -> list[tuple[object, ...]]:
    return [call for call in library.calls if call[0] == "forget"]


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_what_would_be_forgotten_is_shown_and_how_to_say_yes(
    run: Run, library: FakeLibrary, options: list[str]
) -> None:
    result = run("forget", *options)
    assert result.exit_code == 0
    assert asked(library) == [("forget", False, None)]
    lines = result.stdout.splitlines()
    assert lines[0] == (
        "Would be forgotten: 1,200 of 4,000 photos with 2,300 faces, of 7 of which you said whose they are; "
        "2 of them were replaced by other photos in their place; "
        "4 people without a name among those who lose some. Gone, but not for long enough: 1 photo."
    )
    assert lines[2].split() == ["1,198", "2024-05-01", r"/photos/caf\udce9\u202e"]
    assert lines[4].split() == ["Alice", "(12)", "900", "100"]
    assert r"[bold]Eve[/bold] :smile: \x1b[31m\n\u202egnp.exe (3)" in lines[5]
    assert result.stderr == (
        f"And 3 folders more.\nNothing was forgotten. To forget them for good: guyverd forget --apply {STAMP}\n"
    )
    words = result.stderr.split("guyverd ", 1)[1].split()
    assert run(*words).exit_code == 0
    assert asked(library)[1] == ("forget", True, STAMP)


def test_yes_forgets_just_what_was_shown(run: Run, library: FakeLibrary) -> None:
    result = run("forget", "--apply", STAMP)
    assert result.stdout.startswith("Forgotten: 1,200 of 4,000 photos")
    assert "--apply" not in result.stderr
    assert run("forget", "--apply", "65a1b2c3-ffffffffff").exit_code == 5


def test_where_nothing_is_gone_it_says_so(run: Run, library: FakeLibrary) -> None:
    library.settled = True
    result = run("forget")
    assert result.stdout.startswith("Nothing is to be forgotten.")
    assert "--apply" not in result.stderr


def test_json_is_the_librarys_answer(run: Run, library: FakeLibrary) -> None:
    (row,) = parsed(run("forget", "--json"))
    assert row == library.forget()


def test_to_show_and_to_forget_are_two_things(run: Run, library: FakeLibrary) -> None:
    assert run("forget", "--dry-run", "--apply", STAMP).exit_code == 2
    assert run("forget", "--apply").exit_code == 2
    assert asked(library) == []
