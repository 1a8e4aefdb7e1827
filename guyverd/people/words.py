"""What was said so far while the log is replayed, kept free of contradictions: of two words the later wins.

Faces that were said to be one person are spoken of together: what is said of one of them is said of all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from guyverd.model import AlbumId, DecisionId, FaceId, PersonId, SavedAlbum, Standing


class Words:
    """Everybody in it stands: whoever was absorbed is replaced by the survivor at once.

    What holds after every word: faces said to be one are pinned to the same person or to nobody, and no two of them are
    apart; a face is not barred from whom it is pinned to; no two faces that are apart are pinned to the same person.
    """

    def __init__(self) -> None:
        self.names: dict[PersonId, str | None] = {}
        self.hidden: set[PersonId] = set()
        self._forwards: dict[PersonId, PersonId] = {}
        self._pinned: dict[FaceId, PersonId] = {}
        self._pinned_to: dict[PersonId, set[FaceId]] = defaultdict(set)
        self._barred: dict[PersonId, set[FaceId]] = defaultdict(set)
        self._together: dict[FaceId, set[FaceId]] = defaultdict(set)
        self._apart: dict[FaceId, set[FaceId]] = defaultdict(set)
        self._apart_people: dict[PersonId, set[PersonId]] = defaultdict(set)
        self._alike: set[tuple[FaceId, FaceId]] = set()
        self._whole: set[PersonId] = set()
        self._albums: dict[AlbumId, SavedAlbum] = {}

    def standing(self, refused: tuple[DecisionId, ...], last: DecisionId) -> Standing:
        """All of it, frozen."""
        return Standing(
            names={person: name for person, name in self.names.items() if name is not None},
            forwards=dict(self._forwards),
            hidden=frozenset(self.hidden),
            pinned=dict(self._pinned),
            barred=frozenset((face, person) for person, faces in self._barred.items() for face in faces),
            together=frozenset((one, other) for one, ends in self._together.items() for other in ends if one < other),
            apart=frozenset((one, other) for one, ends in self._apart.items() for other in ends if one < other),
            apart_people=frozenset(
                (one, other) for one, ends in self._apart_people.items() for other in ends if one < other
            ),
            alike=frozenset(self._alike),
            whole=frozenset(self._whole),
            albums=dict(self._albums),
            refused=refused,
            last=last,
        )

    def survivor(self, person: PersonId) -> PersonId:
        """Who that person is by now."""
        while person in self._forwards:
            person = self._forwards[person]
        return person

    # ---- what is said; each takes people who stand -------------------------------------------------------------------

    def pin(self, faces: Iterable[FaceId], person: PersonId) -> None:
        """These faces, and all that were said to be one with them, are that person."""
        for face in self._with_partners(faces):
            self._unpin(face)
            self._pinned[face] = person
            self._pinned_to[person].add(face)
            self._barred[person].discard(face)
            self._forget_apart(face, person)

    def bar(self, faces: Iterable[FaceId], person: PersonId) -> None:
        """These faces, and all that were said to be one with them, are not that person."""
        for face in self._with_partners(faces):
            if self._pinned.get(face) == person:
                self._unpin(face)
            self._barred[person].add(face)

    def merge(self, into: PersonId, absorbed: PersonId, *, by_user: bool) -> bool:
        """Two people are one.

        False where `absorbed` was absorbed before, and where it is not the user who says so of two who are apart.
        """
        if absorbed in self._forwards or absorbed == into:
            # Somebody absorbed has no faces left to give; the survivor giving them to itself would be a cycle.
            return False
        if not by_user and absorbed in self._apart_people[into]:
            return False
        self._forwards[absorbed] = into
        self.names[into] = self.names.get(into) or self.names.get(absorbed)
        self.names.pop(absorbed, None)
        self.hidden.discard(absorbed)
        if absorbed in self._whole:
            self._whole.discard(absorbed)
            self._whole.add(into)
        joining = self._pinned_to.pop(absorbed, set())
        for face in joining:
            self._pinned[face] = into
        self._pinned_to[into] |= joining
        self._barred[into] = (self._barred[into] | self._barred.pop(absorbed, set())) - self._pinned_to[into]
        for face in joining:
            self._forget_apart(face, into)
        for person in self._apart_people.pop(absorbed, set()):
            self._apart_people[person].discard(absorbed)
            if person != into:
                self._apart_people[person].add(into)
                self._apart_people[into].add(person)
        return True

    def two_people(self, one: PersonId, other: PersonId) -> bool:
        """They are not the same. False where they are."""
        if one == other:
            return False
        self._apart_people[one].add(other)
        self._apart_people[other].add(one)
        return True

    def keep_whole(self, person: PersonId) -> None:
        """Whatever grouping finds, this is one person."""
        self._whole.add(person)

    def same(self, faces: Sequence[FaceId], person: PersonId | None, other: PersonId | None, *, by_user: bool) -> bool:
        """Two faces are one person: `person`, where one is given, into whom `other` is merged first.

        False for what are not two faces, and where that merge cannot be. What guyverd finds never beats the user's
        word.
        """
        if len(faces) != 2 or faces[0] == faces[1]:
            return False
        if not by_user:
            if faces[1] not in self._apart[faces[0]]:
                self._alike.add(_pair(*faces))
            return True
        merged = other is None or (person is not None and self.survivor(other) == person)
        if not merged and (person is None or other is None or not self.merge(person, other, by_user=True)):
            return False
        ours, theirs = self._with_partners(faces[:1]), self._with_partners(faces[1:])
        for one in ours:
            for another in theirs & self._apart[one]:
                self._not_apart(one, another)
        self._together[faces[0]].add(faces[1])
        self._together[faces[1]].add(faces[0])
        if person is None:
            person = self._pinned.get(faces[0], self._pinned.get(faces[1]))
        if person is not None:
            self.pin(faces, person)
        return True

    def different(self, faces: Sequence[FaceId]) -> bool:
        """Two faces are two people; where both are pinned to one, the second is no longer. False where it is one face.

        If they were said to be one by way of others, these others stay with the first.
        """
        if len(faces) != 2 or faces[0] == faces[1]:
            return False
        stays, leaves = faces
        kept = self._with_partners([stays], without=leaves)
        for partner in kept & self._together[leaves]:
            self._together[leaves].discard(partner)
            self._together[partner].discard(leaves)
        self._alike.discard(_pair(stays, leaves))
        self._apart[stays].add(leaves)
        self._apart[leaves].add(stays)
        if stays in self._pinned and self._pinned[stays] == self._pinned.get(leaves):
            for face in self._with_partners([leaves]):
                self._unpin(face)
        return True

    def not_alike(self, faces: Sequence[FaceId]) -> None:
        """What guyverd found of two faces is wrong; what the user said of them is not touched."""
        if len(faces) == 2 and faces[1] not in self._with_partners(faces[:1]):
            self.different(faces)

    def save(self, album: AlbumId, saved: SavedAlbum) -> None:
        """There is this album. It keeps whom it was made of as they were named: a merge may be taken back."""
        self._albums[album] = saved

    def change(self, album: AlbumId, saved: SavedAlbum | None) -> None:
        """The album is like this from now on, or no more.

        Nothing is said of one that is not there. So when the word that saved it is taken back, what was changed of it
        goes along, and when it is said again, that comes back too.
        """
        if saved is None:
            self._albums.pop(album, None)
        elif album in self._albums:
            self._albums[album] = saved

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _with_partners(self, faces: Iterable[FaceId], without: FaceId | None = None) -> set[FaceId]:
        """These and all that were said to be one with them, found without passing through `without`."""
        found: set[FaceId] = set()
        waiting = list(faces)
        while waiting:
            face = waiting.pop()
            if face not in found and face != without:
                found.add(face)
                waiting += self._together.get(face, ())
        return found

    def _unpin(self, face: FaceId) -> None:
        person = self._pinned.pop(face, None)
        if person is not None:
            self._pinned_to[person].discard(face)

    def _forget_apart(self, face: FaceId, person: PersonId) -> None:
        """A face that is that person by a later word is apart from nobody who is too."""
        for other in [other for other in self._apart.get(face, ()) if self._pinned.get(other) == person]:
            self._not_apart(face, other)

    def _not_apart(self, one: FaceId, other: FaceId) -> None:
        self._apart[one].discard(other)
        self._apart[other].discard(one)


def _pair(one: FaceId, other: FaceId) -> tuple[FaceId, FaceId]:
    return (one, other) if one < other else (other, one)
