from __future__ import annotations

from collections import defaultdict
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guyverd.model import Assignment, FaceTable
from guyverd.pairs import partners
from guyverd.people.graph import Edges, link, tidy
from guyverd.people.identity import anchors, decide, voters
from guyverd.people.index import FaceIndex
from guyverd.people.rules import NO_RULES, Pair, Rules
from guyverd.people.whispers import whisper

from .helpers import SETTINGS, edges_of, faces_of, filmed, ints, measure_of, seen_together, table_of, told_between

if TYPE_CHECKING:
    from guyverd.model import IntArray


def decided(table: FaceTable, edges: Edges, labels: IntArray, rules: Rules = NO_RULES) -> tuple[Assignment, ...]:
    measure = measure_of(table)
    return decide(table, edges, labels, scales=measure.scales(table.vectors), measure=measure, rules=rules)


def whispered(
    table: FaceTable, edges: Edges, rules: Rules = NO_RULES, seed: int = 1
) -> tuple[IntArray, tuple[Assignment, ...]]:
    labels = whisper(
        len(table),
        edges,
        seed=seed,
        photos=table.photos,
        spans=table.spans,
        anchors=anchors(table),
        voters=voters(table, SETTINGS),
        apart=rules.apart,
        together=rules.waived,
        barred=rules.barred,
    )
    return labels, decided(table, edges, labels, rules)


def linked(table: FaceTable) -> Edges:
    measure = measure_of(table)
    near = FaceIndex.build(table.ids, table.vectors).neighbours(table.vectors, 40)
    return link(table, near, measure.scales(table.vectors), measure.link)


def test_faces_join_their_person_and_the_rest_founds_one_or_waits() -> None:
    who = ints(0, 0, 0, 1, 1, 2, 0, 1)
    table = table_of(faces_of(who), people=ints(7, 7, 0, 0, 0, 0, 0, 0))
    _, found = whispered(table, linked(table))
    assert [(a.face, a.person, a.group) for a in found] == [
        (3, 7, None),
        (4, None, 0),
        (5, None, 0),
        (7, 7, None),
        (8, None, 0),
    ]
    told = told_between(table.vectors, measure_of(table))
    assert found[0].score == pytest.approx(told[2, [0, 1, 6]].mean(), abs=5e-3), "to whom it is linked"
    assert found[1].score == pytest.approx(told[3, [4, 7]].mean(), abs=5e-3), "to the others of its group"


def test_a_face_between_two_people_waits_until_the_margin_is_clear() -> None:
    table = table_of(faces_of(ints(0, 1, 2)), people=ints(7, 8, 0))
    for theirs, joins in ((0.5, True), (0.66, True), (0.67, False), (0.99, False)):
        labels, found = whispered(table, edges_of((0, 2, 1.0), (1, 2, theirs)))
        assert labels.tolist() == [7, 8, 7]
        assert [a.person for a in found] == ([7] if joins else [])


def test_two_faces_of_one_photo_are_no_group() -> None:
    table = table_of(faces_of(ints(0, 0)), photos=ints(4, 4))
    # Whatever the labels say.
    assert decided(table, edges_of((0, 1, 1.0)), ints(-1, -1)) == ()


def test_poor_faces_found_nobody_but_may_be_founders_beside_a_good_one() -> None:
    vectors = faces_of(ints(0, 0, 0))
    poor = table_of(vectors, quality=np.array([0.1, 0.1, 0.1], np.float32))
    assert decided(poor, linked(poor), ints(-1, -1, -1)) == ()
    one_good = table_of(vectors, quality=np.array([0.1, 0.9, 0.1], np.float32))
    _, found = whispered(one_good, linked(one_good))
    assert [a.group for a in found] == [0, 0, 0]


def test_evidence_from_poor_faces_is_none() -> None:
    table = table_of(faces_of(ints(0, 0)), people=ints(7, 0), quality=np.array([0.1, 0.9], np.float32))
    assert decided(table, linked(table), ints(7, 7)) == ()


def test_what_was_said_is_kept_whatever_the_labels_say() -> None:
    table = table_of(faces_of(ints(0, 0, 0, 0, 0)), people=ints(7, 0, 0, 0, 0), photos=ints(1, 1, 2, 2, 3))
    edges = edges_of((0, 1, 2.0), (0, 2, 1.0), (0, 3, 0.9), (0, 4, 0.8))
    every = ints(7, 7, 7, 7, 7)

    def joining(rules: Rules) -> list[int]:
        return [int(a.face) for a in decided(table, edges, every, rules)]

    assert joining(NO_RULES) == [3, 5]
    assert joining(Rules(waived=frozenset({(0, 1)}))) == [2, 3, 5]
    assert joining(Rules(waived=frozenset({(0, 1), (2, 3)}))) == [2, 3, 4, 5]
    assert joining(Rules(barred=frozenset({(2, 7), (4, 8)}))) == [4, 5]
    assert joining(Rules(apart=frozenset({(2, 4)}), enemies={2: frozenset({4}), 4: frozenset({2})})) == [3]
    founding = decided(table_of(table.vectors, photos=table.photos), edges, ints(-1, -1, -1, -1, -1))
    assert [int(a.face) for a in founding] == [1, 3, 5]


