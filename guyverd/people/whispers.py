"""Chinese Whispers: every node takes the label that weighs most among its neighbours, over and over until all is quiet.

Biemann's algorithm (2006) with five additions that photos ask for: labels that stand (people already known), nodes
that listen and hardly speak (poor faces, which never connect two people), faces of one photo that must not share a
label, pairs that must not, and labels that a node must not take. It is pure: the order of visits comes from the seed,
ties fall to the label a node has and then to the smallest, so equal input gives equal labels, whatever the order of
the edges.

All is done on arrays, a share of the nodes at a time, so that a million faces take seconds for each round. The nodes of
one share do not see each other change, which matters little as long as shares are small and drawn anew each round.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

import numpy as np

from guyverd.company import companions

if TYPE_CHECKING:
    import numpy.typing as npt

    from guyverd.model import BoolArray, IntArray, Spans
    from guyverd.people.graph import Edges

    Doubles = npt.NDArray[np.float64]
    Narrow = npt.NDArray[np.int32] | IntArray

MURMUR = 0.3
"""What a word of a node that should not connect others weighs: it may strengthen a group, and is not what holds it."""
SHARES = 64
"""Into how many shares the nodes are parted, at most; so many nodes or fewer are visited one by one."""


def whisper(
    n: int,
    edges: Edges,
    *,
    seed: int,
    rounds: int = 20,
    photos: IntArray | None = None,
    spans: Spans | None = None,
    anchors: IntArray | None = None,
    voters: BoolArray | None = None,
    apart: Collection[tuple[int, int]] = (),
    together: Collection[tuple[int, int]] = (),
    barred: Collection[tuple[int, int]] = (),
) -> IntArray:
    """Labels of n nodes, int64[n]: an anchor's label (≥ 0), or −1 − r where r is the smallest node of a free group.

    `photos`, int64[n]: nodes of the same photo never end with the same label; the one whose neighbours speak for it
    with more weight keeps it, the other takes its next best. Where `spans` tells that some are tracks, that holds for
    those of one video that overlap in time. Pairs in `together` are free of it (a mirror, a collage). `apart`: pairs of
    nodes that never end with the same label, likewise. `anchors`, int64[n]: a label ≥ 0 stands for ever, −1 is free;
    two anchored nodes are never parted. `barred`: pairs of a node and an anchor's label that it never takes. `voters`,
    bool[n]: those that are False are heard less, and no two others bear one label, new or an anchor's, that only such
    nodes connect. At most `rounds` visits to every node. Raises ValueError when the arrays do not fit.
    """
    for array in (photos, anchors, voters):
        if array is not None and len(array) != n:
            raise ValueError(f"expected {n} values, not {len(array)}")
    if len(edges) and (int(edges.sources.min()) < 0 or int(edges.targets.max()) >= n):
        raise ValueError("an edge names a node that does not exist")
    crowd = _Crowd(n, edges, rivals(n, photos, apart, together, spans), anchors=anchors, voters=voters, barred=barred)
    order_of = np.random.default_rng(seed)
    shares = max(1, min(SHARES, n))
    for _ in range(rounds):
        if not crowd.restless.any():
            break
        place = order_of.permutation(n)
        for share in range(shares):
            crowd.visit(np.flatnonzero(crowd.restless & (place % shares == share)))
    crowd.unbridge()
    crowd.settle()
    return crowd.canonical()


class Rows:
    """For each of n nodes a list of others: one array of all of them, and where each node's begin."""

    def __init__(self, n: int, owners: Narrow, others: Narrow) -> None:
        """`others`, int[m], stand by rising owner; `owners`, int[m], are these, in any order."""
        self.others = others
        self.starts: IntArray = np.concatenate([[0], np.cumsum(np.bincount(owners, minlength=n))]).astype(np.int64)

    def places(self, nodes: IntArray) -> tuple[IntArray, IntArray]:
        """For these nodes' entries in turn: which of `nodes` each belongs to, and where it stands in `others`."""
        first = self.starts[nodes]
        counts = self.starts[nodes + 1] - first
        owner = np.repeat(np.arange(len(nodes)), counts)
        before = np.cumsum(counts) - counts
        return owner, np.arange(len(owner)) + np.repeat(first - before, counts)

    def of(self, nodes: IntArray) -> Narrow:
        """All entries of these nodes, in turn."""
        found: Narrow = self.others[self.places(nodes)[1]]
        return found


