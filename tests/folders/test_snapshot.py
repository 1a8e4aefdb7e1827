from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from guyverd.folders import disk
from guyverd.folders.snapshot import Snapshot, take, widened
from guyverd.model import Stamp


@pytest.fixture
def root(tmp_path: Path) -> bytes:
    place = os.fsencode(tmp_path / "People")
    os.mkdir(place)
    return place


def make(root: bytes, *paths: bytes) -> None:
    for path in paths:
        whole = os.path.join(root, path)
        os.makedirs(os.path.dirname(whole), exist_ok=True)
        if path.endswith(b"/"):
            continue
        with open(whole, "wb") as file:
            file.write(path)


def inode(*parts: bytes) -> int:
    return os.lstat(os.path.join(*parts)).st_ino


def test_links_files_and_folders_at_any_depth(root: bytes) -> None:
    make(root, b"Alice/", b"Alice/2024/a.txt", b"Unnamed/0007/", b"top.txt")
    os.symlink(b"../../photos/nowhere.jpg", root + b"/Alice/a.jpg")
    found = take(root)
    stamp = os.stat(root + b"/Alice/2024/a.txt")
    assert found.scopes == (b"",)
    assert found.folders == {path: inode(root, path) for path in (b"Alice", b"Alice/2024", b"Unnamed", b"Unnamed/0007")}
    assert set(found.entries) == {b"Alice/a.jpg", b"Alice/2024/a.txt", b"top.txt"}
    assert found.entries[b"Alice/a.jpg"] == b"../../photos/nowhere.jpg"
    assert found.entries[b"Alice/2024/a.txt"] == Stamp(stamp.st_size, stamp.st_mtime_ns, stamp.st_ino)
    assert found.unreadable == set()


def test_what_begins_with_a_dot_is_not_seen_nor_what_is_below(root: bytes) -> None:
    make(
        root, b".guyverd-people", b".Trash-1000/files/Alice/a.jpg", b"Alice/.directory", b"Alice/a.txt", b"Alice/..a/b"
    )
    found = take(root)
    assert set(found.entries) == {b"Alice/a.txt"}
    assert set(found.folders) == {b"Alice"}
    # Nor where an event told of it.
    assert not take(root, [b".Trash-1000/files"]).entries


def test_names_need_not_be_utf_8(root: bytes) -> None:
    make(root, b"Al\xffce/\xfe.txt")
    os.symlink(b"/p/\xff\n.jpg", root + b"/Al\xffce/a\nb.jpg")
    found = take(root)
    assert set(found.folders) == {b"Al\xffce"}
    assert found.entries[b"Al\xffce/a\nb.jpg"] == b"/p/\xff\n.jpg"
    assert b"Al\xffce/\xfe.txt" in found.entries


def test_a_link_to_a_folder_is_a_link_and_nobody_looks_behind_it(root: bytes, tmp_path: Path) -> None:
    make(os.fsencode(tmp_path), b"elsewhere/secret.txt")
    os.symlink(os.fsencode(tmp_path / "elsewhere"), root + b"/Alice")
    os.symlink(b".", root + b"/loop")
    found = take(root)
    assert found.folders == {}
    assert found.entries == {b"Alice": os.fsencode(tmp_path / "elsewhere"), b"loop": b"."}
    # Nor where one is asked for by name.
    assert take(root, [b"Alice"]) == Snapshot((b"Alice",))
    make(os.fsencode(tmp_path), b"elsewhere/deep/secret.txt")
    assert take(root, [b"Alice/deep"]) == Snapshot((b"Alice/deep",))


def test_the_people_folder_itself_may_be_a_link(root: bytes, tmp_path: Path) -> None:
    make(root, b"Alice/a.txt")
    os.symlink(root, os.fsencode(tmp_path / "way"))
    assert take(os.fsencode(tmp_path / "way")) == take(root)


