"""Grouping: all faces of a library at once, and one more photo in libraries of two sizes.

    python benchmarks/clustering.py [--quick] [--faces N ...] [--peer]

Faces are made up from the model of strangers, as alike as real ones. The first table is a whole grouping, index and
neighbours included, each in a process of its own; --faces 1000000 takes minutes and 4 GB. With --peer, HDBSCAN groups
the smallest of them too. The second is what one photo with two faces costs in the running program, from the moment it
was read until its faces have their people: in the real catalogue, with the real index.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.common import Target, arguments, begin, progress, table

_LIBRARIES = (10_000, 200_000)
_QUICK = (1_000, 4_000)
_ARRIVALS = 30
_SEED = 20


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--faces", type=int, nargs="+", default=[38_096], help="how many faces to group at once")
    parser.add_argument("--peer", action="store_true", help="have HDBSCAN group them too")
    chosen = parser.parse_args()
    begin("Grouping")
    counts = [3_000] if chosen.quick else sorted(chosen.faces)
    rows = []
    for count in counts:
        progress(f"grouping {count} faces")
        index, grouping, memory, groups, people, pairs = _apart(_whole, count)
        rows.append(
            [
                f"{count:,}",
                f"{index:.1f}",
                f"{grouping:.1f}",
                f"{index + grouping:.1f}",
                f"{memory / 2**30:.2f}",
                f"{groups:,}",
                f"{people:,}",
                f"{pairs:.3f}",
            ]
        )
    table(["faces", "index s", "grouping s", "all s", "GB", "groups", "people", "pairwise F"], rows)
    if chosen.peer:
        seconds = _apart(_hdbscan, counts[0])[0]
        table(["peer", "faces", "s"], [["HDBSCAN (scikit-learn)", f"{counts[0]:,}", f"{seconds:.0f}"]])
    sizes = _QUICK if chosen.quick else _LIBRARIES
    taken = {}
    for size in sizes:
        progress(f"a library of {size} faces")
        taken[size] = _apart(_arriving, size)
    table(
        ["library", "ms, median", "ms, nineteen of twenty below"],
        [[f"{size:,} faces", f"{found[0] * 1e3:.1f}", f"{found[1] * 1e3:.1f}"] for size, found in taken.items()],
    )
    small, large = (taken[size][0] for size in sizes)
    table(
        ["what", "measured", "target", ""],
        [
            [
                f"one photo: {sizes[1]:,} faces against {sizes[0]:,}",
                *Target(2.0, "x", at_most=True).show(large / small),
            ],
            [f"one photo among {sizes[1]:,}", *Target(50.0, "ms", at_most=True).show(large * 1e3)],
        ],
    )


def _apart(job: object, count: int) -> tuple[float, ...]:
    """What a job tells, done in a process of its own, so that memory is counted for it alone."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found: tuple[float, ...] = pool.apply(job, (count,))  # type: ignore[arg-type]
        return found


def _whole(count: int) -> tuple[float, ...]:
    import numpy as np

    from benchmarks.made_faces import made_faces
    from guyverd.config import People
    from guyverd.evaluation.metrics import pairwise
    from guyverd.model import FaceTable
    from guyverd.people.evidence import CROWD, Measure
    from guyverd.people.grouping import group
    from guyverd.people.index import FaceIndex

    vectors, whose = made_faces(count)
    numbers = np.arange(1, count + 1)
    made = FaceTable(numbers, numbers // 2, np.ones(count, np.float32), np.zeros(count, np.int64), vectors)
    began = time.perf_counter()
    index = FaceIndex.passing(numbers, vectors)
    indexed = time.perf_counter()
    measure = Measure(People(), count, vectors[:: max(1, count // CROWD)][:CROWD])
    labels = group(made, index, measure, seed=_SEED).labels
    done = time.perf_counter()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    alone = np.where(labels == 0, count + numbers, -labels)
    groups, people = len(np.unique(alone)), len(np.unique(whose))
    return indexed - began, done - indexed, memory, groups, people, pairwise(whose, alone).f


def _hdbscan(count: int) -> tuple[float, ...]:
    from sklearn.cluster import HDBSCAN

    from benchmarks.made_faces import made_faces

    vectors, _ = made_faces(count)
    began = time.perf_counter()
    HDBSCAN(min_cluster_size=2, copy=True).fit(vectors)
    return (time.perf_counter() - began,)


def _arriving(count: int) -> tuple[float, ...]:
    """Seconds that one photo with two faces takes in a library of so many: the median, and the slow ones."""
    with tempfile.TemporaryDirectory(prefix="guyverd-benchmark-") as scratch:
        return _arrivals(Path(scratch), count)


def _arrivals(scratch: Path, count: int) -> tuple[float, ...]:
    from benchmarks.libraries import arriving

    turns = []
    with arriving(scratch, faces=count, photos=_ARRIVALS) as arrive:
        for _ in range(_ARRIVALS):
            began = time.perf_counter()
            arrive()
            turns.append(time.perf_counter() - began)
    turns = sorted(turns[2:])
    return statistics.median(turns), turns[round(0.95 * (len(turns) - 1))]


if __name__ == "__main__":
    os.chdir(Path(__file__).resolve().parent.parent)
    main()
