"""Saved albums: the photos that show some people together, as folders of their own.

What is said of them is a decision like any other. To be used on the coordinator's thread, but for what only reads.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Unpack

from guyverd.catalogue.store import Catalogue
from guyverd.errors import CannotDecide, PersonError, UnknownAlbum
from guyverd.model import AlbumId, Author, Decision, DecisionId, DecisionKind, PersonId, PhotoId, SavedAlbum, Standing
from guyverd.people.decisions import undone
from guyverd.published import ShelfPhoto
from guyverd.service.pipeline.words import days
from guyverd.service.pipeline.words.deciding import Decided, How, record, standing


def people_in(saved: SavedAlbum, said: Standing) -> tuple[PersonId, ...]:
    """Who is to be seen in an album: who they are by now, each once."""
    return tuple(dict.fromkeys(said.survivor(person) for person in saved.people))


def photos_in(catalogue: Catalogue, saved: SavedAlbum, said: Standing) -> tuple[ShelfPhoto, ...]:
    """The photos that an album shows, also where somebody in it is hidden: the user asked for it."""
    photos = catalogue.shelves.together(people_in(saved, said), saved.since, saved.until)
    return tuple(photo for photo in photos if photo.photo not in saved.without)


def album_named(said: Standing, text: str) -> AlbumId:
    """The album of that title, upper and lower case alike, or of that number. Raises UnknownAlbum."""
    wanted = " ".join(text.split()).casefold()
    for album, saved in said.albums.items():
        if " ".join(saved.title.split()).casefold() == wanted:
            return album
    if text.isascii() and text.isdigit() and len(text) < 19 and int(text) in said.albums:
        return AlbumId(int(text))
    raise UnknownAlbum(album=repr(text))


def removed(log: Sequence[Decision], said: Standing) -> dict[AlbumId, tuple[SavedAlbum, DecisionId]]:
    """The albums that are no more: each as it was, and the decision that took it away."""
    gone = undone(log)
    found: dict[AlbumId, tuple[SavedAlbum, DecisionId]] = {}
    last: dict[AlbumId, SavedAlbum] = {}
    for one in log:
        album = AlbumId(one.id) if one.album is None else one.album
        if one.kind is not DecisionKind.ALBUM or one.id in gone or album in said.albums:
            continue
        if one.saved is not None:
            last[album] = one.saved
        elif album in last:
            found[album] = (last[album], one.id)
    return found


class Albums:
    """The user's words about albums, one method each. People and photos are given by number.

    Each takes what `How` lists, and returns which album it is about and what came of it. Each raises UnknownAlbum for
    one that is not there, and TitleTaken: two albums never have one title, whatever the case of its letters.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def save(
        self,
        people: Sequence[PersonId],
        title: str | None = None,
        since: str | None = None,
        until: str | None = None,
        **how: Unpack[How],
    ) -> tuple[AlbumId, Decided]:
        """The photos that show all of these people are an album, from that first to that last day.

        Its title is made of their names where none is given. Nothing is recorded where there is that album already.
        Raises UnknownPerson, and NoDay or DaysContradict for days that cannot be.
        """
        days.checked(since, until)
        if not people:
            raise CannotDecide(detail="an album shows at least one person", hint="`guyverd people` lists everyone.")
        said = standing(self._catalogue)
        whom = tuple(dict.fromkeys(self._catalogue.people.get(person).id for person in people))
        saved = SavedAlbum(self._titled(whom, since, until) if title is None else _title(title), whom, since, until)
        there = {one.title.casefold(): (album, one) for album, one in said.albums.items()}.get(saved.title.casefold())
        if there is not None and _alike(there[1], saved, said):
            return self._record(*there, how)
        return self._record(None, saved, how)

    def rename(self, album: AlbumId, title: str, **how: Unpack[How]) -> tuple[AlbumId, Decided]:
        """The album has that title from now on. Raises PersonError for what is none."""
        return self._record(album, replace(self._there(album), title=_title(title)), how)

    def remove(self, album: AlbumId, **how: Unpack[How]) -> tuple[AlbumId, Decided]:
        """There is no such album any more."""
        self._there(album)
        return self._record(album, None, how)

    def leave_out(self, album: AlbumId, photos: Iterable[PhotoId], **how: Unpack[How]) -> tuple[AlbumId, Decided]:
        """The album does not show these photos, whoever is in them."""
        saved = self._there(album)
        return self._record(album, replace(saved, without=saved.without | set(photos)), how)

    def take_back(self, album: AlbumId, photos: Collection[PhotoId], **how: Unpack[How]) -> tuple[AlbumId, Decided]:
        """The album shows these photos again, as far as they show its people."""
        saved = self._there(album)
        return self._record(album, replace(saved, without=saved.without - set(photos)), how)

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _there(self, album: AlbumId) -> SavedAlbum:
        saved = standing(self._catalogue).albums.get(album)
        if saved is None:
            raise UnknownAlbum(album=album)
        return saved

    def _titled(self, people: Sequence[PersonId], since: str | None, until: str | None) -> str:
        names = self._catalogue.people.names()
        title = " & ".join(names.get(person) or f"person {person}" for person in people)
        return title + "".join(f" {word} {day}" for word, day in (("since", since), ("until", until)) if day)

    def _record(self, album: AlbumId | None, saved: SavedAlbum | None, how: How) -> tuple[AlbumId, Decided]:
        draft = Decision(
            DecisionId(0),
            "",
            DecisionKind.ALBUM,
            Author.USER,
            None,
            None,
            None,
            (),
            source=how.get("source"),
            album=album,
            saved=saved,
        )
        done = record(self._catalogue, draft, first=how.get("first"), dry=how.get("dry", False))
        if album is None:
            assert done.decision is not None, "there is a new album"
            album = AlbumId(done.decision.id)
        return album, done


def _alike(one: SavedAlbum, other: SavedAlbum, said: Standing) -> bool:
    return (set(people_in(one, said)), one.since, one.until) == (set(people_in(other, said)), other.since, other.until)


def _title(text: str) -> str:
    """The text as it is: a folder that somebody renamed is called so to the letter."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise PersonError(detail=f"{text!a} holds bytes that are no text") from None
    if not any(char.isprintable() and not char.isspace() for char in text):
        raise PersonError(detail=f"{text!a} is no title: it needs at least one visible character")
    return text
