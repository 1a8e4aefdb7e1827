"""The meter against passes that are simulated: workers, batches, libraries of all mixtures and orders."""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guyverd.catalogue.rows import PendingPhoto
from guyverd.model import PhotoId
from guyverd.service.pipeline.looking import batch
from guyverd.service.pipeline.meter import (
    LARGEST,
    SMALLEST,
    WINDOW,
    Amount,
    Cost,
    FilmMeter,
    Meter,
    class_bounds,
    size_class,
)
from tests.promises import scaled

# ---- the rate --------------------------------------------------------------------------------------------------------


def test_nothing_is_known_at_first() -> None:
    meter = Meter(2)
    assert meter.rate() == 0.0
    assert meter.eta(0.0) == 0.0, "nothing is left"
    meter.left({20: Amount(10, 8)})
    assert meter.eta(0.0) is None
    assert meter.cost(1_000_000) == 0.0


def test_a_steady_pass_is_told_exactly() -> None:
    meter = Meter(2)
    meter.left({20: Amount(700, 700)})
    for second in range(100):
        meter.learn(float(second), [Cost(1_000_000, 0.5)] * 4)
    assert meter.rate() == pytest.approx(4.0)
    assert meter.parallelism() == pytest.approx(2.0)
    assert meter.eta(99.0) == pytest.approx(75.0, rel=0.001)
    assert meter.eta(99.5) == pytest.approx(74.5, rel=0.001)


def test_videos_cost_what_others_did() -> None:
    films = FilmMeter()
    believed = films.work(1e9)
    assert believed > 0, "something is believed from the start"
    for _ in range(100):
        films.learn(50e6, 25.0)
    assert films.work(1e9) == pytest.approx(500.0, rel=0.02)
    for _ in range(10_000):
        films.learn(50e6, 5.0)
    assert films.work(1e9) == pytest.approx(100.0, rel=0.02), "what was long ago fades"
    assert films.work(-5.0) == 0.0


def test_other_work_is_part_of_what_is_left() -> None:
    meter = Meter(2)
    assert meter.eta(0.0, 60.0) == pytest.approx(30.0), "both workers have it"
    for second in range(100):
        meter.also(float(second), 1.0)
    assert meter.parallelism() == pytest.approx(1.0, rel=0.05)
    assert meter.eta(99.0, 60.0) == pytest.approx(60.0, rel=0.05)
    meter.left({20: Amount(100, 100)})
    assert meter.eta(99.0, 60.0) is None, "no photo was read yet"
    meter.learn(100.0, [Cost(1_000_000, 0.5)] * 4)
    assert meter.eta(100.0, 60.0) == pytest.approx(60.0 + 48.0, rel=0.1)


def test_only_the_last_minute_counts_for_the_rate() -> None:
    meter = Meter(2)
    for second in range(1000):
        meter.learn(float(second), [Cost(5, 0.001)] * 100)
    for second in range(1000, 1000 + 2 * int(WINDOW)):
        meter.learn(float(second), [])
    assert meter.rate() == 0.0


@given(st.lists(st.tuples(st.floats(0.01, 30.0), st.integers(0, 50)), min_size=1, max_size=200))
def test_a_rate_is_never_negative_nor_above_the_fastest_step(steps: list[tuple[float, int]]) -> None:
    meter, now, fastest = Meter(2), 0.0, 0.0
    meter.learn(now, [])
    for pause, more in steps:
        fastest = max(fastest, more / pause)
        now += pause
        meter.learn(now, [Cost(1000, 0.1)] * more)
        assert 0.0 <= meter.rate() <= fastest * 1.0001


# ---- classes and costs -----------------------------------------------------------------------------------------------


@given(st.integers(0, 1 << 40))
def test_every_size_has_one_class(size: int) -> None:
    kind = size_class(size)
    assert SMALLEST <= kind <= LARGEST
    low, high = class_bounds(kind)
    assert low <= size < high


def test_classes_follow_one_another() -> None:
    bounds = [class_bounds(kind) for kind in range(SMALLEST, LARGEST + 1)]
    assert bounds[0][0] == 0
    assert all(one[1] == other[0] for one, other in pairwise(bounds))


