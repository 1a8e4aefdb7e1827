"""The pace of the day, minute by minute."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guyverd.config import Hours, Workers
from guyverd.service.pipeline.hours import Pace, next_change, pace

MINUTES = st.integers(0, 1439)
SPANS = st.none() | st.tuples(MINUTES, MINUTES).filter(lambda span: span[0] != span[1]).map(lambda span: Hours(*span))
WORKERS = st.builds(Workers, speed=st.sampled_from(["gentle", "full"]), full_speed_hours=SPANS, quiet_hours=SPANS)


@pytest.mark.parametrize(
    ("minute", "expected"),
    [
        (12 * 60, Pace(gentle=True, quiet=False, quiet_until="")),
        (21 * 60 + 59, Pace(gentle=True, quiet=False, quiet_until="")),
        (22 * 60, Pace(gentle=False, quiet=False, quiet_until="")),
        (0, Pace(gentle=False, quiet=False, quiet_until="")),
        (6 * 60, Pace(gentle=False, quiet=True, quiet_until="08:30")),
        (7 * 60, Pace(gentle=True, quiet=True, quiet_until="08:30")),
        (8 * 60 + 30, Pace(gentle=True, quiet=False, quiet_until="")),
    ],
)
def test_a_day(minute: int, expected: Pace) -> None:
    workers = Workers(full_speed_hours=Hours(22 * 60, 7 * 60), quiet_hours=Hours(6 * 60, 8 * 60 + 30))
    assert pace(workers, minute) == expected


def test_without_hours_nothing_changes() -> None:
    for speed in ("gentle", "full"):
        assert pace(Workers(speed=speed), 700) == Pace(gentle=speed == "gentle", quiet=False, quiet_until="")
        assert next_change(Workers(speed=speed), 700) is None
    assert next_change(Workers(speed="full", full_speed_hours=Hours(60, 120)), 0) is None


@given(WORKERS, MINUTES)
def test_the_next_change_is_the_first(workers: Workers, minute: int) -> None:
    now = pace(workers, minute)
    later = [pace(workers, (minute + ahead) % 1440) != now for ahead in range(1, 1441)]
    expected = later.index(True) + 1 if any(later) else None
    assert next_change(workers, minute) == expected
