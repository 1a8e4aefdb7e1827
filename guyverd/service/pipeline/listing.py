"""What the catalogue alone can answer: who there is, and what was found where.

Kept apart from the rest of the `Library`, and with few imports: a command that only lists loads no numpy, no index, no
decoder and no pool of workers, which together take longer than the list.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from guyverd.catalogue.store import Catalogue
from guyverd.errors import AmbiguousPerson, UnknownPerson
from guyverd.model import Person, PersonId, PhotoKind
from guyverd.people.moments import as_one
from guyverd.published import of_album
from guyverd.service.api import Row
from guyverd.service.journal import last_lines
from guyverd.service.pipeline.following.saving import sacred, saved_searches
from guyverd.service.pipeline.searching.company import together
from guyverd.service.pipeline.searching.wishes import everyone, whom, wishes
from guyverd.service.pipeline.words.albums import people_in, photos_in
from guyverd.service.pipeline.words.deciding import standing
from guyverd.service.pipeline.words.pointing import face_at
from guyverd.service.pipeline.words.telling import story

if TYPE_CHECKING:
    from guyverd.catalogue.rows import PictureRow
    from guyverd.errors import DeliveryStopped
    from guyverd.followed import FollowId
    from guyverd.published import Home


class Listing:
    """Answers from a catalogue; every method may be called from any thread."""

    def __init__(self, catalogue: Catalogue, people_folder: Path) -> None:
        self._catalogue = catalogue
        self._people_folder = os.fsencode(people_folder)

    def people(self, hidden: bool = False) -> Iterator[Row]:
        """See `Library.people`."""
        # Side by side: SQLite lets go of the interpreter while it counts.
        with ThreadPoolExecutor(1, thread_name_prefix="folders") as beside:
            folders = beside.submit(self._folders)
            everyone = self._catalogue.people.all(hidden=hidden)
            where = folders.result()
        return (person_row(person, where) for person in everyone)

    def person(self, person: str) -> Row:
        """See `Library.person`."""
        found = self._resolved(person)
        pictures = [_picture(row) for row in self._catalogue.photos.pictures_of(found.id)]
        return {**person_row(found, self._folders()), "pictures": pictures}

    def albums(self) -> Iterator[Row]:
        """See `Library.albums`."""
        said, names, homes = standing(self._catalogue), self._catalogue.people.names(), self._catalogue.links.homes()
        for album, saved in sorted(said.albums.items(), key=lambda item: (item[1].title.casefold(), item[0])):
            yield {
                "id": album,
                "title": saved.title,
                "people": [{"id": one, "name": names.get(one)} for one in people_in(saved, said)],
                "since": saved.since,
                "until": saved.until,
                "photos": len(photos_in(self._catalogue, saved, said)),
                "left_out": len(saved.without),
                "folder": self._folder_at(homes.get(of_album(album))),
            }

    def follows(self) -> Iterator[Row]:
        """See `Library.follows`."""
        forbidden = sacred(self._catalogue, self._people_folder)
        return iter(saved_searches(self._catalogue, forbidden, self._troubles()))

    def _troubles(self) -> Mapping[FollowId, DeliveryStopped]:
        """What deliveries met, where any are made."""
        return {}

    def faces(self, person: str | None = None) -> Iterator[Row]:
        """See `Library.faces`."""
        whose = None if person is None else self._resolved(person).id
        return self._faces(whose)

    def _faces(self, person: PersonId | None) -> Iterator[Row]:
        rows = self._catalogue.photos.faces(person)
        while some := list(itertools.islice(rows, 500)):
            paths = self._catalogue.files.paths_of(sorted({row.photo for row in some}))
            for row in some:
                yield {
                    "face": row.id,
                    "person": row.person,
                    "photo": row.photo,
                    "files": [os.fsdecode(path) for path in paths[row.photo]],
                    "box": list(row.box),
                    "confidence": round(row.confidence, 4),
                    "quality": round(row.quality, 4),
                    "taken_at": row.taken_at,
                    "manual": row.manual,
                    "start": row.starts,
                    "end": row.ends,
                    "at": row.frame,
                }

    def together(
        self,
        people: Sequence[str],
        *,
        since: str | None = None,
        until: str | None = None,
        within: str | None = None,
        without: Sequence[str] = (),
        kind: str | None = None,
    ) -> Iterator[Row]:
        """See `Library.together`."""
        wanted = wishes(self._catalogue, since=since, until=until, within=within, without=without, kind=kind)
        return together(self._catalogue, everyone(self._catalogue, people), wanted)

    def timeline(self, person: str) -> Iterator[Row]:
        """See `Library.timeline`."""
        months = self._catalogue.searching.months(whom(self._catalogue, person))
        return ({"month": month.month, "photos": month.photos, "videos": month.videos} for month in months)

    def log(self, person: str | None = None, face: str | None = None) -> Iterator[Row]:
        """See `Library.log`."""
        whom = None if person is None else self._resolved(person).id
        which = None if face is None else face_at(self._catalogue, face, whom)
        return story(self._catalogue, whom, which)

    def failures(self) -> Iterator[Row]:
        """See `Library.failures`."""
        for row in self._catalogue.photos.failures():
            yield {
                "file": os.fsdecode(row.file),
                "reason": row.reason,
                "state": row.state,
                "attempts": row.attempts,
                "at": row.at,
            }

    def journal(self) -> Iterator[Row]:
        """See `Library.journal`."""
        return iter(last_lines(Path(os.fsdecode(os.path.dirname(self._catalogue.path)))))

    def _folders(self) -> dict[PersonId, str]:
        """Where each person's links stand, as text."""
        folders = self._catalogue.links.folders()
        return {person: os.fsdecode(os.path.join(self._people_folder, folder)) for person, folder in folders.items()}

    def _folder_at(self, home: Home | None) -> str | None:
        return None if home is None else os.fsdecode(os.path.join(self._people_folder, home.path))

    def _resolved(self, text: str) -> Person:
        people = self._catalogue.people
        ids = people.named(text)
        if len(ids) > 1:
            raise AmbiguousPerson(person=text, ids=", ".join(str(one) for one in ids))
        if ids:
            return people.get(ids[0])
        number = text.rsplit("/", 1)[-1]
        if number.isascii() and number.isdigit() and len(number) < 19:
            return people.get(PersonId(int(number)))
        raise UnknownPerson(person=repr(text))


def person_row(person: Person, folders: dict[PersonId, str]) -> Row:
    """A person as `Library.people` gives them; `folders` tells where everyone's links stand."""
    return {
        "id": person.id,
        "name": person.name,
        "faces": person.faces,
        "photos": person.photos,
        "folder": folders.get(person.id),
        "hidden": person.hidden,
    }


def _picture(row: PictureRow) -> Row:
    return {
        "photo": row.photo,
        "files": [os.fsdecode(path) for path in row.files],
        "taken_at": row.taken_at,
        "width": row.width,
        "height": row.height,
        "kind": row.kind.value,
        "duration": row.duration,
        "moments": None if row.kind is PhotoKind.PHOTO else [list(moment) for moment in as_one(row.seen)],
    }
