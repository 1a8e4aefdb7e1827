"""backup, backups, restore, and check where the catalogue cannot be opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from guyverd.errors import CatalogueDamaged
from tests.cli.conftest import Run, parsed
from tests.cli.fake import BACKUP, FakeLibrary

pytestmark = pytest.mark.usefixtures("config")


def test_backup_says_what_was_saved(run: Run, library: FakeLibrary, home: Path) -> None:
    result = run("backup")
    told = "7 decisions, 2 people with a name, 1,242 faces in 41 photos, 1.0 MB."
    assert result.stdout == f"{BACKUP['file']}: {told}\n"
    assert run("backup", home / "x.tar.gz").stdout.startswith(f"{home}/x.tar.gz: ")
    assert [call for call in library.calls if call[0] == "backup"] == [("backup", None), ("backup", home / "x.tar.gz")]


def test_a_place_is_whole_for_whoever_works_elsewhere(
    run: Run, library: FakeLibrary, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    run("backup", "x.tar.gz")
    run("restore", "x.tar.gz", "--check")
    assert ("backup", home / "x.tar.gz") in library.calls
    assert ("restore", home / "x.tar.gz", True) in library.calls


def test_backups_are_listed(run: Run, library: FakeLibrary) -> None:
    assert parsed(run("backups", "--json")) == [BACKUP]
    assert BACKUP["file"] in run("backups").stdout


def test_restore_says_what_was_put_back_and_where_the_other_is(run: Run, library: FakeLibrary) -> None:
    result = run("restore", "/x.tar.gz")
    assert result.stdout.startswith("Restored from /x.tar.gz: 7 decisions, ")
    assert "/state/replaced-20240501T120000Z" in result.stderr
    checked = run("restore", "/x.tar.gz", "--check")
    assert checked.stdout.startswith("/x.tar.gz is sound: ")
    assert checked.stderr == ""


def test_check_tells_of_a_catalogue_that_cannot_be_opened(run: Run, library: FakeLibrary) -> None:
    library.damaged = CatalogueDamaged(path="/state/catalogue.db", detail="torn")
    result = run("check")
    assert result.exit_code == 13
    assert "torn" in result.stdout
    assert "There is no backup in" in result.stderr
    assert not [call for call in library.calls if call[0] == "repair"]


def test_check_repairs_it_and_then_checks_the_rest(run: Run, library: FakeLibrary) -> None:
    library.damaged = CatalogueDamaged(path="/state/catalogue.db", detail="torn")
    (row,) = parsed(run("check", "--repair", "--json"))
    assert [one["name"] for one in row["checks"]] == ["catalogue file", "index", "links"]
    first = row["checks"][0]
    assert first["ok"]
    assert first["repaired"]
    assert first["detail"] == f"restored from {BACKUP['file']} (the damaged one is in /state/replaced)"


def test_check_repairs_what_is_found_wrong_in_it(run: Run, library: FakeLibrary) -> None:
    library.checks.append({"name": "catalogue file", "ok": False, "detail": "row 7 is gone", "repaired": False})
    run("check", "--repair")
    (asked,) = [call for call in library.calls if call[0] == "repair"]
    assert "row 7 is gone" in str(asked[1])