@given(st.lists(st.tuples(st.integers(0, 1 << 31), st.floats(0.0, 100.0)), max_size=60), st.integers(0, 1 << 40))
def test_a_cost_is_never_negative_and_never_beyond_reason(seen: list[tuple[int, float]], size: int) -> None:
    meter = Meter(4)
    meter.left({size_class(size): Amount(10, 10 * size / 1e6)})
    for number, one in enumerate(seen):
        meter.learn(float(number), [Cost(*one)])
    assert 0.0 <= meter.cost(size) < float("inf")
    eta = meter.eta(float(len(seen)))
    assert eta is None or 0.0 <= eta < float("inf")
    assert all(count > 0 for count in meter.samples(EVERY).values())


def test_sizes_that_were_not_seen_lie_on_the_line_of_those_that_were() -> None:
    meter = Meter(1)
    for number in range(200):
        size = (100_000, 400_000, 1_600_000, 6_400_000)[number % 4]
        meter.learn(float(number), [Cost(size, 0.1 + 0.2 * size / 1e6)])
    assert meter.cost(3_000_000) == pytest.approx(0.7, rel=0.15)
    assert meter.cost(30_000_000) == pytest.approx(6.1, rel=0.25)


def test_what_loading_models_took_is_work_but_no_cost() -> None:
    meter = Meter(1)
    meter.left({20: Amount(100, 100)})
    meter.learn(0.0, [Cost(1_000_000, 0.5, usual=False)])
    assert meter.eta(0.0) is None
    for second in range(1, 11):
        meter.learn(float(second), [Cost(1_000_000, 0.2), Cost(1_000_000, 0.8, usual=False), Cost(1_000_000, None)])
    assert meter.parallelism() == pytest.approx(1.0)
    assert meter.cost(1_000_000) == pytest.approx(0.2)
    assert meter.eta(10.0) == pytest.approx(69 * 0.2)


def test_what_was_learnt_long_ago_fades() -> None:
    meter = Meter(1)
    for number in range(4000):
        meter.learn(float(number), [Cost(1_000_000, 0.1)])
    for number in range(4000, 8000):
        meter.learn(float(number), [Cost(1_000_000, 0.4)])
    assert meter.cost(1_000_000) == pytest.approx(0.4, rel=0.1)


@pytest.mark.parametrize("pause", [10.0, 100.0, 36_000.0])
@pytest.mark.parametrize("told", [True, False])
def test_pauses_do_not_count(pause: float, told: bool) -> None:
    meter, now = Meter(2), 0.0
    meter.left({20: Amount(100_000, 100_000)})
    for _ in range(20):
        for _ in range(50):
            now += 1.0
            meter.learn(now, [Cost(1_000_000, 0.25)] * 8)
        now += pause
        if told:
            meter.pause()
    assert meter.parallelism() == pytest.approx(2.0, rel=0.01 if told or pause > 1000 else 1.0)


# ---- whole passes ----------------------------------------------------------------------------------------------------


class Photo(NamedTuple):
    size: int
    cost: float


Library = list[Photo]
EVERY = dict.fromkeys(range(SMALLEST, LARGEST + 1), 1_000_000)
SHAPES: dict[str, Callable[[float], float]] = {
    "a line": lambda mb: 0.05 + 0.1 * mb,
    "a bend": lambda mb: 0.06 + 0.12 * min(mb, 4.0) ** 0.7 + 0.01 * mb,
    "nearly flat": lambda mb: 0.2 + 0.02 * mb,
}
MIXTURES = {
    "a phone": [(0.9, 3.0, 0.4), (0.1, 0.15, 0.8)],
    "small and large": [(0.8, 0.12, 0.4), (0.2, 8.0, 0.3)],
    "a few giants": [(0.6, 0.3, 0.7), (0.37, 4.0, 0.4), (0.03, 40.0, 0.3)],
}
ORDERS: dict[str, Callable[[Library], Library]] = {
    "large last": sorted,
    "large first": lambda photos: sorted(photos, reverse=True),
    "shuffled": lambda photos: photos,
    "folder by folder": lambda photos: [
        photo for start in range(0, len(photos), 250) for photo in sorted(photos[start : start + 250])
    ],
}


def library(mixture: str, shape: str, count: int, seed: int) -> Library:
    """Photos of lognormal sizes, whose costs scatter by some 50 % around the shape: by faces, mostly."""
    rng = random.Random(seed)
    found = []
    for share, megabytes, spread in MIXTURES[mixture]:
        for _ in range(round(share * count)):
            mb = megabytes * rng.lognormvariate(0.0, spread)
            found.append(Photo(int(mb * 1e6), SHAPES[shape](mb) * rng.lognormvariate(-0.1, 0.45)))
    rng.shuffle(found)
    return found