def rivals(
    n: int,
    photos: IntArray | None,
    apart: Collection[tuple[int, int]],
    together: Collection[tuple[int, int]],
    spans: Spans | None = None,
) -> Rows:
    """Which nodes each node must not share a label with. Raises ValueError for a pair that names no node."""
    words, waived = _pairs(n, apart), _pairs(n, together)
    pairs = [words, words[:, ::-1]]
    if photos is not None and n:
        one, other = companions(photos, spans)
        pairs += [np.stack([one, other], axis=1), np.stack([other, one], axis=1)]
    key = np.concatenate([pair[:, 0] * n + pair[:, 1] for pair in pairs])
    # A word of the user that two are apart stands above the look of things.
    waived = np.concatenate([waived, waived[:, ::-1]])
    freed = np.setdiff1d(waived[:, 0] * n + waived[:, 1], np.concatenate([p[:, 0] * n + p[:, 1] for p in pairs[:2]]))
    key = np.setdiff1d(key, freed)
    owners, others = np.divmod(key, max(1, n))
    different = owners != others
    return Rows(n, owners[different], others[different])


def _components(n: int, sources: IntArray, targets: IntArray, whole: IntArray) -> IntArray:
    """The connected part each node is in, by its smallest node; nodes of equal `whole`, but −1, are connected too."""
    part: IntArray = np.arange(n, dtype=np.int64)
    _, first, inverse = np.unique(whole, return_index=True, return_inverse=True)
    part = np.where(whole >= 0, first[inverse], part)
    while True:
        low = np.minimum(part[sources], part[targets])
        before = part.copy()
        # Both ends' parts take the smaller number, and everybody the number of their part.
        np.minimum.at(part, before[sources], low)
        np.minimum.at(part, before[targets], low)
        part = part[part]
        if (part == before).all():
            return part


def _pairs(n: int, given: Iterable[tuple[int, int]]) -> IntArray:
    pairs = np.array([*given], dtype=np.int64).reshape(-1, 2)
    for one, other in pairs[((pairs < 0) | (pairs >= n)).any(axis=1)]:
        raise ValueError(f"the pair {one}, {other} names a node that does not exist")
    return pairs


