from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import dlib
import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guyverd.people.graph import Edges, local, tidy
from guyverd.people.whispers import whisper

from .helpers import edges_of, filmed, partition, seen_together, table_of

if TYPE_CHECKING:
    from guyverd.model import BoolArray, IntArray, Spans


def planted(sizes: list[int], seed: int, inside: float = 0.9, between: float = 0.01) -> tuple[int, Edges, IntArray]:
    """A random graph of dense groups with few, light links between them."""
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    sources, targets = np.triu_indices(len(truth), 1)
    same = truth[sources] == truth[targets]
    drawn = rng.random(len(sources)) < np.where(same, inside, between)
    weights = np.where(same, rng.uniform(0.5, 1, len(sources)), 0.05)
    return len(truth), tidy(sources[drawn], targets[drawn], weights[drawn].astype(np.float32)), truth


@pytest.mark.parametrize("seed", range(5))
def test_dlib_and_networkx_find_the_same_groups(seed: int) -> None:
    sizes = [8, 12, 20, 9, 15]
    # dlib's whispers know no weights, so there are no links between groups for it to be led astray by; and groups are
    # dense: one that can fall into two halves does or does not, by the order of visits.
    n, edges, truth = planted(sizes, seed, between=0.0)
    ours = partition(whisper(n, edges, seed=seed))
    links = list(zip(edges.sources.tolist(), edges.targets.tolist(), strict=True))
    theirs = dlib.chinese_whispers(links)  # type: ignore[attr-defined]
    assert ours == partition(np.array(theirs)) == partition(truth)

    n, edges, truth = planted(sizes, seed)
    assert any(truth[edges.sources] != truth[edges.targets])
    found = nx.algorithms.community.asyn_lpa_communities(local(edges, n), weight="weight", seed=seed)
    assert partition(whisper(n, edges, seed=seed)) == {frozenset(group) for group in found} == partition(truth)


def test_without_edges_everybody_is_alone() -> None:
    assert whisper(4, edges_of(), seed=1).tolist() == [-1, -2, -3, -4]
    assert whisper(0, edges_of(), seed=1).tolist() == []


def test_labels_of_free_groups_are_their_smallest_node() -> None:
    labels = whisper(5, edges_of((4, 1, 1.0), (3, 2, 1.0)), seed=9)
    assert labels.tolist() == [-1, -2, -3, -3, -2]


def test_weights_decide() -> None:
    pull = [(0, 1, 1.0), (0, 2, 1.0), (1, 2, 1.0), (4, 5, 1.0), (4, 6, 1.0), (5, 6, 1.0)]
    left = whisper(7, edges_of(*pull, (3, 0, 0.9), (3, 4, 0.2), (3, 5, 0.2)), seed=3)
    right = whisper(7, edges_of(*pull, (3, 0, 0.3), (3, 4, 0.2), (3, 5, 0.2)), seed=3)
    assert left[3] == left[0] != left[4]
    assert right[3] == right[4] != right[0]


def test_anchors_stand_and_give_their_label() -> None:
    anchors = np.array([70, -1, -1, 5, -1], np.int64)
    labels = whisper(5, edges_of((0, 1, 0.8), (1, 2, 0.6), (1, 3, 0.5), (0, 3, 1.0)), seed=1, anchors=anchors)
    assert labels.tolist() == [70, 70, 70, 5, -5]


def test_poor_faces_join_but_never_connect() -> None:
    edges = edges_of((0, 1, 1.0), (1, 2, 0.9), (2, 3, 1.0), (2, 4, 1.0))
    # 2 is the only way from {0, 1} to 3 and 4.
    poor = np.array([True, True, False, True, True])
    labels = whisper(5, edges, seed=1, voters=poor)
    assert labels[0] == labels[1]
    assert len({labels[0], labels[3], labels[4]}) == 3
    assert labels[2] in labels[[0, 3, 4]]


