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
from guyverd.model import Author, Move, PersonId
from guyverd.people.arrival import Outcome
from guyverd.people.coherence import SAMPLE, Exact, doubtful, is_due, parting, spoken_of
from guyverd.people.decisions import held_of
from guyverd.people.evidence import Measure
from guyverd.people.grouping import group
from guyverd.service.pipeline.deciding import log_of, standing

if TYPE_CHECKING:
    from guyverd.model import IntArray

log = logging.getLogger(__name__)


def part(
    catalogue: Catalogue, measure: Measure, outcome: Outcome, touched: Sequence[PersonId], *, seed: int
) -> tuple[Move, ...]:
    """Part those of the people `touched` by an arrival who are evidently several and of whom nobody spoke.

    Each is one decision of guyverd's own. Returns what became of their faces; those that are nobody's now may be asked
    again. Who has not changed costs nothing, and who is coherent no more than a look at some of their faces.
    """
    came = Counter(item.person for item in outcome.assignments if item.person is not None)
    # Whoever was merged or founded has not been looked at in this state.
    known = set(came) - {merge.into for merge in outcome.merges}
    moves: list[Move] = []
    sample = catalogue.photos.members(np.array(touched, dtype=np.int64), SAMPLE)
    for person in doubtful(sample, measure):
        faces = [one.face for one in catalogue.people.members(person)]
        if not is_due(len(faces), came[person] if person in known else len(faces)):
            continue
        said = standing(catalogue)
        if spoken_of(person, faces, said, held_of(log_of(catalogue), said)):
            continue
        table = catalogue.photos.members(np.array([person], dtype=np.int64), len(faces))
        found = parting(table, group(table, Exact(table), measure, seed=seed, said=said).labels)
        if found:
            catalogue.people.apply(found, catalogue.now(), said=said, author=Author.GUYVERD, about=person)
            log.info("Person %d was evidently several people: %d of %d faces left.", person, len(found), len(faces))
            moves += found
    return tuple(moves)


def freed(moves: Sequence[Move]) -> IntArray:
    """The faces, int64[n], that were left to nobody."""
    faces: IntArray = np.array([move.face for move in moves if move.group is None and move.now is None], dtype=np.int64)
    return faces
