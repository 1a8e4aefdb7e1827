from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guyverd.people.directions import unit
from guyverd.people.graph import link, local, rows_of
from guyverd.people.index import FaceIndex, Neighbours

from .helpers import edges_of, faces_of, measure_of, table_of


def test_links_are_what_brute_force_finds() -> None:
    who = np.random.default_rng(4).integers(0, 6, 60)
    vectors = faces_of(who, spread=0.3)
    photos = np.sort(np.random.default_rng(3).integers(0, 25, 60))
    table = table_of(vectors, photos=photos)
    measure = measure_of(table)
    scales = measure.scales(vectors)
    waived = [(i, j) for i in range(60) for j in range(60) if photos[i] == photos[j] and (i + j) % 3 == 0]
    near = FaceIndex.build(table.ids, vectors).neighbours(vectors, 60)
    directions = unit(vectors)
    alone = (directions @ directions.T - scales.centre[:, None]) / scales.width[:, None]
    told = (alone + alone.T) / 2
    enough = told > measure.link
    same_photo = enough & (photos[:, None] == photos[None]) & ~np.eye(60, dtype=bool)
    assert same_photo.any(), "near faces of one photo must not be linked"
    every = [(i, j) for i in range(60) for j in range(i + 1, 60) if enough[i, j]]
    apart = [(i, j) for i, j in every if photos[i] != photos[j]]
    freed = [(i, j) for i, j in every if photos[i] != photos[j] or (i, j) in waived]
    assert 20 < len(apart) < len(freed) < len(every) < 60 * 59 / 2
    for pairs, expected in (([], apart), (waived, freed), ([(j, i) for i, j in waived], freed)):
        edges = link(table, near, scales, measure.link, pairs)
        assert list(zip(edges.sources.tolist(), edges.targets.tolist(), strict=True)) == expected
        assert edges.weights == pytest.approx(told[edges.sources, edges.targets] - measure.link, abs=2e-3)


def test_neighbours_outside_the_table_and_padding_are_passed_over() -> None:
    table = table_of(faces_of(np.zeros(2, np.int64)))
    found = Neighbours(np.array([[1, 2, 77], [-1, -1, -1]]), np.array([[1, 0.99, 0.99], [-1, -1, -1]], np.float32))
    scales = measure_of(table).scales(table.vectors)
    edges = link(table, found, scales, 4.0)
    assert (edges.sources.tolist(), edges.targets.tolist()) == ([0], [1])
    assert len(link(table, found, scales, 99.0)) == 0
    with pytest.raises(ValueError, match="1 rows of neighbours for 2 faces"):
        link(table, Neighbours(found.ids[:1], found.similarity[:1]), scales, 4.0)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.floats(0.125, 1, width=32)), max_size=40), st.randoms()
)
def test_tidy_gives_each_pair_once_in_one_order(edges: list[tuple[int, int, float]], random: object) -> None:
    found = edges_of(*edges)
    expected: dict[tuple[int, int], float] = {}
    for one, other, weight in edges:
        if one != other:
            pair = (min(one, other), max(one, other))
            expected[pair] = max(weight, expected.get(pair, 0))
    pairs = list(zip(found.sources.tolist(), found.targets.tolist(), strict=True))
    assert pairs == sorted(expected)
    assert found.weights.tolist() == [expected[pair] for pair in pairs]
    random.shuffle(edges)  # type: ignore[attr-defined]
    again = edges_of(*((b, a, w) for a, b, w in edges))
    assert again.sources.tolist() == found.sources.tolist()
    assert again.weights.tolist() == found.weights.tolist()


def test_rows_of() -> None:
    ids = np.array([30, 10, 20])
    assert rows_of(ids, np.array([[10, 30], [5, 99]])).tolist() == [[1, 0], [-1, -1]]
    assert rows_of(ids[:0], np.array([1, 2])).tolist() == [-1, -1]


def test_local_is_the_same_graph_for_networkx() -> None:
    graph = local(edges_of((0, 1, 0.5), (3, 1, 0.25)), 5)
    assert sorted(graph.nodes) == [0, 1, 2, 3, 4]
    assert sorted(graph.edges(data="weight")) == [(0, 1, 0.5), (1, 3, 0.25)]
    assert len(local(edges_of(), 0)) == 0
