"""What somebody wants to be found by, told from one word."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guyverd.errors import GuyverError, NoMoment, NothingMeant, NoTime, PictureMissing, PictureUnreadable
from guyverd.service.pipeline.meant import Meant, meant, nobody, seconds


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a photo, a video, a file without an ending, one with an odd name, and a folder."""
    for name in ("a.jpg", "clip.mp4", "plain", "clip.mp4@7", "mail@home.jpg", os.fsdecode(b"caf\xe9.mov")):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "Alice").mkdir()
    (tmp_path / "way.jpg").symlink_to("nowhere.jpg")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a.jpg", Meant("a.jpg")),
        ("./a.jpg", Meant("./a.jpg")),
        ("plain", Meant("plain")),
        ("mail@home.jpg", Meant("mail@home.jpg")),
        ("clip.mp4@7", Meant("clip.mp4@7")),
        ("clip.mp4@83.5", Meant("clip.mp4", 83.5)),
        ("clip.mp4@1:23", Meant("clip.mp4", 83.0)),
        ("clip.mp4@0:01:23.25", Meant("clip.mp4", 83.25)),
        (os.fsdecode(b"caf\xe9.mov@0"), Meant(os.fsdecode(b"caf\xe9.mov"), 0.0)),
        ("Alice", Meant("Alice", person=True)),
        ("12", Meant("12", person=True)),
        ("Unnamed/0007", Meant("Unnamed/0007", person=True)),
        ("bob@example.org", Meant("bob@example.org", person=True)),
        ("a\0b", Meant("a\0b", person=True)),
    ],
)
def test_what_is_meant(text: str, wanted: Meant) -> None:
    assert meant(text) == wanted


@pytest.mark.parametrize(
    ("text", "error", "told"),
    [
        ("b.jpg", PictureMissing, "b.jpg"),
        ("way.jpg", PictureMissing, "way.jpg"),
        ("./Bob", PictureMissing, "./Bob"),
        ("other.mp4@1:23", PictureMissing, "file other.mp4."),
        ("./Alice", PictureUnreadable, "it is a folder"),
        ("clip.mp4", NoMoment, "clip.mp4 is a video"),
        ("clip.mp4@", NoTime, "nothing is no time"),
        ("clip.mp4@1:60", NoTime, "1:60 is no time"),
        ("clip.mp4@noon", NoTime, "noon is no time"),
    ],
)
def test_what_cannot_be_meant(text: str, error: type[GuyverError], told: str) -> None:
    with pytest.raises(error) as raised:
        meant(text)
    assert type(raised.value) is error
    assert told in raised.value.message


def test_who_is_nobody() -> None:
    assert isinstance(nobody("Alice"), PictureUnreadable), "there is such a folder"
    assert isinstance(nobody("Bob"), NothingMeant)


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_times(hours: int, minutes: int, whole: int, thousandths: int) -> None:
    wanted = pytest.approx(hours * 3600 + minutes * 60 + whole + thousandths / 1000)
    assert seconds(f"{hours}:{minutes:02}:{whole:02}.{thousandths:03}") == wanted
    assert seconds(f"{wanted.expected:.3f}") == wanted


@pytest.mark.parametrize(
    "text", ["", ":", "1:", ":1", "-1", "1:2:3:4", "1:61:00", "0:60", "1e3", "inf", "١", " 1", "1."]
)
def test_what_is_no_time(text: str) -> None:
    assert seconds(text) is None
