"""Decisions as rows: the log of a library, and the story of one person or one face in it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

from guyverd.catalogue.store import Catalogue
from guyverd.model import Decision, DecisionId, FaceId, Move, PersonId
from guyverd.people.decisions import depth, subject, undone
from guyverd.service.api import Row
from guyverd.service.pipeline.words.deciding import Decided, log_of, standing

MOST_MOVES = 100
"""Moves that a row lists; a plan for the whole library may have a million."""

Names = Mapping[PersonId, str | None]


def story(catalogue: Catalogue, person: PersonId | None = None, face: FaceId | None = None) -> Iterator[Row]:
    """The decisions that concern somebody, or a face, or all, oldest first; the shape is that of `Library.log`."""
    log = {one.id: one for one in log_of(catalogue)}
    wanted = set(log)
    own: dict[DecisionId, Move] = {}
    if person is not None:
        wanted &= _about_person(catalogue, log, person)
    if face is not None:
        own = catalogue.decisions.moves_of_face(face)
        wanted &= {*own, *(one.id for one in log.values() if face in one.faces)}
    names, gone, moved = catalogue.people.names(), undone(log.values()), catalogue.decisions.moved()
    for decision in log.values():
        about = subject(log, decision)
        if decision.id in wanted or (about is not decision and about.id in wanted):
            row = _row(log, decision, names)
            row["undone_by"] = gone.get(decision.id)
            row["moved"] = moved.get(decision.id, 0)
            moves = catalogue.decisions.moves(decision.id)
            if face is not None:
                moves = iter([own[decision.id]] if decision.id in own else [])
            row["moves"] = [_move(move) for move in itertools.islice(moves, MOST_MOVES)]
            yield row


def answer(catalogue: Catalogue, done: Decided, kind: str) -> Row:
    """What was recorded, in the same shape, with `kept`; where nothing was, all but the kind is empty."""
    log = {one.id: one for one in log_of(catalogue)}
    names = catalogue.people.names()
    if done.decision is None:
        empty = dict.fromkeys(("decision", "at", "author", "person", "other", "name", "undoes", "subject"))
        return {**_ordered({**empty, "kind": kind, "faces": []}), "moved": 0, "moves": [], "kept": 0}
    row = _row(log, log[done.decision.id], names)
    row["moved"] = len(done.moves)
    row["moves"] = [_move(move) for move in done.moves[:MOST_MOVES]]
    row["kept"] = done.kept
    return row


def _about_person(catalogue: Catalogue, log: Mapping[DecisionId, Decision], person: PersonId) -> set[DecisionId]:
    """Also what concerned those who are this person by now, and faces that are theirs."""
    said = standing(catalogue)
    people = {person, *(one for one in said.forwards if said.survivor(one) == person)}
    faces = {held.face for held in catalogue.people.members(person)}
    found = catalogue.decisions.moving(people)
    return found | {
        one.id for one in log.values() if {one.person, one.other} & people or not faces.isdisjoint(one.faces)
    }


def _row(log: Mapping[DecisionId, Decision], decision: Decision, names: Names) -> Row:
    about, again = subject(log, decision), depth(log, decision) % 2 == 0
    told = None
    if about is not decision:
        told = {
            "decision": about.id,
            "kind": about.kind.value,
            "person": _person(about.person, names),
            "other": _person(about.other, names),
            "name": about.name,
            "faces": list(about.faces),
            "again": again,
        }
    return _ordered(
        {
            "decision": decision.id,
            "at": decision.at,
            "kind": decision.kind.value,
            "author": decision.author.value,
            "person": _person(decision.person, names),
            "other": _person(decision.other, names),
            "name": decision.name,
            "faces": list(decision.faces),
            "undoes": decision.undoes,
            "subject": told,
        }
    )


def _ordered(row: Row) -> Row:
    keys = ("decision", "at", "kind", "author", "person", "other", "name", "faces", "undoes", "subject")
    return {key: row[key] for key in keys}


def _person(person: PersonId | None, names: Names) -> Row | None:
    return None if person is None else {"id": person, "name": names.get(person)}


def _move(move: Move) -> Row:
    return {"face": move.face, "was": move.was, "now": move.now}
