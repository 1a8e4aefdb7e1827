"""Names in the folder of a saved search, and what is said where nothing can be put there."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from guyverd.errors import DeliveryStopped
from guyverd.folders import delivering
from guyverd.folders.spare import byte_key
from guyverd.followed import Form


def test_a_photo_keeps_its_name_and_no_control_character() -> None:
    assert delivering.plain_name(b"/photos/IMG 1.JPG") == b"IMG 1.JPG"
    assert delivering.plain_name(b"/photos/odd \xff\n\x1b.jpg") == b"odd \xff__.jpg"
    long = delivering.plain_name(b"/photos/" + b"x" * 255)
    assert len(long) <= 255


@pytest.mark.parametrize(
    ("start", "end", "name"),
    [
        (0.0, 7.9, b"party 00.00-00.07.mov"),
        (83.5, 91.0, b"party 01.23-01.31.mov"),
        (3599.9, 7325.0, b"party 59.59-2.02.05.mov"),
    ],
)
def test_a_moment_is_named_by_its_times(start: float, end: float, name: bytes) -> None:
    assert delivering.clip_name(b"/films/party.MOV", start, end, b".mov") == name


def test_a_moment_of_a_long_name_keeps_its_times() -> None:
    name = delivering.clip_name(b"/films/" + b"x" * 250 + b".mp4", 1.0, 2.0)
    assert len(name) == 255
    assert name.endswith(b"x 00.01-00.02.mp4")


def test_a_name_that_another_is_about_to_get_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a (2).jpg").touch()
    here = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        assert delivering.named(here, b"a.jpg", {byte_key(b"A.JPG")}) == delivering.Named(b"a (3).jpg", False)
        assert delivering.named(here, b"b.jpg", set()) == delivering.Named(b"b.jpg", False)
        assert delivering.named(here, b"a (2).jpg", set(), lambda name, _: name == b"a (2).jpg").there
    finally:
        os.close(here)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (errno.ENOENT, "not there"),
        (errno.ENOTDIR, "no folder"),
        (errno.EPERM, "no symbolic links"),
        (errno.ENOSPC, "full"),
        (errno.EDQUOT, "full"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "permission denied"),
    ],
)
def test_what_the_system_says_is_told_with_what_to_do(code: int, said: str) -> None:
    problem = delivering.explained(b"/kid", OSError(code, os.strerror(code)))
    assert said in problem.message
    assert problem.advice


@pytest.mark.parametrize("form", list(Form))
def test_only_the_last_folder_is_made_and_nothing_is_left_of_the_trial(tmp_path: Path, form: Form) -> None:
    for _ in range(2):
        delivering.prepare(os.fsencode(tmp_path / "kid"), form)
    assert list(tmp_path.rglob("*")) == [tmp_path / "kid"]
    with pytest.raises(DeliveryStopped, match="not there"):
        delivering.prepare(os.fsencode(tmp_path / "no" / "kid"), form)
    (tmp_path / "file").touch()
    with pytest.raises(DeliveryStopped, match="no folder"):
        delivering.prepare(os.fsencode(tmp_path / "file"), form)


def test_a_folder_may_hold_folders_with_photos_and_lie_in_none(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    (photos / "deep").mkdir(parents=True)
    (tmp_path / "photos of others").mkdir()
    (tmp_path / "link").symlink_to(photos)
    sacred = [os.fsencode(photos), os.fsencode(tmp_path / "away")]
    for good in (tmp_path, tmp_path / "photos of others", tmp_path / "not there"):
        delivering.check_outside(os.fsencode(good), sacred)
    for bad in (photos, photos / "deep", photos / "not there", tmp_path / "link" / "deep", tmp_path / "away" / "x"):
        with pytest.raises(DeliveryStopped, match="lies in"):
            delivering.check_outside(os.fsencode(bad), sacred)
