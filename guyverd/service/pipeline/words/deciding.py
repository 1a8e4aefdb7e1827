"""What somebody says about people becomes a decision: what it means for the faces is worked out here, and recorded.

To be used on the coordinator's thread, where nothing else is decided or grouped meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypedDict, TypeVar, Unpack
from weakref import WeakKeyDictionary

from guyverd.catalogue.decisions import Effect
from guyverd.catalogue.heard import answering
from guyverd.catalogue.store import Catalogue
from guyverd.errors import CannotDecide, CannotMerge, NameTaken, NoSuchFace, PersonError, TitleTaken, UnknownPerson
from guyverd.model import (
    NOTHING_SAID,
    Author,
    Decision,
    DecisionId,
    DecisionKind,
    FaceId,
    Move,
    PersonId,
    Standing,
)
from guyverd.people.decisions import Replay, replay

if TYPE_CHECKING:
    from guyverd.catalogue.decisions import Job
    from guyverd.catalogue.rows import Holding

T = TypeVar("T")

_GUARD = threading.Lock()
_REPLAYED: WeakKeyDictionary[Catalogue, Replay] = WeakKeyDictionary()


def standing(catalogue: Catalogue) -> Standing:
    """What all decisions together say; the log is replayed only as far as it has grown. From any thread."""
    with _GUARD:
        return _replayed(catalogue).standing


def log_of(catalogue: Catalogue) -> tuple[Decision, ...]:
    """All decisions, oldest first. From any thread."""
    with _GUARD:
        return _replayed(catalogue).log


def _replayed(catalogue: Catalogue) -> Replay:
    found = _REPLAYED.setdefault(catalogue, Replay())
    found.add(catalogue.decisions.log(found.standing.last))
    return found


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision that was recorded, or tried, and what it did."""

    decision: Decision | None
    """None where everything was so already, and nothing was recorded."""
    moves: tuple[Move, ...] = ()
    kept: int = 0
    """In an undo: faces that were not put back, because something was said or found of them since."""
    said: Standing = NOTHING_SAID
    """What all decisions say, this one among them."""
    dry: bool = False
    """Whether it was only tried: nothing is recorded, and nothing is otherwise than before."""


class How(TypedDict, total=False):
    """In what way something is decided: every word takes these."""

    source: str | None
    """What was done to the people folder that it is inferred from, in words."""
    first: Job | None
    """What is done before, in the same transaction; in one of its own where nothing new is said."""
    dry: bool
    """Only try: the answer is the same, and everything is left as it was."""


