"""Searching among a million faces: in the index, in the running daemon, and as a whole command.

    python benchmarks/search.py [--quick] [--faces N] [--keep DIR]

Faces are made up from the model of strangers, as alike as real ones; a person has four in the mean, and nobody more
than one of fifty. They stand in the real catalogue, four to a photo, and in the real index. The index is made on all
cores, which takes minutes for a million; with --keep the library stays in DIR and is taken from there the next time.

The first table is the index: opened as at a start, what it holds in memory, asked alone and while faces are added. The
second is the daemon: a face of a picture that it knows is searched for, so nothing is decoded or embedded, and the
answer holds twenty photos with their files and how sure each is. The third is the command, with a photo of 12 MP that
nobody knows: from nothing to the printed table, when workers wait for photos and when they rest.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.common import Target, arguments, begin, median, progress, scratch, table

if TYPE_CHECKING:
    from guyverd.config import Config
    from guyverd.model import FloatArray
    from guyverd.people.index import FaceIndex
    from guyverd.service.control import RemoteLibrary

_NEIGHBOURS = 20
_MEGAPIXELS = 12.0
_PATIENCE = 3600.0

Rows = list[list[str]]


@dataclass(frozen=True)
class Sizes:
    """How much of everything."""

    faces: int
    asked: int
    """Questions to the index, and to the daemon."""
    compared: int
    """Of these, for how many it is known what exact search finds."""
    added: int
    """Faces that come while somebody asks."""
    commands: int


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--faces", type=int, default=1_000_000)
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="keep the library there, or take the one that is there"
    )
    chosen = parser.parse_args()
    sizes = Sizes(chosen.faces, 1000, 500, 5000, 10)
    if chosen.quick:
        sizes = Sizes(2000, 50, 50, 200, 1)
    begin(f"Searching among {sizes.faces:,} faces")
    # What is measured in processes of their own must not load more than it needs.
    from benchmarks.searchable import make

    with scratch() if chosen.keep is None else contextlib.nullcontext(chosen.keep) as folder:
        config = make(folder, sizes.faces)
        table(["the index", "measured", "target", ""], _apart(_indexed, config, sizes))
        with _daemon(config, folder) as library:
            table(["the daemon", "measured", "target", ""], _searched(config, library, sizes.asked))
            table(["the command", "measured", "target", ""], _commanded(config, folder, library, sizes.commands))


def _apart(job: Callable[..., Rows], *given: object) -> Rows:
    """What a job tells, done in a process of its own, so that memory is counted for it alone."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(job, given)


def _ms(limit: float) -> Target:
    return Target(limit, "ms", at_most=True, digits=2)


