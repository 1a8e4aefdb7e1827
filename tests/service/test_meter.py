from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guyverd.service.pipeline.meter import WINDOW, Meter


def test_nothing_is_known_at_first() -> None:
    meter = Meter()
    assert meter.rate() == 0.0
    assert meter.eta(10) is None
    assert meter.eta(0) == 0.0


def test_a_steady_rate_is_told_exactly() -> None:
    meter = Meter()
    for second in range(300):
        meter.mark(float(second), second * 4)
    assert meter.rate() == pytest.approx(4.0)
    assert meter.eta(40) == pytest.approx(10.0)


def test_only_the_last_minute_counts() -> None:
    meter = Meter()
    for second in range(1000):
        meter.mark(float(second), second * 100)
    for second in range(1000, 1000 + 2 * int(WINDOW)):
        meter.mark(float(second), 100_000)
    assert meter.rate() == 0.0
    assert meter.eta(1) is None


@given(st.lists(st.tuples(st.floats(0.01, 30.0), st.integers(0, 50)), min_size=1, max_size=200))
def test_a_rate_is_never_negative_nor_above_the_fastest_step(steps: list[tuple[float, int]]) -> None:
    meter, now, count, fastest = Meter(), 0.0, 0, 0.0
    meter.mark(now, count)
    for pause, more in steps:
        fastest = max(fastest, more / pause)
        now, count = now + pause, count + more
        meter.mark(now, count)
        assert 0.0 <= meter.rate() <= fastest * 1.0001
