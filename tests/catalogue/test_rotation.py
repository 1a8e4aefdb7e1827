"""Which backups stay."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guyverd.catalogue.rotation import AHEAD, Kept, is_due, latest, superfluous

pytestmark = pytest.mark.promise("backup")

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
backups = st.lists(st.integers(-60 * 24 * 60, 3 * 24 * 60), unique=True, max_size=60).map(
    lambda minutes: [Kept(NOW + timedelta(minutes=n), b"%d" % n) for n in minutes]
)


def staying(kept: list[Kept], days: int, weeks: int) -> set[Kept]:
    return set(kept) - set(superfluous(kept, NOW, days=days, weeks=weeks))


@given(backups, st.integers(0, 9), st.integers(0, 9))
def test_the_newest_and_the_newest_that_is_not_of_the_future_stay(kept: list[Kept], days: int, weeks: int) -> None:
    left = staying(kept, days, weeks)
    if kept:
        assert max(kept) in left
    if (newest := latest(kept, NOW)) is not None:
        assert newest in left
        assert newest.at <= NOW + AHEAD


@given(backups, st.integers(0, 9), st.integers(0, 9))
def test_no_more_stay_than_days_and_weeks_and_the_two_newest(kept: list[Kept], days: int, weeks: int) -> None:
    assert len(staying(kept, days, weeks)) <= days + weeks + 2


@given(backups, st.integers(1, 9), st.integers(0, 9))
def test_each_of_the_last_days_has_its_newest(kept: list[Kept], days: int, weeks: int) -> None:
    left = staying(kept, days, weeks)
    dates = sorted({one.at.date() for one in kept}, reverse=True)[:days]
    assert {max(one for one in kept if one.at.date() == date) for date in dates} <= left


@given(backups, st.integers(1, 9), st.integers(1, 9))
def test_to_rotate_again_takes_nothing_more_away(kept: list[Kept], days: int, weeks: int) -> None:
    left = staying(kept, days, weeks)
    assert staying(sorted(left), days, weeks) == left


@given(st.lists(st.integers(1, 30 * 60), max_size=120))
def test_day_by_day_there_is_one_of_every_week_for_as_many_weeks_as_are_kept(hours: list[int]) -> None:
    """However they come: after any history of making and rotating, no week of the last ones is without."""
    kept: list[Kept] = []
    now, made = NOW, []
    for pause in hours:
        now += timedelta(minutes=pause)
        made.append(now)
        kept.append(Kept(now, str(now).encode()))
        gone = set(superfluous(kept, now, days=3, weeks=2))
        kept = [one for one in kept if one not in gone]
    weeks = sorted({one.isocalendar()[:2] for one in made}, reverse=True)[:2]
    assert set(weeks) <= {one.at.isocalendar()[:2] for one in kept}


def test_when_the_next_is_due() -> None:
    day = 86400.0
    assert is_due(None, NOW, day)
    assert not is_due(NOW - timedelta(hours=23), NOW, day)
    assert is_due(NOW - timedelta(hours=24), NOW, day)
    assert not is_due(NOW + timedelta(minutes=30), NOW, day)


def test_one_of_the_future_does_not_keep_the_next_from_being_made() -> None:
    kept = [Kept(NOW + timedelta(days=400), b"wrong"), Kept(NOW - timedelta(days=2), b"right")]
    assert latest(kept, NOW) == kept[1]
