"""The folders that people and saved albums should have, with the photos in each; and whose may have changed."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guyverd.catalogue.database import Database, Row
from guyverd.catalogue.files import slices
from guyverd.catalogue.rows import within
from guyverd.model import Box, FaceId, PersonId, PhotoId, RootId
from guyverd.published import OwnerId, Shelf, ShelfPhoto

if TYPE_CHECKING:
    from sqlite_utils import Database as Utils

_FILE = (
    "(SELECT held.id FROM files AS held JOIN roots AS at ON at.id = held.root_id WHERE held.photo_id = {photo}"
    " AND held.missing_since IS NULL AND at.configured ORDER BY at.own, held.id LIMIT 1)"
)
"""The file that stands for a photo: the one known longest, rather in a photo folder than in the people folder."""

_SHOWN = (
    "SELECT person_id, name, shown.photo_id, taken_at, roots.path AS root_path, files.path FROM ("
    " SELECT DISTINCT faces.person_id, people.name, faces.photo_id, photos.taken_at,"
    f"  {_FILE.format(photo='faces.photo_id')} AS file_id"
    " FROM faces JOIN people ON people.id = faces.person_id JOIN photos ON photos.id = faces.photo_id"
    "  WHERE NOT people.hidden{whose}) AS shown"
    " JOIN files ON files.id = file_id JOIN roots ON roots.id = root_id ORDER BY person_id, shown.photo_id"
)

_HANDLED = (
    "SELECT was FROM moves JOIN decisions ON decisions.id = decision_id WHERE author = 'user' AND was IS NOT NULL"
    " AND kind IN ('confirm', 'reject', 'split', 'different', 'same') UNION"
    " SELECT now FROM moves JOIN decisions ON decisions.id = decision_id WHERE author = 'user' AND now IS NOT NULL"
    " AND kind IN ('confirm', 'reject', 'split', 'different', 'same')"
)
"""Whose folder must not vanish under the hands of somebody who takes photos out of it, or has put one in."""

_AT_ONCE = (
    "(NOT EXISTS (SELECT 1 FROM faces WHERE faces.photo_id = shown.photo_id AND starts IS NOT NULL) OR EXISTS"
    " (SELECT 1 FROM faces AS one WHERE one.photo_id = shown.photo_id AND one.person_id IN ({among})"
    " AND (SELECT count(DISTINCT other.person_id) FROM faces AS other WHERE other.photo_id = one.photo_id"
    " AND other.person_id IN ({among}) AND other.starts <= one.starts AND other.ends > one.starts) = ?1))"
)
"""Whether what is shown is a photo, or a video in which somebody comes when all the others are there."""

_MOST = 200
"""People asked for in one statement; where there are more, all are gone through."""


@dataclass(frozen=True, slots=True)
class BestFace:
    """By which somebody is shown."""

    person: PersonId
    face: FaceId
    box: Box
    """In pixels of the upright photo."""
    file: bytes
    """Absolute path of one file that holds the photo."""
    at: float | None = None
    """Seconds: the frame of a video in which the box is; None in a photo."""


class Shelves:
    """Reads what each folder should show."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def of_people(self, min_photos: int, people: Collection[PersonId] | None = None) -> list[Shelf]:
        """Everyone, or everyone of those, who should have a folder.

        A person with a name, or of whose faces the user moved one, has a folder from the first photo on, any other
        from `min_photos`, and a hidden one none.
        """
        whose = ""
        if people is not None and len(people) <= _MOST:
            whose = f" AND faces.person_id IN ({','.join(str(int(person)) for person in people)})"
        names: dict[PersonId, str | None] = {}
        photos: dict[PersonId, list[ShelfPhoto]] = {}
        for row in self._db.stream(_SHOWN.format(whose=whose)):
            person = PersonId(row["person_id"])
            if people is None or person in people:
                names[person] = row["name"]
                photos.setdefault(person, []).append(_photo(row))
        handled = {row[0] for row in self._db.rows(_HANDLED)}
        return [
            Shelf(OwnerId(person), names[person], tuple(found))
            for person, found in photos.items()
            if names[person] is not None or person in handled or len(found) >= min_photos
        ]

    def of_photos(self, wanted: Mapping[PersonId, Collection[PhotoId]]) -> list[Shelf]:
        """Of these people, who have a folder, only what those photos put there."""
        found = []
        for person, photos in wanted.items():
            whose = (
                f" AND faces.person_id = {person:d} AND faces.photo_id IN ({','.join(str(int(one)) for one in photos)})"
            )
            rows = self._db.rows(_SHOWN.format(whose=whose))
            name = self._db.row("SELECT name FROM people WHERE id = ?", (person,))
            found.append(Shelf(OwnerId(person), None if name is None else name[0], tuple(_photo(row) for row in rows)))
        return found

    def together(self, people: Collection[PersonId], since: str | None, until: str | None) -> list[ShelfPhoto]:
        """The photos that show all of these people, taken between two days, by photo; and the videos, at one moment.

        Days are ISO 8601, whole or only a year or month; with either, photos without a date are left out.
        """
        among = ",".join(str(int(person)) for person in people)
        rows = self._db.rows(
            "SELECT shown.photo_id, taken_at, roots.path AS root_path, files.path FROM ("
            f" SELECT faces.photo_id, photos.taken_at, {_FILE.format(photo='faces.photo_id')} AS file_id"
            f" FROM faces JOIN photos ON photos.id = faces.photo_id WHERE person_id IN ({among})"
            " GROUP BY faces.photo_id HAVING count(DISTINCT person_id) = ?1) AS shown"
            " JOIN files ON files.id = file_id JOIN roots ON roots.id = root_id"
            " WHERE (?2 IS NULL OR taken_at >= ?2) AND (?3 IS NULL OR substr(taken_at, 1, length(?3)) <= ?3)"
            f" AND {_AT_ONCE.format(among=among)} ORDER BY shown.photo_id",
            (len(set(people)), since, until),
        )
        return [_photo(row) for row in rows]

    def best_faces(self, people: Collection[PersonId] | None = None) -> list[BestFace]:
        """The face of the highest quality of everyone, or of everyone of those, in a photo that is there, by person.

        Who is in videos alone is shown by the best frame of one.
        """
        whose = "person_id IS NOT NULL"
        if people is not None and len(people) <= _MOST:
            whose = f"person_id IN ({','.join(str(int(person)) for person in people)})"
        rows = self._db.rows(
            'SELECT person_id, best.id, "left", top, "right", bottom, roots.path AS root_path, files.path,'
            " json_extract(frames, '$[0][0]') AS frame FROM (SELECT *, row_number() OVER"
            " (PARTITION BY person_id ORDER BY starts IS NOT NULL, quality DESC, id) AS place FROM ("
            f"  SELECT *, {_FILE.format(photo='faces.photo_id')} AS file_id FROM faces WHERE {whose})"
            "  WHERE file_id IS NOT NULL) AS best"
            " JOIN files ON files.id = file_id JOIN roots ON roots.id = root_id WHERE place = 1 ORDER BY person_id"
        )
        return [
            BestFace(
                PersonId(row["person_id"]),
                FaceId(row["id"]),
                Box(row["left"], row["top"], row["right"], row["bottom"]),
                within(row["root_path"], row["path"]),
                row["frame"],
            )
            for row in rows
            if people is None or row["person_id"] in people
        ]

    def own(self) -> list[tuple[bytes, PhotoId]]:
        """Photos that people put, or link to, in the people folder themselves: where, and which."""
        rows = self._db.rows(
            "SELECT enrolments.path, photo_id FROM enrolments JOIN files ON files.id = file_id"
            " WHERE missing_since IS NULL AND photo_id IS NOT NULL"
        )
        return [(row["path"], PhotoId(row["photo_id"])) for row in rows]

    def take_stale(self) -> dict[OwnerId, frozenset[PhotoId] | None]:
        """The people whose folder may have to change since this was last asked: by which photos; None is by any."""

        def job(db: Utils) -> list[Row]:
            rows: list[Row] = db.execute("SELECT person_id, photo_id FROM stale").fetchall()
            if rows:
                db.execute("DELETE FROM stale")
            return rows

        found: dict[OwnerId, set[PhotoId]] = {}
        for row in self._db.write(job):
            found.setdefault(OwnerId(row["person_id"]), set()).add(PhotoId(row["photo_id"]))
        return {owner: None if 0 in photos else frozenset(photos) for owner, photos in found.items()}

    def note_beside(self, root: RootId, stem: bytes) -> bool:
        """Have everybody looked at who is in a photo with that name but for its extension. Tells whether there is one.

        `stem` is the path relative to its root, without the extension.
        """

        def job(db: Utils) -> bool:
            rows = db.execute(
                "SELECT DISTINCT person_id, faces.photo_id FROM faces JOIN files ON files.photo_id = faces.photo_id"
                " WHERE root_id = ? AND path > ? AND path < ? AND person_id IS NOT NULL",
                # '/' is the byte after '.', so the range holds exactly what begins with the stem and a dot.
                (root, stem + b".", stem + b"/"),
            ).fetchall()
            db.conn.executemany("INSERT OR IGNORE INTO stale VALUES (?, ?)", (tuple(row) for row in rows))
            return bool(rows)

        return self._db.write(job)

    def any_video(self) -> bool:
        """Whether there is one."""
        return self._db.row("SELECT 1 FROM photos WHERE kind = 'video' LIMIT 1") is not None

    def live(self, photos: Collection[PhotoId]) -> dict[PhotoId, set[PhotoId]]:
        """For photos the videos of their name but for its extension, for videos such photos; if there are any."""
        found: dict[PhotoId, set[PhotoId]] = defaultdict(set)
        for some in slices(sorted(photos)):
            files = self._db.rows(
                "SELECT photo_id, kind, root_id, path FROM files JOIN photos ON photos.id = photo_id"
                f" WHERE missing_since IS NULL AND photo_id IN ({','.join('?' * len(some))})",
                tuple(some),
            )
            for file in files:
                stem = os.path.splitext(file["path"])[0]
                beside = self._db.rows(
                    "SELECT photo_id, path FROM files JOIN photos ON photos.id = photo_id WHERE root_id = ?"
                    # '/' is the byte after '.'
                    " AND path > ? AND path < ? AND missing_since IS NULL AND kind <> ?",
                    (file["root_id"], stem + b".", stem + b"/", file["kind"]),
                )
                same = {PhotoId(row["photo_id"]) for row in beside if os.path.splitext(row["path"])[0] == stem}
                if same:
                    found[PhotoId(file["photo_id"])] |= same
        return found

    def note_stale(self, owners: Iterable[OwnerId]) -> None:
        """Have these looked at again: what was to be done with their folders was not."""
        self._db.write(
            lambda db: db.conn.executemany("INSERT OR IGNORE INTO stale VALUES (?, 0)", ((owner,) for owner in owners))
        )


def _photo(row: Row) -> ShelfPhoto:
    return ShelfPhoto(PhotoId(row["photo_id"]), within(row["root_path"], row["path"]), row["taken_at"])
