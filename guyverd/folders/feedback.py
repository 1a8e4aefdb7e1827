"""What the user meant: the difference between what was published and what now stands in the people folder. Pure.

A folder that was renamed, merged or deleted is told by what became of the links that were in it. Where the evidence
does not say which of several things was meant, nothing is concluded and publishing restores what was there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from guyverd.folders.acts import Act, Hidden, Merged, Moved
from guyverd.folders.comparison import Comparison, Published
from guyverd.folders.following import Folders
from guyverd.folders.snapshot import Snapshot
from guyverd.folders.sorting import Links
from guyverd.folders.strangers import strangers

__all__ = ["Published", "Reading", "read_back"]

FEW_LINKS = 20
"""So many may always be missing at once."""
FEW_FOLDERS = 5
"""And so many folders may always change at once."""
FEW_DELETED = 3
"""And so many of them be deleted, whatever was in them, if more than as many are left."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was understood."""

    acts: tuple[Act, ...]
    """In an order in which they can be carried out."""
    strange: tuple[bytes, ...] = ()
    """Links and files that are not ours, or are not where we made them; those of the acts among them."""
    excess: str = ""
    """Why this is more than anybody means to say at once; empty where it is not."""


def read_back(published: Published, actual: Snapshot, *, limit: float) -> Reading:
    """What was done since the last publishing.

    `limit` is the share of links, or of folders, beyond which a change is not taken for anybody's word.
    """
    compared = Comparison(published, actual)
    strange = tuple(sorted(compared.strange))
    folders = Folders(compared)
    acts = list(folders.acts())
    links = Links(compared, folders)
    acts += links.acts()
    acts += strangers(compared, links.moved)
    return Reading(tuple(acts), strange, _excess(published, links, acts, limit))


def _excess(published: Published, links: Links, acts: Sequence[Act], limit: float) -> str:
    total = published.total
    if links.all_gone and len(published.links) >= total:
        return f"all {total} links are missing" if total > 1 else "the only link is missing"
    # A folder is deleted or emptied by one move of the hand, however many links were in it, and a few at once as well.
    deleted = {act.owner for act in acts if isinstance(act, Hidden)}
    away = links.away
    if len(deleted) <= FEW_DELETED and 2 * len(deleted) < len(published.homes):
        away = Counter({owner: count for owner, count in away.items() if owner not in deleted})
    if len(away) > 1 and away.total() > max(FEW_LINKS, limit * total):
        return f"{away.total()} of {total} links are missing or in other folders"
    folders = sum(isinstance(act, Hidden | Merged) or (isinstance(act, Moved) and act.name is not None) for act in acts)
    if folders > max(FEW_FOLDERS, limit * len(published.homes)):
        return f"{folders} of {len(published.homes)} folders are missing or called otherwise"
    return ""
