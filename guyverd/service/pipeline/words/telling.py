"""Decisions as rows: the log of a library, and the story of one person or one face in it."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping

from guyverd.catalogue.store import Catalogue
from guyverd.model import AlbumId, Decision, DecisionId, DecisionKind, FaceId, Move, Person, PersonId, SavedAlbum
from guyverd.people.decisions import depth, subject, undone
from guyverd.service.api import Row
from guyverd.service.pipeline.words.deciding import Decided, log_of, standing

MOST_MOVES = 100
"""Moves that a row lists; a plan for the whole library may have a million."""

_KEYS = (
    "decision",
    "at",
    "kind",
    "author",
    "person",
    "other",
    "name",
    "faces",
    "album",
    "undoes",
    "subject",
    "source",
)

Names = Mapping[PersonId, str] | Mapping[PersonId, str | None]
Befores = Mapping[DecisionId, SavedAlbum | None]
"""For each decision about an album what that album was before; None where it was not there."""


def story(catalogue: Catalogue, person: PersonId | None = None, face: FaceId | None = None) -> Iterator[Row]:
    """The decisions that concern somebody, or a face, or all, oldest first; the shape is that of `Library.log`."""
    log = {one.id: one for one in log_of(catalogue)}
    gone = undone(log.values())
    befores = _befores(log, gone)
    wanted = set(log)
    own: dict[DecisionId, Move] = {}
    if person is not None:
        wanted &= _about_person(catalogue, log, befores, person)
    if face is not None:
        own = catalogue.decisions.moves_of_face(face)
        wanted &= {*own, *(one.id for one in log.values() if face in one.faces)}
    names, moved = catalogue.people.names(), catalogue.decisions.moved()
    for decision in log.values():
        about = subject(log, decision)
        if decision.id in wanted or (about is not decision and about.id in wanted):
            row = _row(log, decision, names, befores)
            row["undone_by"] = gone.get(decision.id)
            row["moved"] = moved.get(decision.id, 0)
            moves = catalogue.decisions.moves(decision.id)
            if face is not None:
                moves = iter([own[decision.id]] if decision.id in own else [])
            row["moves"] = [_move(move) for move in itertools.islice(moves, MOST_MOVES)]
            yield row


def answer(catalogue: Catalogue, done: Decided, kind: str) -> Row:
    """What was recorded or tried, in the same shape, with `kept` and `dry_run`.

    Where nothing was, all but the kind is empty.
    """
    log = {one.id: one for one in log_of(catalogue)}
    if done.decision is None:
        row: Row = {**dict.fromkeys(_KEYS), "kind": kind, "faces": []}
    else:
        # What was only tried is not in the log.
        log[done.decision.id] = done.decision
        row = _row(log, done.decision, done.said.names, _befores(log, undone(log.values())))
    row["moved"] = len(done.moves)
    row["moves"] = [_move(move) for move in done.moves[:MOST_MOVES]]
    row["kept"] = done.kept
    row["dry_run"] = done.dry
    return row


def number(done: Decided) -> Row:
    """Which decision it became, or would, as the last keys of a row that tells something else."""
    return {"decision": None if done.decision is None else done.decision.id, "dry_run": done.dry}


def outcome(catalogue: Catalogue, done: Decided, person: PersonId) -> Person:
    """The person after a decision, as they would be where it was only tried."""
    if not done.dry:
        return catalogue.people.get(person)
    faces = {held.face for held in catalogue.people.members(person)}
    faces -= {move.face for move in done.moves if move.was == person}
    faces |= {move.face for move in done.moves if move.now == person}
    # As in any list of people, photos that are not there do not count.
    there = catalogue.photos.faces_by_id(sorted(faces)).values()
    name, hidden = done.said.names.get(person), person in done.said.hidden
    return Person(person, name, len(there), len({row.photo for row in there}), hidden)


def _befores(log: Mapping[DecisionId, Decision], gone: Collection[DecisionId]) -> Befores:
    found: dict[DecisionId, SavedAlbum | None] = {}
    albums: dict[AlbumId, SavedAlbum | None] = {}
    for decision in log.values():
        if decision.kind is DecisionKind.ALBUM:
            album = decision.album or AlbumId(decision.id)
            found[decision.id] = albums.get(album)
            if decision.id not in gone:
                albums[album] = decision.saved
    return found


def _about_person(
    catalogue: Catalogue, log: Mapping[DecisionId, Decision], befores: Befores, person: PersonId
) -> set[DecisionId]:
    """Also what concerned those who are this person by now, and faces that are theirs."""
    said = standing(catalogue)
    people = {person, *(one for one in said.forwards if said.survivor(one) == person)}
    faces = {held.face for held in catalogue.people.members(person)}
    found = catalogue.decisions.moving(people)
    albums = {one for one, was in befores.items() if people & {*_people(was), *_people(log[one].saved)}}
    return found.union(
        albums, (one.id for one in log.values() if {one.person, one.other} & people or not faces.isdisjoint(one.faces))
    )


def _people(saved: SavedAlbum | None) -> tuple[PersonId, ...]:
    return () if saved is None else saved.people


def _row(log: Mapping[DecisionId, Decision], decision: Decision, names: Names, befores: Befores) -> Row:
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
            "album": _album(about, names, befores),
            "again": again,
        }
    return {
        "decision": decision.id,
        "at": decision.at,
        "kind": decision.kind.value,
        "author": decision.author.value,
        "person": _person(decision.person, names),
        "other": _person(decision.other, names),
        "name": decision.name,
        "faces": list(decision.faces),
        "album": _album(decision, names, befores),
        "undoes": decision.undoes,
        "subject": told,
        "source": decision.source,
    }


def _person(person: PersonId | None, names: Names) -> Row | None:
    return None if person is None else {"id": person, "name": names.get(person)}


def _album(decision: Decision, names: Names, befores: Befores) -> Row | None:
    if decision.kind is not DecisionKind.ALBUM:
        return None
    before, now = _saved(befores.get(decision.id), names), _saved(decision.saved, names)
    return {"id": decision.album or decision.id, "before": before, "now": now}


def _saved(saved: SavedAlbum | None, names: Names) -> Row | None:
    if saved is None:
        return None
    return {
        "title": saved.title,
        "people": [_person(person, names) for person in saved.people],
        "since": saved.since,
        "until": saved.until,
        "without": sorted(saved.without),
    }


def _move(move: Move) -> Row:
    return {"face": move.face, "was": move.was, "now": move.now}
