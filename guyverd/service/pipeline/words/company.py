"""Several people named in one text, as in "Alice & Bob"; a name may hold an "&" itself. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice

from guyverd.errors import UnknownPerson, WhichPeople

_MOST = 3
"""Readings that an error tells."""


def named(text: str, known: Callable[[str], bool]) -> tuple[str, ...]:
    """The names in `text`, one after another, each of which is `known`: by itself the name or number of somebody.

    Raises UnknownPerson for the first part that is nobody, WhichPeople where the text can be read in several ways, as
    when there are Tom, Jerry, and a pair who are called Tom & Jerry.
    """
    parts = text.split("&")
    is_known = cache(known)

    def name(start: int, end: int) -> str:
        return "&".join(parts[start:end]).strip()

    def ends(start: int) -> list[int]:
        """Where a name that begins there may end, the longest first."""
        return [end for end in range(len(parts), start, -1) if is_known(name(start, end))]

    # From which parts on all is known; only these are followed, so that no text takes long.
    well = {len(parts)}
    for start in reversed(range(len(parts))):
        if not well.isdisjoint(ends(start)):
            well.add(start)

    def readings(start: int) -> Iterator[tuple[str, ...]]:
        if start == len(parts):
            yield ()
        for end in ends(start):
            if end in well:
                yield from ((name(start, end), *rest) for rest in readings(end))

    found = list(islice(readings(0), _MOST))
    if len(found) > 1:
        raise WhichPeople(people=repr(text), ways="; ".join(" and ".join(map(repr, way)) for way in found))
    if not found:
        raise UnknownPerson(person=repr(_nobody(parts, ends)))
    return found[0]


def _nobody(parts: list[str], ends: Callable[[int], list[int]]) -> str:
    """The part at which no reading goes on."""
    reached = {0}
    for start in range(len(parts)):
        if start in reached:
            reached.update(ends(start))
    return parts[max(reached - {len(parts)})].strip()