def test_in_a_photo_the_stronger_claim_keeps_the_label_and_the_other_takes_its_next_best() -> None:
    anchors = np.array([1, 1, 2, -1, -1], np.int64)
    photos = np.array([10, 11, 12, 13, 13])
    edges = edges_of((0, 3, 0.5), (1, 3, 0.5), (0, 4, 0.9), (1, 4, 0.9), (2, 3, 0.1))
    assert whisper(5, edges, seed=0, photos=photos, anchors=anchors).tolist() == [1, 1, 2, 2, 1]
    # Without another label to take, the loser stays alone.
    labels = whisper(5, edges_of((0, 3, 0.5), (0, 4, 0.9)), seed=0, photos=photos, anchors=anchors)
    assert labels.tolist() == [1, 1, 2, -4, 1]
    # An anchored face keeps its label against any claim.
    photos = np.array([13, 11, 12, 13, 14])
    labels = whisper(5, edges_of((1, 3, 9.0)), seed=0, photos=photos, anchors=anchors)
    assert labels.tolist() == [1, 1, 2, -4, -5]


def test_pairs_apart() -> None:
    triangle = edges_of((0, 1, 1.0), (1, 2, 0.5), (0, 2, 0.4))
    assert len(set(whisper(3, triangle, seed=1).tolist())) == 1
    labels = whisper(3, triangle, seed=1, apart=[(2, 0), (1, 1)])
    assert labels.tolist() == [-1, -1, -3]


def test_pairs_together_may_share_a_label_in_one_photo() -> None:
    photos = np.array([10, 11, 11, 11])
    edges = edges_of((0, 1, 1.0), (0, 2, 0.9), (0, 3, 0.8))
    assert whisper(4, edges, seed=1, photos=photos).tolist() == [-1, -1, -3, -4]
    assert whisper(4, edges, seed=1, photos=photos, together=[(2, 1)]).tolist() == [-1, -1, -1, -4]
    # They need not; and what was said to be apart is apart, whatever else was said.
    assert whisper(4, edges_of(), seed=1, photos=photos, together=[(1, 2)]).tolist() == [-1, -2, -3, -4]
    labels = whisper(4, edges, seed=1, photos=photos, together=[(1, 2)], apart=[(2, 1)])
    assert labels.tolist() == [-1, -1, -3, -4]


def test_a_barred_label_is_never_taken_and_the_next_best_is() -> None:
    anchors = np.array([7, 8, -1], np.int64)
    edges = edges_of((0, 2, 1.0), (1, 2, 0.5))
    assert whisper(3, edges, seed=1, anchors=anchors).tolist() == [7, 8, 7]
    assert whisper(3, edges, seed=1, anchors=anchors, barred=[(2, 7)]).tolist() == [7, 8, 8]
    assert whisper(3, edges, seed=1, anchors=anchors, barred=[(2, 7), (2, 8)]).tolist() == [7, 8, -3]
    assert whisper(3, edges, seed=1, anchors=anchors, barred=[(1, 8), (2, 99)]).tolist() == [7, 8, 7]
    # Nor by way of somebody who may take it.
    anchors = np.array([7, -1, -1], np.int64)
    chain = edges_of((0, 1, 1.0), (1, 2, 0.9))
    assert whisper(3, chain, seed=1, anchors=anchors, barred=[(2, 7)]).tolist() == [7, 7, -3]


def test_input_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 3 values, not 2"):
        whisper(3, edges_of(), seed=1, photos=np.zeros(2, np.int64))
    with pytest.raises(ValueError, match="does not exist"):
        whisper(2, edges_of((0, 2, 1.0)), seed=1)
    with pytest.raises(ValueError, match="does not exist"):
        whisper(2, edges_of(), seed=1, apart=[(0, 2)])
    with pytest.raises(ValueError, match="does not exist"):
        whisper(2, edges_of(), seed=1, together=[(-1, 0)])