class _Crowd:
    """Nodes, who hears whom, and the labels they hold. Free labels are numbers below n, anchors' ones follow them."""

    def __init__(
        self,
        n: int,
        edges: Edges,
        rivalry: Rows,
        *,
        anchors: IntArray | None,
        voters: BoolArray | None,
        barred: Collection[tuple[int, int]],
    ) -> None:
        self.n = n
        self.rivals = rivalry
        self.free: BoolArray = np.ones(n, dtype=bool) if anchors is None else anchors < 0
        speaks: BoolArray = np.ones(n, dtype=bool) if voters is None else voters
        self.speaks = speaks
        self.edges = edges
        # Half as wide as the rows of a table: there are twenty of these and more for each face.
        node = np.concatenate([edges.sources, edges.targets], dtype=np.int32, casting="same_kind")
        other = np.concatenate([edges.targets, edges.sources], dtype=np.int32, casting="same_kind")
        weight = np.concatenate([edges.weights, edges.weights])
        kept = (speaks[other] | speaks[node]) & self.free[node]
        node, other, weight = node[kept], other[kept], weight[kept]
        weight = np.where(speaks[other], weight, weight * np.float32(MURMUR))
        # In the order of nodes, so that sums come out the same to the last bit.
        order = np.argsort(node.astype(np.int64) * n + other)
        self.hears = Rows(n, node, other[order])
        self.weights = weight[order]
        if kept.all():
            self.heard_by = self.hears
        else:
            order = np.argsort(other.astype(np.int64) * n + node)
            self.heard_by = Rows(n, other, node[order])
        self.labels: IntArray = np.arange(n, dtype=np.int64)
        self.anchor_labels: IntArray = np.empty(0, dtype=np.int64)
        if anchors is not None:
            self.anchor_labels = np.unique(anchors[~self.free])
            self.labels[~self.free] = n + np.searchsorted(self.anchor_labels, anchors[~self.free])
        self.fresh = n + len(self.anchor_labels)
        self.claims = np.zeros(n)
        """The weight that speaks for the label each node holds, as of its last visit."""
        self.claims[~self.free] = np.inf
        self.restless: BoolArray = self.hears.starts[1:] > self.hears.starts[:-1]
        self.barred = self._barred(barred)

    def _barred(self, barred: Collection[tuple[int, int]]) -> IntArray:
        pairs = np.array([*barred], dtype=np.int64).reshape(-1, 2)
        pairs = pairs[np.isin(pairs[:, 1], self.anchor_labels)]
        labels = self.n + np.searchsorted(self.anchor_labels, pairs[:, 1])
        return np.unique(pairs[:, 0] * self._room + labels)

    @property
    def _room(self) -> int:
        """More than there are labels that can be barred."""
        return self.n + len(self.anchor_labels) + 1

    def offers(self, nodes: IntArray) -> tuple[IntArray, IntArray, Doubles]:
        """What is said to these nodes: which of `nodes`, a label, and the weight that speaks for it; by node and label.

        Labels that are barred to a node are left out.
        """
        who, places = self.hears.places(nodes)
        label = self.labels[self.hears.others[places]]
        # Wide, so that a sum does not depend on the order of what is added.
        weight = self.weights[places].astype(np.float64)
        order = np.lexsort((label, who))
        who, label, weight = who[order], label[order], weight[order]
        if not len(who):
            return who, label, weight
        first = np.flatnonzero(np.concatenate([[True], (who[1:] != who[:-1]) | (label[1:] != label[:-1])]))
        who, label, weight = who[first], label[first], np.add.reduceat(weight, first)
        if len(self.barred):
            allowed = ~np.isin(nodes[who] * self._room + np.minimum(label, self._room - 1), self.barred)
            who, label, weight = who[allowed], label[allowed], weight[allowed]
        return who, label, weight

    def _outbid(self, nodes: IntArray, labels: IntArray, claims: Doubles) -> BoolArray:
        """Whether a rival of each node holds that label with the better right; of equals the smaller node wins."""
        owner, places = self.rivals.places(nodes)
        rival = self.rivals.others[places]
        theirs = self.claims[rival]
        lost = self.labels[rival] == labels[owner]
        lost &= (theirs > claims[owner]) | ((theirs == claims[owner]) & (rival < nodes[owner]))
        outbid: BoolArray = np.zeros(len(nodes), dtype=bool)
        outbid[owner[lost]] = True
        return outbid

    def visit(self, nodes: IntArray) -> None:
        """Let nodes take the best labels they may have."""
        if not len(nodes):
            return
        self.restless[nodes] = False
        who, label, claim = self.offers(nodes)
        lost = self._outbid(nodes[who], label, claim)
        who, label, claim = who[~lost], label[~lost], claim[~lost]
        held = self.labels[nodes]
        order = np.lexsort((label, label != held[who], -claim, who))
        who, label, claim = who[order], label[order], claim[order]
        first = np.flatnonzero(np.concatenate([[True], who[1:] != who[:-1]])) if len(who) else np.empty(0, np.int64)
        best = self._alone(nodes)
        best[who[first]] = label[first]
        claims = np.zeros(len(nodes))
        claims[who[first]] = claim[first]
        self.claims[nodes] = claims
        moved = best != held
        self._take(nodes[moved], best[moved])

    def _alone(self, nodes: IntArray) -> IntArray:
        """For each node a label of its own: the one it holds where nobody else does, else one that is new."""
        labels: IntArray = self.fresh + np.arange(len(nodes), dtype=np.int64)
        self.fresh += len(nodes)
        # Labels above all that began are given to one node, and others may have taken them from it since.
        new = self.labels[nodes] >= self.n + len(self.anchor_labels)
        own = np.flatnonzero(new)
        if len(own):
            held = self.labels[nodes[own]]
            values, counts = np.unique(self.labels, return_counts=True)
            alone = counts[np.searchsorted(values, held)] == 1
            labels[own[alone]] = held[alone]
        return labels

    def _take(self, nodes: IntArray, labels: IntArray) -> None:
        self.labels[nodes] = labels
        for rows in (self.heard_by, self.rivals):
            # A rival may have lost this label, or be free to have the one that was left.
            self.restless[rows.of(nodes)] = True
        self.restless &= self.free & (self.hears.starts[1:] > self.hears.starts[:-1])

    def unbridge(self) -> None:
        """Part those who share a label without being connected by nodes that speak up."""
        if self.speaks.all():
            return
        one, other = self.edges.sources, self.edges.targets
        linked = self.speaks[one] & self.speaks[other] & (self.labels[one] == self.labels[other])
        part = _components(self.n, one[linked], other[linked], np.where(self.free, -1, self.labels))
        # Whoever is connected with an anchor keeps its label, and of those without one the first part does.
        anchored = np.zeros(self.n, dtype=bool)
        anchored[part[~self.free]] = True
        nodes = np.flatnonzero(self.free & self.speaks)
        label, mine = self.labels[nodes], part[nodes]
        held = np.isin(label, self.labels[~self.free])
        order = np.lexsort((mine, label))
        numbers, place = np.unique(label, return_inverse=True)
        first = np.empty(len(numbers), dtype=np.int64)
        first[place[order][::-1]] = mine[order][::-1]
        leave = np.where(held, ~anchored[mine], first[place] != mine)
        if not leave.any():
            return
        # A part has the label of its smallest node, which nobody else has: it is above all that were given.
        _, number = np.unique(mine[leave], return_inverse=True)
        self.labels[nodes[leave]] = self.fresh + number
        self.fresh += len(number)
        listeners = np.flatnonzero(self.free & ~self.speaks & (self.hears.starts[1:] > self.hears.starts[:-1]))
        self._weigh(nodes[leave])
        self.visit(listeners)

    def settle(self) -> None:
        """Part the rivals that still share a label; a loser only takes what no rival holds, so this ends."""
        while True:
            owner = np.repeat(np.arange(self.n), np.diff(self.rivals.starts))
            sharing = self.labels[owner] == self.labels[self.rivals.others]
            sharing &= self.free[owner] | self.free[self.rivals.others]
            nodes = np.unique(owner[sharing])
            if not len(nodes):
                return
            for node in nodes.tolist():
                self._part(node)

    def _part(self, node: int) -> None:
        """Make one node differ from its rivals, if it is the one that has to yield."""
        mine = self.rivals.of(np.array([node]))
        same = mine[self.labels[mine] == self.labels[node]]
        if not self.free[node] or not len(same):
            return
        self._weigh(np.append(same, node))
        right = (float(self.claims[node]), -node)
        if all(right > (float(self.claims[rival]), -int(rival)) for rival in same):
            return
        _, label, claim = self.offers(np.array([node]))
        open_ = ~np.isin(label, self.labels[mine]) & (label != self.labels[node])
        if self.speaks[node]:
            # What only murmuring nodes say would connect this one with others by them alone.
            heard = self.hears.of(np.array([node]))
            open_ &= np.isin(label, self.labels[heard[self.speaks[heard]]])
        if open_.any():
            best = min(zip((-claim[open_]).tolist(), label[open_].tolist(), strict=True))
            self.labels[node], self.claims[node] = best[1], -best[0]
        else:
            self.labels[node], self.claims[node] = self.fresh, 0.0
            self.fresh += 1

    def _weigh(self, nodes: IntArray) -> None:
        """Bring what speaks for the label each node holds up to date."""
        for node in nodes[self.free[nodes]].tolist():
            _, label, claim = self.offers(np.array([node]))
            self.claims[node] = float(claim[label == self.labels[node]].sum())

    def canonical(self) -> IntArray:
        """The labels as `whisper` promises them."""
        values, first, inverse = np.unique(self.labels, return_index=True, return_inverse=True)
        names: IntArray = -1 - first.astype(np.int64)
        known = (values >= self.n) & (values < self.n + len(self.anchor_labels))
        names[known] = self.anchor_labels[values[known] - self.n]
        return names[inverse] if self.n else np.empty(0, dtype=np.int64)
