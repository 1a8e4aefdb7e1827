"""Whom permissions let in: real bits, groups and access lists, with made-up users where the machine has none."""

from __future__ import annotations

import grp
import os
import pwd
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from guyverd import private
from guyverd.private import exposed, exposed_above, open_to_others

pytestmark = [pytest.mark.promise("state"), pytest.mark.promise("config")]

US = os.geteuid()
OURS, FAMILY = 4_000_001, 4_000_002
"""Groups that no machine has: one of ours alone, and one with somebody else in it."""


@pytest.fixture
def groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user ada, us; her own group; and one that bob is in too."""
    ada = pwd.struct_passwd(("ada", "x", US, OURS, "", "/home/ada", "/bin/sh"))
    bob = pwd.struct_passwd(("bob", "x", 4_000_003, 4_000_003, "", "/home/bob", "/bin/sh"))
    known = {
        OURS: grp.struct_group(("ada", "x", OURS, [])),
        FAMILY: grp.struct_group(("family", "x", FAMILY, ["ada", "bob"])),
    }
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: {US: ada}[uid])
    monkeypatch.setattr(pwd, "getpwall", lambda: [ada, bob])
    monkeypatch.setattr(grp, "getgrgid", lambda gid: known[gid])


def status(mode: int, uid: int = US, gid: int = OURS) -> os.stat_result:
    return os.stat_result((mode, 0, 0, 1, uid, gid, 0, 0, 0, 0))


@pytest.mark.usefixtures("groups")
@pytest.mark.parametrize(
    ("mode", "gid", "detail", "cure"),
    [
        (0o100600, OURS, None, None),
        (0o100644, FAMILY, None, None),
        (0o100664, OURS, None, None),
        (0o040775, OURS, None, None),
        (0o100664, FAMILY, "the group family may write it", "chmod g-w '/x'"),
        (0o100666, OURS, "everybody may write it", "chmod go-w '/x'"),
        (0o040777, OURS, "everybody may write it", "chmod go-w '/x'"),
        (0o100602, OURS, "everybody may write it", "chmod go-w '/x'"),
    ],
)
def test_a_group_of_ones_own_may_write_and_no_other(mode: int, gid: int, detail: str | None, cure: str | None) -> None:
    """The default of Debian and Ubuntu, umask 002, makes everything writable by the user's own group."""
    found = open_to_others("/x", status(mode, gid=gid))
    assert (None if found is None else (found.detail, found.cure)) == (None if detail is None else (detail, cure))


@pytest.mark.usefixtures("groups")
def test_a_group_that_is_another_users_first_one_may_not_write(monkeypatch: pytest.MonkeyPatch) -> None:
    bob = pwd.struct_passwd(("bob", "x", 4_000_003, OURS, "", "/home/bob", "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwall", lambda: [bob])
    found = open_to_others("/x", status(0o100664))
    assert found is not None
    assert found.detail == "the group ada may write it"


@pytest.mark.usefixtures("groups")
def test_what_belongs_to_another_is_not_ours() -> None:
    found = exposed("/x", status(0o100600, uid=4_000_003))
    assert found is not None
    assert found.detail == "it belongs to user 4000003"
    if US:
        assert exposed("/x", status(0o100600, uid=0)) is not None
        assert found.cure == "sudo chown ada '/x'"
    assert exposed("/x", status(0o100600, uid=0), root_may_own=True) is None
    assert exposed("/x", status(0o100600)) is None


@pytest.mark.usefixtures("groups")
@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ([(0x01, 6, 0), (0x02, 6, 4_000_003), (0x04, 0, 0), (0x10, 7, 0), (0x20, 0, 0)], True),
        ([(0x01, 6, 0), (0x02, 6, 4_000_003), (0x04, 0, 0), (0x10, 4, 0), (0x20, 0, 0)], False),
        ([(0x01, 6, 0), (0x02, 4, 4_000_003), (0x04, 6, 0), (0x10, 6, 0), (0x20, 0, 0)], False),
        ([(0x01, 6, 0), (0x04, 0, 0), (0x08, 6, FAMILY), (0x10, 6, 0), (0x20, 0, 0)], True),
        ([(0x01, 6, 0), (0x04, 0, 0), (0x08, 6, OURS), (0x10, 6, 0), (0x20, 0, 0)], False),
    ],
    ids=["a user", "a user, masked", "a user who may read", "a group", "our own group"],
)
def test_an_access_list_is_read(
    entries: list[tuple[int, int, int]], told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mask stands where the group's bits are, so the bits alone would say that our own group may write."""
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    monkeypatch.setattr(os, "getxattr", lambda path, name: acl)
    found = open_to_others("/x", status(0o100660))
    assert (found is not None) == told
    if found is not None:
        assert found.cure == "setfacl -b '/x'"


@pytest.fixture
def tree(tmp_path: Path) -> Callable[..., Path]:
    """Folders one in the other, with these modes, from the outermost."""

    def made(*modes: int) -> Path:
        here = tmp_path
        for number, mode in enumerate(modes):
            here = here / f"{number}"
            here.mkdir()
            here.chmod(mode)
        return here / "x"

    return made


def test_no_folder_above_may_be_writable_by_all(tree: Callable[..., Path]) -> None:
    path = tree(0o755, 0o777, 0o755)
    found = exposed_above(path)
    assert found is not None
    assert (found.path, found.detail) == (str(path.parent.parent), "everybody may write it")
    (path.parent.parent).chmod(0o755)
    assert exposed_above(path) is None


def test_folders_in_which_only_owners_rename_are_safe(tree: Callable[..., Path]) -> None:
    assert exposed_above(tree(0o1777, 0o700)) is None


def test_the_folders_behind_a_link_count_too(tree: Callable[..., Path], tmp_path: Path) -> None:
    inside = tree(0o777, 0o700).parent
    link = tmp_path / "link"
    link.symlink_to(inside)
    found = exposed_above(link / "x")
    assert found is not None
    assert found.path == str(inside.parent)


def test_folders_are_made_so_that_nobody_else_can_write_them(tmp_path: Path) -> None:
    """As it is on machines that run everything with umask 000."""
    before = os.umask(0)
    try:
        private.make_folder(tmp_path / "a" / "b" / "c", 0o700)
        private.make_folder(tmp_path / "a" / "b" / "c", 0o755)
    finally:
        os.umask(before)
    modes = [(tmp_path / path).stat().st_mode & 0o777 for path in ("a", "a/b", "a/b/c")]
    assert modes == [0o755, 0o755, 0o700]
    assert exposed_above(tmp_path / "a" / "b" / "c" / "x") is None
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"exists|Not a directory"):
        private.make_folder(tmp_path / "file", 0o700)
    with pytest.raises(NotADirectoryError):
        private.make_folder(tmp_path / "file" / "deeper", 0o700)


def test_what_is_not_there_exposes_nothing(tmp_path: Path) -> None:
    assert exposed_above(tmp_path / "no" / "such" / "folder") is None
