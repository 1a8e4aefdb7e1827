"""`guyverd folders`: the people folder as a whole."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Run
from tests.cli.fake import FakeLibrary

pytestmark = pytest.mark.usefixtures("config", "library")


def test_status_is_what_is_meant_where_nothing_is_named(run: Run, library: FakeLibrary) -> None:
    shown = run("folders")
    assert shown.stdout == run("folders", "status").stdout
    assert "State:          kept\n" in shown.stdout
    assert "2 of people with a name, 1 without, 0 of albums" in shown.stdout
    assert "1 question; `guyverd review` asks" in shown.stdout


def test_a_paused_folder_tells_why_and_what_was_done(run: Run, library: FakeLibrary) -> None:
    library.changes = ["deleted the folder Alice"]
    shown = run("folders").stdout
    assert "paused: all 3 links are missing" in shown
    assert "Done there:     you deleted the folder Alice" in shown


def test_resume_puts_back_or_accepts(run: Run, library: FakeLibrary) -> None:
    library.changes = ["deleted the folder Alice"]
    back = run("folders", "resume")
    assert (back.stdout, back.stderr) == ("1 change was put back.\n", "You deleted the folder Alice.\n")
    assert run("folders", "resume", "--accept").stdout == "1 change was taken as your word.\n"
    assert run("folders", "resume", "--dry-run").stdout == "1 change would be put back.\n"
    assert [call[1:] for call in library.calls if call[0] == "folders_resume"] == [
        (False, False),
        (True, False),
        (False, True),
    ]


def test_rebuild_tells_what_it_made_and_what_it_could_not(run: Run) -> None:
    done = run("folders", "rebuild")
    assert (done.stdout, done.stderr) == (
        "Made: 2 links; removed: 1; folders renamed: 0.\n",
        "Alice: it is read-only\n",
    )
    assert run("folders", "rebuild", "--dry-run").stdout.startswith("Would be made: 2 links")


def test_accept_goes_with_resume_only(run: Run, library: FakeLibrary) -> None:
    refused = run("folders", "rebuild", "--accept")
    assert refused.exit_code == 2
    assert "--accept goes with resume" in refused.stderr
    assert not library.calls


def test_json_is_the_answer_itself(run: Run, library: FakeLibrary) -> None:
    assert json.loads(run("folders", "--json").stdout) == library.folders()
