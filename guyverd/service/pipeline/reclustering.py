"""The whole library grouped anew: what would change is shown, and done as one decision when that is asked for.

Making a plan takes seconds to minutes and happens on the thread that asks, from a reading of one moment; the library
goes on with its work. Only applying it is done between two steps of that work, after a look whether the library is
still the one that was planned for.
"""

from __future__ import annotations

import functools
import hashlib
import os
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from guyverd.config import People
from guyverd.errors import CannotDecide
from guyverd.model import FaceId, FaceTable, Move, PersonId, Standing
from guyverd.people.decisions import held_of
from guyverd.people.graph import rows_of
from guyverd.people.grouping import Grouped, group
from guyverd.people.reclustering import Plan, plan
from guyverd.people.rules import rules
from guyverd.service.api import Row
from guyverd.service.pipeline.grouping import SEED
from guyverd.service.pipeline.measuring import Measuring
from guyverd.service.pipeline.words.deciding import Decided, Deciding, log_of, standing

if TYPE_CHECKING:
    from guyverd.catalogue.columns import Everybody, Whose
    from guyverd.catalogue.store import Catalogue
    from guyverd.people.grouping import Index
    from guyverd.service.pipeline.coordinator import Coordinator

_TRIES = 3
"""How often a plan is made anew because the library changed before it could be applied."""
_LEAST, _MOST = -3.0, 3.0
"""What `clustering.strictness` may be."""


@dataclass(frozen=True, slots=True)
class Made:
    """A plan, and what it was made for."""

    plan: Plan
    strictness: float
    stamp: str
    """Of what the plan would do: another plan has another."""
    table: FaceTable
    """The faces, without their vectors."""
    said: Standing
    basis: bytes = b""
    """Of everything the plan follows from."""


class Reclustering:
    """The plans of one library. From any thread; they are made one at a time, and the last is kept."""

    def __init__(self, coordinator: Coordinator) -> None:
        self._at_work = coordinator
        self._catalogue = coordinator.catalogue
        self._deciding = Deciding(coordinator.catalogue)
        self._guard = threading.Lock()
        self._kept: Made | None = None

    def recluster(self, *, apply: bool, strictness: float | None, stamp: str | None) -> Row:
        """See `Library.recluster`."""
        settings = self._at_work.config.clustering
        if strictness is not None:
            if not _LEAST <= strictness <= _MOST:
                raise CannotDecide(detail=f"strictness goes from {_LEAST:g} to {_MOST:g}", hint="0 is the default.")
            settings = replace(settings, strictness=float(strictness))
        if not apply:
            return _row(self._catalogue, self._made(settings), None)
        for _ in range(_TRIES):
            made = self._made(settings)
            if stamp is not None and stamp != made.stamp:
                raise CannotDecide(
                    detail=f"the plan {stamp} is none that would be made now; that is {made.stamp}",
                    hint="Look at it: `guyverd recluster`, with the same --strictness.",
                )
            if not made.plan.moves:
                return _row(self._catalogue, made, None)
            done = self._at_work.decide(functools.partial(self._applied, made))
            if done is not None:
                return _row(self._catalogue, made, done)
        raise CannotDecide(
            detail="the library changes faster than it can be planned for",
            hint="Try again when `guyverd status` shows that nothing waits.",
        )

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _applied(self, made: Made) -> Decided | None:
        """Make it so; None where the library is not what it was. On the coordinator's thread."""
        if standing(self._catalogue).last != made.said.last or _changed(made.table, self._catalogue.photos.whose()):
            return None
        return self._deciding.apply(made.plan.moves, made.plan.alike)

    def _made(self, settings: People) -> Made:
        with self._guard:
            if len(self._catalogue.renewal.networks()) > 1:
                raise CannotDecide(
                    detail="photos are being read again with another face model",
                    hint="`guyverd status` shows how far that is.",
                )
            said, everybody = _moment(self._catalogue)
            basis = _basis(settings, said, everybody)
            if self._kept is None or self._kept.basis != basis:
                index = self._at_work.call(lambda: self._at_work.grouping.index)
                self._kept = replace(make(self._catalogue, settings, index, said, everybody), basis=basis)
            return self._kept


