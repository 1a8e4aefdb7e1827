"""What a search looks up: faces with all that is told of them, who else is seen there, and when and where it was."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guyverd.catalogue.database import Database, Row
from guyverd.catalogue.schema import APART, seen_together
from guyverd.model import PersonId, PhotoId, PhotoKind, RootId, Stamp

if TYPE_CHECKING:
    from guyverd.catalogue.database import Parameters
    from guyverd.catalogue.sought import Sought

_THERE = f"photo_id NOT IN (SELECT photo_id FROM absent) AND photo_id NOT IN ({APART})"
"""Of a face, that its photo is there, and that it can be compared with others."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which photos and videos are wanted."""

    since: str | None = None
    """The first day, ISO 8601 (YYYY, YYYY-MM or YYYY-MM-DD); what has no date is left out where one is given."""
    until: str | None = None
    """The last day, likewise; it is included whole."""
    places: tuple[tuple[RootId, bytes], ...] | None = None
    """Folders, each as its path in a root, empty for the whole root; None is anywhere."""
    company: tuple[PersonId, ...] = ()
    """All of these must be seen beside."""
    without: tuple[PersonId, ...] = ()
    """None of these may be."""
    kind: PhotoKind | None = None

    def __bool__(self) -> bool:
        return self != ANYTHING


ANYTHING = Filter()


@dataclass(frozen=True, slots=True)
class Together:
    """A photo, or a moment of a video, that shows several people."""

    photo: PhotoId
    kind: PhotoKind
    taken_at: str | None
    start: float | None
    """Seconds from the beginning; None in a photo."""
    end: float | None
    faces: tuple[int, ...]
    """One face of each person, in the order in which they were asked for."""


@dataclass(frozen=True, slots=True)
class Month:
    """What was taken of somebody in one month."""

    month: str | None
    """YYYY-MM; None for what has no date."""
    photos: int
    videos: int


