"""Chinese Whispers: every node takes the label that weighs most among its neighbours, over and over until all is quiet.

Biemann's algorithm (2006) with four additions that photos ask for: labels that stand (people already known), nodes
that listen but do not speak (poor faces, which so never connect two people), faces of one photo that must not share a
label, and pairs that must not. It is pure: the order of visits comes from the seed, ties fall to the label a node has
and then to the smallest, so equal input gives equal labels, whatever the order of the edges.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from guyverd.model import BoolArray, IntArray
    from guyverd.people.graph import Edges


def whisper(
    n: int,
    edges: Edges,
    *,
    seed: int,
    rounds: int = 20,
    photos: IntArray | None = None,
    anchors: IntArray | None = None,
    voters: BoolArray | None = None,
    apart: Collection[tuple[int, int]] = (),
) -> IntArray:
    """Labels of n nodes, int64[n]: an anchor's label (≥ 0), or −1 − r where r is the smallest node of a free group.

    `photos`, int64[n]: nodes of the same photo never end with the same label; the one whose neighbours speak for it
    with more weight keeps it, the other takes its next best. `apart`: pairs of nodes that never end with the same
    label, likewise. `anchors`, int64[n]: a label ≥ 0 stands for ever, −1 is free; two anchored nodes are never parted.
    `voters`, bool[n]: False may take a label but gives none. At most `rounds` visits to every node. Raises ValueError
    when the arrays do not fit.
    """
    for array in (photos, anchors, voters):
        if array is not None and len(array) != n:
            raise ValueError(f"expected {n} values, not {len(array)}")
    if len(edges) and (int(edges.sources.min()) < 0 or int(edges.targets.max()) >= n):
        raise ValueError("an edge names a node that does not exist")
    crowd = _Crowd(n, edges, _rivals(n, photos, apart), anchors, voters)
    order_of = np.random.default_rng(seed)
    for _ in range(rounds):
        if not crowd.restless:
            break
        for node in order_of.permutation(n).tolist():
            if node in crowd.restless:
                crowd.restless.discard(node)
                crowd.visit(node)
    crowd.settle()
    return crowd.canonical()


def _rivals(n: int, photos: IntArray | None, apart: Collection[tuple[int, int]]) -> dict[int, list[int]]:
    """Which nodes each node must not share a label with."""
    found: dict[int, set[int]] = defaultdict(set)
    if photos is not None:
        together: dict[int, list[int]] = defaultdict(list)
        for node, photo in enumerate(photos.tolist()):
            together[photo].append(node)
        for nodes in together.values():
            if len(nodes) > 1:
                for node in nodes:
                    found[node].update(other for other in nodes if other != node)
    for one, other in apart:
        if not (0 <= one < n and 0 <= other < n):
            raise ValueError(f"the pair {one}, {other} names a node that does not exist")
        if one != other:
            found[one].add(other)
            found[other].add(one)
    return {node: sorted(others) for node, others in found.items()}


class _Crowd:
    """Nodes, who hears whom, and the labels they hold. Free labels are numbers below n, anchors' ones follow them."""

    def __init__(
        self,
        n: int,
        edges: Edges,
        rivals: dict[int, list[int]],
        anchors: IntArray | None,
        voters: BoolArray | None,
    ) -> None:
        self.n = n
        self.rivals = rivals
        self.hears: list[list[tuple[int, float]]] = [[] for _ in range(n)]
        self.heard_by: list[list[int]] = [[] for _ in range(n)]
        speaks = [True] * n if voters is None else voters.tolist()
        held = [-1] * n if anchors is None else anchors.tolist()
        pairs = zip(edges.sources.tolist(), edges.targets.tolist(), edges.weights.tolist(), strict=True)
        for one, other, weight in pairs:
            for node, neighbour in ((one, other), (other, one)):
                if speaks[neighbour] and held[node] < 0:
                    self.hears[node].append((neighbour, weight))
                    self.heard_by[neighbour].append(node)
        for hears in self.hears:
            # In the order of nodes, so that sums come out the same to the last bit.
            hears.sort()
        self.anchor_labels = sorted({label for label in held if label >= 0})
        number = {label: n + place for place, label in enumerate(self.anchor_labels)}
        self.free = [label < 0 for label in held]
        self.labels = [node if label < 0 else number[label] for node, label in enumerate(held)]
        self.holders = Counter(self.labels)
        self.next_label = n + len(self.anchor_labels)
        self.restless = {node for node in range(n) if self.hears[node]}

    def claims(self, node: int) -> dict[int, float]:
        """The weight with which a node's neighbours speak for each label."""
        found: dict[int, float] = {}
        labels = self.labels
        for neighbour, weight in self.hears[node]:
            label = labels[neighbour]
            found[label] = found.get(label, 0.0) + weight
        return found

    def _outbid(self, node: int, label: int, claim: float) -> bool:
        """Whether a rival holds the label with the better right; of equal claims the smaller node's wins."""
        for rival in self.rivals.get(node, ()):
            if self.labels[rival] == label:
                if not self.free[rival]:
                    return True
                other = self.claims(rival).get(label, 0.0)
                if (other, -rival) > (claim, -node):
                    return True
        return False

    def visit(self, node: int) -> None:
        """Let a node take the best label it may have."""
        current = self.labels[node]
        claims = self.claims(node)
        ranked = sorted(claims, key=lambda label: (-claims[label], label != current, label))
        best = next((label for label in ranked if not self._outbid(node, label, claims[label])), None)
        if best is None:
            # No neighbour has a label for it: be alone, unless it is already.
            best = current if self.holders[current] == 1 else self._unused()
        if best != current:
            self._take(node, best)

    def _take(self, node: int, label: int) -> None:
        left = self.labels[node]
        self.labels[node] = label
        self.holders[left] -= 1
        self.holders[label] += 1
        self.restless.update(self.heard_by[node])
        # A rival may have lost this label, or be free to have the one that was left.
        self.restless.update(
            rival
            for rival in self.rivals.get(node, ())
            if self.free[rival] and self.hears[rival] and (self.labels[rival] == label or left in self.claims(rival))
        )

    def _unused(self) -> int:
        self.next_label += 1
        return self.next_label - 1

    def settle(self) -> None:
        """Part the rivals that still share a label; a loser only takes what no rival holds, so this ends."""
        for node in sorted(self.rivals):
            while self.free[node]:
                label = self.labels[node]
                sharing = [rival for rival in self.rivals[node] if self.labels[rival] == label]
                if not sharing:
                    break
                claim = self.claims(node).get(label, 0.0)
                loser = node if self._outbid(node, label, claim) else next(r for r in sharing if self.free[r])
                self._take(loser, self._next_best(loser))

    def _next_best(self, node: int) -> int:
        taken = {self.labels[rival] for rival in self.rivals[node]} | {self.labels[node]}
        claims = self.claims(node)
        open_ = [label for label in claims if label not in taken]
        return min(open_, key=lambda label: (-claims[label], label)) if open_ else self._unused()

    def canonical(self) -> IntArray:
        """The labels as `whisper` promises them."""
        smallest: dict[int, int] = {}
        for node, label in enumerate(self.labels):
            smallest.setdefault(label, node)
        known = range(self.n, self.n + len(self.anchor_labels))
        return np.array(
            [self.anchor_labels[label - self.n] if label in known else -1 - smallest[label] for label in self.labels],
            dtype=np.int64,
        )
