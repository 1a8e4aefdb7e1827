"""All faces at once: who is one person, whatever was attached before. For a plan, an evaluation, a search of settings.

The same steps as for new faces (`arrival`), on arrays throughout: links, whispers, the mean evidence between groups.
Nothing here owns an identity: what comes out is proposed, and only the user's word makes it so (`reclustering`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from guyverd.model import NOTHING_SAID, FaceTable, Standing
from guyverd.people.crowding import SLACK, beyond, speakers
from guyverd.people.evidence import DOUBT, FEW, Measure, Scales, belonging, evidence
from guyverd.people.graph import linked_share, rows_of, tidy, with_certain
from guyverd.people.identity import voters
from guyverd.people.rules import Rules, rules
from guyverd.people.union import Ranks, merges
from guyverd.people.whispers import whisper

if TYPE_CHECKING:
    from guyverd.model import BoolArray, FloatArray, IntArray
    from guyverd.people.index import Neighbours

_PAIRS = 4_000_000
"""Pairs of rows that are looked at together."""
_BLOCK = 20_000
"""Faces whose neighbours are asked for together."""


class Index(Protocol):
    """Where neighbours are looked up."""

    def neighbours(self, vectors: FloatArray, k: int) -> Neighbours:
        """The k most similar faces of each vector."""


@dataclass(frozen=True, slots=True)
class Grouped:
    """What was found."""

    labels: IntArray
    """int64[n]: a person the user's word names, −1 − g for group g, or 0 for a face on its own."""
    rules: Rules
    """What was said, by rows."""
    scales: Scales


def group(table: FaceTable, index: Index, measure: Measure, *, seed: int, said: Standing = NOTHING_SAID) -> Grouped:
    """Who is one person among these faces, which the index must hold; rows as they come, by photo and place.

    Whom faces are attached to does not count, but what was said of them does: pinned faces keep their person, and no
    word is gone against.
    """
    scales = measure.scales(table.vectors)
    rule = rules(table, said)
    sources, targets, told = _pairs(table, scales, index, measure, rule)
    good = voters(table, measure.settings)
    pinned = _pinned(table, said)
    linked = told > measure.link
    edges = tidy(
        sources[linked].astype(np.int64), targets[linked].astype(np.int64), told[linked] - np.float32(measure.link)
    )
    edges = with_certain(edges, rule.together)
    del told, linked
    labels = whisper(
        len(table),
        edges,
        seed=seed,
        photos=table.photos,
        spans=table.spans,
        anchors=np.where(pinned > 0, pinned, -1),
        voters=good,
        apart=rule.apart,
        together=rule.waived,
        barred=rule.barred,
    )
    between = _between(labels, sources, targets)
    del sources, targets
    labels = _joined(table, labels, between, scales=scales, measure=measure, rule=rule)
    _, place = np.unique(labels, return_inverse=True)
    place = place.astype(np.int64)
    doubtful = belonging(table.vectors, scales, place) < measure.join - DOUBT
    doubtful &= linked_share(edges, place, np.bincount(place)) < FEW
    # Of whom somebody said who they are, or with whom, there is no doubt.
    doubtful &= pinned == 0
    doubtful[[row for pair in rule.together for row in pair]] = False
    # Numbers that no group has; a face on its own is told as nobody.
    labels = np.where(doubtful, -1 - len(table) - np.arange(len(table)), labels)
    return Grouped(_founded(labels, good, pinned), rule, scales)


def _pairs(
    table: FaceTable, scales: Scales, index: Index, measure: Measure, rule: Rules
) -> tuple[IntArray, IntArray, FloatArray]:
    """Pairs of rows with as much evidence as a join asks for, each once or twice: no mean exceeds the most of them."""
    n = len(table)
    order = np.argsort(table.ids, kind="stable")
    ids = table.ids[order]
    waived = np.array([*rule.waived], dtype=np.int64).reshape(-1, 2)
    freed = waived.min(axis=1) * n + waived.max(axis=1) if len(waived) else np.empty(0, np.int64)
    found: list[tuple[IntArray, IntArray, FloatArray]] = []
    for start in range(0, n, _BLOCK):
        near = index.neighbours(table.vectors[start : start + _BLOCK], measure.settings.neighbours + 1)
        rows, k = near.ids.shape
        sources = np.repeat(np.arange(start, start + rows), k)
        wanted = near.ids.ravel()
        place = np.minimum(np.searchsorted(ids, wanted), n - 1)
        known = ids[place] == wanted
        sources, targets, similarity = sources[known], order[place[known]], near.similarity.ravel()[known]
        if table.spans is not None:
            rows_near = np.where(known, order[place], -1)
            far = _beyond(table, scales, index, measure, start=start, near=near, targets=rows_near)
            sources = np.concatenate([sources, far[0]])
            targets, similarity = np.concatenate([targets, far[1]]), np.concatenate([similarity, far[2]])
        told = evidence(similarity, scales.of(sources), scales.of(targets))
        low, high = np.minimum(sources, targets), np.maximum(sources, targets)
        kept = (told > measure.join) & (low != high)
        kept &= ~table.beside(sources, targets) | np.isin(low * n + high, freed)
        # Half as wide as rows elsewhere: there are up to forty for each face.
        found.append((low[kept].astype(np.int32), high[kept].astype(np.int32), told[kept]))
    if not found:
        nothing = np.empty(0, dtype=np.int64)
        return nothing, nothing, np.empty(0, dtype=np.float32)
    low, high, told = (np.concatenate([part[column] for part in found]) for column in range(3))
    return low, high, told


