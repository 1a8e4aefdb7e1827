from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from guyverd.errors import PictureMissing, PictureUnreadable
from guyverd.media.content import ContentChanged, hash_bytes, hash_file, read_file
from guyverd.model import Stamp

MEGABYTE = 1 << 20


def make(folder: Path, data: bytes, name: bytes = b"a.jpg") -> bytes:
    path = os.path.join(os.fsencode(folder), name)
    with open(path, "wb") as file:
        file.write(data)
    return path


@pytest.mark.parametrize("size", [0, 1, MEGABYTE - 1, MEGABYTE, 3 * MEGABYTE + 17])
def test_both_ways_of_hashing_agree_with_the_standard(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    path = make(tmp_path, data)
    expected = hashlib.blake2b(data, digest_size=32).digest()
    status = os.stat(path)
    assert hash_bytes(data) == expected
    assert hash_file(path) == (expected, Stamp(size, status.st_mtime_ns, status.st_ino))
    assert read_file(path, size) == (data, expected)


def test_names_that_are_no_text(tmp_path: Path) -> None:
    path = make(tmp_path, b"x", b"\xff\xfe.jpg")
    assert read_file(path, 10)[0] == b"x"


def test_more_than_the_limit_is_not_read(tmp_path: Path) -> None:
    path = make(tmp_path, b"x" * 11)
    with pytest.raises(PictureUnreadable, match="at most"):
        read_file(path, 10)


@pytest.fixture(params=["hash", "read"])
def read(request: pytest.FixtureRequest) -> Callable[[bytes], object]:
    if request.param == "hash":
        return hash_file
    return lambda path: read_file(path, 1 << 30)


def test_a_pipe_does_not_hang(tmp_path: Path, read: Callable[[bytes], object]) -> None:
    path = os.fsencode(tmp_path / "pipe.jpg")
    os.mkfifo(path)
    with pytest.raises(PictureUnreadable, match="not a regular file"):
        read(path)


def test_links_folders_and_nothing(tmp_path: Path, read: Callable[[bytes], object]) -> None:
    target = make(tmp_path, b"x")
    link = os.fsencode(tmp_path / "link.jpg")
    os.symlink(target, link)
    with pytest.raises(PictureUnreadable):
        read(link)
    with pytest.raises(PictureUnreadable, match="not a regular file"):
        read(os.fsencode(tmp_path))
    for missing in (os.fsencode(tmp_path / "no.jpg"), target + b"/no.jpg"):
        with pytest.raises(PictureMissing):
            read(missing)


@pytest.mark.promise("half-written")
@pytest.mark.parametrize("how", ["grow", "shrink", "touch", "overwrite"])
def test_a_change_while_reading_is_noticed(
    tmp_path: Path, read: Callable[[bytes], object], how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make(tmp_path, os.urandom(3 * MEGABYTE))
    os.utime(path, ns=(1, 1))
    real, calls = os.read, []

    def read_and_disturb(file: int, size: int) -> bytes:
        piece = real(file, size)
        calls.append(size)
        if len(calls) == 2:
            with open(path, "r+b") as other:
                if how == "grow":
                    other.seek(0, os.SEEK_END)
                    other.write(b"more")
                elif how == "shrink":
                    other.truncate(2 * MEGABYTE)
                elif how == "overwrite":
                    other.write(b"other")
            if how == "touch":
                os.utime(path, ns=(2, 2))
        return piece

    monkeypatch.setattr(os, "read", read_and_disturb)
    with pytest.raises(ContentChanged):
        read(path)


def test_a_file_without_end_takes_no_memory() -> None:
    # Files of /proc say they are empty and are not.
    with pytest.raises(ContentChanged):
        read_file(b"/proc/self/status", 10)


def test_unreadable_files_name_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(tmp_path, b"x")

    def fail(file: int, size: int) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "read", fail)
    with pytest.raises(PictureUnreadable, match="Input/output error"):
        read_file(path, 10)


@pytest.mark.promise("half-written")
def test_a_recording_that_goes_on_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = make(tmp_path, b"")
    os.truncate(path, 200 * MEGABYTE)
    pieces = 0

    def recorded() -> bool:
        nonlocal pieces
        pieces += 1
        os.truncate(path, os.stat(path).st_size + 1)
        return False

    with pytest.raises(ContentChanged):
        hash_file(path, recorded)
    assert pieces < 20
