"""How long the people folder takes in a library of 100,000 photos and 2,000 people.

    python benchmarks/folders.py [--quick]

Everything made from nothing; one new photo published, of people with few photos and of those with most, and how many
paths of the people folder that changes; and everything read back when nobody did anything there. The library is made
up, files and links are real. Making and reading back are also shown as multiples of what the system itself takes to
make, and to list and read, the same links: where many files were deleted in the last minutes, ext4 makes new ones
slowly.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.common import Target, arguments, begin, interleaved, median, scratch, table

if TYPE_CHECKING:
    from guyverd.catalogue.store import Catalogue
    from guyverd.model import PersonId
    from guyverd.service.pipeline.keeping.publishing import Publishing

_REBUILT = Target(30.0, "s", at_most=True)
_ONE = Target(100.0, "ms", at_most=True)
_READ = Target(2.0, "s", at_most=True, digits=2)


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--repetitions", type=int, default=10)
    chosen = parser.parse_args()
    photos, faces, people = (100, 190, 5) if chosen.quick else (100_000, 190_000, 2_000)
    repetitions = 2 if chosen.quick else chosen.repetitions
    begin("The people folder: made, changed by one photo, read back")

    from benchmarks.libraries import config_for, fill, write_files
    from guyverd.catalogue.store import Catalogue
    from guyverd.service.pipeline.keeping.publishing import Publishing

    with scratch() as folder:
        config = config_for([folder / "photos"], folder)
        write_files(folder / "photos", photos + 4 * repetitions)
        fill(config, photos=photos, faces=faces, people=people)
        with Catalogue(os.fsencode(config.state / "catalogue.db")) as catalogue:
            catalogue.files.configure([os.fsencode(config.photos[0])], [os.fsencode(config.people), b"/"])
            publishing = Publishing(config, catalogue)
            made = _seconds(lambda: _expect(publishing.publish()))
            links = catalogue.links.count()
            ranked = [person.id for person in catalogue.people.all() if person.photos]
            arrivals = _Arrivals(catalogue, folder / "photos", photos)
            middle = len(ranked) // 2
            usual = [_one(arrivals, publishing, config.people, ranked[middle : middle + 2]) for _ in range(repetitions)]
            most = [_one(arrivals, publishing, config.people, ranked[:2]) for _ in range(repetitions)]
            times = interleaved(
                {"read": lambda: _read(publishing), "listed": lambda: _listed(config.people)}, max(3, repetitions // 3)
            )
            read, listed = median(times["read"]), median(times["listed"])
            # Not deleted: ext4 takes its time to find room for files where others were a moment ago.
            config.people.rename(folder / "aside")
            again = _seconds(lambda: _expect(publishing.mend()))
            bare = _seconds(lambda: _bare(catalogue, folder / "bare"))
    print(f"{photos:,} photos, {people:,} people, {links:,} links")
    table(
        ["what", "measured", "target", "", "beside"],
        [
            ["made from nothing", *_REBUILT.show(made), f"{made / bare:.1f} x symlink(2) alone"],
            ["made again after all of it was taken away", *_REBUILT.show(again), f"{again / bare:.1f} x"],
            ["one new photo of two people with few", *_cell(usual), f"{max(p for _, p in usual)} paths at most"],
            ["one new photo of the two with most", *_cell(most), f"{max(p for _, p in most)} paths at most"],
            ["read back, nothing done there", *_READ.show(read), f"{read / listed:.1f} x listing and readlink"],
        ],
    )


def _expect(done: bool) -> None:
    if not done:
        raise RuntimeError("the people folder could not be kept")


def _seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _cell(taken: list[tuple[float, int]]) -> tuple[str, str, str]:
    return _ONE.show(1000.0 * median([seconds for seconds, _ in taken]))


class _Arrivals:
    """Photos that come one by one, each with a face of every person that is named."""

    def __init__(self, catalogue: Catalogue, folder: Path, before: int) -> None:
        self._catalogue = catalogue
        self._folder = folder
        self._next = before

    def come(self, people: list[PersonId]) -> None:
        from benchmarks.libraries import add_photo

        add_photo(self._catalogue, self._folder, self._next, people)
        self._next += 1


def _one(arrivals: _Arrivals, publishing: Publishing, folder: Path, people: list[PersonId]) -> tuple[float, int]:
    """Seconds from the photo's being grouped to its links' standing, and how many paths that made or took away."""
    arrivals.come(people)
    before = _paths(folder)
    taken = _seconds(lambda: _expect(publishing.publish()))
    return taken, len(before ^ _paths(folder))


def _paths(folder: Path) -> set[tuple[str, int]]:
    return {(entry.path, entry.inode()) for room in _folders(os.fspath(folder)) for entry in os.scandir(room)}


def _folders(top: str) -> list[str]:
    return [where for where, _, _ in os.walk(top)]


def _read(publishing: Publishing) -> None:
    publishing.heeding.touch(b"", 0.0)
    if publishing.heed():
        raise RuntimeError("something was understood although nothing was done")


def _bare(catalogue: Catalogue, folder: Path) -> None:
    """The same links, made without a word about them."""
    rooms = set()
    for link in catalogue.links.published():
        path = os.path.join(os.fsencode(folder), link.path)
        room = os.path.dirname(path)
        if room not in rooms:
            os.makedirs(room)
            rooms.add(room)
        os.symlink(link.target, path)


def _listed(folder: Path) -> int:
    """All that has to be asked of the system."""
    return sum(
        len(os.readlink(entry.path))
        for room in _folders(os.fspath(folder))
        for entry in os.scandir(room)
        if entry.is_symlink()
    )


if __name__ == "__main__":
    main()
