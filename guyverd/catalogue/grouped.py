"""What grouping found becomes so, as far as nothing that was decided speaks against it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from guyverd.catalogue.decisions import write
from guyverd.catalogue.schema import seen_together
from guyverd.catalogue.settling import Faces, House, company
from guyverd.errors import CannotDecide, CannotMerge, UnknownPerson
from guyverd.model import (
    Assignment,
    Author,
    DecisionId,
    DecisionKind,
    FaceId,
    Merge,
    Move,
    PersonId,
    Standing,
)
from guyverd.pairs import partners

if TYPE_CHECKING:
    from sqlite_utils import Database as Utils

Pair = tuple[FaceId, FaceId]


def is_up_to_date(db: Utils, said: Standing) -> bool:
    """Whether nothing more was decided than `said` knows of. Names are looked up where they matter."""
    rows = db.execute("SELECT DISTINCT kind FROM decisions WHERE id > ?", (said.last,))
    kinds = {row[0] for row in rows} - {DecisionKind.NAME.value}
    # Who knows of no decision at all may still know that there were none but of names and merges.
    return not (kinds - {DecisionKind.MERGE.value} or (kinds and said.last))


def found(db: Utils, at: str) -> PersonId:
    """A new person."""
    row = db.execute("INSERT INTO people (created_at) VALUES (?) RETURNING id", (at,)).fetchone()
    return PersonId(row["id"])


def note_alike(db: Utils, said: Standing, alike: Sequence[Pair], at: str) -> Standing:
    """Log pairs of faces that may be one person though they are in one photo; the standing with them."""
    new = sorted({(min(pair), max(pair)) for pair in alike} - said.alike - said.together - said.apart)
    last = said.last
    for pair in new:
        last = write(db, DecisionKind.SAME, Author.GUYVERD, at, faces=pair)
    return replace(said, alike=said.alike | set(new), last=last)


class Arriving:
    """One transaction in which new faces find their people."""

    def __init__(self, db: Utils, said: Standing, at: str) -> None:
        self._db = db
        self._said = said
        self._at = at
        self._house = House(said)
        self._one = partners(said.together)
        self._faces = Faces(db)
        self._founded: dict[int, PersonId] = {}
        self._absorbed: dict[PersonId, PersonId] = {}
        self._barred: dict[FaceId, set[PersonId]] = defaultdict(set)
        for face, person in said.barred:
            self._barred[face].add(person)
        pairs = said.together | said.apart | said.alike
        self._spoken_of = {*said.pinned, *self._barred, *(face for pair in pairs for face in pair)}
        self._enemies: dict[PersonId, set[PersonId]] = defaultdict(set, partners(said.apart_people))

    def attach(self, item: Assignment) -> PersonId | None:
        """Give a face that waits its place; the person, or None where it may not have it."""
        person = item.person
        if item.group is not None and item.group in self._founded:
            person = self._founded[item.group]
        if person is not None and item.face not in self._spoken_of:
            return person if self._attach_unspoken(item, person) else None
        waits = self._db.execute("SELECT 1 FROM faces WHERE id = ? AND person_id IS NULL", (item.face,))
        if waits.fetchone() is None:
            return None
        if person is not None and not self._stands(person):
            return None
        if not self._welcome(item.face, person):
            return None
        if person is None:
            assert item.group is not None
            person = self._founded[item.group] = found(self._db, self._at)
        self._db.execute("UPDATE faces SET person_id = ?, score = ? WHERE id = ?", (person, item.score, item.face))
        return person

    def _attach_unspoken(self, item: Assignment, person: PersonId) -> bool:
        """One statement for the many faces of which nobody said anything."""
        done = self._db.execute(
            "UPDATE faces SET person_id = ?1, score = ?2 WHERE id = ?3 AND person_id IS NULL AND NOT EXISTS"
            " (SELECT 1 FROM faces AS other WHERE other.photo_id = faces.photo_id AND other.person_id = ?1"
            f" AND {seen_together('other', 'faces')})"
            " AND EXISTS (SELECT 1 FROM people WHERE id = ?1 AND merged_into IS NULL)",
            (person, item.score, item.face),
        )
        return bool(done.rowcount)

    def _stands(self, person: PersonId) -> bool:
        rows = self._db.execute("SELECT 1 FROM people WHERE id = ? AND merged_into IS NULL", (person,))
        return rows.fetchone() is not None

    def _welcome(self, face: FaceId, person: PersonId | None) -> bool:
        """Whether nothing speaks against a face being that person; None is somebody new."""
        pinned = self._said.pinned.get(face)
        if pinned is not None and pinned != person:
            return False
        partners_ = self._faces.whose(self._one.get(face, set())).values()
        if any(other is not None and other != person for other in partners_):
            return False
        if person is None:
            return True
        if (face, person) in self._said.barred:
            return False
        if person in self._faces.whose(self._house.apart_from(face)).values():
            return False
        rows = self._db.execute(
            "SELECT other.id FROM faces AS other JOIN faces AS one ON one.photo_id = other.photo_id"
            f" WHERE one.id = ? AND other.person_id = ? AND {seen_together('other', 'one')}",
            (face, person),
        )
        return all(self._house.may_share(face, FaceId(row[0])) for row in rows)

    def merge(self, merge: Merge) -> bool:
        """Make two people one; False where something that was decided speaks against it. Raises UnknownPerson."""
        into, absorbed = merge.into, merge.absorbed
        held = {}
        for person in (into, absorbed):
            sql = "SELECT name, hidden FROM people WHERE id = ? AND merged_into IS NULL"
            held[person] = self._db.execute(sql, (person,)).fetchone()
            if held[person] is None:
                raise UnknownPerson(person=person)
        if into == absorbed:
            raise CannotMerge(
                first=into, second=absorbed, detail="they are the same", hint="Name two different people."
            )
        if held[absorbed]["name"] is not None or held[into]["hidden"] != held[absorbed]["hidden"]:
            return False
        if absorbed in self._enemies[into]:
            return False
        members = self._faces.members((into, absorbed))
        ours, theirs = members[into], members[absorbed]
        if self._words_against(into, {one.face for one in ours}, absorbed, {one.face for one in theirs}):
            return False
        beside, inside = company([*ours, *theirs]), {one.face for one in ours}
        left_out = [
            one.face
            for one in theirs
            if not all(self._house.may_share(one.face, other) for other in beside.get(one.face, set()) & inside)
        ]
        if any(face in self._said.pinned for face in left_out):
            return False
        self._absorb(into, absorbed, [one.face for one in theirs], left_out, held[into]["name"])
        return True

    def _words_against(self, into: PersonId, ours: set[FaceId], absorbed: PersonId, theirs: set[FaceId]) -> bool:
        return (
            any(self._is_barred(face, into) for face in theirs)
            or any(self._is_barred(face, absorbed) for face in ours)
            or any(self._house.apart_from(face) & theirs for face in ours)
        )

    def _is_barred(self, face: FaceId, person: PersonId) -> bool:
        return face in self._barred and person in {self._survivor(other) for other in self._barred[face]}

    def _absorb(
        self, into: PersonId, absorbed: PersonId, theirs: list[FaceId], left_out: list[FaceId], name: str | None
    ) -> None:
        faces = Faces(self._db)
        faces.put(dict.fromkeys(left_out))
        joining = sorted(set(theirs) - set(left_out))
        faces.put(dict.fromkeys(joining, into), scored=True)
        self._db.execute("UPDATE people SET merged_into = ?, hidden = 0 WHERE id = ?", (into, absorbed))
        write(
            self._db,
            DecisionKind.MERGE,
            Author.GUYVERD,
            self._at,
            person=into,
            other=absorbed,
            name=name,
            faces=joining,
            moves=faces.moves(),
        )
        self._absorbed[absorbed] = into
        for enemy in self._enemies.pop(absorbed, set()):
            self._enemies[enemy] = (self._enemies[enemy] - {absorbed}) | {into}
            self._enemies[into].add(enemy)

    def _survivor(self, person: PersonId) -> PersonId:
        while person in self._absorbed:
            person = self._absorbed[person]
        return person


def apply(
    db: Utils,
    moves: Sequence[Move],
    said: Standing,
    at: str,
    *,
    author: Author = Author.USER,
    about: PersonId | None = None,
) -> tuple[DecisionId, dict[int, PersonId]]:
    """Make a plan for the library so, as one decision; the people it founded, by the number of their group.

    `about` is who it is about, where it is about one.

    Raises CannotDecide where a face is no longer where the plan found it, or where the plan goes against a word.
    """
    faces = Faces(db)
    held = faces.whose([move.face for move in moves])
    groups: dict[int, PersonId] = {}
    places: dict[FaceId, PersonId | None] = {}
    for move in moves:
        if move.face not in held or held[move.face] != move.was:
            raise _outdated(f"face {move.face} is no longer where it was when the plan was made")
        if move.group is not None and move.group not in groups:
            groups[move.group] = found(db, at)
        person = move.now if move.group is None else groups[move.group]
        if said.pinned.get(move.face, person) != person:
            raise _outdated(f"face {move.face} is person {said.pinned[move.face]} by your word")
        if person is not None and (move.face, person) in said.barred:
            raise _outdated(f"face {move.face} is not person {person} by your word")
        places[move.face] = person
    people = {person for person in places.values() if person is not None}
    _all_stand(db, people)
    faces.put(places)
    house = House(said)
    for person, members in faces.members(people).items():
        for face in house.without_room(person, members, lambda face: face in places):
            raise _outdated(f"face {face} cannot be person {person} beside the others")
    _none_torn(faces, said, places)
    decision = write(db, DecisionKind.APPLY, author, at, person=about, moves=faces.moves())
    return decision, groups


def _all_stand(db: Utils, people: Iterable[PersonId]) -> None:
    standing = {row[0] for row in db.execute("SELECT id FROM people WHERE merged_into IS NULL")}
    for person in sorted(people):
        if person not in standing:
            raise UnknownPerson(person=person)


def _none_torn(faces: Faces, said: Standing, moved: Collection[FaceId]) -> None:
    pairs = [pair for pair in said.together if pair[0] in moved or pair[1] in moved]
    whose = faces.whose({face for pair in pairs for face in pair})
    for pair in pairs:
        if len({whose.get(face) for face in pair} - {None}) > 1:
            raise _outdated(f"faces {pair[0]} and {pair[1]} are one person by your word")


def _outdated(detail: str) -> CannotDecide:
    return CannotDecide(detail=detail, hint="Nothing was moved; make the plan anew.")
