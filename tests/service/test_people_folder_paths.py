"""No name and no link leads guyverd out of the people folder to write, or to read anything but pictures."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from guyverd.service.pipeline.words.deciding import Deciding
from tests.service.test_heeding import BOB, Household, home

pytestmark = pytest.mark.promise("paths")

__all__ = ["home"]


def everything(folder: Path) -> dict[str, tuple[int, int, int]]:
    """What is below a folder, with what changes when something is written, renamed or touched."""
    found = {}
    for path in folder.rglob("*"):
        status = path.lstat()
        found[str(path)] = (status.st_ino, status.st_ctime_ns, status.st_mode)
    return found


def test_links_of_ones_own_lead_to_pictures_only_and_nothing_is_written_there(home: Household, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "folder.jpg").mkdir(parents=True)
    for name in ("picture.jpg", "key.pem", "shadow"):
        (elsewhere / name).write_bytes(b"x")
    os.mkfifo(elsewhere / "pipe.jpg")
    (elsewhere / "device.jpg").symlink_to("/dev/zero")
    (elsewhere / "chain.jpg").symlink_to("picture.jpg")
    (elsewhere / "loop.jpg").symlink_to("loop.jpg")
    targets = ["picture.jpg", "key.pem", "shadow", "pipe.jpg", "device.jpg", "chain.jpg", "loop.jpg", "folder.jpg"]
    before = everything(elsewhere)
    for number, name in enumerate(targets):
        (home.people / "Ada" / f"mine{number}.jpg").symlink_to(elsewhere / name)
    (home.people / "Ada" / "root.jpg").symlink_to("/")
    (home.people / "Ada" / "tty.jpg").symlink_to("/dev/tty")
    for _ in range(3):
        home.publish()
        home.publishing.heeding.advance()
    # The chain and what it leads to are one file.
    noted = {os.path.basename(path) for path in home.catalogue.heard.enrolled()}
    assert noted == {b"mine0.jpg", b"mine5.jpg"}
    files = [file.path for root in home.catalogue.files.own().values() for file in home.catalogue.files.known(root)]
    assert files == [os.fsencode(elsewhere / "picture.jpg").lstrip(b"/")]
    assert everything(elsewhere) == before


@pytest.mark.parametrize(
    "name",
    ["../../x", "/etc", "..", ".", "../..", "a/../../b", "a/b", "\\..\\..\\x", "~", "~root", "-rf", "...", " / "],
)
def test_no_name_leads_out_of_the_people_folder(home: Household, tmp_path: Path, name: str) -> None:
    outside = everything(tmp_path).keys() - everything(home.people).keys()
    Deciding(home.catalogue).name(BOB, name)
    home.publish()
    assert everything(tmp_path).keys() - everything(home.people).keys() == outside
    folders = {path.parent for path in home.people.rglob("*") if path.is_symlink()}
    assert all(folder.resolve().is_relative_to(home.people.resolve()) for folder in folders)
    assert len(folders) == 3
    assert all(folder.parent == home.people or folder.parent.name == "Unnamed" for folder in folders)
    assert home.name_of(BOB) == " ".join(name.split()) or home.name_of(BOB) == name


def test_a_folder_that_became_a_link_to_elsewhere_is_not_written_through(home: Household, tmp_path: Path) -> None:
    """Neither that of a person, nor the one of those without a name, nor one within."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    before = everything(elsewhere)
    for folder in ("Ada", "Unnamed"):
        (home.people / folder).rename(tmp_path / f"taken-{folder}")
        (home.people / folder).symlink_to(elsewhere)
    for _ in range(3):
        home.publishing.heeding.touch(b"", 0.0)
        home.publishing.publish()
    assert everything(elsewhere) == before