def amounts(photos: Library) -> dict[int, Amount]:
    found: dict[int, Amount] = {}
    for photo in photos:
        count, megabytes = found.get(size_class(photo.size), Amount(0, 0))
        found[size_class(photo.size)] = Amount(count + 1, megabytes + photo.size / 1e6)
    return found


def pass_over(photos: Library, workers: int, *, sampled: bool) -> list[tuple[int, float, float]]:
    """Read them all; for each moment at which a batch was done: photos done, what the meter said, and the truth."""
    meter, now, done = Meter(workers), 0.0, 0
    line = deque(PendingPhoto(PhotoId(n), b"", 0, photo.size, ()) for n, photo in enumerate(photos))
    meter.left(amounts(photos))
    under_way: list[tuple[float, int, list[PhotoId]]] = []
    free, number, said = workers, 0, []
    singles = 2 * workers
    while line or under_way:
        if sampled:
            for kind, count in meter.samples(EVERY).items():
                some = [photo for photo in line if size_class(photo.size) == kind]
                for photo in random.Random(7).sample(some, min(count, len(some))):
                    line.remove(photo)
                    line.appendleft(photo)
        while free and line:
            given = [line.popleft() for _ in range(batch(line, workers, single=singles > 0))]
            singles -= 1
            ends = now + sum(photos[photo.id].cost for photo in given)
            heapq.heappush(under_way, (ends, number, [photo.id for photo in given]))
            free, number = free - 1, number + 1
        now, _, ids = heapq.heappop(under_way)
        free += 1
        done += len(ids)
        meter.learn(now, [Cost(*photos[n]) for n in ids])
        eta = meter.eta(now)
        assert eta is not None
        said.append((done, now, eta))
    return [(done, eta, now - at) for done, at, eta in said]


def worst(photos: Library, workers: int, *, sampled: bool = True) -> float:
    """How far off the meter is at worst after the first 5 % of the photos, in shares of what is left.

    Of the last photos each counts, so a twentieth of the whole pass is the least that is reckoned as left.
    """
    moments = pass_over(photos, workers, sampled=sampled)
    least = 0.05 * moments[0][2] / 0.2
    return max(abs(eta - truth) / max(truth, least) for done, eta, truth in moments if done >= 0.05 * len(photos))


def test_the_time_left_is_right_within_a_fifth() -> None:
    found = {
        (mixture, shape, order, workers): worst(ORDERS[order](library(mixture, shape, 4000, seed=workers)), workers)
        for mixture in MIXTURES
        for shape in SHAPES
        for order in ORDERS
        for workers in (2, 8)[: scaled(1, 2)]
    }
    wrong = {key: error for key, error in found.items() if error >= 0.2}
    assert max(found.values()) < 0.3, wrong
    assert len(wrong) <= 0.05 * len(found), wrong


def test_sizes_of_which_none_could_be_read_are_guessed_by_the_line() -> None:
    for shape, factor in (("a line", 1.6), ("a bend", 2.0), ("nearly flat", 4.5)):
        photos = ORDERS["large last"](library("small and large", shape, 2000, seed=1))
        assert worst(photos, 4, sampled=False) < factor - 1, shape


def test_few_photos_are_read_out_of_turn() -> None:
    meter = Meter(4)
    assert meter.samples(EVERY) == {}
    meter.left({18: Amount(2000, 400), 21: Amount(1000, 1500), 23: Amount(100, 600), 25: Amount(1, 20)})
    wanted = meter.samples(EVERY)
    assert set(wanted) == {18, 21, 23, 25}
    assert wanted[21] > wanted[18] > wanted[23] > wanted[25] == 1, "by the work they are"
    assert 0.04 * 3101 < sum(wanted.values()) <= 0.05 * 3101
    assert meter.samples(EVERY) == {}, "they were named"
    meter.pause()
    assert meter.samples({21: 3}) == {21: 3}, "no more are there yet"
    meter.pause()
    for kind, count in wanted.items():
        size = class_bounds(kind)[0]
        meter.learn(0.0, [Cost(size, 0.4 + 0.3 * size / 1e6)] * count)
    assert sum(meter.samples(EVERY).values()) < 10, "they are known"
