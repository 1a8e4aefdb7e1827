"""What a root stands on: which directory it is, whether it is still the same one, and whether its file system talks.

A photo folder on a disk that is not mounted looks like an empty folder, and a camera card in the place of another looks
like a folder in which everything was replaced. Neither must be read as "delete everything". Device and inode numbers
alone do not tell: a device number may change at every mount, and be the same for two cards that were put in one after
the other; the root directory of every ext4 has inode 2, that of every FAT inode 1, and FUSE file systems invent inodes
as they go. So a root that is not surely the directory it was counts only if some of what is known from it is there.
"""

from __future__ import annotations

import os
import re
import stat
from typing import NamedTuple

from guyverd.model import RootIdentity, RootState

# Changes made by another machine, by the host of a virtual machine or behind a FUSE mount raise no event here. Not in
# the list: fuseblk (NTFS, exFAT), a disk of this machine; autofs, which only triggers a mount.
_SILENT = frozenset(
    (
        *("nfs", "nfs3", "nfs4", "cifs", "smb2", "smb3", "smbfs", "ncp", "ncpfs", "afs", "coda", "davfs", "sshfs"),
        *("9p", "virtiofs", "vboxsf", "prl_fs", "vmhgfs", "hgfs", "drvfs", "fakeowner", "osxfs", "fuse"),
        *("ceph", "glusterfs", "lustre", "gpfs", "beegfs", "orangefs", "pvfs2", "gfs", "gfs2", "ocfs2"),
    )
)
# Nor do those made in one of their layers.
_LAYERED = frozenset(("overlay", "overlayfs", "aufs", "unionfs"))
_ESCAPED = re.compile(rb"\\([0-7]{3})")


class Mount(NamedTuple):
    """One line of mountinfo."""

    point: bytes
    """Absolute path."""
    type: str
    number: bytes = b""
    """Of this mount, and of its device; another mount on the same point has others, as long as the first one stands."""


class Sight(NamedTuple):
    """What was seen in a directory of which it is not sure that it is the root."""

    known: bool
    """Whether any file is known from the root at all."""
    populated: bool
    """Whether a photo is in it."""
    familiar: bool
    """Whether enough of what is known is in it."""


class Standing(NamedTuple):
    """Whether conclusions may be drawn from what a root holds."""

    state: RootState
    reason: str
    """For people; empty where nothing is unusual."""


def identify(root: bytes) -> RootIdentity | None:
    """Which directory `root` is, through links; None where it is not there or no directory."""
    try:
        status = os.stat(root)
    except OSError:
        return None
    return RootIdentity(status.st_dev, status.st_ino) if stat.S_ISDIR(status.st_mode) else None


def is_mount_point(root: bytes) -> bool:
    """Whether the root is all of a file system: then its device and inode do not tell it from that of another disk."""
    place = os.path.realpath(root)
    try:
        here, above = os.stat(place), os.stat(os.path.dirname(place))
    except OSError:
        return False
    return here.st_dev != above.st_dev or here.st_ino == above.st_ino


def is_familiar(found: int, known: int) -> bool:
    """Whether so many of the known files are enough to say that this is where they are: one in ten. Pure.

    A disk that is another one holds none of them; a backup put back holds most, also while it is still being copied;
    and somebody may have sorted out much while guyverd was not looking.
    """
    return found > 0 and 10 * found >= known