def _spread(what: str, seconds: list[float], middle: float, slow: float) -> Rows:
    """The median and the slowest of a hundred."""
    ranked = sorted(seconds)
    return [
        [f"{what}, median", *_ms(middle).show(1e3 * median(ranked))],
        [f"{what}, 99 of 100 within", *_ms(slow).show(1e3 * ranked[min(len(ranked) - 1, len(ranked) * 99 // 100)])],
    ]


# ---- the index -------------------------------------------------------------------------------------------------------


def _indexed(config: Config, sizes: Sizes) -> Rows:
    import numpy as np

    from benchmarks.searchable import vectors_of
    from guyverd.catalogue.store import Catalogue
    from guyverd.people.directions import unit
    from guyverd.service.pipeline.grouping import Grouping

    held, asked, new, _ = vectors_of(sizes.faces)
    asked, new = asked[: sizes.asked].copy(), new[: sizes.added].copy()
    progress("exact search")
    truth = _exact(unit(held), unit(asked[: sizes.compared]))
    progress("opening the index")
    del held
    with Catalogue(os.fsencode(config.state / "catalogue.db")) as catalogue:
        _ = catalogue.photos.next_id()
        before, began = _resident(), time.perf_counter()
        index = Grouping(config, catalogue).index
        opened, held_bytes = time.perf_counter() - began, _resident() - before
    found = index.neighbours(asked[: sizes.compared], _NEIGHBOURS, thorough=True).ids
    hits = sum(len(np.intersect1d(one, other)) for one, other in zip(found, truth, strict=True))
    progress("asking")
    alone = _asking(index, asked, lambda: None)
    added = np.arange(1, len(new) + 1) + int(index.ids()[-1])
    began = time.perf_counter()
    adding = threading.Thread(target=index.add, args=(added, new))
    adding.start()
    beside = _asking(index, asked, adding.is_alive)
    adding.join()
    took = time.perf_counter() - began
    return [
        ["opened, checked and compared with the catalogue", *Target(5.0, "s", at_most=True).show(opened)],
        ["memory for a face", *Target(1.2, "kB", at_most=True, digits=2).show(held_bytes / 1e3 / sizes.faces)],
        ["of the 20 nearest by exact search, found", *Target(0.99, "", digits=4).show(hits / truth.size)],
        *_spread("20 neighbours", alone, 5, 20),
        ["faces added in a second, while asked", *Target(1000, "", digits=0).show(len(new) / took)],
        *_spread("20 neighbours, while faces are added", beside, 5, 20),
    ]


def _asking(index: FaceIndex, asked: FloatArray, going_on: Callable[[], object]) -> list[float]:
    """Seconds that each question took: each of `asked` once, or as long as something goes on, twenty in a second."""
    taken = []
    for number in range(len(asked)):
        began = time.perf_counter()
        index.neighbours(asked[number : number + 1], _NEIGHBOURS, thorough=True)
        taken.append(time.perf_counter() - began)
        beside = going_on()
        if beside is not None:
            if not beside:
                break
            time.sleep(0.05)
    return taken


def _exact(held: FloatArray, asked: FloatArray) -> Any:
    import numpy as np

    numbers = np.empty((len(asked), 0), dtype=np.int64)
    likeness = np.empty((len(asked), 0), dtype=np.float32)
    for start in range(0, len(held), 50_000):
        told = asked @ held[start : start + 50_000].T
        ids = np.broadcast_to(np.arange(start, start + told.shape[1]) + 1, told.shape)
        numbers, likeness = np.concatenate([numbers, ids], axis=1), np.concatenate([likeness, told], axis=1)
        nearest = np.argpartition(-likeness, _NEIGHBOURS - 1, axis=1)[:, :_NEIGHBOURS]
        numbers = np.take_along_axis(numbers, nearest, axis=1)
        likeness = np.take_along_axis(likeness, nearest, axis=1)
    return numbers


def _resident() -> int:
    """Bytes that this process holds now."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# ---- the daemon ------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _daemon(config: Config, folder: Path) -> Iterator[RemoteLibrary]:
    """A daemon that has nothing to do any more."""
    from guyverd.service.control import RemoteLibrary
    from guyverd.service.lock import holder

    with open(folder / "log", "wb") as log:
        daemon = subprocess.Popen([*_command(folder), "run"], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + _PATIENCE
        while True:
            if daemon.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the daemon:\n{(folder / 'log').read_text(errors='replace')[-2000:]}")
            found = holder(config.state)
            if found is not None and found.socket is not None:
                library = RemoteLibrary(found)
                now = library.progress()
                if not now["busy"]:
                    break
                progress(f"the daemon starts: {now['phase']}")
            time.sleep(0.2)
        yield library
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait()


def _command(folder: Path) -> list[str]:
    return [str(Path(sys.executable).with_name("guyverd")), "--config", str(folder / "config.yaml")]


def _searched(config: Config, library: RemoteLibrary, count: int) -> Rows:
    from benchmarks.searchable import some_photos

    def ask(path: Path, **how: Any) -> float:
        began = time.perf_counter()
        answer = library.search(str(path), _NEIGHBOURS, 1, **how)
        took = time.perf_counter() - began
        if not answer["results"]:
            raise RuntimeError(f"nothing was found for {path}")
        return took

    photos = some_photos(config, count)
    for path in photos[:20]:
        ask(path)
    progress("searching")
    usual = [ask(path) for path in photos]
    direct = [ask(path, direct=True) for path in photos]
    return [
        *_spread("search, from socket to answer", usual, 5, 20),
        *_spread("search by likeness alone", direct, 5, 20),
    ]


# ---- the command -----------------------------------------------------------------------------------------------------


def _commanded(config: Config, folder: Path, library: RemoteLibrary, count: int) -> Rows:
    from benchmarks.pictures import make

    photo = folder / "asked.jpg"
    make(photo, _MEGAPIXELS, 7, 1)
    command = [*_command(folder), "search", str(photo), "--face", "1"]

    def run() -> float:
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - began

    cold, warm = [], []
    for number in range(count):
        progress(f"command {number + 1} of {count}")
        _await_rest(library, config.workers.idle)
        cold.append(run())
        run()
        warm.append(run())
    limit = Target(0.5, "s", at_most=True, digits=3)
    return [
        [f"guyverd search PHOTO ({_MEGAPIXELS:g} MP), a worker waits", *limit.show(median(warm))],
        ["the same, workers rest", *limit.show(median(cold))],
    ]


def _await_rest(library: RemoteLibrary, idle: float) -> None:
    deadline = time.monotonic() + idle + 60
    while library.status()["workers"]["running"]:
        if time.monotonic() > deadline:
            raise RuntimeError("workers do not rest")
        time.sleep(0.2)


if __name__ == "__main__":
    main()
