"""follow, follows, unfollow."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from guyverd.cli import asking, main, output, session
from tests.cli.conftest import Run, parsed
from tests.cli.fake import FakeLibrary

pytestmark = pytest.mark.usefixtures("config")


@pytest.fixture
def picture(home: Path) -> str:
    path = home / "kid.jpg"
    path.write_bytes(b"x")
    return str(path)


@pytest.mark.parametrize(
    ("typed", "given", "told"),
    [
        (["--link"], {}, "is linked to /usb/kid from now on.\n"),
        (["--copy", "--clips"], {"copy": True, "clips": True}, "is copied to /usb/kid from now on.\n"),
        (["--past"], {"past": True}, "is linked to /usb/kid from now on; 2 there, 0 to come.\n"),
    ],
    ids=" ".join,
)
def test_it_is_told_what_goes_where(
    run: Run, library: FakeLibrary, picture: str, typed: list[str], given: dict[str, bool], told: str
) -> None:
    result = run("follow", picture, "--as", "Us", "--to", "/usb/kid", *typed)
    assert (result.exit_code, result.stdout) == (0, f"Us: what shows {picture} {told}")
    assert ("follow", picture, "Us", "/usb/kid", None, given) in library.calls


def test_links_and_copies_contradict_each_other(run: Run, library: FakeLibrary, picture: str) -> None:
    assert run("follow", picture, "--as", "Us", "--to", "/kid", "--copy", "--link").exit_code == 2


def test_a_person_is_followed_by_name(run: Run, library: FakeLibrary) -> None:
    (row,) = parsed(run("follow", "Alice", "--as", "Us", "--to", "kid", "--json"))
    assert row["person"] == {"id": 12, "name": "Alice"}
    assert ("follow", "Alice", "Us", str(Path.cwd() / "kid"), None, {"person": True}) in library.calls
    assert run("follow", "Nobody", "--as", "Us", "--to", "kid").exit_code == 5
    assert run("follow", "Alice", "--as", "Us", "--to", "kid", "--face", 2).exit_code == 2


def test_a_moment_of_a_video_is_followed(run: Run, library: FakeLibrary, home: Path) -> None:
    (home / "clip.mp4").write_bytes(b"x")
    parsed(run("follow", f"{home}/clip.mp4@1:23", "--as", "Us", "--to", "/kid", "--json"))
    assert ("follow", f"{home}/clip.mp4", "Us", "/kid", None, {"at": 83.0}) in library.calls


def test_of_several_faces_one_must_be_chosen(run: Run, library: FakeLibrary, picture: str) -> None:
    library.faces_in_picture = 2
    result = run("follow", picture, "--as", "Us", "--to", "/kid")
    assert result.exit_code == 6
    assert "--face N" in result.stderr
    assert run("follow", picture, "--as", "Us", "--to", "/kid", "--face", 2).exit_code == 0


def test_whoever_sits_there_is_asked_which_face(
    library: FakeLibrary, picture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.faces_in_picture = 2
    monkeypatch.setattr(output, "interactive", lambda stream: True)
    monkeypatch.setattr(asking, "best_way", lambda *_: "none")
    typed = ["follow", picture, "--as", "Us", "--to", "/kid"]
    result = CliRunner().invoke(main, typed, input="7\n2\n")
    assert result.exit_code == 0, result.output
    assert ("follow", picture, "Us", "/kid", 2, {}) in library.calls
    assert CliRunner().invoke(main, typed, input="\n").exit_code == 6


def test_a_name_is_taken_once(run: Run, library: FakeLibrary, picture: str) -> None:
    result = run("follow", picture, "--as", "Our kid", "--to", "/kid")
    assert (result.exit_code, "unfollow" in result.stderr) == (5, True)


def test_they_are_listed_with_what_is_wrong(run: Run, library: FakeLibrary) -> None:
    result = run("follows")
    assert "Our kid" in result.stdout
    assert "copies, clips" in result.stdout
    assert "Nothing is put into /usb/odd: it is not there." in result.stderr
    assert "\x1b" not in result.stdout + result.stderr
    assert [row["delivered"] for row in parsed(run("follows", "--json"))] == [7, 0]
    library.followed = []
    assert "guyverd follow" in run("follows").stderr


def test_one_is_ended_by_name_or_number(run: Run, library: FakeLibrary) -> None:
    assert run("unfollow", "Our kid").stdout == "Our kid ended; the 7 files in /kid stay.\n"
    assert parsed(run("unfollow", 2, "--json"))[0]["id"] == 2
    result = run("unfollow", "Nothing")
    assert (result.exit_code, "guyverd follows" in result.stderr) == (5, True)


def test_names_are_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "follow_names", lambda config: ["Our kid", "ours", "Other"])
    found = ShellComplete(main, {}, "guyverd", "_X").get_completions(["unfollow"], "our")
    assert [item.value for item in found] == ["Our kid", "ours"]
