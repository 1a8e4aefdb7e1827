"""Whether what stands at a root's path holds what is known from there."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence

from guyverd.catalogue.rows import RootRow
from guyverd.catalogue.store import Catalogue
from guyverd.media.kinds import is_media
from guyverd.model import Stamp
from guyverd.watch.mounts import Sight, is_familiar
from guyverd.watch.scanner import Rules, Scan

_LOOKED_FOR = 200
"""Files that are looked for under their names, and as many that are looked at for whether they are known."""
_WALKED = 20_000
"""Files that are gone through at most; these take a fraction of a second."""


def recognise(catalogue: Catalogue, root: RootRow, rules: Rules) -> Sight:
    """Look for some of the files known in a root, first under their names, then by their sizes and times anywhere."""
    known = catalogue.places.sample(root.id, _LOOKED_FOR)
    if not known:
        return Sight(known=False, populated=True, familiar=False)
    kept = sum(_size(os.path.join(root.path, path)) == size for path, size in known)
    if is_familiar(kept, len(known)):
        return Sight(known=True, populated=True, familiar=True)
    seen = [file.stamp for file in itertools.islice(Scan(root.path, b"", rules, is_media), _WALKED)]
    some = _spread(seen, _LOOKED_FOR)
    recognised = catalogue.places.recognised(root.id, [(stamp.size, stamp.mtime_ns) for stamp in some])
    there = recognised * len(seen) // len(some) if some else 0
    of = min(catalogue.places.count(root.id), _WALKED)
    return Sight(known=True, populated=bool(seen), familiar=is_familiar(there, of))


def _spread(items: Sequence[Stamp], most: int) -> Sequence[Stamp]:
    return items[:: max(1, -(-len(items) // most))]


def _size(path: bytes) -> int | None:
    try:
        return os.lstat(path).st_size
    except OSError:
        return None
