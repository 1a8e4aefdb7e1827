"""What somebody wants a search to be limited to, from their words to what the catalogue compares."""

from __future__ import annotations

import os
from collections.abc import Sequence

from guyverd.catalogue.searching import Filter
from guyverd.catalogue.store import Catalogue
from guyverd.errors import AmbiguousPerson, BadRequest, FolderElsewhere, UnknownPerson
from guyverd.model import PersonId, PhotoKind, RootId
from guyverd.service.pipeline.words import days
from guyverd.service.pipeline.words.company import named


def wishes(
    catalogue: Catalogue,
    *,
    since: str | None = None,
    until: str | None = None,
    within: str | None = None,
    company: Sequence[str] = (),
    without: Sequence[str] = (),
    kind: str | None = None,
) -> Filter:
    """The filter that `Library.search` describes.

    Raises NoDay, DaysContradict, FolderElsewhere, UnknownPerson, AmbiguousPerson, WhichPeople, and BadRequest for a
    kind that there is none of.
    """
    days.checked(since, until)
    if kind is not None and kind not in {one.value for one in PhotoKind}:
        raise BadRequest(detail=f"{kind!r} is no kind: it is photo or video")
    return Filter(
        since,
        until,
        None if within is None else places(catalogue, within),
        everyone(catalogue, company),
        everyone(catalogue, without),
        None if kind is None else PhotoKind(kind),
    )


def whom(catalogue: Catalogue, text: str) -> PersonId:
    """The person of that name or number. Nothing is counted, so it takes no longer in a large library.

    Raises UnknownPerson, AmbiguousPerson.
    """
    ids = catalogue.people.named(text)
    if len(ids) > 1:
        raise AmbiguousPerson(person=text, ids=", ".join(str(one) for one in ids))
    if ids:
        return ids[0]
    number = text.rsplit("/", 1)[-1]
    found = None
    if number.isascii() and number.isdigit() and len(number) < 19:
        found = catalogue.people.survivor(int(number))
    if found is None:
        raise UnknownPerson(person=repr(text))
    return found


def everyone(catalogue: Catalogue, texts: Sequence[str]) -> tuple[PersonId, ...]:
    """Everybody who is named, each once; one text may name several, as in "Alice & Bob"."""

    def known(text: str) -> bool:
        try:
            whom(catalogue, text)
        except AmbiguousPerson:
            return True
        except UnknownPerson:
            return False
        return True

    return tuple(dict.fromkeys(whom(catalogue, one) for text in texts for one in named(text, known)))


def places(catalogue: Catalogue, folder: str) -> tuple[tuple[RootId, bytes], ...]:
    """Where a folder of the library lies in its roots, also one that holds whole roots. Raises FolderElsewhere."""
    given = os.fsencode(os.path.normpath(folder))
    roots = [(root.id, root.path) for root in catalogue.files.roots()]
    roots += [(root, path) for path, root in catalogue.files.own().items()]
    found: list[tuple[RootId, bytes]] = []
    for root, path in roots:
        bases = {path.rstrip(b"/"), os.path.realpath(path).rstrip(b"/")}
        wanted = {given.rstrip(b"/"), os.path.realpath(given).rstrip(b"/")}
        for base in bases:
            for one in wanted:
                if (base + b"/").startswith(one + b"/"):
                    found.append((root, b""))
                elif one.startswith(base + b"/"):
                    found.append((root, one[len(base) + 1 :]))
    if not found:
        raise FolderElsewhere(path=folder)
    return tuple(dict.fromkeys(found))
