"""Taking decisions back, and making them again. To be used on the coordinator's thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from guyverd.catalogue import placing
from guyverd.catalogue.heard import answering, asking_again, settling
from guyverd.catalogue.store import Catalogue
from guyverd.errors import CannotDecide, UnknownDecision
from guyverd.model import Author, Decision, DecisionId, DecisionKind, FaceId, PersonId, Standing
from guyverd.people.decisions import depth, subject, undone
from guyverd.service.pipeline.words.deciding import Decided, both, log_of, record, standing

if TYPE_CHECKING:
    from guyverd.catalogue.decisions import Job


def undo(
    catalogue: Catalogue, decision: DecisionId | None = None, *, source: str | None = None, dry: bool = False
) -> Decided:
    """Take back a decision, or the last one of the user that counts.

    Faces go back where they were unless they were moved since or something else is said of them by now; `kept` counts
    these. Raises UnknownDecision, and CannotDecide where it was undone before or cannot be. With `dry` it is only
    tried.
    """
    log = {one.id: one for one in log_of(catalogue)}
    gone = undone(log.values())
    if decision is None:
        ours = [
            one.id
            for one in log.values()
            if one.kind is not DecisionKind.UNDO and one.author is Author.USER and one.id not in gone
        ]
        if not ours:
            raise CannotDecide(detail="you decided nothing that could be undone", hint="`guyverd log` tells all.")
        decision = ours[-1]
    if decision not in log:
        raise UnknownDecision(decision=decision)
    if decision in gone:
        raise CannotDecide(
            detail=f"decision {decision} was undone already, by decision {gone[decision]}",
            hint=f"`guyverd redo {decision}` makes it again.",
        )
    return _take_back(catalogue, log, decision, source=source, dry=dry)


def redo(catalogue: Catalogue, decision: DecisionId | None = None, *, dry: bool = False) -> Decided:
    """Make a decision again that was undone, or the one that was undone last. Raises, or only tries, as `undo` does."""
    log = {one.id: one for one in log_of(catalogue)}
    gone = undone(log.values())
    if decision is None:
        undos = [
            one.id
            for one in log.values()
            if one.kind is DecisionKind.UNDO and one.id not in gone and depth(log, one) % 2
        ]
        if not undos:
            raise CannotDecide(detail="nothing is undone", hint="`guyverd log` tells all decisions.")
        return _take_back(catalogue, log, undos[-1], dry=dry)
    if decision not in log:
        raise UnknownDecision(decision=decision)
    if decision in gone:
        return _take_back(catalogue, log, gone[decision], dry=dry)
    if log[decision].kind is DecisionKind.UNDO and depth(log, log[decision]) % 2:
        return _take_back(catalogue, log, decision, dry=dry)
    raise CannotDecide(detail=f"decision {decision} is not undone", hint=f"`guyverd undo {decision}` undoes it.")


def _refuse_a_second_undo(log: Mapping[DecisionId, Decision], target: DecisionId) -> None:
    """An undo that would count again must not meet another that took the same back meanwhile."""
    gone = undone(log.values())
    again = log[target].undoes
    while again is not None and (taken := log[again].undoes) is not None:
        if taken in gone:
            raise CannotDecide(
                detail=f"decision {taken} is undone already, by decision {gone[taken]}",
                hint=f"`guyverd redo {taken}` makes it again.",
            )
        again = log[taken].undoes


def _take_back(
    catalogue: Catalogue,
    log: Mapping[DecisionId, Decision],
    target: DecisionId,
    *,
    source: str | None = None,
    dry: bool,
) -> Decided:
    _refuse_a_second_undo(log, target)
    before = standing(catalogue)
    movable: dict[FaceId, PersonId | None] = {}
    lost = 0
    for move, person in catalogue.decisions.moves_now(target):
        now = None if move.now is None else before.survivor(move.now)
        if person == now:
            movable[move.face] = move.was
        else:
            lost += 1

    def back(after: Standing) -> Mapping[FaceId, PersonId | None]:
        return {face: None if was is None else after.survivor(was) for face, was in movable.items()}

    draft = Decision(DecisionId(0), "", DecisionKind.UNDO, Author.USER, None, None, None, (), target, source)
    first = _asked_again(catalogue, log, target)
    if (drawn := _drawn(log, target)) is not None:
        first = both(drawn, first)
    done = record(catalogue, draft, wishes=back, first=first, always=True, dry=dry)
    return replace(done, kept=lost + done.kept)


def _asked_again(catalogue: Catalogue, log: Mapping[DecisionId, Decision], target: DecisionId) -> Job | None:
    """Questions about the people folder are open again when their answer is taken back; made again, it answers them."""
    about = subject(log, log[target])
    again = depth(log, log[target]) % 2 == 1
    if about.kind is DecisionKind.DIFFERENT and about.person is not None and about.other is not None:
        return answering(about.person, about.other, about.id) if again else asking_again(about.id)
    if about.kind not in (DecisionKind.CONFIRM, DecisionKind.REJECT) or about.source is not None or again:
        # What was read in the folder is no answer: who takes that back says enough.
        return None
    people = catalogue.people
    photos = {held.photo for held in people.holdings(about.faces).values()}
    person = None if about.person is None else people.survivor(about.person)
    paths = [path for path, one in catalogue.heard.settled(photos).items() if people.survivor(one) == person]
    return lambda db: [settling(path, "asked")(db) for path in paths]


def _drawn(log: Mapping[DecisionId, Decision], target: DecisionId) -> Job | None:
    """A face that was drawn by hand goes with its decision, and comes back with it."""
    about = subject(log, log[target])
    if about.kind is not DecisionKind.BOX:
        return None
    act = placing.bring_back if depth(log, log[target]) % 2 else placing.take_away

    return lambda db: [act(db, face) for face in about.faces]