def state_of(before: RootIdentity | None, now: RootIdentity | None, sight: Sight | None = None) -> Standing:
    """Whether the root is there, and is the folder it was when it was last scanned. Pure.

    `before` is None for a root never scanned. `sight` is what a look into it showed; None where `now` is surely the
    directory that it was, or where nothing was there before. The rule:

    - nothing there: OFFLINE.
    - surely the same directory: ONLINE, also when it is empty; somebody emptied it.
    - nothing known from it: ONLINE, for nothing can be lost.
    - photos known from it are in it: ONLINE; remounted, restored from a backup, or moved to another disk. What is
      missing in it still goes through the grace period and the limit on removals.
    - else OFFLINE: without any photo it is most likely the bare mount point of a disk that is away, and with photos
      that nobody knows another disk. It comes back with the photos known from it, or when somebody says that what
      stands there is the root now.
    """
    if now is None:
        return Standing(RootState.OFFLINE, "the folder is not there")
    if before is None or sight is None or not sight.known or (sight.familiar and before == now):
        return Standing(RootState.ONLINE, "")
    if sight.familiar and before.inode == now.inode:
        return Standing(RootState.ONLINE, "its disk was mounted anew")
    if sight.familiar:
        return Standing(RootState.ONLINE, "another folder with photos known from it has taken its place")
    if not sight.populated:
        return Standing(RootState.OFFLINE, "another folder without any photo stands in its place: is its disk mounted?")
    return Standing(
        RootState.OFFLINE,
        "another folder stands in its place, with other photos than those known from it: is another disk mounted there?"
        " `guyverd accept FOLDER` takes it as it is",
    )


def silent(root: bytes, mountinfo: str | None = None) -> str | None:
    """The type of the file system `root` lies on, if inotify does not see all that is changed there.

    `mountinfo` is the text of /proc/self/mountinfo, read where None is given. None also where that cannot be read.
    """
    place = os.path.realpath(root)
    holder: Mount | None = None
    for mount in mounts(mountinfo):
        # Of several mounts on one point the last hides the others.
        if _within(place, mount.point) and (holder is None or len(mount.point) >= len(holder.point)):
            holder = mount
    return holder.type if holder is not None and is_silent(holder.type, holder.point) else None


def silent_below(root: bytes, mountinfo: str | None = None) -> list[tuple[bytes, str]]:
    """Every such file system mounted somewhere below `root`: where, relative to it, and its type."""
    place = os.path.realpath(root)
    last = {mount.point: mount.type for mount in mounts(mountinfo)}
    return [
        (os.path.relpath(point, place), kind)
        for point, kind in sorted(last.items())
        if point != place and _within(point, place) and is_silent(kind, point)
    ]


def mounted_in(root: bytes, mountinfo: str | None = None) -> frozenset[Mount]:
    """What is mounted at `root` or below it."""
    place = os.path.realpath(root)
    return frozenset(mount for mount in mounts(mountinfo) if _within(mount.point, place))


def mounted_below(root: bytes, mountinfo: str | None = None) -> frozenset[bytes]:
    """Where file systems are mounted below `root`, relative to it."""
    place = os.path.realpath(root)
    points = {mount.point for mount in mounts(mountinfo)}
    return frozenset(os.path.relpath(point, place) for point in points if point != place and _within(point, place))


def is_silent(kind: str, point: bytes) -> bool:
    """Whether inotify misses changes on a file system of this type, mounted there.

    The overlay that is the whole system of a container or of a live medium is changed through itself only.
    """
    return point != b"/" if kind in _LAYERED else kind in _SILENT or kind.startswith("fuse.")


def mounts(mountinfo: str | None = None) -> list[Mount]:
    """What is mounted, in the kernel's order; empty where the system does not tell."""
    if mountinfo is None:
        try:
            with open("/proc/self/mountinfo", "rb") as file:
                text = file.read()
        except OSError:
            return []
    else:
        text = os.fsencode(mountinfo)
    return [mount for mount in map(_mount, text.split(b"\n")) if mount is not None]


def _mount(line: bytes) -> Mount | None:
    # 36 35 98:0 /inner /mount/point rw,noatime shared:1 - ext4 /dev/sda1 rw; any number of fields before the hyphen.
    fields = line.split(b" ")
    try:
        point, number = fields[4], b" ".join((fields[0], fields[2]))
        kind = fields[fields.index(b"-", 6) + 1]
    except (IndexError, ValueError):
        return None
    point = _ESCAPED.sub(lambda match: bytes([int(match[1], 8) & 0xFF]), point)
    return Mount(point, kind.decode("ascii", "replace"), number)


def _within(path: bytes, folder: bytes) -> bool:
    return path == folder or path.startswith(folder.rstrip(b"/") + b"/")
