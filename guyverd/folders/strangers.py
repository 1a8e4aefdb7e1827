"""What stands in the people folder and is not ours: dropped, copied, or brought back from the trash. Pure."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Iterator

from guyverd.folders.acts import Act, Dropped, Returned, Shared
from guyverd.folders.comparison import Comparison, Key, Seen, is_word, key_of, key_of_seen, last_of, text
from guyverd.folders.linking import FILES_OF_OURS
from guyverd.folders.spare import parents
from guyverd.published import LinkKind, OwnerId, PublishedLink, person_of


def strangers(compared: Comparison, moved: Collection[Key | None]) -> Iterator[Act]:
    """What the links and files say that nothing else explained.

    What was `moved` from somewhere is nobody's copy: it may be the one that is missing, and whose that was is not said.
    """
    ours: dict[Key | None, list[PublishedLink]] = defaultdict(list)
    for link in compared.here:
        if link.kind not in FILES_OF_OURS:
            ours[key_of(link)].append(link)
    files = any(link.kind is not LinkKind.SYMBOLIC and is_word(link) for link in compared.published.links)
    returned: dict[bytes, OwnerId] = {}
    for path, seen in sorted(compared.strange.items()):
        if compared.is_stray(path):
            continue  # it was there before this was anybody's folder
        owner = compared.owner_at(path)
        if owner is None:
            # Links were in the folder of somebody hidden; files of the user's own may always have been.
            if files or isinstance(seen, bytes):
                returned |= _hidden_above(compared, path)
        elif person_of(owner) is not None:
            key = key_of_seen(seen)
            same = ours.get(key, [])
            if not any(link.companion or link.owner == owner for link in same):
                yield _put(compared, path, seen, owner, [] if key in moved else same)
    for folder, owner in sorted(returned.items()):
        yield Returned((), f"brought back the folder {text(folder)}", owner, folder)


def _hidden_above(compared: Comparison, path: bytes) -> dict[bytes, OwnerId]:
    hidden = compared.published.hidden
    return {above: hidden[above] for above in parents(os.path.dirname(path)) if above in hidden}


def _put(compared: Comparison, path: bytes, seen: Seen, owner: OwnerId, same: list[PublishedLink]) -> Act:
    photo = same[0].photo if same else None
    if photo is None:
        return Dropped((), f"put {last_of(path)} into {compared.shown(owner)}", owner, path, seen)
    owners = tuple(sorted({link.owner for link in same if person_of(link.owner)}))
    where = " and ".join(compared.shown(one) for one in owners) or text(os.path.dirname(same[0].path))
    source = f"copied {last_of(path)} from {where} to {compared.shown(owner)}"
    return Shared((), source, owner, photo, owners, path)
