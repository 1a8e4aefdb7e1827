"""How fast it goes and when it will be done; pure, the time is passed in.

What is left is reckoned in seconds of the workers' time, since one photo may take thirty times as long as another. A
straight line, a fixed part and one that grows with the bytes, says what a photo takes; for each class of file size (an
octave: 1 to 2 MB, 2 to 4 MB) it is corrected by what photos of that class were seen to take. How many seconds of work
are done in a second is measured over the pass, without its pauses.

From the first twentieth of a pass on, the time left is right within 20 % of itself or 5 % of the whole pass, whatever
the order: small files first, large files first, shuffled. So it was in 98 of 100 simulated passes over 3,000 to 6,000
photos, and the worst was 26 % off. For that `samples` names the classes of which a few photos should be read early. It
cannot hold where what comes is unlike all that was: sizes of which no photo could be read yet, because none is
identified (the line alone may be wrong by a factor of four); photos of the same size with far more faces; another
load on the machine; a library of some hundreds, in which a few photos are all there is to learn from. And while files
are still being found, nobody knows how many there will be.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

WINDOW = 60.0
"""Seconds over which a rate is taken: long enough to be steady, short enough to follow a change of folder."""
_APART = 1.0
SMALLEST, LARGEST = 10, 31
"""Classes of size: up to 1 kB, and from 1 GB on."""
_LIKE_LINE = 2.0
"""The line counts for the mean of a class like so many photos of it."""
_REMEMBERED = 1000.0
"""Photos after which what was learnt of a class begins to fade."""
_SHAPE = (1.0, 1.0)
"""What is believed of the line before anything is known: each MB costs as much as the smallest photo does."""
_BELIEVED = ((0.03, 2.0), (1.0, 2.0), (4.0, 2.0))
"""Size in MB and weight, in photos, of that belief; how much a photo takes in all is taken from those seen."""
_LONGEST_GAP = 150.0
"""Seconds without any photo done after which the machine stood still rather than worked."""
_HALF = 900.0
"""Seconds of work after which an older one counts half: the machine's load changes in the course of a day."""
_PRIOR = 2.0
"""Seconds of work for which all workers are believed to be busy."""
_FILM_BELIEVED = (20.0, 0.3)
"""Megabytes of video that are believed to have been read, and the seconds that each took."""
_FILM_REMEMBERED = 20_000.0
"""Megabytes after which what was learnt of videos begins to fade."""
_SAMPLES = 0.05
_MOST_SAMPLES = 400
_LEAST_SAMPLES = 3
"""Of the photos left, and at most: so many are read early, of each class by its share of the work, and at least."""


def size_class(size: int) -> int:
    """The class of a file of so many bytes: the bits its size takes, from SMALLEST to LARGEST."""
    return min(max(size.bit_length(), SMALLEST), LARGEST)


def class_bounds(kind: int) -> tuple[int, int]:
    """The sizes in bytes of a class: the least, and one more than the greatest."""
    return (0 if kind <= SMALLEST else 1 << (kind - 1)), (1 << 62 if kind >= LARGEST else 1 << kind)


class Cost(NamedTuple):
    """A photo that was done."""

    size: int
    """Bytes."""
    seconds: float | None
    """Of the worker's time; None where nobody knows."""
    usual: bool = True
    """Whether others of its size will take as long; not so where models had to be loaded for it."""


class Amount(NamedTuple):
    """Some photos."""

    photos: float
    megabytes: float
    """Of all of them together."""


def amounts(
    photos: Mapping[int, tuple[int, int]], files: Mapping[int, tuple[int, int]], new: float
) -> dict[int, Amount]:
    """What is left, by class, of photos and of files of which a share is `new`; both as count and bytes, by bits."""
    found: dict[int, Amount] = {}
    for group, share in ((photos, 1.0), (files, new)):
        for bits, (count, size) in group.items():
            kind = min(max(bits, SMALLEST), LARGEST)
            before = found.get(kind, Amount(0, 0))
            found[kind] = Amount(before.photos + share * count, before.megabytes + share * size / 1e6)
    return found