class Case(NamedTuple):
    n: int
    edges: list[tuple[int, int, float]]
    photos: IntArray
    spans: Spans | None
    anchors: IntArray
    voters: BoolArray
    apart: list[tuple[int, int]]
    together: list[tuple[int, int]]
    barred: list[tuple[int, int]]
    seed: int

    def whisper(self, edges: list[tuple[int, int, float]] | None = None, rounds: int = 20) -> IntArray:
        return whisper(
            self.n,
            edges_of(*(self.edges if edges is None else edges)),
            seed=self.seed,
            rounds=rounds,
            photos=self.photos,
            spans=self.spans,
            anchors=self.anchors,
            voters=self.voters,
            apart=self.apart,
            together=self.together,
            barred=self.barred,
        )

    def rivals(self) -> set[tuple[int, int]]:
        """Pairs that must not share a label, both ways round."""
        said = {pair for one, other in self.apart if one != other for pair in ((one, other), (other, one))}
        waived = {pair for one, other in self.together for pair in ((one, other), (other, one))}
        nodes = range(self.n)
        table = table_of(np.zeros((self.n, 128), np.float32), photos=self.photos, spans=self.spans)
        photo = {(i, j) for i in nodes for j in nodes if i != j and seen_together(table, i, j)}
        return said | (photo - waived)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    n = draw(st.integers(2, 14))
    node = st.integers(0, n - 1)
    # Few different weights, so that ties are common.
    edges = draw(st.lists(st.tuples(node, node, st.sampled_from([0.1, 0.5, 1.0])), max_size=3 * n))
    photos = draw(st.lists(st.integers(0, n), min_size=n, max_size=n))
    anchors = draw(st.lists(st.sampled_from([-1, -1, 0, 3, 50]), min_size=n, max_size=n))
    voters = draw(st.lists(st.sampled_from([True, True, True, False]), min_size=n, max_size=n))
    apart = draw(st.lists(st.tuples(node, node), max_size=4))
    together = draw(st.lists(st.tuples(node, node), max_size=6))
    barred = draw(st.lists(st.tuples(node, st.sampled_from([0, 3, 50, 99])), max_size=6))
    return Case(
        n,
        edges,
        np.array(photos, np.int64),
        filmed(np.array(photos, np.int64), draw(st.integers(0, 9))),
        np.array(anchors, np.int64),
        np.array(voters),
        apart,
        together,
        barred,
        draw(st.integers(0, 2**32)),
    )


@settings(max_examples=300, deadline=None)
@given(cases(), st.integers(0, 20))
def test_no_constraint_is_ever_broken(case: Case, rounds: int) -> None:
    labels = case.whisper(rounds=rounds)
    anchored = case.anchors >= 0
    assert (labels[anchored] == case.anchors[anchored]).all()
    assert set(labels[labels >= 0]) <= set(case.anchors.tolist())
    for label in set(labels[labels < 0].tolist()):
        assert np.flatnonzero(labels == label)[0] == -1 - label
    for one, other in case.rivals():
        assert labels[one] != labels[other] or (anchored[one] and anchored[other])
    for node, label in case.barred:
        assert labels[node] != label or anchored[node]


@settings(max_examples=200, deadline=None)
@given(cases(), st.randoms(use_true_random=False))
def test_equal_input_in_any_order_gives_equal_labels(case: Case, random: object) -> None:
    labels = case.whisper()
    assert case.whisper().tolist() == labels.tolist()
    shuffled = [(b, a, w) for a, b, w in case.edges]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert case.whisper(shuffled).tolist() == labels.tolist()


def test_sums_do_not_depend_on_the_order_of_the_edges() -> None:
    # (1 + tiny) + tiny is 1, (tiny + tiny) + 1 is more: added up as given, the reverse order would have another winner.
    tiny = 1e-16
    edges = edges_of((0, 6, 1.0), (1, 6, tiny), (2, 6, tiny), (3, 6, tiny), (4, 6, tiny), (5, 6, 1.0))
    anchors = np.array([1, 1, 1, 2, 2, 2, -1], np.int64)
    backwards = Edges(edges.targets[::-1], edges.sources[::-1], edges.weights[::-1])
    first = whisper(7, edges, seed=1, anchors=anchors)
    assert first.tolist() == whisper(7, backwards, seed=1, anchors=anchors).tolist()


