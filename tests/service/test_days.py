"""Days of an album: what is one, and which first and last day can be."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guyverd.errors import DaysContradict, NoDay
from guyverd.service.pipeline.words.days import checked


@pytest.mark.parametrize("day", ["2023", "2023-01", "2023-12-31", "2024-02-29", "0001"])
def test_years_months_and_days(day: str) -> None:
    checked(day, None)
    checked(None, day)
    checked(day, day)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "23",
        "02023",
        "0000",
        "2023-1",
        "2023-13",
        "2023-00",
        "2023-02-29",
        "2023-04-31",
        "2023-01-01T00:00",
        "2023-01-",
        "2023-W01",
        "20230101",
        "last year",
        " 2023",
        "2023\n",
        "２０２３",
        "-2023",
    ],
)
def test_what_is_no_day_is_told(text: str) -> None:
    for since, until in ((text, None), (None, text), (text, "2023"), ("2023", text)):
        with pytest.raises(NoDay) as caught:
            checked(since, until)
        assert repr(text) in caught.value.message.replace("\\\\", "\\")
        assert "YYYY-MM-DD" in caught.value.advice


DATES = st.dates(datetime.date(1990, 1, 1), datetime.date(1992, 12, 31))
LENGTHS = st.sampled_from([4, 7, 10])


@given(DATES, DATES, LENGTHS, LENGTHS)
def test_a_first_day_after_the_last_cannot_be(
    one: datetime.date, other: datetime.date, length: int, other_length: int
) -> None:
    since, until = one.isoformat()[:length], other.isoformat()[:other_length]
    days = [datetime.date(1989, 1, 1) + datetime.timedelta(number) for number in range(5 * 365)]
    common = [day for day in days if day.isoformat() >= since and day.isoformat()[:other_length] <= until]
    if common:
        checked(since, until)
    else:
        with pytest.raises(DaysContradict):
            checked(since, until)