def test_the_stronger_of_two_faces_in_a_photo_joins_whatever_the_labels_say() -> None:
    table = table_of(faces_of(ints(0, 0, 0)), people=ints(7, 0, 0), photos=ints(1, 2, 2))
    edges = edges_of((0, 1, 0.4), (0, 2, 0.5))
    assert [a.face for a in decided(table, edges, ints(7, 7, 7))] == [3]


@st.composite
def situations(draw: st.DrawFn) -> tuple[FaceTable, Edges, Rules, int]:
    n = draw(st.integers(1, 12))
    node = st.integers(0, n - 1)
    edges = draw(st.lists(st.tuples(node, node, st.sampled_from([0.1, 0.3, 1.0])), max_size=3 * n))
    photos = np.sort(ints(*draw(st.lists(st.integers(1, n + 3), min_size=n, max_size=n))))
    people = ints(*draw(st.lists(st.sampled_from([0, 0, 0, 1, 2]), min_size=n, max_size=n)))
    quality = draw(st.lists(st.sampled_from([0.05, 0.9, 0.9]), min_size=n, max_size=n))
    pairs = st.sets(st.tuples(node, node).filter(lambda pair: pair[0] < pair[1]), max_size=3)
    apart: set[Pair] = draw(pairs) if n > 1 else set()
    waived: set[Pair] = draw(pairs) if n > 1 else set()
    rules = Rules(
        waived=frozenset(waived - apart),
        apart=frozenset(apart),
        barred=frozenset(draw(st.sets(st.tuples(node, st.sampled_from([1, 2])), max_size=3))),
        enemies={row: frozenset(others) for row, others in partners(apart).items()},
    )
    vectors = faces_of(np.arange(n) % 3, seed=draw(st.integers(0, 5)))
    spans = filmed(photos, draw(st.integers(0, 9)))
    table = table_of(vectors, photos=photos, people=people, quality=np.array(quality, np.float32), spans=spans)
    found = edges_of(*(edge for edge in edges if not seen_together(table, *edge[:2])))
    return table, found, rules, draw(st.integers(0, 99))


@settings(max_examples=250, deadline=None)
@given(situations(), st.booleans())
def test_what_always_holds(situation: tuple[FaceTable, Edges, Rules, int], sane: bool) -> None:
    table, edges, rules, seed = situation
    labels, found = whispered(table, edges, rules, seed)
    if not sane:
        # Even labels that whispering would never give break no promise.
        labels = np.where(table.people > 0, table.people, np.random.default_rng(seed).integers(-3, 3, len(table)))
        labels[labels == 0] = -1
        found = decided(table, edges, labels, rules)
    assert found == decided(table, edges, labels, rules)
    place = {int(face): row for row, face in enumerate(table.ids)}
    rows = [place[a.face] for a in found]
    assert rows == sorted(set(rows)), "in the order of the rows, each face once"
    company: dict[tuple[str, int], list[int]] = defaultdict(list)
    for row in np.flatnonzero(table.people > 0).tolist():
        company["person", int(table.people[row])].append(row)
    before = {key: len(members) for key, members in company.items()}
    for a, row in zip(found, rows, strict=True):
        assert table.people[row] == 0, "no attached face moves"
        assert (a.person is None) != (a.group is None)
        assert np.isfinite(a.score)
        assert (row, a.person) not in rules.barred
        company[("group", a.group) if a.group is not None else ("person", int(a.person or 0))].append(row)
    groups = [members for (kind, _), members in company.items() if kind == "group"]
    assert all(len(members) >= 2 for members in groups)
    assert all((table.quality[members] >= SETTINGS.poor_quality).any() for members in groups)
    assert sorted(a.group for a in found if a.group is not None) == sorted(
        number for number, members in enumerate(sorted(groups)) for _ in members
    )
    new = set(rows)
    for key, members in company.items():
        for one, other in combinations(sorted(members), 2):
            if one in new or other in new:
                assert not seen_together(table, one, other) or (one, other) in rules.waived
                assert (one, other) not in rules.apart
        assert len(members) >= before.get(key, 0)


def test_no_edges_no_assignments() -> None:
    table = table_of(faces_of(ints(0, 0)))
    empty = tidy(ints(), ints(), np.empty(0, np.float32))
    assert whispered(table, empty)[1] == ()