def test_what_is_neither_link_nor_file_nor_folder_is_passed_over(root: bytes, tmp_path: Path) -> None:
    os.mkfifo(root + b"/pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        os.rename(tmp_path / "s", root + b"/socket")
        assert take(root) == Snapshot((b"",))


def test_a_people_folder_that_is_not_there_raises(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        take(os.fsencode(tmp_path / "People"))
    make(os.fsencode(tmp_path), b"file")
    with pytest.raises(NotADirectoryError):
        take(os.fsencode(tmp_path / "file"))


def refuse(monkeypatch: pytest.MonkeyPatch, *folders: bytes, error: Callable[[], OSError] = PermissionError) -> None:
    """Listing these fails, as for a user who may not (and the tests may be run by one who may all)."""
    listing = os.scandir

    def scandir(path: bytes) -> object:
        if path in folders:
            raise error()
        return listing(path)

    monkeypatch.setattr(os, "scandir", scandir)


def test_a_folder_that_cannot_be_listed_hides_what_is_in_it(root: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    make(root, b"Alice/a.txt", b"Alice/deep/b.txt", b"Bob/c.txt")
    refuse(monkeypatch, root + b"/Alice")
    found = take(root)
    assert set(found.folders) == {b"Alice", b"Bob"}
    assert set(found.entries) == {b"Bob/c.txt"}
    assert found.unreadable == {b"Alice"}
    assert found.hides(b"Alice/a.txt")
    assert found.hides(b"Alice/deep/b.txt")
    assert not found.hides(b"Alice")
    assert not found.hides(b"Alice B./a.txt")
    assert not found.hides(b"Bob/c.txt")


@pytest.mark.promise("disk", "any-order")
@pytest.mark.parametrize("scopes", [[b""], [b"Alice", b"Bob"]])
def test_where_the_disk_fails_nothing_is_concluded_from_the_rest(
    root: bytes, monkeypatch: pytest.MonkeyPatch, scopes: list[bytes]
) -> None:
    """What is not seen in one folder may stand in that which cannot be read."""
    make(root, b"Alice/a.txt", b"Bob/c.txt")
    refuse(monkeypatch, root + b"/Alice", error=lambda: OSError(errno.EIO, "Input/output error"))
    with pytest.raises(OSError, match="Input/output error"):
        take(root, scopes)


@pytest.mark.promise("disk", "any-order")
def test_where_the_disk_does_not_tell_of_a_scope_nothing_is_concluded(
    root: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be a folder by its new name."""
    make(root, b"Alice/a.txt", b"Bob/c.txt")
    asking = os.stat

    def stat(path: bytes, **options: bool) -> os.stat_result:
        if path == root + b"/Alice":
            raise OSError(errno.EIO, "Input/output error")
        return asking(path, **options)

    monkeypatch.setattr(os, "stat", stat)
    with pytest.raises(OSError, match="Input/output error"):
        take(root, [b"Alice", b"Bob"])


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_rights(root: bytes) -> None:
    make(root, b"Alice/a.txt")
    os.chmod(root + b"/Alice", 0)
    try:
        assert take(root).unreadable == {b"Alice"}
    finally:
        os.chmod(root + b"/Alice", 0o700)


def test_a_people_folder_that_cannot_be_listed_raises(root: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, root)
    with pytest.raises(PermissionError):
        take(root)


def test_a_folder_that_goes_while_it_is_looked_at_is_not_there(root: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    make(root, b"Alice/a.txt", b"Bob/c.txt")
    refuse(monkeypatch, root + b"/Alice", error=FileNotFoundError)
    found = take(root)
    assert set(found.folders) == {b"Bob"}
    assert found.unreadable == set()


def test_a_folder_that_becomes_a_link_while_it_is_looked_at(root: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    make(root, b"Alice/a.txt")
    refuse(monkeypatch, root + b"/Alice", error=NotADirectoryError)
    assert take(root).hides(b"Alice/a.txt")


def test_a_link_and_a_file_that_go_while_they_are_looked_at(root: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    make(root, b"Alice/a.txt", b"Alice/b.txt")
    os.symlink(b"x", root + b"/Alice/link")
    os.symlink(b"y", root + b"/Alice/other")
    reading = os.readlink

    def readlink(path: bytes) -> bytes:
        if path.endswith(b"/link"):
            raise FileNotFoundError
        return reading(path)

    monkeypatch.setattr(os, "readlink", readlink)
    stamp_of = disk.stamp_of

    def stamp(status: os.stat_result) -> Stamp:
        if status.st_ino == inode(root, b"Alice/a.txt"):
            raise FileNotFoundError
        return stamp_of(status)

    monkeypatch.setattr(disk, "stamp_of", stamp)
    assert set(take(root).entries) == {b"Alice/b.txt", b"Alice/other"}


# ---- only some folders -----------------------------------------------------------------------------------------------


def test_only_some_folders_are_looked_at(root: bytes) -> None:
    make(root, b"Alice/a.txt", b"Alice/deep/b.txt", b"Alice B./c.txt", b"Unnamed/0007/d.txt", b"top.txt")
    found = take(root, [b"Alice", b"Unnamed/0007", b"Alice/deep", b"Gone", b"Gone/deeper", b"top.txt", b"top.txt/x"])
    assert found.scopes == (b"Alice", b"Gone", b"Unnamed/0007", b"top.txt")
    assert set(found.folders) == {b"Alice", b"Alice/deep", b"Unnamed/0007"}
    assert set(found.entries) == {b"Alice/a.txt", b"Alice/deep/b.txt", b"Unnamed/0007/d.txt"}
    for path in (b"Alice", b"Alice/x", b"Gone", b"Unnamed/0007/d.txt"):
        assert found.covers(path), path
    for path in (b"Alice B./c.txt", b"Unnamed", b"Unnamed/0008", b"other", b""):
        assert not found.covers(path), path


def test_the_whole_covers_everything(root: bytes) -> None:
    assert take(root, [b"Alice", b""]).covers(b"any/where")


def test_a_scope_below_a_folder_that_became_a_file_is_gone(root: bytes) -> None:
    make(root, b"Alice")
    assert take(root, [b"Alice/2024"]) == Snapshot((b"Alice/2024",))


def test_a_scope_without_rights_hides_itself(root: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    asking = os.stat

    def stat(path: bytes, **options: bool) -> os.stat_result:
        if path.endswith(b"/Alice"):
            raise PermissionError
        return asking(path, **options)

    monkeypatch.setattr(os, "stat", stat)
    found = take(root, [b"Alice"])
    assert found.unreadable == {b"Alice"}
    assert found.hides(b"Alice/a.jpg")


@pytest.mark.parametrize(
    ("asked", "looked_at"),
    [
        ([], ()),
        ([b""], (b"",)),
        ([b"a", b""], (b"",)),
        ([b"a/b", b"a", b"a b", b"a/b/c"], (b"a", b"a b")),
        ([b"a", b"a b", b"a/b"], (b"a", b"a b")),
        ([b"b/x", b"a/x", b"a/x"], (b"a/x", b"b/x")),
        ([b"a", b"ab", b"a/"], (b"a", b"ab")),
    ],
)
def test_no_scope_lies_in_another(asked: list[bytes], looked_at: tuple[bytes, ...]) -> None:
    assert widened(asked) == looked_at
