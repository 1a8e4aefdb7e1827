"""People: who there is, which faces are theirs, what was decided about them, and the folders they should have."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from guyverd.catalogue.database import Database, Row
from guyverd.catalogue.rows import within
from guyverd.catalogue.schema import present
from guyverd.errors import CannotMerge, PersonError, UnknownPerson
from guyverd.model import (
    Album,
    AlbumPhoto,
    Assignment,
    Author,
    Decision,
    DecisionId,
    DecisionKind,
    FaceId,
    Merge,
    Person,
    PersonId,
    PhotoId,
)

if TYPE_CHECKING:
    from sqlite_utils import Database as Utils

_PERSON = f"""
    SELECT people.id, people.name, count(faces.id) AS faces, count(DISTINCT faces.photo_id) AS photos
    FROM people LEFT JOIN faces ON faces.person_id = people.id
         AND {present("faces.photo_id")}
    WHERE people.merged_into IS NULL
"""

_EVERYONE = f"""
    WITH gone AS MATERIALIZED (
            SELECT photo_id FROM files WHERE missing_since IS NOT NULL
                AND photo_id IS NOT NULL AND NOT {present("files.photo_id")}
            UNION ALL SELECT photo_id FROM files WHERE root_id IN (SELECT id FROM roots WHERE NOT configured)
                AND photo_id IS NOT NULL AND NOT {present("files.photo_id")}
            UNION ALL SELECT id FROM photos
            WHERE (SELECT count(*) FROM photos) > (SELECT count(DISTINCT photo_id) FROM files)
                AND NOT {present("photos.id")}),
         shown AS MATERIALIZED (
            SELECT person_id, count(*) AS faces, count(DISTINCT photo_id) AS photos FROM faces
            WHERE person_id IS NOT NULL AND photo_id NOT IN (SELECT photo_id FROM gone) GROUP BY person_id)
    SELECT people.id, people.name, coalesce(faces, 0) AS faces, coalesce(photos, 0) AS photos
    FROM people LEFT JOIN shown ON person_id = people.id
    WHERE merged_into IS NULL AND (photos IS NOT NULL OR name IS NOT NULL) ORDER BY coalesce(photos, 0) DESC, people.id
