"""What the append-only log of decisions adds up to: who bears which name, who became whom, which face is whose.

The catalogue applies a decision in the same transaction that records it, so replaying the log from its beginning must
give what the catalogue says. `guyverd check` compares the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from guyverd.model import AlbumId, Author, Decision, DecisionId, DecisionKind, PersonId, Standing
from guyverd.people.words import Words

__all__ = ["Replay", "Standing", "depth", "held_of", "replay", "subject", "undone"]


def replay(decisions: Iterable[Decision]) -> Standing:
    """The state that the log implies; decisions are taken by rising id, whatever order they come in.

    A decision that was undone counts as if it had never been made, except that what guyverd found by itself and the
    user took back is thereby denied: two people it had merged are two, two faces it thought one are two people, and
    somebody it had parted is one. A name given to somebody who was absorbed goes to the survivor, and so does all that
    is said of them. One decision given twice counts once.
    """
    replayed = Replay()
    replayed.add(decisions)
    return replayed.standing


class Replay:
    """The log replayed as it grows. Not for several threads at once."""

    def __init__(self) -> None:
        self._log: dict[DecisionId, Decision] = {}
        self._words = Words()
        self._refused: list[DecisionId] = []
        self._standing = Standing()

    @property
    def standing(self) -> Standing:
        """What all decisions so far say."""
        return self._standing

    @property
    def log(self) -> tuple[Decision, ...]:
        """All decisions so far, by rising id."""
        return tuple(self._log.values())

    def add(self, decisions: Iterable[Decision]) -> None:
        """Go on with these; those that are known already count once."""
        new = {one.id: one for one in sorted(decisions, key=lambda one: one.id) if one.id not in self._log}
        if not new:
            return
        takes_back = any(one.kind is DecisionKind.UNDO for one in new.values())
        if takes_back or min(new) < max(self._log, default=DecisionId(0)):
            # What was said after something that is taken back may mean something else now.
            new = dict(sorted({**self._log, **new}.items()))
            self._log, self._words, self._refused = {}, Words(), []
        self._log |= new
        taken_back = _undone(self._log) if takes_back or len(new) == len(self._log) else {}
        for decision in new.values():
            if decision.id not in taken_back and not self._say(decision):
                self._refused.append(decision.id)
        self._standing = self._words.standing(tuple(self._refused), max(self._log))

    def _say(self, decision: Decision) -> bool:
        if decision.kind is not DecisionKind.UNDO:
            return _say(self._words, decision)
        target = None if decision.undoes is None else self._log.get(decision.undoes)
        if target is None or target.id >= decision.id:
            return False
        if target.author is Author.GUYVERD and decision.author is Author.USER:
            _deny(self._words, target)
        return True


def undone(decisions: Iterable[Decision]) -> dict[DecisionId, DecisionId]:
    """For every decision that does not count: the newest undo by which it was taken back and that itself counts."""
    return _undone(_in_order(decisions))


def held_of(log: Iterable[Decision], said: Standing) -> frozenset[PersonId]:
    """The people whom the user made of two: they may have several looks."""
    log = tuple(log)
    gone = {*undone(log), *said.refused}
    return frozenset(
        said.survivor(one.person)
        for one in log
        if one.author is Author.USER
        and one.id not in gone
        and one.person is not None
        and one.other is not None
        and one.kind in (DecisionKind.MERGE, DecisionKind.SAME)
    )


def subject(log: Mapping[DecisionId, Decision], decision: Decision) -> Decision:
    """What an undo, or an undo of an undo, is about in the end; any other decision is about itself."""
    while (earlier := _earlier(log, decision)) is not None:
        decision = earlier
    return decision


def depth(log: Mapping[DecisionId, Decision], decision: Decision) -> int:
    """1 for an undo, 2 for an undo of an undo and so on: what is odd undoes, what is even does again."""
    found = 0
    while (earlier := _earlier(log, decision)) is not None:
        decision, found = earlier, found + 1
    return found


def _earlier(log: Mapping[DecisionId, Decision], decision: Decision) -> Decision | None:
    target = decision.undoes
    return log[target] if target is not None and target in log and target < decision.id else None


def _in_order(decisions: Iterable[Decision]) -> dict[DecisionId, Decision]:
    return {one.id: one for one in sorted(decisions, key=lambda one: one.id)}


def _undone(log: Mapping[DecisionId, Decision]) -> dict[DecisionId, DecisionId]:
    found: dict[DecisionId, DecisionId] = {}
    # An undo is younger than what it takes back, so from the youngest on each is known to count when it is met.
    for decision in sorted(log.values(), key=lambda one: -one.id):
        target = decision.undoes
        if decision.kind is not DecisionKind.UNDO or target is None or decision.id in found:
            continue
        if target in log and target < decision.id:
            found.setdefault(target, decision.id)
    return found


def _deny(words: Words, found: Decision) -> None:
    """Say the contrary of what guyverd found by itself, so that it does not find it again."""
    if found.kind is DecisionKind.MERGE and found.person is not None and found.other is not None:
        words.two_people(words.survivor(found.person), words.survivor(found.other))
    elif found.kind is DecisionKind.SAME:
        words.not_alike(found.faces)
    elif found.kind is DecisionKind.APPLY and found.person is not None:
        words.keep_whole(words.survivor(found.person))


def _say(words: Words, decision: Decision) -> bool:
    """Add one decision; tells whether it can be."""
    kind, faces = decision.kind, decision.faces
    person = None if decision.person is None else words.survivor(decision.person)
    if kind is DecisionKind.APPLY or (kind is DecisionKind.BOX and person is None):
        return True
    if kind is DecisionKind.ALBUM:
        return _say_of_an_album(words, decision)
    if kind is DecisionKind.SAME:
        return words.same(faces, person, decision.other, by_user=decision.author is Author.USER)
    if kind is DecisionKind.DIFFERENT and faces:
        return words.different(faces)
    if kind in _OF_TWO:
        return (
            person is not None and decision.other is not None and _say_of_two(words, decision, person, decision.other)
        )
    return person is not None and _say_of_one(words, decision, person)


def _say_of_an_album(words: Words, decision: Decision) -> bool:
    if decision.album is not None:
        words.change(decision.album, decision.saved)
    elif decision.saved is not None:
        words.save(AlbumId(decision.id), decision.saved)
    return decision.album is not None or decision.saved is not None


_OF_TWO = frozenset((DecisionKind.MERGE, DecisionKind.DIFFERENT, DecisionKind.SPLIT))


def _say_of_two(words: Words, decision: Decision, person: PersonId, other: PersonId) -> bool:
    if decision.kind is DecisionKind.MERGE:
        return words.merge(person, other, by_user=decision.author is Author.USER)
    other = words.survivor(other)
    if not words.two_people(person, other):
        return False
    if decision.kind is DecisionKind.SPLIT:
        words.pin(decision.faces, other)
        if decision.name is not None:
            words.names[other] = decision.name
    return True


def _say_of_one(words: Words, decision: Decision, person: PersonId) -> bool:
    kind = decision.kind
    if kind is DecisionKind.NAME:
        words.names[person] = decision.name
    elif kind is DecisionKind.HIDE:
        words.hidden.add(person)
    elif kind is DecisionKind.UNHIDE:
        words.hidden.discard(person)
    elif kind is DecisionKind.REJECT:
        words.bar(decision.faces, person)
    elif kind in (DecisionKind.CONFIRM, DecisionKind.BOX):
        words.pin(decision.faces, person)
        if decision.name is not None:
            words.names[person] = decision.name
    else:
        raise AssertionError(kind)
    return True
