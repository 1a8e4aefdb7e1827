"""Searches saved, listed and ended."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from guyverd.catalogue.following import Asked, Place
from guyverd.catalogue.store import Catalogue
from guyverd.errors import BadRequest, CannotDecide, DeliveryStopped, FaceChoice, NoFaceFound, WhomToFollow
from guyverd.folders import delivering
from guyverd.followed import Follow, FollowId, Form, Tally
from guyverd.service.api import Row

if TYPE_CHECKING:
    from guyverd.service.pipeline.asked import Asked as Pictures
    from guyverd.service.pipeline.coordinator import Coordinator


class Saving:
    """To be used from any thread."""

    def __init__(self, coordinator: Coordinator, pictures: Pictures) -> None:
        self._at_work = coordinator
        self._catalogue = coordinator.catalogue
        self._pictures = pictures

    def follow(
        self,
        query: str,
        name: str,
        folder: str,
        *,
        face: int | None,
        at: float | None,
        person: bool,
        copy: bool,
        clips: bool,
        past: bool,
        opened: int | None,
    ) -> Row:
        """See `Library.follow`."""
        work = self._at_work
        called = " ".join(name.split())
        if not called:
            raise CannotDecide(detail="a saved search needs a name", hint="Give it one with --as.")
        if not os.path.isabs(folder):
            raise BadRequest(detail=f"{folder!r} is no absolute path")
        where = os.fsencode(os.path.normpath(folder))
        form = Form.COPY if copy else Form.LINK
        # Before anything is made there.
        delivering.check_outside(where, work.following.sacred())
        asked = self._person(query) if person else self._face(query, face, at, opened)
        delivering.prepare(where, form)
        place = Place(where, delivering.mounted(where), form, clips)
        saved = self._catalogue.follows.add(called, asked, place, past=past)
        work.following.notice()
        if not work.following.started:
            work.call(work.following.run)
        return self.row(saved.id)

    def end(self, text: str) -> Row:
        """See `Library.unfollow`."""
        follow = self._catalogue.follows.named(text)
        row = self.row(follow.id)
        unfinished = self._catalogue.follows.open(follow.id, 1000)
        self._catalogue.follows.end(follow.id)
        with suppress(OSError):
            here = os.open(follow.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                for delivery in unfinished:
                    delivering.clear(here, delivery)
            finally:
                os.close(here)
        self._at_work.following.notice()
        return row

    def row(self, follow: FollowId) -> Row:
        """One saved search, as `Library.follows` tells it."""
        following = self._at_work.following
        saved = self._catalogue.follows.get(follow)
        return saved_searches(self._catalogue, following.sacred(), following.troubles, [saved])[0]

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _person(self, text: str) -> Asked:
        from guyverd.service.pipeline.searching.wishes import whom  # noqa: PLC0415  numpy: lists do without

        return Asked(text, whom(self._catalogue, text))

    def _face(self, path: str, face: int | None, at: float | None, opened: int | None) -> Asked:
        """Raises what reading the picture does, NoFaceFound, FaceChoice, WhomToFollow."""
        from guyverd.catalogue.renewal import network  # noqa: PLC0415  as above
        from guyverd.service.pipeline.searching.asking import picture  # noqa: PLC0415

        engines: list[str] = []

        def read():  # type: ignore[no-untyped-def]
            found = self._pictures.read(path, opened, at=at)
            reading = found.reading
            self._at_work.renewing.check_comparable(found.engine)
            engines.append(network(found.engine))
            return reading

        seen = picture(self._catalogue, path, opened, at, read)
        count = len(seen.faces)
        if not count:
            raise NoFaceFound(path=path, smallest=f"{100 * self._at_work.config.faces.smallest:g} %")
        if face is not None and not 1 <= face <= count:
            raise FaceChoice(path=path, count=count, face=face)
        if face is None and count > 1:
            raise WhomToFollow(path=path, count=count)
        # What was not read is in the library already, and made by its network.
        networks = engines or sorted(self._catalogue.renewal.networks())
        shows = path if at is None else f"{path}@{at:g}"
        return Asked(shows, None, seen.vectors[(face or 1) - 1], networks[0] if networks else None)


def sacred(catalogue: Catalogue, people_folder: bytes) -> list[bytes]:
    """The folders into which nothing is ever put, as the catalogue knows them."""
    return [*(root.path for root in catalogue.files.roots()), people_folder, os.path.dirname(catalogue.path)]


def saved_searches(
    catalogue: Catalogue,
    forbidden: Sequence[bytes],
    troubles: Mapping[FollowId, DeliveryStopped],
    follows: Sequence[Follow] | None = None,
) -> list[Row]:
    """Saved searches as `Library.follows` tells them, by number; `troubles` are those that a delivery met."""
    tallies = catalogue.follows.tallies()
    follows = catalogue.follows.all() if follows is None else follows
    shown = {}
    for follow in follows:
        whom = follow.person if follow.person is not None else follow.through
        shown[follow.id] = None if whom is None else catalogue.people.survivor(whom)
    names = catalogue.searching.names([one for one in shown.values() if one is not None])
    found = []
    for follow in follows:
        known = shown[follow.id]
        tally = tallies.get(follow.id, Tally(0, 0))
        problem = troubles.get(follow.id) or trouble(follow, forbidden)
        found.append(
            {
                "id": follow.id,
                "name": follow.name,
                "shows": follow.shows,
                "person": None if known is None else {"id": known, "name": names.get(known)},
                "folder": os.fsdecode(follow.folder),
                "form": follow.form.value,
                "clips": follow.clips,
                "since": follow.at,
                "delivered": tally.delivered,
                "waiting": tally.waiting,
                "problem": None if problem is None else problem.message,
            }
        )
    return found


def trouble(follow: Follow, forbidden: Sequence[bytes]) -> DeliveryStopped | None:
    """Why nothing can be put into its folder now, as far as that is seen without trying."""
    try:
        with delivering.opened(follow.folder, is_mount=follow.mounted, sacred=forbidden):
            delivering.check_writable(follow.folder)
    except DeliveryStopped as problem:
        return problem
    return None