@dataclass(slots=True)
class _Seen:
    """The photos of one class that were read; older ones may count for less."""

    count: float = 0.0
    megabytes: float = 0.0
    seconds: float = 0.0

    def add(self, megabytes: float, seconds: float) -> None:
        fade = min(1.0, _REMEMBERED / (self.count + 1))
        self.count = self.count * fade + 1
        self.megabytes = self.megabytes * fade + megabytes
        self.seconds = self.seconds * fade + seconds


class FilmMeter:
    """What videos cost: so many seconds for each megabyte, whatever is in them.

    That differs by a factor of ten between a film for a telephone and one for a cinema; of those of one camera it does
    not. So it is believed until it was seen.
    """

    def __init__(self) -> None:
        self._megabytes = _FILM_BELIEVED[0]
        self._seconds = _FILM_BELIEVED[0] * _FILM_BELIEVED[1]

    def learn(self, size: float, seconds: float) -> None:
        """Note that so many bytes of a video took a worker so long."""
        fade = min(1.0, _FILM_REMEMBERED / (self._megabytes + 1e-9))
        self._megabytes = self._megabytes * fade + size / 1e6
        self._seconds = self._seconds * fade + seconds

    def work(self, size: float) -> float:
        """Seconds of a worker's time that so many bytes will take."""
        return max(0.0, size) / 1e6 * self._seconds / self._megabytes


