from __future__ import annotations

import os
from pathlib import Path

import pytest

from guyverd.model import RootIdentity, RootState
from guyverd.watch.mounts import (
    Sight,
    identify,
    is_familiar,
    is_mount_point,
    mounted_in,
    mounts,
    silent,
    silent_below,
    state_of,
)

MOUNTINFO = "\n".join(
    [
        "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw",
        "30 21 0:40 / /mnt/nas rw,relatime shared:7 master:2 propagate_from:3 - nfs4 nas:/photos rw,vers=4.2",
        "31 30 8:17 / /mnt/nas/disk rw - xfs /dev/sdb1 rw",
        r"32 21 0:41 / /mnt/with\040space\134and\011tab rw - cifs //nas/x rw",
        "33 21 0:42 / /mnt/phone rw - fuse.sshfs phone:/ rw",
        "34 21 8:33 / /mnt/usb rw - fuseblk /dev/sdc1 rw",
        "35 21 0:43 / /mnt/auto rw - autofs systemd-1 rw",
        "36 35 0:44 / /mnt/auto rw - nfs nas:/auto rw",
        "37 21 0:45 / /mnt/hidden rw - nfs nas:/hidden rw",
        "38 37 8:49 / /mnt/hidden rw - ext4 /dev/sdd1 rw",
        "39 21 0:46 / /mnt/layers rw - overlay overlay rw,lowerdir=/a - b",
        "a line that means nothing",
        "",
    ]
)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/home/me/Pictures", None),
        ("/mnt/nas", "nfs4"),
        ("/mnt/nas/2024/summer", "nfs4"),
        ("/mnt/nasty", None),
        ("/mnt/nas/disk/photos", None),
        ("/mnt/with space\\and\ttab/x", "cifs"),
        ("/mnt/phone", "fuse.sshfs"),
        ("/mnt/usb", None),
        ("/mnt/auto/x", "nfs"),
        ("/mnt/hidden/x", None),
        ("/mnt/layers/x", "overlay"),
        ("/", None),
    ],
)
@pytest.mark.promise("silent")
def test_the_file_system_that_holds_a_path_decides(path: str, expected: str | None) -> None:
    assert silent(os.fsencode(path), MOUNTINFO) == expected


@pytest.mark.promise("silent")
def test_silent_file_systems_below_a_root_are_found() -> None:
    assert silent_below(b"/mnt/nas", MOUNTINFO) == []
    assert silent_below(b"/mnt/hidden", MOUNTINFO) == []
    assert silent_below(b"/mnt", MOUNTINFO) == [
        (b"auto", "nfs"),
        (b"layers", "overlay"),
        (b"nas", "nfs4"),
        (b"phone", "fuse.sshfs"),
        (b"with space\\and\ttab", "cifs"),
    ]


@pytest.mark.promise("silent")
def test_the_overlay_that_is_the_whole_system_talks() -> None:
    text = "21 1 0:31 / / rw - overlay overlay rw,lowerdir=/a\n39 21 0:46 / /photos rw - overlay overlay rw,lowerdir=/b"
    assert silent(b"/home/me/Pictures", text) is None
    assert silent(b"/photos/2024", text) == "overlay"


@pytest.mark.promise("offline")
def test_another_mount_on_the_same_point_is_another() -> None:
    line = "30 21 8:17 / /mnt/usb rw - ext4 /dev/sdb1 rw"
    here = mounted_in(b"/mnt", line)
    assert [mount.point for mount in here] == [b"/mnt/usb"]
    assert mounted_in(b"/mnt/usb", line) == here
    assert mounted_in(b"/mnt/us", line) == frozenset()
    assert mounted_in(b"/mnt", line.replace("8:17", "8:33")) != here
    assert mounted_in(b"/mnt", line.replace("30 21", "31 21")) != here


def test_names_that_are_not_utf8_survive() -> None:
    line = os.fsdecode(b"5 1 0:4 / /mnt/\xff\\040x rw - nfs a:/ rw")
    assert [mount.point for mount in mounts(line)] == [b"/mnt/\xff x"]
    assert silent(b"/mnt/\xff x/y", line) == "nfs"


def test_a_link_is_judged_by_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/mnt/nas/2024")
    assert silent(os.fsencode(tmp_path / "link"), MOUNTINFO) == "nfs4"


def test_this_system_has_mounts_and_tmp_path_talks(tmp_path: Path) -> None:
    assert b"/" in {mount.point for mount in mounts()}
    assert silent(os.fsencode(tmp_path)) is None


def test_identify(tmp_path: Path) -> None:
    root = tmp_path / "root"
    assert identify(os.fsencode(root)) is None
    root.write_bytes(b"")
    assert identify(os.fsencode(root)) is None
    root.unlink()
    root.mkdir()
    status = root.stat()
    assert identify(os.fsencode(root)) == RootIdentity(status.st_dev, status.st_ino)
    (tmp_path / "link").symlink_to(root)
    assert identify(os.fsencode(tmp_path / "link")) == RootIdentity(status.st_dev, status.st_ino)


A, OTHER_DEVICE, OTHER_INODE = RootIdentity(1, 2), RootIdentity(9, 2), RootIdentity(1, 3)


EMPTY, STRANGE, FAMILIAR = Sight(True, False, False), Sight(True, True, False), Sight(True, True, True)
NOTHING_TO_LOSE = Sight(False, True, False)


@pytest.mark.promise("offline")
@pytest.mark.parametrize(
    ("before", "now", "sight", "expected", "reason"),
    [
        (None, None, None, RootState.OFFLINE, "not there"),
        (A, None, None, RootState.OFFLINE, "not there"),
        (None, A, None, RootState.ONLINE, ""),
        (A, A, None, RootState.ONLINE, ""),
        *((A, now, EMPTY, RootState.OFFLINE, "is its disk mounted?") for now in (A, OTHER_DEVICE, OTHER_INODE)),
        *((A, now, STRANGE, RootState.OFFLINE, "another disk") for now in (A, OTHER_DEVICE, OTHER_INODE)),
        *((A, now, NOTHING_TO_LOSE, RootState.ONLINE, "") for now in (A, OTHER_DEVICE, OTHER_INODE)),
        (A, A, FAMILIAR, RootState.ONLINE, ""),
        (A, OTHER_DEVICE, FAMILIAR, RootState.ONLINE, "mounted anew"),
        (A, OTHER_INODE, FAMILIAR, RootState.ONLINE, "has taken its place"),
    ],
)
def test_a_stranger_is_offline(
    before: RootIdentity | None, now: RootIdentity | None, sight: Sight | None, expected: RootState, reason: str
) -> None:
    state, told = state_of(before, now, sight)
    assert state == expected
    assert reason in told
    assert bool(reason) == bool(told)


@pytest.mark.parametrize(
    ("found", "known", "expected"),
    [(0, 0, False), (0, 9, False), (1, 1, True), (1, 10, True), (1, 11, False), (20, 200, True), (19, 200, False)],
)
def test_one_in_ten_is_familiar(found: int, known: int, expected: bool) -> None:
    assert is_familiar(found, known) == expected


def test_a_folder_is_no_mount_point_and_a_whole_disk_is(tmp_path: Path) -> None:
    assert is_mount_point(b"/")
    assert is_mount_point(b"/proc")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("/proc")
    assert not is_mount_point(os.fsencode(tmp_path / "folder"))
    assert is_mount_point(os.fsencode(tmp_path / "link"))
    assert not is_mount_point(os.fsencode(tmp_path / "nowhere"))