class Searching:
    """Queries that searches ask."""

    def __init__(self, database: Database) -> None:
        self._db = database

    # ---- faces -------------------------------------------------------------------------------------------------------

    def sought(self, faces: Sequence[int], wanted: Filter = ANYTHING) -> Sought:
        """Those faces that are there, in that order, and of each whether it is `wanted`."""
        from guyverd.catalogue.sought import COLUMNS, sought  # noqa: PLC0415  numpy: lists do without

        condition, parameters = _condition(wanted)
        rows = self._db.rows(
            f"SELECT {COLUMNS}, ({condition}) AS wanted FROM json_each(?) AS given"
            " CROSS JOIN faces ON faces.id = given.value CROSS JOIN photos ON photos.id = faces.photo_id"
            f" WHERE {_THERE} ORDER BY given.key",
            (*parameters, json.dumps([int(face) for face in faces])),
        )
        return sought(rows)

    def some_of(self, person: PersonId, at_most: int | None = None, wanted: Filter = ANYTHING) -> list[int]:
        """The faces of a person that are there and wanted, by photo and ordinal.

        Where they are more, at most so many, from all over: no more is looked at, however many there are.
        """
        condition, parameters = _condition(wanted)
        from_photo = (
            "FROM faces INDEXED BY faces_person CROSS JOIN photos ON photos.id = faces.photo_id"
            f" WHERE person_id = ? AND faces.photo_id >= {{}} AND {_THERE} AND {condition}"
            " ORDER BY faces.photo_id, ordinal LIMIT {}"
        )
        every = f"SELECT faces.id, faces.photo_id {from_photo.format(0, '?')}"
        some = self._pairs(every, (person, *parameters, -1 if at_most is None else at_most + 1))
        if at_most is None or len(some) <= at_most:
            return [face for face, _ in some]
        last = self._pairs("SELECT 0, max(photo_id) FROM faces WHERE person_id = ?", (person,))[0][1]
        first = some[0][1]
        photos = [first + (last + 1 - first) * place // at_most for place in range(at_most)]
        # One statement for all: each by itself takes longer to begin than to carry out.
        sample = f"SELECT (SELECT faces.id {from_photo.format('given.value', 1)}) FROM json_each(?) AS given"
        rows = self._pairs(sample, (person, *parameters, json.dumps(photos)))
        found = dict.fromkeys(face for (face,) in rows if face is not None)
        # Where their photos lie in a few places only, those of the first fill up.
        for face, _ in some:
            if len(found) < at_most:
                found[face] = None
        return list(found)

    def members(self, people: Sequence[PersonId], at_most: int) -> Sought:
        """Up to so many faces of each of these people, from all over."""
        each = "SELECT * FROM (SELECT id, person_id FROM faces INDEXED BY faces_person WHERE person_id = ? LIMIT ?)"
        parameters = [number for person in people for number in (person, at_most + 1)]
        of: dict[int, list[int]] = {}
        for face, person in self._pairs(" UNION ALL ".join([each] * len(people)), parameters) if people else ():
            of.setdefault(person, []).append(face)
        # Who has more is looked up alone; most have not.
        chosen = {
            one: found if len(found) <= at_most else self.some_of(PersonId(one), at_most) for one, found in of.items()
        }
        return self.sought([face for found in chosen.values() for face in found])

    def seen(self, people: Sequence[PersonId], photos: Collection[int]) -> dict[int, list[list[tuple[float, float]]]]:
        """When each of these people is seen in those of the photos that are videos: for each, and in their order."""
        found: dict[int, list[list[tuple[float, float]]]] = {}
        rows = self._db.rows(
            "SELECT photo_id, person_id, starts, ends FROM faces WHERE person_id IN (SELECT value FROM json_each(?))"
            " AND photo_id IN (SELECT value FROM json_each(?)) AND starts IS NOT NULL ORDER BY starts",
            (json.dumps(list(people)), json.dumps(sorted(photos))),
        )
        for row in rows:
            of_each = found.setdefault(row["photo_id"], [[] for _ in people])
            of_each[list(people).index(row["person_id"])].append((row["starts"], row["ends"]))
        return found

    def all_wanted(self, wanted: Filter, at_most: int) -> list[int] | None:
        """All faces that are there and wanted; None where there are more than so many."""
        condition, parameters = _condition(wanted)
        found = self._numbers(
            "SELECT faces.id FROM photos CROSS JOIN faces ON faces.photo_id = photos.id"
            f" WHERE {condition} AND {_THERE} LIMIT ?",
            (*parameters, at_most + 1),
        )
        return None if len(found) > at_most else found

    def in_photo(self, photo: PhotoId) -> list[int]:
        """The faces of a photo, from left to right."""
        return self._numbers("SELECT id FROM faces WHERE photo_id = ? ORDER BY ordinal", (photo,))

    def known(self, root: RootId, path: bytes, stamp: Stamp) -> PhotoId | None:
        """The photo that a path in a root holds, if it was read and the file is as it was then."""
        row = self._db.row(
            "SELECT photo_id FROM files JOIN photos ON photos.id = photo_id"
            " WHERE root_id = ? AND path = ? AND files.state = 'identified' AND missing_since IS NULL"
            " AND files.size = ? AND mtime_ns = ? AND inode = ? AND photos.state = 'done'"
            f" AND photo_id NOT IN ({APART})",
            (root, path, stamp.size, stamp.mtime_ns, stamp.inode),
        )
        return None if row is None else PhotoId(row[0])

    def has_faces(self) -> bool:
        """Whether anything can be found at all."""
        return self._db.row("SELECT 1 FROM faces LIMIT 1") is not None

    def names(self, people: Collection[int]) -> dict[int, str | None]:
        """What these are called."""
        rows = self._db.rows(
            "SELECT people.id, people.name FROM json_each(?) AS given JOIN people ON people.id = given.value",
            (json.dumps(sorted({int(person) for person in people})),),
        )
        return {row[0]: row[1] for row in rows}

    def _numbers(self, sql: str, parameters: Parameters) -> list[int]:
        return [row[0] for row in self._pairs(sql, parameters)]

    def _pairs(self, sql: str, parameters: Parameters) -> list[tuple[int, ...]]:
        with self._db.reading() as reader:
            cursor = reader.cursor()
            cursor.row_factory = None
            return cursor.execute(sql, parameters).fetchall()

    # ---- photos ------------------------------------------------------------------------------------------------------

    def together(self, people: Sequence[PersonId], wanted: Filter = ANYTHING) -> Iterator[Together]:
        """What shows all of these people, oldest first; of videos each time at which all are seen."""
        condition, parameters = _condition(wanted)
        whom = list(dict.fromkeys(people))
        rows = self._db.stream(
            "SELECT faces.photo_id, kind, taken_at, person_id, faces.id, starts, ends FROM faces"
            " CROSS JOIN photos ON photos.id = faces.photo_id WHERE faces.photo_id IN (SELECT photo_id FROM faces"
            " WHERE person_id IN (SELECT value FROM json_each(?))"
            " GROUP BY photo_id HAVING count(DISTINCT person_id) = ?)"
            f" AND person_id IN (SELECT value FROM json_each(?)) AND {_THERE} AND {condition}"
            " ORDER BY taken_at IS NULL, taken_at, faces.photo_id, ordinal",
            (json.dumps(whom), len(whom), json.dumps(whom), *parameters),
        )
        same: list[Row] = []
        for row in rows:
            if same and same[0]["photo_id"] != row["photo_id"]:
                yield from _together(same, whom)
                same = []
            same.append(row)
        yield from _together(same, whom)

    def months(self, person: PersonId) -> list[Month]:
        """How many photos and videos of somebody were taken in each month, oldest first; those without a date last."""
        rows = self._db.rows(
            "SELECT substr(taken_at, 1, 7) AS month, sum(kind = 'photo'), sum(kind = 'video') FROM photos WHERE id IN"
            " (SELECT photo_id FROM faces WHERE person_id = ? AND photo_id NOT IN (SELECT photo_id FROM absent))"
            " GROUP BY month ORDER BY month IS NULL, month",
            (person,),
        )
        return [Month(*row) for row in rows]


def _condition(wanted: Filter) -> tuple[str, list[object]]:
    """SQL over `faces` and `photos` that tells whether a face is wanted, and its parameters."""
    found: list[str] = []
    parameters: list[object] = []
    if wanted.since is not None:
        found.append("coalesce(taken_at >= ?, 0)")
        parameters.append(wanted.since)
    if wanted.until is not None:
        found.append("coalesce(substr(taken_at, 1, ?) <= ?, 0)")
        parameters += (len(wanted.until), wanted.until)
    if wanted.kind is not None:
        found.append("kind = ?")
        parameters.append(wanted.kind.value)
    if wanted.places is not None:
        below = []
        for root, path in wanted.places:
            below.append("(root_id = ?" + (" AND path > ? AND path < ?)" if path else ")"))
            # '0' is the byte after '/', so the range holds exactly what lies below.
            parameters += (root, path + b"/", path + b"0") if path else (root,)
        found.append(
            "EXISTS (SELECT 1 FROM files AS held WHERE held.photo_id = faces.photo_id AND held.missing_since IS NULL"
            f" AND ({' OR '.join(below) or '0'}))"
        )
    for person, exists in [*((one, "") for one in wanted.company), *((one, "NOT ") for one in wanted.without)]:
        found.append(
            f"{exists}EXISTS (SELECT 1 FROM faces AS other WHERE other.photo_id = faces.photo_id"
            f" AND other.person_id = ? AND other.id <> faces.id AND {seen_together('other', 'faces')})"
        )
        parameters.append(person)
    return " AND ".join(found) or "1", parameters


def _together(rows: Sequence[Row], people: Sequence[PersonId]) -> Iterator[Together]:
    """What the faces of these people in one photo or video come to."""
    if not rows:
        return
    photo, kind, taken_at = PhotoId(rows[0]["photo_id"]), PhotoKind(rows[0]["kind"]), rows[0]["taken_at"]
    if kind is PhotoKind.PHOTO:
        first = {row["person_id"]: row["id"] for row in reversed(rows)}
        if all(person in first for person in people):
            yield Together(photo, kind, taken_at, None, None, tuple(first[person] for person in people))
        return
    common: list[tuple[float, float, tuple[int, ...]]] = [(float("-inf"), float("inf"), ())]
    for person in people:
        tracks = [row for row in rows if row["person_id"] == person and row["starts"] is not None]
        common = [
            (max(start, row["starts"]), min(end, row["ends"]), (*faces, row["id"]))
            for start, end, faces in common
            for row in tracks
            if max(start, row["starts"]) < min(end, row["ends"])
        ]
    for start, end, faces in sorted(common):
        yield Together(photo, kind, taken_at, start, end, faces)