class Meter:
    """What photos cost, how many of which size are left, and how fast it goes.

    `workers` is how many photos are read at once.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._marks: deque[tuple[float, int]] = deque()
        self._latest = (0.0, 0)
        self._done = 0
        self._seen: dict[int, _Seen] = {}
        self._waiting: dict[int, Amount] = {}
        self._asked: dict[int, int] = {}
        self._since: float | None = None
        self._worked = self._passed = 0.0

    # ---- what is told ------------------------------------------------------------------------------------------------

    def left(self, waiting: Mapping[int, Amount]) -> None:
        """Learn how many photos of each class are to be read, those with the workers among them."""
        self._waiting = {kind: amount for kind, amount in waiting.items() if amount.photos > 0}

    def learn(self, now: float, done: Iterable[Cost]) -> None:
        """Note photos that were done by the time `now`, in seconds."""
        some = list(done)
        for size, seconds, usual in some:
            kind = size_class(size)
            if (left := self._waiting.pop(kind, None)) is not None and left.photos > 1:
                self._waiting[kind] = Amount(left.photos - 1, max(0.0, left.megabytes - size / 1e6))
            if seconds is not None and usual:
                self._seen.setdefault(kind, _Seen()).add(size / 1e6, seconds)
        self._done += len(some)
        self._mark(now)
        if some:
            self._work(now, sum(cost.seconds or 0.0 for cost in some))

    def _work(self, now: float, seconds: float) -> None:
        # From one moment at which work was handed in to the next, and what was handed in then: so it is right from the
        # beginning, when all that was begun is not yet done.
        if self._since is not None and now - self._since <= _LONGEST_GAP:
            fade = 0.5 ** ((now - self._since) / _HALF)
            self._worked = self._worked * fade + seconds
            self._passed = self._passed * fade + now - self._since
        self._since = now

    def also(self, now: float, seconds: float) -> None:
        """Note other work that was done by the time `now`: so many seconds of it."""
        self._work(now, seconds)

    def pause(self) -> None:
        """Note that no work is under way, nor any being prepared."""
        self._since = None
        self._asked = {}

    def _mark(self, now: float) -> None:
        self._latest = (now, self._done)
        if not self._marks or now - self._marks[-1][0] >= _APART:
            self._marks.append(self._latest)
        while len(self._marks) > 1 and now - self._marks[1][0] >= WINDOW:
            self._marks.popleft()

    # ---- what is asked -----------------------------------------------------------------------------------------------

    def rate(self) -> float:
        """How many photos a second, over the last minute; 0.0 where nothing is known."""
        if not self._marks:
            return 0.0
        (start, first), (end, last) = self._marks[0], self._latest
        return (last - first) / (end - start) if end > start else 0.0

    def eta(self, now: float, other: float = 0.0) -> float | None:
        """Seconds until nothing is left, of photos and of so many seconds of other work.

        None where photos are left and none was read yet, 0.0 where nothing is left.
        """
        if not self._waiting and not other:
            return 0.0
        if self._waiting and not any(seen.seconds for seen in self._seen.values()):
            return None
        elapsed = 0.0 if self._since is None else min(now - self._since, _LONGEST_GAP)
        return max(0.0, (sum(self._work_left().values()) + other) / self.parallelism() - elapsed)

    def parallelism(self) -> float:
        """Seconds of work that are done in a second."""
        return (self._worked + _PRIOR * self._workers) / (self._passed + _PRIOR)

    def cost(self, size: int) -> float:
        """Seconds of a worker's time that a photo of so many bytes takes; 0.0 where nothing is known."""
        return self._cost(size_class(size), Amount(1, size / 1e6), self._line()) if self._seen else 0.0

    def samples(self, available: Mapping[int, float]) -> dict[int, int]:
        """How many photos of which classes should be read before their turn, to learn what is left.

        They are few, and no more than are `available` of a class now. What was named is taken for granted and not
        named again until the next pause.
        """
        work = self._work_left()
        total = sum(work.values())
        few = min(_SAMPLES * sum(amount.photos for amount in self._waiting.values()), _MOST_SAMPLES)
        found = {}
        for kind, seconds in work.items():
            asked = self._asked.get(kind, 0)
            known = self._seen.get(kind, _Seen()).count + asked
            # A class of little work is left alone, however little is known of it.
            share = seconds / total if total else 0.0
            target = max(int(few * share), _LEAST_SAMPLES if few * share >= 0.5 else 0)
            wanted = int(min(target - known, available.get(kind, 0), self._waiting[kind].photos - asked))
            if wanted > 0:
                found[kind] = wanted
                self._asked[kind] = asked + wanted
        return found

    def _work_left(self) -> dict[int, float]:
        line = self._line()
        return {kind: self._cost(kind, amount, line) for kind, amount in self._waiting.items()}

    def _cost(self, kind: int, amount: Amount, line: tuple[float, float]) -> float:
        seen = self._seen.get(kind, _Seen())
        expected = line[0] * seen.count + line[1] * seen.megabytes
        # As if some more had been seen that took exactly what the line says.
        some = _LIKE_LINE * (line[0] * amount.photos + line[1] * amount.megabytes) / amount.photos
        corrected = (seen.seconds + some) / (expected + some) if expected + some > 0 else 1.0
        return corrected * (line[0] * amount.photos + line[1] * amount.megabytes)

    def _line(self) -> tuple[float, float]:
        """The seconds that every photo takes and those for each of its megabytes: least squares, neither below 0."""
        seen = [item for item in self._seen.values() if item.count]
        if not any(item.seconds for item in seen):
            return _SHAPE
        believed = sum(_SHAPE[0] * item.count + _SHAPE[1] * item.megabytes for item in seen)
        scale = sum(item.seconds for item in seen) / believed
        # A class counts by its photos up to a few dozen: each has a say about the line.
        points = [(item.megabytes / item.count, item.seconds / item.count, min(item.count, 40.0)) for item in seen] + [
            (size, scale * (_SHAPE[0] + _SHAPE[1] * size), weight) for size, weight in _BELIEVED
        ]
        # Errors are in proportion to what is measured: a photo that takes ten times as long errs ten times as much.
        weights = [weight / max(cost, 1e-9) ** 2 for _, cost, weight in points]
        total = sum(weights)
        x = sum(w * size for w, (size, _, _) in zip(weights, points, strict=True)) / total
        y = sum(w * cost for w, (_, cost, _) in zip(weights, points, strict=True)) / total
        xx = sum(w * (size - x) ** 2 for w, (size, _, _) in zip(weights, points, strict=True))
        xy = sum(w * (size - x) * (cost - y) for w, (size, cost, _) in zip(weights, points, strict=True))
        slope = max(0.0, xy / xx) if xx > 0 else 0.0
        fixed = y - slope * x
        if fixed < 0:
            fixed, slope = 0.0, y / x
        return fixed, slope