def _beyond(
    table: FaceTable,
    scales: Scales,
    index: Index,
    measure: Measure,
    *,
    start: int,
    near: Neighbours,
    targets: IntArray,
) -> tuple[IntArray, IntArray, FloatArray]:
    """Pairs of tracks and others, where all neighbours of a track are of its own film: rows, and their cosine."""
    assert table.spans is not None
    rows = np.arange(start, start + len(near.ids))
    place = targets.reshape(near.ids.shape)
    own = (place >= 0) & (table.photos[place] == table.photos[rows][:, None])
    told = evidence(near.similarity, scales.of(rows).column, scales.of(np.maximum(place, 0)))
    full = ~np.isneginf(table.spans.starts[rows]) & own.all(axis=1) & (told[:, -1] > measure.join)
    # The rows of this block have numbers of their own, and neighbours outside it speak for nobody in it.
    inside = np.where((place >= start) & (place < start + len(rows)), place - start, -1)
    chosen = rows[speakers(np.flatnonzero(full), inside, own & (told > measure.link), table.quality[rows])]

    def is_own(some: IntArray, ids: IntArray) -> BoolArray:
        at = rows_of(table.ids, ids)
        found: BoolArray = (at < 0) | (table.photos[at] == table.photos[some][:, None])
        return found

    others = beyond(
        chosen,
        table,
        index,
        usual=measure.settings.neighbours + 1,
        is_own=is_own,
        told=lambda some, cosine: scales.of(some).column.alone(cosine),
        near=measure.join - SLACK,
        linked=measure.link,
    )
    return others.rows, rows_of(table.ids, others.ids), others.similarity


def _between(labels: IntArray, sources: IntArray, targets: IntArray) -> IntArray:
    """The pairs of different labels that such pairs of rows connect, each once: int64[m, 2]."""
    values, place = np.unique(labels, return_inverse=True)
    count = len(values)
    found = np.empty(0, dtype=np.int64)
    for start in range(0, len(sources), _PAIRS):
        one, other = place[sources[start : start + _PAIRS]], place[targets[start : start + _PAIRS]]
        key = np.minimum(one, other).astype(np.int64) * count + np.maximum(one, other)
        found = np.union1d(found, key[one != other])
    pairs: IntArray = values[np.stack(np.divmod(found, max(1, count)), axis=1)]
    return pairs


def _pinned(table: FaceTable, said: Standing) -> IntArray:
    """The person each row is by the user's word, 0 for none."""
    return np.array([said.pinned.get(face, 0) for face in table.ids.tolist()], dtype=np.int64)


def _joined(
    table: FaceTable, labels: IntArray, between: IntArray, *, scales: Scales, measure: Measure, rule: Rules
) -> IntArray:
    """The labels after groups that are one person by the mean of their evidence have become one."""
    # Labels of whispers are −1 − row for free groups, so all are different from 0 and from people's numbers.
    anchored = np.unique(labels[labels > 0]).tolist()
    # Whoever is near nobody has nothing to do with it, and that is most of a large library.
    near = np.isin(labels, between)
    placed = replace(table, people=np.where(near, labels, 0))
    found = merges(
        placed,
        scales,
        least=measure.join,
        least_of_two=measure.pair,
        good=voters(table, measure.settings),
        ranks=Ranks(named=anchored),
        rules=rule,
        candidates=between,
    )
    if not found:
        return labels
    values, inverse = np.unique(labels, return_inverse=True)
    into = {int(item.absorbed): int(item.into) for item in found}
    renamed = np.array([into.get(value, value) for value in values.tolist()], dtype=np.int64)
    return renamed[inverse]


def _founded(labels: IntArray, good: np.ndarray[tuple[int], np.dtype[np.bool_]], pinned: IntArray) -> IntArray:
    """Labels as they are told: groups numbered in the order of their first face; too small ones are nobody."""
    values, first, inverse, counts = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    fit = np.zeros(len(values), dtype=bool)
    fit[inverse[good]] = True
    fit &= counts > 1
    free = values < 0
    named = np.where(free, 0, values)
    ranked = np.flatnonzero(free & fit)
    ranked = ranked[np.argsort(first[ranked], kind="stable")]
    named[ranked] = -1 - np.arange(len(ranked))
    found: IntArray = named[inverse]
    return np.where(pinned > 0, pinned, found)
