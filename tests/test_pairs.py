"""Pairs of numbers, and what hangs together."""

from __future__ import annotations

import networkx as nx
from hypothesis import given
from hypothesis import strategies as st

from guyverd.pairs import components, partners

NUMBERS = st.integers(0, 12)
PAIRS = st.lists(st.tuples(NUMBERS, NUMBERS), max_size=20)


def test_partners() -> None:
    assert partners([(1, 2), (3, 2), (2, 1)]) == {1: {2}, 2: {1, 3}, 3: {2}}
    assert partners(()) == {}


def test_components() -> None:
    assert components([(5, 6), (2, 6), (7, 8)]) == {2: 2, 5: 2, 6: 2, 7: 7, 8: 7}
    assert components(()) == {}


def test_a_long_chain_hangs_together() -> None:
    assert set(components((n, n + 1) for n in range(50_000)).values()) == {0}


def test_who_is_in_no_pair_is_not_there() -> None:
    assert 9 not in partners([(1, 2)])
    assert 9 not in components([(1, 2)])


@given(PAIRS)
def test_partners_are_mutual_and_every_pair_is_told(pairs: list[tuple[int, int]]) -> None:
    found = partners(pairs)
    assert {(one, other) for one, others in found.items() for other in others} == {
        pair for one, other in pairs for pair in ((one, other), (other, one))
    }


@given(PAIRS)
def test_components_are_those_of_a_graph_each_called_after_its_smallest(pairs: list[tuple[int, int]]) -> None:
    parts = nx.connected_components(nx.Graph(pairs))
    assert components(pairs) == {number: min(part) for part in parts for number in part}
    assert components(reversed(pairs)) == components(pairs), "in whatever order they come"