"""
"""Photos that are gone are few, and an index knows them; looking up every photo that is there takes twice as long as
all the rest. Those that no path holds any more are looked for only where there are more photos than paths tell of."""


class People:
    """Queries and writes about people, decisions and links."""

    def __init__(self, database: Database) -> None:
        self._db = database

    # ---- who there is ------------------------------------------------------------------------------------------------

    def all(self) -> list[Person]:
        """Everyone with a photo that is there, and everyone with a name; most photos first."""
        rows = self._db.rows(_EVERYONE)
        return [_person(row) for row in rows]

    def get(self, person: PersonId) -> Person:
        """One person; somebody who was merged is who they were merged into. Raises UnknownPerson."""
        survivor = self.survivor(person)
        row = None
        if survivor is not None:
            row = self._db.row(f"{_PERSON} AND people.id = ? GROUP BY people.id", (survivor,))
        if row is None:
            raise UnknownPerson(person=person)
        return _person(row)

    def survivor(self, person: int) -> PersonId | None:
        """Who that number stands for today; None if it never was anybody's."""
        row = self._db.row(
            "WITH RECURSIVE chain (id, merged_into) AS (SELECT id, merged_into FROM people WHERE id = ?"
            " UNION SELECT people.id, people.merged_into FROM people JOIN chain ON people.id = chain.merged_into)"
            " SELECT id FROM chain WHERE merged_into IS NULL",
            (person,),
        )
        return None if row is None else PersonId(row["id"])

    def named(self, name: str) -> list[PersonId]:
        """Everyone of that name, upper and lower case alike."""
        rows = self._db.rows("SELECT id, name FROM people WHERE name IS NOT NULL AND merged_into IS NULL ORDER BY id")
        exact = [PersonId(row["id"]) for row in rows if row["name"] == name]
        return exact or [PersonId(row["id"]) for row in rows if row["name"].casefold() == name.casefold()]

    def names(self) -> dict[PersonId, str | None]:
        """Everyone's name, without counting anything."""
        rows = self._db.rows("SELECT id, name FROM people WHERE merged_into IS NULL")
        return {PersonId(row["id"]): row["name"] for row in rows}

    def photos_in_common(self, one: PersonId, other: PersonId) -> list[PhotoId]:
        """Photos in which both have a face."""
        rows = self._db.rows(
            "SELECT photo_id FROM faces WHERE person_id = ?"
            " INTERSECT SELECT photo_id FROM faces WHERE person_id = ? ORDER BY photo_id",
            (one, other),
        )
        return [PhotoId(row[0]) for row in rows]

    # ---- what grouping found -----------------------------------------------------------------------------------------

    def assign(
        self, assignments: Sequence[Assignment], merges: Sequence[Merge], through: int, at: str
    ) -> list[PersonId]:
        """Attach faces, found new people, merge, and mark read photos up to id `through` as grouped: all or nothing.

        Returns the people whose faces changed. Attaching refuses what would move a face that is attached or put two
        faces of one photo into one person, or attach to somebody who does not stand, whatever the caller computed; a
        group of which no face can be attached founds nobody.
        """

        def job(db: Utils) -> list[PersonId]:
            founded: dict[int, PersonId] = {}
            touched: set[PersonId] = set()
            for item in assignments:
                person = item.person
                if person is None:
                    assert item.group is not None
                    if item.group not in founded:
                        if not _waits(db, item.face):
                            continue
                        founded[item.group] = _found(db, at)
                    person = founded[item.group]
                done = db.execute(
                    "UPDATE faces SET person_id = ?1, score = ?2 WHERE id = ?3 AND person_id IS NULL AND NOT EXISTS"
                    " (SELECT 1 FROM faces AS other WHERE other.photo_id = faces.photo_id AND other.person_id = ?1)"
                    " AND EXISTS (SELECT 1 FROM people WHERE id = ?1 AND merged_into IS NULL)",
                    (person, item.score, item.face),
                )
                if done.rowcount:
                    touched.add(person)
            for merge in merges:
                _merge(db, merge.into, merge.absorbed, Author.GUYVERD, at)
                touched |= {merge.into, merge.absorbed}
            db.execute(
                "UPDATE photos SET grouped_at = ? WHERE grouped_at IS NULL AND state = 'done' AND id <= ?",
                (at, through),
            )
            return sorted(touched)

        return self._db.write(job)

    # ---- what the user says ------------------------------------------------------------------------------------------

    def name(self, person: PersonId, name: str, at: str) -> str | None:
        """Name a person; returns the name they had. Raises UnknownPerson, or PersonError for what is no text."""
        try:
            name.encode("utf-8")
        except UnicodeEncodeError:
            raise PersonError(detail=f"{name!a} holds bytes that are no text") from None

        def job(db: Utils) -> str | None:
            row = db.execute("SELECT name FROM people WHERE id = ? AND merged_into IS NULL", (person,)).fetchone()
            if row is None:
                raise UnknownPerson(person=person)
            previous: str | None = row["name"]
            if previous != name:
                db.execute("UPDATE people SET name = ? WHERE id = ?", (name, person))
                _decide(db, DecisionKind.NAME, Author.USER, person, at, name=name)
            return previous

        return self._db.write(job)

    def merge(self, into: PersonId, absorbed: PersonId, at: str) -> int:
        """Make `absorbed` part of `into` for good; `into` takes its name where it has none.

        Two faces of one photo are never one person: where both are in a photo, the absorbed one's face is left to
        nobody. Returns how many were.
        """
        return self._db.write(lambda db: _merge(db, into, absorbed, Author.USER, at))

    def decisions(self) -> list[Decision]:
        """The whole log, oldest first."""
        rows = self._db.rows(
            "SELECT id, at, kind, author, person_id, other_id, name, faces, undoes FROM decisions ORDER BY id"
        )
        return [
            Decision(
                DecisionId(row["id"]),
                row["at"],
                DecisionKind(row["kind"]),
                Author(row["author"]),
                None if row["person_id"] is None else PersonId(row["person_id"]),
                None if row["other_id"] is None else PersonId(row["other_id"]),
                row["name"],
                tuple(FaceId(face) for face in json.loads(row["faces"])),
                None if row["undoes"] is None else DecisionId(row["undoes"]),
            )
            for row in rows
        ]

    def forwards(self) -> dict[PersonId, PersonId]:
        """For everyone who was merged: into whom, directly."""
        rows = self._db.rows("SELECT id, merged_into FROM people WHERE merged_into IS NOT NULL")
        return {PersonId(row["id"]): PersonId(row["merged_into"]) for row in rows}

    # ---- folders -----------------------------------------------------------------------------------------------------

    def albums(self, min_photos: int) -> list[Album]:
        """Everyone who should have a folder, with the photos in it; the file known longest stands for each photo.

        A person with a name has a folder from the first photo on.
        """
        rows = self._db.stream(
            "SELECT person_id, name, taken_at, roots.path AS root_path, files.path FROM ("
            " SELECT DISTINCT faces.person_id, people.name, faces.photo_id, photos.taken_at,"
            "  (SELECT min(file_id) FROM present_files WHERE present_files.photo_id = faces.photo_id) AS file_id"
            " FROM faces JOIN people ON people.id = faces.person_id JOIN photos ON photos.id = faces.photo_id) AS shown"
            " JOIN files ON files.id = file_id JOIN roots ON roots.id = root_id ORDER BY person_id, shown.photo_id"
        )
        names: dict[PersonId, str | None] = {}
        photos: dict[PersonId, list[AlbumPhoto]] = {}
        for row in rows:
            person = PersonId(row["person_id"])
            names[person] = row["name"]
            target = within(row["root_path"], row["path"])
            photos.setdefault(person, []).append(AlbumPhoto(target, row["taken_at"]))
        return [
            Album(person, names[person], tuple(found))
            for person, found in photos.items()
            if names[person] is not None or len(found) >= min_photos
        ]


