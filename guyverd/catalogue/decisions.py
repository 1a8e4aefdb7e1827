"""The log of decisions and of what each moved; a decision is applied in the transaction that records it."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from guyverd.catalogue.database import Database, Row
from guyverd.catalogue.settling import Faces, settle
from guyverd.errors import CannotDecide, CatalogueError, UnknownPerson
from guyverd.model import (
    AlbumId,
    Author,
    Decision,
    DecisionId,
    DecisionKind,
    FaceId,
    Move,
    PersonId,
    PhotoId,
    SavedAlbum,
    Standing,
)

if TYPE_CHECKING:
    from sqlite_utils import Database as Utils

    Job = Callable[[Utils], object]
    """What is done within a transaction."""

_DECISION = (
    "SELECT id, at, kind, author, person_id, other_id, name, faces, undoes, source, album_id, saved FROM decisions"
)


@dataclass(frozen=True, slots=True)
class Effect:
    """What a decision does to faces beyond what it says."""

    scope: frozenset[FaceId] = frozenset()
    """Faces that something else is said of than before."""
    wishes: Mapping[FaceId, PersonId | None] | None = None
    """Where faces should go if nothing speaks against it, and else stay."""
    founded: PersonId | None = None
    """The number that a new person gets."""
    first: Job | None = None
    """What is done before, in the same transaction."""
    dry: bool = False
    """Whether all of it is only tried: the transaction ends as if it had never begun."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A decision and what it did."""

    decision: Decision
    """As the log has it."""
    moves: tuple[Move, ...]
    stayed: int
    """Faces that are not where they were wished to be."""


class _Tried(Exception):
    """Ends the transaction of a decision that was only tried."""

    def __init__(self, recorded: Recorded) -> None:
        super().__init__()
        self.recorded = recorded


class Decisions:
    """Reads and adds to the log."""

    def __init__(self, database: Database) -> None:
        self._db = database

    # ---- the log -----------------------------------------------------------------------------------------------------

    def log(self, after: int = 0) -> list[Decision]:
        """The log from the first number above `after` on, oldest first."""
        return [_decision(row) for row in self._db.rows(f"{_DECISION} WHERE id > ? ORDER BY id", (after,))]

    def last(self) -> DecisionId:
        """The number of the newest decision; 0 before the first."""
        row = self._db.row("SELECT coalesce(max(id), 0) FROM decisions")
        assert row is not None
        return DecisionId(row[0])

    def next_person(self) -> PersonId:
        """The number that the next new person gets."""
        row = self._db.row("SELECT coalesce(max(id), 0) + 1 FROM people")
        assert row is not None
        return PersonId(row[0])

    def moved(self) -> dict[DecisionId, int]:
        """How many faces each decision moved."""
        rows = self._db.rows("SELECT decision_id, count(*) FROM moves GROUP BY decision_id")
        return {DecisionId(row[0]): row[1] for row in rows}

    def moves(self, decision: DecisionId) -> Iterator[Move]:
        """What a decision did, by face."""
        rows = self._db.stream(
            "SELECT face_id, was, now FROM moves WHERE decision_id = ? ORDER BY face_id", (decision,)
        )
        return (_move(row) for row in rows)

    def moves_now(self, decision: DecisionId) -> Iterator[tuple[Move, PersonId | None]]:
        """The same for the faces that are there, with whose each is now."""
        rows = self._db.stream(
            "SELECT face_id, was, now, person_id FROM moves JOIN faces ON faces.id = face_id WHERE decision_id = ?"
            " ORDER BY face_id",
            (decision,),
        )
        return ((_move(row), None if row["person_id"] is None else PersonId(row["person_id"])) for row in rows)

    def moves_of_face(self, face: FaceId) -> dict[DecisionId, Move]:
        """By which decisions a face was moved."""
        rows = self._db.rows("SELECT decision_id, face_id, was, now FROM moves WHERE face_id = ?", (face,))
        return {DecisionId(row["decision_id"]): _move(row) for row in rows}

    def moving(self, people: Collection[PersonId]) -> set[DecisionId]:
        """Which decisions took faces from, or gave faces to, one of these people."""
        marks = ",".join(str(int(person)) for person in people)
        rows = self._db.rows(f"SELECT DISTINCT decision_id FROM moves WHERE was IN ({marks}) OR now IN ({marks})")
        return {DecisionId(row[0]) for row in rows}

    # ---- adding to it ------------------------------------------------------------------------------------------------

    def do(self, job: Job) -> None:
        """Do what belongs to a decision that turned out to say nothing new, in a transaction of its own."""
        self._db.write(job)

    def record(self, decision: Decision, said: Standing, effect: Effect = Effect()) -> Recorded:
        """Append a decision and make names, people and faces what `said` tells: the log replayed with it at its end.

        All or nothing, and nothing where `effect` is dry: then it returns what would have been. Raises UnknownPerson
        where it is about somebody who does not stand, CannotDecide where it contradicts itself or the photos,
        CatalogueError where the log has grown meanwhile.
        """

        def job(db: Utils) -> Recorded:
            newest = db.execute("SELECT coalesce(max(id), 0) FROM decisions").fetchone()[0]
            if decision.id != newest + 1 or said.last != decision.id:
                raise CatalogueError(path=self._db.path, detail="something else was decided at the same moment")
            if effect.first is not None:
                effect.first(db)
            if effect.founded is not None:
                db.execute("INSERT INTO people (id, created_at) VALUES (?, ?)", (effect.founded, decision.at))
            for person in (decision.person, decision.other):
                stands = "SELECT 1 FROM people WHERE id = ? AND merged_into IS NULL"
                if person is not None and db.execute(stands, (person,)).fetchone() is None:
                    raise UnknownPerson(person=person)
            if decision.id in said.refused:
                raise CannotDecide(detail="it contradicts what was decided before", hint="`guyverd log` tells what.")
            faces = Faces(db)
            _people(db, faces, said)
            wishes = effect.wishes or {}
            faces.put(_granted(wishes, said))
            settle(faces, said, {*effect.scope, *decision.faces})
            moves = faces.moves()
            told = decision
            if decision.kind is DecisionKind.MERGE:
                gone = [move.face for move in moves if (move.was, move.now) == (decision.other, decision.person)]
                told = replace(decision, faces=tuple(gone))
            write(
                db,
                told.kind,
                told.author,
                told.at,
                person=told.person,
                other=told.other,
                name=told.name,
                faces=told.faces,
                undoes=told.undoes,
                moves=moves,
                source=told.source,
                album=told.album,
                saved=told.saved,
            )
            stayed = sum(1 for face, person in faces.whose(wishes).items() if person != wishes[face])
            recorded = Recorded(told, moves, stayed)
            if effect.dry:
                raise _Tried(recorded)
            return recorded

        try:
            return self._db.write(job)
        except _Tried as tried:
            return tried.recorded


