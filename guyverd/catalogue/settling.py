"""Bringing faces and people to what was decided: for use within a transaction, and it remembers what it moved.

Where two faces cannot both be one person (they are seen together, or were said to differ), one must give way: a pinned
face never does, one that was there before stays rather than one that comes, and otherwise the better one stays. A face
that gives way goes back to where it was, or to nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from guyverd.catalogue.files import slices
from guyverd.errors import CannotDecide
from guyverd.model import FaceId, Move, PersonId, Standing
from guyverd.pairs import components, partners

if TYPE_CHECKING:
    from sqlite_utils import Database as Utils

Partners = dict[FaceId, set[FaceId]]


@dataclass(frozen=True, slots=True)
class Member:
    """A face among the faces of a person."""

    face: FaceId
    photo: int
    quality: float
    starts: float | None = None
    """Of a track: seconds; None in a photo."""
    ends: float | None = None


class Seen(Protocol):
    """A face of which is known where and when it is seen: a `Member`, a `Holding`."""

    @property
    def face(self) -> FaceId:
        """Its number."""

    @property
    def photo(self) -> int:
        """Where."""

    @property
    def starts(self) -> float | None:
        """From when; None is always."""

    @property
    def ends(self) -> float | None:
        """Until when, exclusive."""


def company(members: Sequence[Seen]) -> Partners:
    """For each of these faces that is seen together with others of them: these."""
    if len({one.photo for one in members}) == len(members):
        return {}
    import numpy as np  # noqa: PLC0415  who only lists needs none of these

    from guyverd.catalogue.columns import spans  # noqa: PLC0415
    from guyverd.company import companions  # noqa: PLC0415

    seen = np.array([[one.starts, one.ends] for one in members], dtype=np.float64)
    pairs = companions(np.array([one.photo for one in members], dtype=np.int64), spans(seen[:, 0], seen[:, 1]))
    faces = [one.face for one in members]
    return partners((faces[one], faces[other]) for one, other in zip(*(ends.tolist() for ends in pairs), strict=True))


class Faces:
    """Whose faces are, in one transaction: each may be moved any number of times, and `moves` tells the outcome."""

    def __init__(self, db: Utils) -> None:
        self._db = db
        self._was: dict[FaceId, PersonId | None] = {}
        self._now: dict[FaceId, PersonId | None] = {}

    def whose(self, faces: Collection[FaceId]) -> dict[FaceId, PersonId | None]:
        """Whose they are now; faces that are not there are left out."""
        found: dict[FaceId, PersonId | None] = {}
        for some in slices(sorted(set(faces))):
            marks = ",".join("?" * len(some))
            rows = self._db.execute(f"SELECT id, person_id FROM faces WHERE id IN ({marks})", tuple(some))
            found |= {FaceId(row[0]): None if row[1] is None else PersonId(row[1]) for row in rows}
        return found

    def of(self, person: PersonId) -> list[FaceId]:
        """All faces of a person."""
        rows = self._db.execute("SELECT id FROM faces WHERE person_id = ? ORDER BY id", (person,))
        return [FaceId(row[0]) for row in rows]

    def put(self, places: Mapping[FaceId, PersonId | None], *, scored: bool = False) -> None:
        """Give faces to people, or to nobody; their scores stay only where `scored`."""
        held = self.whose(places)
        changes = [(person, face) for face, person in places.items() if face in held and held[face] != person]
        for person, face in changes:
            self._was.setdefault(face, held[face])
            self._now[face] = person
        score = "score" if scored else "NULL"
        self._db.conn.executemany(f"UPDATE faces SET person_id = ?, score = {score} WHERE id = ?", changes)

    def was(self, face: FaceId) -> PersonId | None:
        """Whose a moved face was before."""
        return self._was[face]

    def moved(self, face: FaceId) -> bool:
        """Whether it is somewhere else than it was."""
        return face in self._was and self._was[face] != self._now[face]

    def moves(self) -> tuple[Move, ...]:
        """What became of all this."""
        return tuple(
            Move(face, was, self._now[face]) for face, was in sorted(self._was.items()) if was != self._now[face]
        )

    def members(self, people: Iterable[PersonId]) -> dict[PersonId, list[Member]]:
        """The faces of those people."""
        found = {}
        for person in sorted(set(people)):
            rows = self._db.execute(
                "SELECT id, photo_id, quality, starts, ends FROM faces WHERE person_id = ?", (person,)
            )
            found[person] = [Member(FaceId(row[0]), *row[1:5]) for row in rows]
        return found


def settle(faces: Faces, said: Standing, scope: Collection[FaceId]) -> None:
    """Make `scope`, and whatever was moved before, agree with what was said, moving as little as possible.

    What was said of other faces is taken to hold already. Raises CannotDecide where two pinned faces cannot both be
    where they are said to be.
    """
    ends = partners(said.together)
    looked_at = {*scope, *(move.face for move in faces.moves())}
    faces.put({face: said.pinned[face] for face in looked_at if face in said.pinned})
    held = faces.whose(looked_at)
    faces.put({face: None for face, person in held.items() if person is not None and (face, person) in said.barred})
    _keep_together(faces, said, ends, looked_at)
    house = House(said)
    people = {person for person in faces.whose(looked_at).values() if person is not None}
    while people:
        leaving: dict[FaceId, PersonId | None] = {}
        for person, members in faces.members(people).items():
            for face in house.without_room(person, members, faces.moved):
                before = faces.was(face) if faces.moved(face) else None
                # Back to where it was, unless nobody stands there, or it is not welcome.
                welcome = before is not None and before not in said.forwards and (face, before) not in said.barred
                leaving[face] = before if welcome else None
        faces.put(leaving)
        _keep_together(faces, said, ends, leaving)
        people = {person for person in faces.whose(leaving).values() if person is not None}


def _keep_together(faces: Faces, said: Standing, ends: Partners, scope: Iterable[FaceId]) -> None:
    """Faces that are one person are never two people: where nobody said who they are, the one that came leaves."""
    asked = [face for face in scope if face in ends and face not in said.pinned]
    wanted = {*asked, *(other for face in asked for other in ends[face])}
    everyone = faces.whose({*wanted, *(other for face in wanted for other in ends[face])})
    for face in sorted(wanted):
        persons = {everyone.get(other) for other in ends[face]} - {None}
        if everyone.get(face) is not None and persons - {everyone[face]} and faces.moved(face):
            everyone[face] = None
            faces.put({face: None})


class House:
    """Who can be one person beside whom."""

    def __init__(self, said: Standing) -> None:
        self._said = said
        self._apart = partners(said.apart)
        self._doubles = components([*said.together, *said.alike])

    def without_room(
        self, person: PersonId, members: Sequence[Member], newcomer: Callable[[FaceId], bool]
    ) -> list[FaceId]:
        """Which of these faces cannot be that person beside the others.

        Raises CannotDecide where one is pinned to the person.
        """
        pinned = self._said.pinned
        order = sorted(
            members, key=lambda one: (pinned.get(one.face) != person, newcomer(one.face), -one.quality, one.face)
        )
        together = company(order)
        inside: set[FaceId] = set()
        leaving = []
        for one in order:
            seen = sorted(together.get(one.face, set()) & inside)
            beside = [other for other in seen if not self.may_share(one.face, other)]
            beside += sorted(self.apart_from(one.face) & inside)
            if not beside:
                inside.add(one.face)
            elif pinned.get(one.face) == person:
                raise CannotDecide(
                    detail=f"faces {beside[0]} and {one.face} would both be person {person}, by your word, and cannot",
                    hint=f"`guyverd log --face {beside[0]}` tells who said what; where one photo shows somebody twice,"
                    f" as a mirror does, say `guyverd same {beside[0]} {one.face}`.",
                )
            else:
                leaving.append(one.face)
        return leaving

    def may_share(self, one: FaceId, other: FaceId) -> bool:
        """Whether two faces that are seen together may be one person."""
        return one in self._doubles and self._doubles[one] == self._doubles.get(other)

    def apart_from(self, face: FaceId) -> set[FaceId]:
        """The faces that are not the person this one is."""
        return self._apart.get(face, set())
