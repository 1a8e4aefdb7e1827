"""What `guyverd search --all` answers to photos of somebody: how much it finds, and whether its confidence is honest.

The real search is asked: by faces of the library, and as somebody from outside would ask, in a library put together
without any of the photos that are asked with. Confidences are judged by the latter alone.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from guyverd.catalogue.store import Catalogue
from guyverd.config import Config
from guyverd.evaluation.calibration import calibration, level
from guyverd.evaluation.retrieval import outsiders, queries, score
from guyverd.people.graph import rows_of
from guyverd.service.api import SURE, Row
from guyverd.service.pipeline.evaluation.labelling import Truth
from guyverd.service.pipeline.evaluation.rehearsing import Material, Rehearsal
from guyverd.service.pipeline.grouping import Grouping
from guyverd.service.pipeline.searching.search import Question, Search
from guyverd.service.tasks import Audience

if TYPE_CHECKING:
    from guyverd.model import FloatArray, IntArray

PROMISED = 0.99
"""Share of what is returned at the default level that must be right."""
_LEAST = 0.05
"""Confidence from which on answers are judged: below it nearly everybody in a library is told."""
_AWAY = 0.2
"""Share of the labelled photos, at most, that are asked with from outside."""
_HIT = 20
"""Answers among which the person should be."""
_SEED = 7


@dataclass(frozen=True, slots=True)
class _Told:
    """One answer: rows of the material, most sure first."""

    rows: IntArray
    confidence: FloatArray


def search(
    material: Material,
    truth: Truth,
    catalogue: Catalogue,
    grouping: Grouping,
    *,
    config: Config,
    folder: Path,
    count: int,
    audience: Audience,
) -> Row:
    """Ask with up to `count` photos, chosen by chance: the `search` of `service.evaluation`. `folder` is empty."""
    found = truth.found
    people, photos = truth.people[found], truth.photos[found]
    ours = np.random.default_rng(_SEED).permutation(found[queries(people, photos)])[:count].astype(np.int64)
    # Without too many of its photos it would be another library.
    theirs = found[outsiders(people, photos, min(count, round(_AWAY * len(np.unique(photos)))), _SEED)]
    gone = np.unique(truth.photos[theirs])
    order = np.setdiff1d(np.arange(len(material.photos), dtype=np.int64), gone)
    at_home, strange = [], []
    with audience.steps("photos to ask with", len(ours) + len(theirs)) as step:
        inside = _Library(material, catalogue, grouping, material.faces())
        for row in truth.rows[ours].tolist():
            at_home.append(inside.known(row))
            step()
        with Rehearsal(folder, material, config.clustering, order) as library:
            library.arrive()
            outside = _Library(material, library.catalogue, library.grouping, library.faces())
            for row in truth.rows[theirs].tolist():
                strange.append(outside.stranger(row))
                step()
    return {
        "sure": SURE,
        "inside": _score(truth, ours, at_home, len(material)),
        "outside": _score(truth, theirs, strange, len(material), gone),
        "calibration": _calibration(truth, theirs, strange, len(material)),
    }


class _Library:
    """A library that holds some or all of the material."""

    def __init__(self, material: Material, catalogue: Catalogue, grouping: Grouping, faces: IntArray) -> None:
        """`faces`, int64[faces of the material]: the number of each there, −1 for those that are not there."""
        measure = grouping.measuring.now()
        self._search = Search(catalogue, lambda: grouping.index, lambda: measure)
        self._vectors = material.vectors()
        self._faces = faces
        order = np.argsort(faces, kind="stable")
        self._order = order[faces[order] >= 0].astype(np.int64)
        self._ids = faces[self._order]

    def known(self, row: int) -> _Told:
        """Asked with a face that is there."""
        return self._ask(row, int(self._faces[row]))

    def stranger(self, row: int) -> _Told:
        """Asked as if the face were not."""
        return self._ask(row, -1)

    def _ask(self, row: int, number: int) -> _Told:
        # One row for each photo: those that are shown behind another are answers too.
        question = Question(_HIT, every=True, least=_LEAST, sure=SURE, duplicates=True)
        shown = self._search.of_face(self._vectors[row], number, question).shown
        numbers = np.array([one.face.face for one in shown], dtype=np.int64)
        return _Told(
            self._order[rows_of(self._ids, numbers)],
            np.array([one.confidence for one in shown], dtype=np.float32),
        )


def _entries(truth: Truth, count: int) -> IntArray:
    """int64[count]: for each row of the material its entry in the truth, −1 where nobody knows who it is."""
    entry: IntArray = np.full(count, -1, dtype=np.int64)
    entry[truth.rows[truth.found]] = truth.found
    return entry


def _score(truth: Truth, asked: IntArray, told: list[_Told], count: int, away: IntArray | None = None) -> Row:
    """What is returned at the default level."""
    entry = _entries(truth, count)
    sure, near = [], []
    for each in told:
        rows = entry[each.rows]
        sure.append(rows[(rows >= 0) & (each.confidence >= SURE)])
        near.append(rows[rows >= 0][:_HIT])
    return asdict(score(truth.people, truth.photos, asked, sure, near, away=away))


def _calibration(truth: Truth, asked: IntArray, told: list[_Told], count: int) -> Row:
    """Each answer that shows somebody who is labelled, with its confidence, against who it is."""
    entry = _entries(truth, count)
    said: list[float] = []
    right: list[bool] = []
    of: list[int] = []
    for query, (at, each) in enumerate(zip(asked.tolist(), told, strict=True)):
        rows = entry[each.rows]
        said += each.confidence[rows >= 0].astype(float).tolist()
        right += (truth.people[rows[rows >= 0]] == truth.people[at]).tolist()
        of += [query] * int((rows >= 0).sum())
    confidences, rights = np.array(said, dtype=np.float64), np.array(right, dtype=bool)
    found = calibration(confidences, rights, np.array(of, dtype=np.int64))
    return {
        "answers": found.answers,
        "brier": found.brier,
        "error": found.error,
        "level": level(confidences, rights, PROMISED),
        "bins": [{**asdict(each), "off": each.off} for each in found.bins],
    }
