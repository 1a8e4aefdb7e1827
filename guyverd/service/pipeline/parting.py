"""People who turn out to be several are parted: a decision that guyverd takes by itself, and that can be undone.

On the thread that groups, right after an arrival, for those people only whose faces it changed.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from guyverd.catalogue.store import Catalogue
from guyverd.model import Author, FaceTable, Move, PersonId, Standing
from guyverd.people.arrival import Outcome
from guyverd.people.coherence import SAMPLE, Exact, Spoken, doubtful, is_due, is_several, parting
from guyverd.people.decisions import held_of
from guyverd.people.evidence import Measure, evidence
from guyverd.people.graph import rows_of
from guyverd.people.grouping import group
from guyverd.service.pipeline.words.deciding import log_of, standing

if TYPE_CHECKING:
    from guyverd.model import IntArray
    from guyverd.people.grouping import Grouped, Index

log = logging.getLogger(__name__)

_AROUND = 4000
"""Most faces of others that are grouped anew with somebody's."""


class Parting:
    """Parts people who stand in one catalogue."""

    def __init__(self, catalogue: Catalogue, index: Index, measure: Measure, *, seed: int) -> None:
        self._catalogue = catalogue
        self._index = index
        self._measure = measure
        self._seed = seed

    def part(self, outcome: Outcome, touched: Sequence[PersonId]) -> tuple[Move, ...]:
        """Part those of the people `touched` by an arrival who are evidently several and of whom nobody spoke.

        Each is one decision of guyverd's own. Returns what became of faces; those that are nobody's now may be asked
        again. Who has not changed costs nothing, and who is coherent no more than a look at some of their faces.
        """
        came = Counter(item.person for item in outcome.assignments if item.person is not None)
        # Whoever was merged or founded has not been looked at as they are now.
        known = set(came) - {merge.into for merge in outcome.merges}
        moves: list[Move] = []
        sample = self._catalogue.photos.members(np.array(touched, dtype=np.int64), SAMPLE)
        for person in doubtful(sample, self._measure):
            faces = [one.face for one in self._catalogue.people.members(person)]
            if is_due(len(faces), came[person] if person in known else len(faces)):
                moves += self._parted(person, len(faces))
        return tuple(moves)

    def _parted(self, person: PersonId, faces: int) -> tuple[Move, ...]:
        catalogue, said = self._catalogue, standing(self._catalogue)
        if person in said.names or person in said.hidden:
            return ()  # most often so, and known without going through all words
        spoken = Spoken(said, held_of(log_of(catalogue), said))
        table = catalogue.photos.members(np.array([person], dtype=np.int64), faces)
        if spoken.of(person, table.ids.tolist()) or not is_several(self._grouped(table, said).labels):
            return ()
        table = self._with_those_around(table, person, spoken)
        found = parting(table, self._grouped(table, said), person, said)
        if not found.moves:
            return ()
        catalogue.people.apply(
            found.moves, catalogue.now(), said=said, alike=found.alike, author=Author.GUYVERD, about=person
        )
        log.info(
            "Person %d was evidently several people: %d faces of theirs and of those near them changed hands.",
            person,
            len(found.moves),
            extra={"person": person},
        )
        return found.moves

    def _grouped(self, table: FaceTable, said: Standing) -> Grouped:
        return group(table, Exact(table), self._measure, seed=self._seed, said=said)

    def _with_those_around(self, table: FaceTable, person: PersonId, spoken: Spoken) -> FaceTable:
        """The faces with those linked with them that are nobody's, and all faces of the people linked most."""
        photos, measure = self._catalogue.photos, self._measure
        near = self._index.neighbours(table.vectors, measure.settings.neighbours + 1)
        around = photos.table(np.setdiff1d(near.ids[near.ids >= 0], table.ids))
        if not len(around):
            return table
        own, rows = measure.scales(table.vectors), rows_of(around.ids, near.ids)
        told = evidence(near.similarity, own.column, measure.scales(around.vectors).of(rows))
        linked = rows[(rows >= 0) & (told > measure.link)]
        free = [face for face in around.ids[linked[around.people[linked] == 0]].tolist() if face not in spoken.faces]
        wanted: list[IntArray] = [table.ids, np.array(free, dtype=np.int64)]
        room = _AROUND
        for other, _ in Counter(around.people[linked].tolist()).most_common():
            if other in (0, person):
                continue
            theirs = photos.members(np.array([other], dtype=np.int64), _AROUND)
            held = self._catalogue.people.members(PersonId(other))
            # Somebody is in it with all their faces or not at all.
            if len(theirs) == len(held) <= room and not spoken.of(other, theirs.ids.tolist()):
                wanted.append(theirs.ids)
                room -= len(theirs)
        return photos.table(np.unique(np.concatenate(wanted)))


def freed(moves: Sequence[Move]) -> IntArray:
    """The faces, int64[n], that were left to nobody."""
    faces: IntArray = np.array([move.face for move in moves if move.group is None and move.now is None], dtype=np.int64)
    return faces