def make(catalogue: Catalogue, settings: People, index: Index, said: Standing, everybody: Everybody) -> Made:
    """Group all faces anew and plan what follows from it."""
    table, compared = everybody.table, everybody.compared
    some = table if compared.all() else table.of(compared)
    found = group(some, index, Measuring(settings, catalogue).now(), seed=SEED, said=said)
    labels = np.zeros(len(table), dtype=np.int64)
    labels[compared] = found.labels
    rule = found.rules if some is table else rules(table, said)
    what = plan(table, Grouped(labels, rule, found.scales), said, held=held_of(log_of(catalogue), said))
    return Made(
        what, settings.strictness, _stamp(what), replace(table, vectors=np.empty((len(table), 0), np.float32)), said
    )


def _moment(catalogue: Catalogue) -> tuple[Standing, Everybody]:
    """All faces, and what was said at that moment."""
    while True:
        everybody = catalogue.photos.everybody()
        said = standing(catalogue)
        if said.last == everybody.last:
            return said, everybody


def _basis(settings: People, said: Standing, everybody: Everybody) -> bytes:
    table = everybody.table
    found = hashlib.blake2b(repr((settings, said.last)).encode(), digest_size=16)
    for column in (table.ids, table.photos, table.quality, table.people, everybody.compared, table.vectors):
        found.update(np.ascontiguousarray(column).data)
    return found.digest()


def _stamp(what: Plan) -> str:
    moves = [(move.face, move.was or 0, move.now or 0, -1 if move.group is None else move.group) for move in what.moves]
    told = np.array([*moves, *((*pair, 0, -2) for pair in what.alike)], dtype=np.int64)
    return hashlib.blake2b(told.tobytes(), digest_size=5).hexdigest()


def _changed(before: FaceTable, now: Whose) -> bool:
    """Whether faces went, or changed hands. New ones that are nobody's change nothing."""
    row = rows_of(before.ids, now.ids)
    known = row >= 0
    was = np.where(known, before.people[row] if len(before) else 0, 0)
    return int(known.sum()) != len(before) or bool((was != now.people).any())


# ---- as it is told ---------------------------------------------------------------------------------------------------


def _row(catalogue: Catalogue, made: Made, done: Decided | None) -> Row:
    names, what = catalogue.people.names(), made.plan
    held = Counter(made.table.people[made.table.people > 0].tolist())
    numbers = {group: number for number, group in enumerate(what.appearing, 1)}
    became = {} if done is None else {move.face: move.now for move in done.moves}
    founded = {move.group: became.get(move.face) for move in what.moves if move.group is not None}
    return {
        "stamp": made.stamp,
        "strictness": made.strictness,
        "faces": len(made.table),
        "people": len(held),
        "moved": len(what.moves),
        "appearing": [
            {"group": numbers[group], "id": founded.get(group), "faces": count}
            for group, count in what.appearing.items()
        ],
        "vanishing": [{"id": person, "faces": held[person]} for person in what.vanishing],
        "decision": None if done is None or done.decision is None else done.decision.id,
        "moves": _moves(catalogue, what.moves, names, numbers, founded),
    }


def _moves(
    catalogue: Catalogue,
    moves: tuple[Move, ...],
    names: Mapping[PersonId, str | None],
    numbers: Mapping[int, int],
    founded: Mapping[int, PersonId | None],
) -> list[Row]:
    photos = {face: held.photo for face, held in catalogue.people.holdings([move.face for move in moves]).items()}
    paths = catalogue.files.paths_of(sorted(set(photos.values())))

    def files(face: FaceId) -> list[str]:
        return [os.fsdecode(path) for path in paths[photos[face]]] if face in photos else []

    def person(one: PersonId | None) -> Row | None:
        return None if one is None else {"id": one, "name": names.get(one)}

    return [
        {
            "face": move.face,
            "files": files(move.face),
            "was": person(move.was),
            "now": person(move.now if move.group is None else founded.get(move.group)),
            "group": None if move.group is None else numbers[move.group],
        }
        for move in moves
    ]
