"""The difference between what the catalogue knows and what a scan has seen. Pure.

Absence is only believed where the scan could look: below a directory that could not be read nothing is gone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from guyverd.model import Changes, FileId, KnownFile, SeenFile


def reconcile(known: Iterable[KnownFile], seen: Iterable[SeenFile], unreadable: Collection[bytes] = ()) -> Changes:
    """What has to change for `known` to agree with `seen`; both are of one scope of one root.

    `unreadable` holds paths the scan could not look into; what lies there or below is never gone (b"" is the root and
    protects everything). A path seen twice counts as it was seen last. A known file that was missing and is seen with
    another stamp is `changed`, with the same stamp `returned`: either way it is missing no more. `new` keeps the order
    in which files were seen, the others the order of `known`.
    """
    found = {item.path: item for item in seen}
    blocked = frozenset(unreadable)
    changed: list[tuple[FileId, SeenFile]] = []
    returned: list[FileId] = []
    gone: list[FileId] = []
    for item in known:
        now = found.pop(item.path, None)
        if now is None:
            if not item.missing and not _below(item.path, blocked):
                gone.append(item.id)
        elif now.stamp != item.stamp:
            changed.append((item.id, now))
        elif item.missing:
            returned.append(item.id)
    return Changes(tuple(found.values()), tuple(changed), tuple(returned), tuple(gone))


def _below(path: bytes, folders: frozenset[bytes]) -> bool:
    """Whether `path` is one of `folders` or lies in one."""
    if not folders:
        return False
    if b"" in folders or path in folders:
        return True
    end = path.rfind(b"/")
    while end > 0:
        if path[:end] in folders:
            return True
        end = path.rfind(b"/", 0, end)
    return False
