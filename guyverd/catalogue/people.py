"""People: who there is, which faces are theirs, and what grouping found."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from guyverd.catalogue.database import Database, Row
from guyverd.catalogue.files import slices
from guyverd.catalogue.grouped import Arriving, apply, is_up_to_date, note_alike
from guyverd.catalogue.rows import Holding
from guyverd.catalogue.schema import present
from guyverd.errors import CatalogueError, UnknownPerson
from guyverd.model import (
    NOTHING_SAID,
    Assignment,
    Author,
    DecisionId,
    FaceId,
    Merge,
    Move,
    Person,
    PersonId,
    PhotoId,
    PhotoKind,
    Standing,
)

if TYPE_CHECKING:
    from sqlite_utils import Database as Utils


_PERSON = f"""
    SELECT people.id, people.name, people.hidden, count(faces.id) AS faces, count(DISTINCT faces.photo_id) AS photos
    FROM people LEFT JOIN faces ON faces.person_id = people.id
         AND {present("faces.photo_id")}
    WHERE people.merged_into IS NULL
"""

_EVERYONE = """
    WITH shown AS MATERIALIZED (
            SELECT person_id, count(*) AS faces, count(DISTINCT photo_id) AS photos FROM faces
            WHERE person_id IS NOT NULL AND photo_id NOT IN (SELECT photo_id FROM absent) GROUP BY person_id)
    SELECT people.id, people.name, people.hidden, coalesce(faces, 0) AS faces, coalesce(photos, 0) AS photos
    FROM people LEFT JOIN shown ON person_id = people.id
    WHERE merged_into IS NULL AND people.hidden = :hidden AND (photos IS NOT NULL OR name IS NOT NULL OR people.hidden)
    ORDER BY coalesce(photos, 0) DESC, people.id
"""
"""Photos that are away are few, and a table tells which; looking up every photo that is there takes twice as long as
all the rest."""


class People:
    """Queries and writes about people and the faces that are theirs."""

    def __init__(self, database: Database) -> None:
        self._db = database

    # ---- who there is ------------------------------------------------------------------------------------------------

    def all(self, *, hidden: bool = False) -> list[Person]:
        """Everyone with a photo that is there, and everyone with a name, or all who are hidden; most photos first."""
        rows = self._db.rows(_EVERYONE, {"hidden": hidden})
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

    def hidden(self) -> frozenset[PersonId]:
        """Those who get no folder."""
        return frozenset(PersonId(row[0]) for row in self._db.rows("SELECT id FROM people WHERE hidden"))

    def members(self, person: PersonId) -> list[Holding]:
        """All faces of a person, also of photos that are not there."""
        return self._holdings("person_id = ?", (person,))

    def in_photo(self, photo: PhotoId) -> list[Holding]:
        """All faces of a photo, from left to right; of a video by when they are first seen."""
        return self._holdings("photo_id = ?", (photo,))

    def holdings(self, faces: Collection[FaceId]) -> dict[FaceId, Holding]:
        """Those faces, where they are known."""
        found: list[Holding] = []
        for some in slices(sorted(set(faces))):
            found += self._holdings(f"id IN ({','.join('?' * len(some))})", tuple(some))
        return {one.face: one for one in found}

    def _holdings(self, which: str, parameters: tuple[int, ...]) -> list[Holding]:
        rows = self._db.rows(
            f'SELECT id, photo_id, person_id, quality, score, starts, ends, "left" FROM faces WHERE {which}'
            " ORDER BY photo_id, ordinal",
            parameters,
        )
        return [
            Holding(
                FaceId(row["id"]),
                PhotoId(row["photo_id"]),
                None if row["person_id"] is None else PersonId(row["person_id"]),
                row["quality"],
                row["score"],
                row["starts"],
                row["ends"],
                row["left"],
            )
            for row in rows
        ]

    def forwards(self) -> dict[PersonId, PersonId]:
        """For everyone who was merged: into whom, directly."""
        rows = self._db.rows("SELECT id, merged_into FROM people WHERE merged_into IS NOT NULL")
        return {PersonId(row["id"]): PersonId(row["merged_into"]) for row in rows}

    # ---- what grouping found -----------------------------------------------------------------------------------------

    def assign(
        self,
        assignments: Sequence[Assignment],
        merges: Sequence[Merge],
        through: int,
        at: str,
        *,
        said: Standing = NOTHING_SAID,
        alike: Sequence[tuple[FaceId, FaceId]] = (),
        kind: PhotoKind | None = None,
    ) -> list[PersonId]:
        """Attach faces, found new people, merge, and mark read photos up to id `through` as grouped: all or nothing.

        Returns the people whose faces changed. Attaching refuses what would move a face that is attached or put two
        faces of one photo into one person, or attach to somebody who does not stand, or what `said` speaks against,
        whatever the caller computed; a group of which no face can be attached founds nobody. Merging refuses what a
        name, a hidden person or a word speaks against. `alike` are pairs of faces that may be one person though in one
        photo. Raises CatalogueError where more was decided than `said` knows of.
        """

        def job(db: Utils) -> list[PersonId]:
            self._check_up_to_date(db, said)
            arriving = Arriving(db, note_alike(db, said, alike, at), at)
            touched = {arriving.attach(item) for item in assignments}
            for merge in merges:
                if arriving.merge(merge):
                    touched |= {merge.into, merge.absorbed}
            db.execute(
                "UPDATE photos SET grouped_at = ? WHERE grouped_at IS NULL AND state = 'done' AND id <= ?"
                " AND (?3 IS NULL OR kind = ?3)",
                (at, through, None if kind is None else kind.value),
            )
            return sorted(person for person in touched if person is not None)

        return self._db.write(job)

    def apply(
        self,
        moves: Sequence[Move],
        at: str,
        *,
        said: Standing,
        alike: Sequence[tuple[FaceId, FaceId]] = (),
        author: Author = Author.USER,
        about: PersonId | None = None,
    ) -> tuple[DecisionId, dict[int, PersonId]]:
        """Make the moves of a plan, as one decision that can be undone; `about` is whom it parts, if it is one person.

        All or nothing; returns the decision and, for each group, the person it became. Raises CannotDecide where a face
        is no longer where the plan found it or where the plan goes against a word, UnknownPerson where somebody in it
        does not stand, CatalogueError where more was decided than `said` knows of.
        """

        def job(db: Utils) -> tuple[DecisionId, dict[int, PersonId]]:
            self._check_up_to_date(db, said)
            return apply(db, moves, note_alike(db, said, alike, at), at, author=author, about=about)

        return self._db.write(job)

    def _check_up_to_date(self, db: Utils, said: Standing) -> None:
        if not is_up_to_date(db, said):
            raise CatalogueError(
                path=self._db.path, detail="faces were to be grouped without a decision that was made meanwhile"
            )


def _person(row: Row) -> Person:
    return Person(PersonId(row["id"]), row["name"], row["faces"], row["photos"], bool(row["hidden"]))
