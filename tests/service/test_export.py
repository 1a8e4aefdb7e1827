"""Copies of originals, on a real disk; faults are made real where an ordinary user can make them."""

from __future__ import annotations

import errno
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guyverd.errors import ExportError
from guyverd.service import export
from guyverd.service.export import copy_originals, link_originals, numbered

OLD = 1_000_000_000_123_456_789


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    for name, content in {"a/IMG.jpg": b"first" * 100, "b/IMG.jpg": b"other" * 100, "c/pic.png": b"png"}.items():
        file = root / name
        file.parent.mkdir(parents=True)
        file.write_bytes(content)
        os.utime(file, ns=(OLD, OLD))
    return root


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_copies_keep_bytes_and_time(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    done = copy_originals([[str(photos / "a/IMG.jpg")], [str(photos / "c/pic.png")]], out, sacred=[photos])
    assert done.copied == (str(out / "IMG.jpg"), str(out / "pic.png"))
    assert (done.already, done.missing) == ((), ())
    assert names(out) == ["IMG.jpg", "pic.png"]
    assert (out / "IMG.jpg").read_bytes() == b"first" * 100
    assert (out / "IMG.jpg").stat().st_mtime_ns == OLD
    assert not (out / "IMG.jpg").is_symlink()


def test_equal_names_are_numbered_and_a_second_export_adds_nothing(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    files = [[str(photos / "a/IMG.jpg")], [str(photos / "b/IMG.jpg")]]
    assert len(copy_originals(files, out).copied) == 2
    assert names(out) == ["IMG (2).jpg", "IMG.jpg"]
    again = copy_originals(reversed(files), out)
    assert again.copied == ()
    assert sorted(again.already) == [str(out / "IMG (2).jpg"), str(out / "IMG.jpg")]
    assert names(out) == ["IMG (2).jpg", "IMG.jpg"]


def test_links_lead_to_the_originals_once(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "pic.png").write_bytes(b"mine")
    files = [[str(tmp_path / "gone.jpg"), str(photos / "a/IMG.jpg")], [str(photos / "b/IMG.jpg")], ["/gone"], []]
    done = link_originals([*files, [str(photos / "c/pic.png")]], out, sacred=[photos])
    originals = [str(photos / name) for name in ("a/IMG.jpg", "b/IMG.jpg", "c/pic.png")]
    assert [os.readlink(link) for link in done.copied] == originals
    assert names(out) == ["IMG (2).jpg", "IMG.jpg", "pic (2).png", "pic.png"]
    assert done.missing == (("/gone",), ())
    again = link_originals(reversed(files), out)
    assert (again.copied, len(again.already)) == ((), 2)
    assert (out / "pic.png").read_bytes() == b"mine"
    with pytest.raises(ExportError):
        link_originals(files, photos / "out", sacred=[photos])
    assert names(photos) == ["a", "b", "c"]


def test_what_stands_there_is_left_alone(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "IMG.jpg").write_bytes(b"mine!" * 100)  # of the same size
    os.symlink(photos / "a/IMG.jpg", out / "IMG (2).jpg")
    (out / "IMG (3).jpg").mkdir()
    os.symlink("nowhere", out / "IMG (4).jpg")
    os.mkfifo(out / "IMG (5).jpg")
    done = copy_originals([[str(photos / "a/IMG.jpg")]], out)
    assert done.copied == (str(out / "IMG (6).jpg"),)
    assert (out / "IMG.jpg").read_bytes() == b"mine!" * 100
    assert (out / "IMG (2).jpg").is_symlink()
    assert os.readlink(out / "IMG (4).jpg") == "nowhere"


def test_the_first_file_that_can_be_read_is_taken(photos: Path, tmp_path: Path) -> None:
    os.mkfifo(photos / "pipe.jpg")
    done = copy_originals(
        [[str(photos / "gone.jpg"), str(photos), str(photos / "pipe.jpg"), "a\0b", str(photos / "c/pic.png")]],
        tmp_path / "out",
    )
    assert done.copied == (str(tmp_path / "out/pic.png"),)


def test_missing_originals_are_told_and_stop_nothing(photos: Path, tmp_path: Path) -> None:
    seen: list[None] = []
    done = copy_originals(
        [["/nowhere/x.jpg", "/nowhere/y.jpg"], [], [str(photos / "c/pic.png")]],
        tmp_path / "out",
        each=lambda: seen.append(None),
    )
    assert done.missing == (("/nowhere/x.jpg", "/nowhere/y.jpg"), ())
    assert len(done.copied) == 1
    assert len(seen) == 3


@pytest.mark.promise("read-only")
@pytest.mark.parametrize("inside", ["", "sub/deep", "a/../new"])
def test_photo_folders_are_sacred(photos: Path, tmp_path: Path, inside: str) -> None:
    before = sorted(photos.rglob("*"))
    with pytest.raises(ExportError, match="photo folder") as caught:
        copy_originals([[str(photos / "c/pic.png")]], photos / inside, sacred=[tmp_path / "else", photos])
    assert caught.value.exit_code == 12
    assert sorted(photos.rglob("*")) == before


def test_a_link_into_a_photo_folder_is_seen_through(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "door").symlink_to(photos / "a")
    with pytest.raises(ExportError, match="photo folder"):
        copy_originals([[str(photos / "c/pic.png")]], tmp_path / "door" / "out", sacred=[photos])
    (tmp_path / "root").symlink_to(photos)
    with pytest.raises(ExportError, match="photo folder"):
        copy_originals([[str(photos / "c/pic.png")]], photos / "out", sacred=[tmp_path / "root"])
    assert names(photos) == ["a", "b", "c"]


def test_a_folder_that_only_begins_alike_is_not_inside(photos: Path, tmp_path: Path) -> None:
    assert copy_originals([[str(photos / "c/pic.png")]], tmp_path / "photos-out", sacred=[photos]).copied


def test_a_file_in_the_place_of_the_folder(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(ExportError, match="File exists"):
        copy_originals([[str(photos / "c/pic.png")]], tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file of this process may grow past 2 MB: a real write error in mid-file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_failing_write_leaves_no_half_file(photos: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    (photos / "big.jpg").write_bytes(b"x" * 3_000_000)
    request.getfixturevalue("small_files")
    with pytest.raises(ExportError, match="File too large"):
        copy_originals([[str(photos / "c/pic.png")], [str(photos / "big.jpg")]], tmp_path / "out")
    assert names(tmp_path / "out") == ["pic.png"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_an_export_error(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def full(fd: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ExportError) as caught:
        copy_originals([[str(photos / "c/pic.png")]], tmp_path / "out")
    assert os.strerror(code) in caught.value.message
    assert names(tmp_path / "out") == []


def test_an_interruption_leaves_no_half_file(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(fd: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        copy_originals([[str(photos / "c/pic.png")]], tmp_path / "out")
    assert names(tmp_path / "out") == []


def test_a_disk_that_fails_under_an_original_makes_it_missing(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(fd: int, length: int, offset: int) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "pread", broken)
    done = copy_originals([[str(photos / "c/pic.png")]], tmp_path / "out")
    assert done.missing == ((str(photos / "c/pic.png"),),)
    assert names(tmp_path / "out") == []


def test_a_file_system_without_hard_links(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*args: object, **more: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    out = tmp_path / "out"
    done = copy_originals([[str(photos / "a/IMG.jpg")], [str(photos / "b/IMG.jpg")]], out)
    assert len(done.copied) == 2
    assert (out / "IMG.jpg").read_bytes() == b"first" * 100
    assert (out / "IMG (2).jpg").read_bytes() == b"other" * 100
    assert (out / "IMG.jpg").stat().st_mtime_ns == OLD
    assert names(out) == ["IMG (2).jpg", "IMG.jpg"]


@pytest.mark.parametrize("hard_links", [True, False])
def test_a_name_taken_in_the_last_moment_is_not_overwritten(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hard_links: bool
) -> None:
    out = tmp_path / "out"
    really = export._publish
    link = os.link

    def late(part: str, target: str) -> None:
        if not (out / "pic.png").exists():
            (out / "pic.png").write_bytes(b"the other one")
        really(part, target)

    def maybe(source: str, target: str) -> None:
        if not hard_links:
            raise PermissionError(errno.EPERM, "Operation not permitted")
        link(source, target)

    monkeypatch.setattr(export, "_publish", late)
    monkeypatch.setattr(os, "link", maybe)
    done = copy_originals([[str(photos / "c/pic.png")]], out)
    assert done.copied == (str(out / "pic (2).png"),)
    assert (out / "pic.png").read_bytes() == b"the other one"
    assert names(out) == ["pic (2).png", "pic.png"]


def test_names_that_are_not_utf8(photos: Path, tmp_path: Path) -> None:
    odd = os.fsencode(photos) + b"/caf\xe9 \xff.jpg"
    with open(odd, "wb") as file:
        file.write(b"odd")
    done = copy_originals([[os.fsdecode(odd)]], tmp_path / "out")
    assert len(done.copied) == 1
    assert os.listdir(os.fsencode(tmp_path / "out")) == [b"caf\xe9 \xff.jpg"]


@given(st.text(min_size=1, max_size=260).filter(lambda name: not set(name) & set("/\0")), st.integers(2, 10**6))
def test_a_numbered_name_fits_and_keeps_its_suffix(name: str, number: int) -> None:
    try:
        length = len(os.fsencode(name))
    except UnicodeEncodeError:
        return
    suffix = os.path.splitext(name)[1]
    got = numbered(name, number)
    assert got.endswith(f" ({number}){suffix}")
    assert numbered(name, 1) == name
    if length <= 255 and len(os.fsencode(suffix)) < 200:
        assert len(os.fsencode(got)) <= 255


def test_the_longest_name_can_be_numbered_on_disk(photos: Path, tmp_path: Path) -> None:
    name = "é" * 125 + ".jpg"
    for place, content in (("x", b"1"), ("y", b"2")):
        (photos / place).mkdir()
        (photos / place / name).write_bytes(content)
    done = copy_originals([[str(photos / "x" / name)], [str(photos / "y" / name)]], tmp_path / "out")
    assert len(done.copied) == 2