def _person(row: Row) -> Person:
    return Person(PersonId(row["id"]), row["name"], row["faces"], row["photos"])


def _found(db: Utils, at: str) -> PersonId:
    row = db.execute("INSERT INTO people (created_at) VALUES (?) RETURNING id", (at,)).fetchone()
    return PersonId(row["id"])


def _waits(db: Utils, face: FaceId) -> bool:
    return db.execute("SELECT 1 FROM faces WHERE id = ? AND person_id IS NULL", (face,)).fetchone() is not None


def _decide(
    db: Utils,
    kind: DecisionKind,
    author: Author,
    person: PersonId,
    at: str,
    *,
    other: PersonId | None = None,
    name: str | None = None,
    faces: Sequence[int] = (),
) -> None:
    db.execute(
        "INSERT INTO decisions (at, kind, author, person_id, other_id, name, faces) VALUES (?,?,?,?,?,?,?)",
        (at, kind.value, author.value, person, other, name, json.dumps(list(faces))),
    )


def _merge(db: Utils, into: PersonId, absorbed: PersonId, author: Author, at: str) -> int:
    found = {
        row["id"]: row["name"]
        for row in db.execute(
            "SELECT id, name FROM people WHERE id IN (?, ?) AND merged_into IS NULL", (into, absorbed)
        )
    }
    for person in (into, absorbed):
        if person not in found:
            raise UnknownPerson(person=person)
    if into == absorbed:
        raise CannotMerge(first=into, second=absorbed, detail="they are the same", hint="Name two different people.")
    released = db.execute(
        "UPDATE faces SET person_id = NULL, score = NULL WHERE person_id = ?"
        " AND photo_id IN (SELECT photo_id FROM faces WHERE person_id = ?)",
        (absorbed, into),
    ).rowcount
    faces = [row[0] for row in db.execute("SELECT id FROM faces WHERE person_id = ? ORDER BY id", (absorbed,))]
    name = found[into] or found[absorbed]
    db.execute("UPDATE faces SET person_id = ? WHERE person_id = ?", (into, absorbed))
    db.execute("UPDATE people SET merged_into = ?, name = NULL WHERE id = ?", (into, absorbed))
    db.execute("UPDATE people SET name = ? WHERE id = ?", (name, into))
    _decide(db, DecisionKind.MERGE, author, into, at, other=absorbed, name=name, faces=faces)
    return released
