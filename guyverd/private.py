"""Whether files and folders are ours alone: whom their permissions let in besides us and root.

What looks raises nothing, and changes nothing: an `Exposure` says what is wrong and the cure, and whoever asked makes
an error of it.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass

_WRITE = 2
_ACL = "system.posix_acl_access"
_ACL_USER, _ACL_GROUP, _ACL_MASK = 0x02, 0x08, 0x10


@dataclass(frozen=True, slots=True)
class Exposure:
    """Somebody else could change what only we should."""

    path: str
    detail: str
    """As in "PATH is not safe: …"."""
    cure: str
    """What to type."""


def make_folder(path: str | os.PathLike[str], mode: int) -> None:
    """Make a folder, and those above that are missing, so that nobody else can write any of them, whatever the umask.

    Some machines, such as NAS boxes, run everything with umask 000. Raises OSError; a folder that is there is left.
    """
    try:
        os.mkdir(path, mode)
    except FileExistsError:
        if not os.path.isdir(path):
            raise
    except FileNotFoundError:
        make_folder(os.path.dirname(os.path.abspath(path)), 0o755)
        make_folder(path, mode)


def exposed(path: str | bytes, status: os.stat_result, *, root_may_own: bool = False) -> Exposure | None:
    """Whether somebody besides us and root owns what stands at `path`, or may write it; `status` is what stat said.

    With `root_may_own`, it may be root's.
    """
    shown = os.fsdecode(path)
    us = os.geteuid()
    if status.st_uid != us and not (root_may_own and status.st_uid == 0):
        owner = _user(status.st_uid)
        cure = f"sudo -u {owner} guyverd …" if us == 0 else f"sudo chown {_user(us)} '{shown}'"
        return Exposure(shown, f"it belongs to {owner}", cure)
    return open_to_others(path, status)


def open_to_others(path: str | bytes, status: os.stat_result) -> Exposure | None:
    """Whether somebody besides its owner, root and us may write it.

    A group counts for its members: where they are nobody but us, as in a group of one's own (with which Debian and
    Ubuntu make files group-writable by default), it may have the right.
    """
    shown = os.fsdecode(path)
    if status.st_mode & stat.S_IWOTH:
        return Exposure(shown, "everybody may write it", f"chmod go-w '{shown}'")
    if status.st_mode & stat.S_IWGRP:
        # With an access list these bits are its mask, and tell nothing of the group.
        if _listed(path):
            return Exposure(shown, "its access list lets others write it", f"setfacl -b '{shown}'")
        if not _ours_alone(status.st_gid):
            return Exposure(shown, f"the group {_group(status.st_gid)} may write it", f"chmod g-w '{shown}'")
    return None


def exposed_above(path: str | bytes | os.PathLike[str]) -> Exposure | None:
    """Whether somebody else could put another file or folder in the place of `path`, by one of the folders above.

    A folder in which only owners may rename, such as /tmp, is safe. Folders that are not there, or that we cannot look
    at, are passed over.
    """
    for folder in _above(os.fsdecode(path)):
        with contextlib.suppress(OSError):
            status = os.stat(folder)
            if not status.st_mode & stat.S_ISVTX and (found := open_to_others(folder, status)) is not None:
                return found
    return None


def _above(path: str) -> Iterator[str]:
    """The folders above, as they are called and as they are once links are followed."""
    told: set[str] = set()
    for one in (os.path.abspath(path), os.path.realpath(path)):
        folder = one
        while folder != os.path.dirname(folder):
            folder = os.path.dirname(folder)
            if folder not in told:
                told.add(folder)
                yield folder


def _listed(path: str | bytes) -> bool:
    """Whether an access list names a user or group, other than us and root, that may write."""
    try:
        acl = os.getxattr(path, _ACL)
    except OSError:
        return False
    entries = list(struct.iter_unpack("<HHI", acl[4:]))
    mask = next((right for tag, right, _ in entries if tag == _ACL_MASK), 7)
    return any(
        right & mask & _WRITE
        and ((tag == _ACL_USER and who not in (0, os.geteuid())) or (tag == _ACL_GROUP and not _ours_alone(who)))
        for tag, right, who in entries
    )


def _ours_alone(group: int) -> bool:
    """Whether nobody but us and root is in a group, as far as the databases of this machine tell."""
    us = os.geteuid()
    with contextlib.suppress(KeyError):
        if set(grp.getgrgid(group).gr_mem) - {_user(us), "root"}:
            return False
    return not any(one.pw_gid == group and one.pw_uid not in (0, us) for one in pwd.getpwall())


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