@settings(max_examples=300, deadline=None)
@given(cases(), st.integers(0, 20))
def test_nobody_good_shares_a_label_that_only_poor_ones_connect(case: Case, rounds: int) -> None:
    labels = case.whisper(rounds=rounds)
    graph: nx.Graph[int] = nx.Graph()
    graph.add_nodes_from(range(case.n))
    graph.add_edges_from((a, b) for a, b, _ in case.edges if case.voters[a] and case.voters[b])
    # Who is anchored to one label is one.
    anchored = case.anchors >= 0
    for label in set(case.anchors[anchored].tolist()):
        nx.add_path(graph, np.flatnonzero(case.anchors == label).tolist())
    part = {node: number for number, nodes in enumerate(nx.connected_components(graph)) for node in nodes}
    for label in set(labels.tolist()):
        good = [node for node in np.flatnonzero(labels == label).tolist() if case.voters[node] or anchored[node]]
        assert len({part[node] for node in good}) <= 1


@settings(max_examples=200, deadline=None)
@given(cases())
def test_what_is_not_connected_is_never_joined(case: Case) -> None:
    labels = case.whisper()
    graph: nx.Graph[int] = nx.Graph()
    graph.add_nodes_from(range(case.n))
    graph.add_edges_from((a, b) for a, b, _ in case.edges if case.voters[a] or case.voters[b])
    part = {node: number for number, nodes in enumerate(nx.connected_components(graph)) for node in nodes}
    for label in set(labels.tolist()):
        nodes = np.flatnonzero(labels == label).tolist()
        if label < 0:
            assert len({part[node] for node in nodes}) == 1
        else:
            anchored = {part[node] for node in nodes if case.anchors[node] >= 0}
            assert {part[node] for node in nodes} <= anchored


def test_more_nodes_than_shares_and_large_photos() -> None:
    """Thirty people of twenty faces each, three photos of 200 among them, and chance links between any two."""
    rng = np.random.default_rng(0)
    who = np.repeat(np.arange(200), 20)
    n = len(who)
    photos = np.arange(n)
    for photo in range(3):
        photos[photo::20] = n + photo
    inside = np.array([(i, j) for i, j in combinations(range(20), 2) if rng.random() < 0.6])
    sources = (np.arange(200)[:, None] * 20 + inside[:, 0]).ravel()
    targets = (np.arange(200)[:, None] * 20 + inside[:, 1]).ravel()
    chance = rng.integers(0, n, (2, 8000))
    edges = tidy(
        np.concatenate([sources, chance[0]]),
        np.concatenate([targets, chance[1]]),
        np.concatenate([rng.uniform(0.5, 1, len(sources)), rng.uniform(0, 0.2, 8000)]).astype(np.float32),
    )
    labels = whisper(n, edges, seed=1, photos=photos)
    assert partition(labels) == partition(who)
    # The word is that they are other than they look: everybody of one photo must yield.
    everybody = np.flatnonzero(photos == n).tolist()
    pairs = [(one, one + 3) for one in everybody]
    moved = whisper(n, edges, seed=1, photos=photos, apart=pairs)
    assert all(moved[one] != moved[other] for one, other in pairs)
    for photo in range(3):
        assert len(set(moved[photos == n + photo].tolist())) == 200


def test_a_photo_of_two_hundred_faces_that_all_look_alike() -> None:
    """All are linked with the same anchors: one of the photo gets each label and the others stay alone."""
    n, people = 210, 10
    anchors = np.full(n, -1, np.int64)
    anchors[200:] = np.arange(people)
    photos = np.concatenate([np.zeros(200, np.int64), np.arange(1, 11)])
    weights = np.random.default_rng(0).uniform(0.1, 1, (200, people)).astype(np.float32)
    sources, targets = np.divmod(np.arange(200 * people), people)
    edges = tidy(sources, targets + 200, weights.ravel())
    labels = whisper(n, edges, seed=1, photos=photos, anchors=anchors)
    assert len(set(labels[:200].tolist())) == 200
    assert set(range(people)) <= set(labels[:200].tolist()), "nobody's label is wasted"
    every = [(i, j) for i in range(200) for j in range(i)]
    alike = whisper(n, edges, seed=1, photos=photos, anchors=anchors, together=every)
    assert set(alike.tolist()) <= set(range(people)), "a photo that shows everybody many times"
    assert alike[:200].tolist() == weights.argmax(axis=1).tolist()
