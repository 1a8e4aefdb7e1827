"""The difference between what the catalogue knows and what a scan has seen. Pure.

Absence is only believed where the scan could look: below a directory that could not be read nothing is gone.

`reconcile` compares two lists. `piecewise` compares as much as there is, however much that is: both sides come in the
order of their paths, and of neither more than a piece is held.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

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
            if not item.missing and not below(item.path, blocked):
                gone.append(item.id)
        elif now.stamp != item.stamp:
            changed.append((item.id, now))
        elif item.missing:
            returned.append(item.id)
    return Changes(tuple(found.values()), tuple(changed), tuple(returned), tuple(gone))


Known = Callable[[bytes | None, bytes | None, int], Sequence[KnownFile]]
"""(after, through, most): the first so many files that are known after one path and up to another, by path. None as
the one is before the first, as the other after the last."""


def piecewise(known: Known, seen: Iterable[SeenFile], most: int) -> Iterator[Changes]:
    """`reconcile`, in pieces that together say what it says of the whole; of either side at most `most` files are held.

    `seen` comes in the order of paths as bytes, each path once. A file of which a piece says that it is `gone` was not
    seen; whether it lies below what could not be read is not known before the end, and for the caller to ask (`below`).
    A side is asked for more only when a piece is, so that it may change meanwhile.
    """
    entries = iter(seen)
    after: bytes | None = None
    ahead: list[SeenFile] = []
    ended = False
    while True:
        if not ahead and not ended:
            ahead = list(itertools.islice(entries, most))
            ended = len(ahead) < most
        through = None if ended else ahead[-1].path
        some = known(after, through, most)
        # Where there may be more of them, those seen beyond the last wait for the next piece.
        end = some[-1].path if len(some) == most else through
        here = len(ahead) if end is None else bisect.bisect_right(ahead, end, key=lambda item: item.path)
        part, ahead = ahead[:here], ahead[here:]
        yield reconcile(some, part)
        if end is None:
            return
        after = end


def below(path: bytes, folders: frozenset[bytes]) -> bool:
    """Whether `path` is one of `folders` or lies in one; b"" is the root, which everything lies in."""
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
