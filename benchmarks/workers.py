"""From one worker to one for each core: photos in a second, and what one worker holds in memory.

    python benchmarks/workers.py [--quick] [--photos N] [--rounds N]

The real pipeline into a real catalogue, as in `photos.py`, with 1 to N workers in turns; N is the cores that are
there. The photos are of 12 MP: four pictures, each in files of different bytes. Memory is the most that one worker
process ever held (resident) in a library of its own, after a few photos of each size.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.common import Target, arguments, begin, cores, progress, scratch, table

_SHARE = 0.85
_LIMITS: dict[float, float | None] = {12.0: 500.0, 50.0: None, 100.0: 900.0}
"""Megapixels, and the most megabytes one worker may hold; None where nothing is promised."""


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--photos", type=int, default=24, help="in each pass")
    parser.add_argument("--rounds", type=int, default=2)
    chosen = parser.parse_args()
    count, rounds = (2, 1) if chosen.quick else (chosen.photos, chosen.rounds)
    most = cores()
    begin(f"Workers: passes over {count} photos with 1 to {most} workers (best of {rounds}, in turns)")

    with scratch() as folder:
        rates = _rates(folder, most, count, rounds, megapixels=0.5 if chosen.quick else 12.0)
        sizes: dict[float, float | None] = {0.5: None} if chosen.quick else _LIMITS
        peaks = {size: _peak(folder, size, 1 if chosen.quick else 3) for size in sizes}
    progress("")
    table(
        ["workers", "photos/s", "against one", "target", ""],
        [[workers, f"{rate:.2f}", *_scaling(workers, rate / rates[1])] for workers, rate in rates.items()],
    )
    table(
        ["memory of one worker", "measured", "target", ""],
        [[f"{size:g} MP", *_memory(peak, sizes[size])] for size, peak in peaks.items()],
    )


def _scaling(workers: int, times: float) -> tuple[str, str, str]:
    return ("1.00 x", "", "") if workers == 1 else Target(_SHARE * workers, digits=2).show(times)


def _memory(peak: float, limit: float | None) -> tuple[str, str, str]:
    return (f"{peak:.0f} MB", "", "") if limit is None else Target(limit, "MB", at_most=True, digits=0).show(peak)


def _rates(folder: Path, most: int, count: int, rounds: int, megapixels: float) -> dict[int, float]:
    """The best rate of each number of workers, in photos a second."""
    from benchmarks.passes import ours
    from benchmarks.pictures import again, several

    pictures = several(folder / "pictures", megapixels, 4)
    numbers = itertools.count()

    def fresh(wanted: int) -> list[Path]:
        some = itertools.islice(numbers, wanted)
        return [again(pictures[number % 4], folder / f"{number:05d}.jpg").path for number in some]

    rates = dict.fromkeys(range(1, most + 1), 0.0)
    for turn in range(rounds):
        for workers in rates:
            progress(f"round {turn + 1} of {rounds}, {workers} workers")
            with ours(folder / f"library-{turn}-{workers}", workers) as library:
                # Enough for every worker to be given some.
                library.warm(fresh(2 * workers))
                done = library.run(fresh(count))
            rates[workers] = max(rates[workers], done.photos / done.usage.seconds)
    return rates


def _peak(folder: Path, megapixels: float, count: int) -> float:
    """Megabytes: the most that the one worker of a library ever held."""
    from benchmarks.passes import ours
    from benchmarks.pictures import several

    photos = [photo.path for photo in several(folder / f"{megapixels:g}", megapixels, count)]
    with ours(folder / f"library-{megapixels:g}", workers=1) as library:
        progress(f"reading {count} of {megapixels:g} MP")
        return library.run(photos).worker_peak / 1e6


if __name__ == "__main__":
    main()
