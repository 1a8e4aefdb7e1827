"""Who is seen together: photos, and moments of videos, that show several people at once."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from guyverd.catalogue.searching import Filter, Together
from guyverd.catalogue.store import Catalogue
from guyverd.errors import CannotDecide
from guyverd.model import PersonId
from guyverd.service.api import Row

_NEARLY = 1.0
"""Seconds that may lie between two moments that are told as one."""
_AT_ONCE = 500


def together(catalogue: Catalogue, people: Sequence[PersonId], wanted: Filter) -> Iterator[Row]:
    """The rows of `Library.together`. Raises CannotDecide where nobody is named."""
    if not people:
        raise CannotDecide(detail="nobody was named", hint="`guyverd people` lists everyone.")
    return _rows(catalogue, people, wanted)


def _rows(catalogue: Catalogue, people: Sequence[PersonId], wanted: Filter) -> Iterator[Row]:
    names = catalogue.searching.names(people)
    found = as_moments(catalogue.searching.together(people, wanted))
    while some := list(itertools.islice(found, _AT_ONCE)):
        paths = catalogue.files.paths_of(sorted({one.photo for one in some}))
        for one in some:
            files = [os.fsdecode(path) for path in paths[one.photo]]
            yield {
                "file": files[0] if files else None,
                "files": files,
                "photo": one.photo,
                "kind": one.kind.value,
                "taken_at": one.taken_at,
                "start": one.start,
                "end": one.end,
                "people": [
                    {"id": person, "name": names.get(person), "face": face}
                    for person, face in zip(people, one.faces, strict=True)
                ],
            }


def as_moments(found: Iterable[Together]) -> Iterator[Together]:
    """The same, those of one video that touch or nearly touch as one; by photo, and by time within it."""
    last: Together | None = None
    for one in found:
        if last is not None and one.photo == last.photo and _touch(last, one):
            assert last.end is not None
            assert one.end is not None
            last = replace(last, end=max(last.end, one.end))
            continue
        if last is not None:
            yield last
        last = one
    if last is not None:
        yield last


def _touch(before: Together, one: Together) -> bool:
    return before.end is not None and one.start is not None and one.start - before.end <= _NEARLY