class Deciding:
    """The user's words, one method each. People are given by number and must stand; faces must be there.

    Each takes what `How` lists. Each raises UnknownPerson or NoSuchFace for who is not there, CannotDecide for what
    contradicts itself.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    # ---- people ------------------------------------------------------------------------------------------------------

    def name(self, person: PersonId, name: str, **how: Unpack[How]) -> Decided:
        """The person is called that. Raises NameTaken, and PersonError for what is no text."""
        taken = self._bearers(name, person)
        if taken:
            raise NameTaken(name=name, person=taken[0], other=person)
        return self._decide(DecisionKind.NAME, person=person, name=name, **how)

    def merge(self, into: PersonId, absorbed: PersonId, **how: Unpack[How]) -> Decided:
        """`absorbed` becomes part of `into`, who takes their name where they have none. Raises CannotMerge too.

        Where a photo shows both, the absorbed one's face is left to nobody, unless the two were said to be the same.
        """
        if self._catalogue.people.survivor(into) is None:
            raise UnknownPerson(person=into)
        if into == absorbed:
            raise CannotMerge(
                first=into, second=absorbed, detail="they are the same", hint="Name two different people."
            )
        return self._decide(DecisionKind.MERGE, person=into, other=absorbed, **how)

    def hide(self, person: PersonId, *, hidden: bool = True, **how: Unpack[How]) -> Decided:
        """The person has no folder and is not listed; or has and is again."""
        return self._decide(DecisionKind.HIDE if hidden else DecisionKind.UNHIDE, person=person, **how)

    def different_people(self, one: PersonId, other: PersonId, **how: Unpack[How]) -> Decided:
        """These two are never merged by themselves; if somebody proposed that they are one, that is answered."""
        if one == other:
            raise CannotDecide(
                detail=f"person {one} is one person",
                hint="`guyverd split` takes faces from a person, `guyverd undo` takes back a merge.",
            )
        if all({one, other} != {open_.person, open_.other} for open_ in self._catalogue.heard.proposals()):
            return self._decide(DecisionKind.DIFFERENT, person=one, other=other, **how)
        # It may have been said before, but it was asked since, and what is said to that can be taken back.
        answers = answering(one, other, DecisionId(standing(self._catalogue).last + 1))
        how["first"] = both(answers, how.get("first"))
        return self._decide(DecisionKind.DIFFERENT, person=one, other=other, always=True, **how)

    # ---- faces -------------------------------------------------------------------------------------------------------

    def confirm(self, person: PersonId, faces: Sequence[FaceId] | None = None, **how: Unpack[How]) -> Decided:
        """These faces are the person; without any, all that the person has now."""
        if faces is None:
            faces = [one.face for one in self._catalogue.people.members(person)]
            if not faces:
                raise CannotDecide(detail=f"person {person} has no face to confirm", hint="Name some of another's.")
        return self._decide(DecisionKind.CONFIRM, person=person, faces=self._there(faces), **how)

    def reject(self, person: PersonId, faces: Sequence[FaceId], **how: Unpack[How]) -> Decided:
        """These faces are not the person; if they were, they wait among the unknown."""
        return self._decide(DecisionKind.REJECT, person=person, faces=self._there(faces), **how)

    def split(self, person: PersonId, faces: Sequence[FaceId], name: str | None = None, **how: Unpack[How]) -> Decided:
        """These faces of the person are somebody else: a new person gets them, of that name if one is given."""
        if name is not None and (taken := self._bearers(name)):
            raise CannotDecide(
                detail=f"{name} is person {taken[0]} already",
                hint=f"`guyverd confirm {taken[0]} FACE...` gives them faces.",
            )
        held = self._catalogue.people.holdings(self._there(faces))
        for face, one in held.items():
            if one.person != person:
                raise CannotDecide(
                    detail=f"face {face} does not belong to person {person}", hint="Split faces that are theirs."
                )
        if len(held) == len(self._catalogue.people.members(person)):
            raise CannotDecide(
                detail=f"these are all faces of person {person}", hint="Leave some, or give the person another name."
            )
        new = self._catalogue.decisions.next_person()
        there = self._there(faces)
        return self._decide(DecisionKind.SPLIT, person=person, other=new, faces=there, name=name, founded=new, **how)

    def same(self, one: FaceId, other: FaceId, **how: Unpack[How]) -> Decided:
        """Two faces are one person: who has none joins, and two people become one unless both have a name."""
        first, second = self._pair(one, other)
        people = sorted({found.person for found in (first, second) if found.person is not None})
        if not people:
            new = self._catalogue.decisions.next_person()
            return self._decide(DecisionKind.SAME, person=new, faces=(one, other), founded=new, **how)
        absorbed = None
        if len(people) == 2:
            names = standing(self._catalogue).names
            if all(person in names for person in people):
                raise CannotDecide(
                    detail=f"face {first.face} is {names[first.person or people[0]]} and face {second.face} is"
                    f" {names[second.person or people[1]]}",
                    hint=f"If they are one person, `guyverd merge {people[0]} {people[1]}` makes them one.",
                )
            counts = {person: len(self._catalogue.people.members(person)) for person in people}
            people.sort(key=lambda person: (person not in names, -counts[person], person))
            absorbed = people[1]
        return self._decide(DecisionKind.SAME, person=people[0], other=absorbed, faces=(one, other), **how)

    def different(self, one: FaceId, other: FaceId, **how: Unpack[How]) -> Decided:
        """Two faces are two people. If they were one, the face that nobody confirmed leaves, else the poorer one."""
        first, second = self._pair(one, other)
        shared = first.person if first.person == second.person else None
        stays, leaves = first, second
        if shared is not None:
            pinned = standing(self._catalogue).pinned
            stays, leaves = sorted((first, second), key=lambda held: (held.face not in pinned, *_worth(held)))

        def parting(after: Standing) -> dict[FaceId, PersonId | None]:
            # Who was said to be one with the face that leaves, and not with the other, goes along.
            return {} if shared is None else dict.fromkeys(_with_partners(leaves.face, after))

        faces = (stays.face, leaves.face)
        return self._decide(DecisionKind.DIFFERENT, person=shared, faces=faces, wishes=parting, **how)

    def apply(self, moves: Sequence[Move], alike: Sequence[tuple[FaceId, FaceId]] = ()) -> Decided:
        """Make a plan for the whole library so, as one decision; faces with one `Move.group` found a person.

        `alike` are the pairs of faces that the plan puts into one person though they are in one photo.
        """
        catalogue = self._catalogue
        decision, _ = catalogue.people.apply(moves, catalogue.now(), said=standing(catalogue), alike=alike)
        moves = tuple(catalogue.decisions.moves(decision))
        return Decided(log_of(catalogue)[-1], moves, said=standing(catalogue))

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _bearers(self, name: str, apart_from: PersonId | None = None) -> list[PersonId]:
        """Who has that name. Raises PersonError for what is no text."""
        try:
            name.encode("utf-8")
        except UnicodeEncodeError:
            raise PersonError(detail=f"{name!a} holds bytes that are no text") from None
        return [other for other in self._catalogue.people.named(name) if other != apart_from]

    def _there(self, faces: Iterable[FaceId]) -> tuple[FaceId, ...]:
        wanted = sorted(set(faces))
        missing = set(wanted) - set(self._catalogue.people.holdings(wanted))
        if missing:
            raise NoSuchFace(face=min(missing))
        return tuple(wanted)

    def _pair(self, one: FaceId, other: FaceId) -> tuple[Holding, Holding]:
        self._there((one, other))
        if one == other:
            raise CannotDecide(detail=f"{one} is one face", hint="Name two different faces.")
        held = self._catalogue.people.holdings((one, other))
        return held[one], held[other]

    def _decide(
        self,
        kind: DecisionKind,
        *,
        person: PersonId | None = None,
        other: PersonId | None = None,
        faces: tuple[FaceId, ...] = (),
        name: str | None = None,
        founded: PersonId | None = None,
        wishes: Callable[[Standing], Mapping[FaceId, PersonId | None]] | None = None,
        always: bool = False,
        **how: Unpack[How],
    ) -> Decided:
        source = how.get("source")
        draft = Decision(DecisionId(0), "", kind, Author.USER, person, other, name, faces, source=source)
        return record(
            self._catalogue,
            draft,
            founded=founded,
            wishes=wishes,
            first=how.get("first"),
            always=always,
            dry=how.get("dry", False),
        )


def both(job: Job, other: Job | None) -> Job:
    """One after the other, in the same transaction."""
    return job if other is None else lambda db: [job(db), other(db)]


def record(
    catalogue: Catalogue,
    draft: Decision,
    *,
    founded: PersonId | None = None,
    wishes: Callable[[Standing], Mapping[FaceId, PersonId | None]] | None = None,
    first: Job | None = None,
    always: bool = False,
    dry: bool = False,
) -> Decided:
    """Number, date and record a decision, with all that follows from it; nothing where it says nothing new.

    `founded` is the number of a new person, `wishes` tells from the standing to come where faces should go if nothing
    speaks against it, and `first` is done before, in the same transaction. Where nothing is recorded `first` is done
    all the same; with `always` it is recorded, because `first` is what it does. With `dry` all of this is worked out,
    and nothing of it done.
    """
    before, log = standing(catalogue), log_of(catalogue)
    for person in (draft.person, draft.other):
        if person not in (None, founded) and catalogue.people.survivor(person) != person:
            raise UnknownPerson(person=person)
    decision = replace(draft, id=DecisionId(before.last + 1), at=catalogue.now())
    after = replay([*log, decision])
    if after == before and not always:
        if first is not None and not dry:
            catalogue.decisions.do(first)
        return Decided(None, said=before, dry=dry)
    for impossible in sorted(set(after.refused) - set(before.refused) - {decision.id}):
        raise CannotDecide(
            detail=f"decision {impossible} could not be then",
            hint=f"Take it back first: `guyverd undo {impossible}`; `guyverd log` tells what it is.",
        )
    _names_are_free(before, after)
    _titles_are_free(before, after)
    if decision.other is not None and decision.other in after.forwards and decision.person is not None:
        decision = replace(decision, name=after.names.get(decision.person))
    wanted = {} if wishes is None else wishes(after)
    effect = Effect(_concerned(before, after), wanted, founded, first, dry)
    done = catalogue.decisions.record(decision, after, effect)
    kept = done.stayed if draft.kind is DecisionKind.UNDO else 0
    return Decided(done.decision, done.moves, kept, after, dry)


def _names_are_free(before: Standing, after: Standing) -> None:
    taken: dict[str, PersonId] = {}
    for person, name in after.names.items():
        if before.names.get(person) == name:
            taken[name.casefold()] = person
    for person, name in after.names.items():
        if before.names.get(person) != name and name.casefold() in taken:
            other = taken[name.casefold()]
            raise CannotDecide(
                detail=f"person {person} would be {name} again, as person {other} is by now",
                hint=f"If they are one, `guyverd merge {person} {other}`; else name person {other} otherwise first.",
            )


def _titles_are_free(before: Standing, after: Standing) -> None:
    titles = {album: saved.title for album, saved in after.albums.items()}
    was = {album: saved.title for album, saved in before.albums.items()}
    taken = {title.casefold() for album, title in titles.items() if was.get(album) == title}
    for album, title in titles.items():
        if was.get(album) != title and title.casefold() in taken:
            raise TitleTaken(title=title)
        taken.add(title.casefold())


def _concerned(before: Standing, after: Standing) -> frozenset[FaceId]:
    """The faces of which something else is said than before."""
    pairs = (before.together ^ after.together) | (before.apart ^ after.apart) | (before.alike ^ after.alike)
    return frozenset(
        {face for face, _ in before.pinned.items() ^ after.pinned.items()}
        | {face for face, _ in before.barred ^ after.barred}
        | {face for pair in pairs for face in pair}
    )


def _worth(held: Holding) -> tuple[float, float, int]:
    """The better of two faces comes first."""
    return (-held.quality, -(held.score if held.score is not None else 1.0), held.face)


def _with_partners(face: FaceId, said: Standing) -> set[FaceId]:
    found: set[FaceId] = set()
    waiting = {face}
    while waiting:
        found |= waiting
        waiting = {end for pair in said.together if set(pair) & waiting for end in pair} - found
    return found