def _people(db: Utils, faces: Faces, said: Standing) -> None:
    """Make names, hidden people and who became whom what was said; who is absorbed gives all their faces."""
    rows = db.execute("SELECT id, name, merged_into, hidden FROM people").fetchall()
    for row in rows:
        person = PersonId(row["id"])
        wanted = (said.names.get(person), said.forwards.get(person), int(person in said.hidden))
        if (row["name"], row["merged_into"], row["hidden"]) != wanted:
            db.execute("UPDATE people SET name = ?, merged_into = ?, hidden = ? WHERE id = ?", (*wanted, person))
        if wanted[1] is not None and row["merged_into"] is None:
            faces.put(dict.fromkeys(faces.of(person), said.survivor(person)), scored=True)


def _granted(wishes: Mapping[FaceId, PersonId | None], said: Standing) -> dict[FaceId, PersonId | None]:
    """The wishes that no word speaks against."""
    return {
        face: person
        for face, person in wishes.items()
        if said.pinned.get(face, person) == person and (person is None or (face, person) not in said.barred)
    }


def write(
    db: Utils,
    kind: DecisionKind,
    author: Author,
    at: str,
    *,
    person: PersonId | None = None,
    other: PersonId | None = None,
    name: str | None = None,
    faces: Sequence[FaceId] = (),
    undoes: DecisionId | None = None,
    moves: Sequence[Move] = (),
    source: str | None = None,
    album: AlbumId | None = None,
    saved: SavedAlbum | None = None,
) -> DecisionId:
    """Append a row to the log, and to `moves` what it did; for use within a transaction."""
    told = None if saved is None else json.dumps({**asdict(saved), "without": sorted(saved.without)})
    row = db.execute(
        "INSERT INTO decisions (at, kind, author, person_id, other_id, name, faces, undoes, source, album_id, saved)"
        " VALUES (?,?,?,?,?,?,?,?,?,?,?) RETURNING id",
        (at, kind.value, author.value, person, other, name, json.dumps(list(faces)), undoes, source, album, told),
    ).fetchone()
    db.conn.executemany(
        "INSERT INTO moves (decision_id, face_id, was, now) VALUES (?,?,?,?)",
        [(row["id"], move.face, move.was, move.now) for move in moves],
    )
    return DecisionId(row["id"])


def _decision(row: Row) -> Decision:
    return Decision(
        DecisionId(row["id"]),
        row["at"],
        DecisionKind(row["kind"]),
        Author(row["author"]),
        None if row["person_id"] is None else PersonId(row["person_id"]),
        None if row["other_id"] is None else PersonId(row["other_id"]),
        row["name"],
        tuple(FaceId(face) for face in json.loads(row["faces"])),
        None if row["undoes"] is None else DecisionId(row["undoes"]),
        row["source"],
        None if row["album_id"] is None else AlbumId(row["album_id"]),
        None if row["saved"] is None else _saved(json.loads(row["saved"])),
    )


def _saved(told: dict[str, Any]) -> SavedAlbum:
    people = tuple(PersonId(person) for person in told["people"])
    without = frozenset(PhotoId(photo) for photo in told["without"])
    return SavedAlbum(told["title"], people, told["since"], told["until"], without)


def _move(row: Row) -> Move:
    was, now = row["was"], row["now"]
    return Move(FaceId(row["face_id"]), None if was is None else PersonId(was), None if now is None else PersonId(now))
