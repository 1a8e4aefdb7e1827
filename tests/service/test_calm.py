"""Lines that are alike: only so many are written, none is forgotten."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guyverd.service.calm import Calm, Verdict
from guyverd.service.journal import Journal
from guyverd.service.logs import Log, configure


def test_of_each_kind_so_many_are_written_and_the_rest_is_counted() -> None:
    calm: Calm[str, str] = Calm(most=2, span=60)
    told = [calm.judge("x", f"x{n}", 0.0) for n in range(4)]
    assert told == [Verdict.WRITTEN, Verdict.LAST, Verdict.COUNTED, Verdict.COUNTED]
    assert calm.judge("y", "y0", 1.0) is Verdict.WRITTEN
    assert calm.over(59.9) == []
    assert calm.due() == 60.0
    (rest,) = calm.over(60.0)
    assert (rest.count, rest.last) == (2, "x3")
    assert calm.due() is None
    assert calm.judge("x", "x4", 61.0) is Verdict.WRITTEN, "a new hour"
    assert calm.held_back == 2


def test_a_clock_that_went_back_ends_the_hour() -> None:
    calm: Calm[str, str] = Calm(most=1, span=60)
    for _ in range(3):
        calm.judge("x", "x", 1e9)
    assert [rest.count for rest in calm.over(5.0)] == [2]
    assert calm.over(5.0) == []


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 50)), max_size=200),
    st.integers(1, 5),
    st.floats(1, 100),
)
def test_what_is_written_and_what_is_told_later_is_everything(
    lines: list[tuple[str, float]], most: int, span: float
) -> None:
    calm: Calm[str, int] = Calm(most, span)
    now, written, told = 0.0, 0, 0
    in_this_hour: dict[str, list[float]] = {}
    for number, (kind, wait) in enumerate(lines):
        now += wait
        told += sum(rest.count for rest in calm.over(now))
        if calm.judge(kind, number, now) is not Verdict.COUNTED:
            written += 1
            in_this_hour.setdefault(kind, []).append(now)
    told += sum(rest.count for rest in calm.over(now, at_once=True))
    assert written + told == len(lines)
    assert calm.held_back == told
    for moments in in_this_hour.values():
        for first in moments:
            # Two hours may follow one another closely, no more.
            assert sum(first <= moment < first + span for moment in moments) <= 2 * most


# ---- the log itself --------------------------------------------------------------------------------------------------


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    found = logging.getLogger("guyverd")
    before = (found.handlers, found.propagate, found.level)
    yield logging.getLogger("guyverd.somewhere")
    found.handlers, found.propagate = before[0], before[1]
    found.setLevel(before[2])


def failing(logger: logging.Logger, count: int) -> None:
    for number in range(count):
        file = f"/photos/{number}.jpg"
        logger.warning("%s: %s.", file, "truncated", extra={"file": file, "photo": number})


@pytest.mark.parametrize("as_json", [False, True])
def test_a_million_files_that_fail_do_not_fill_a_disk(
    logger: logging.Logger, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    handler = configure("info", as_json=as_json)
    failing(logger, 20_000)
    logger.warning("Something else.")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 102, "a hundred, the word that there are more, and what comes from elsewhere"
    assert "/photos/99.jpg" in lines[99]
    assert "counted and told together" in lines[100]
    assert handler.held_back == 19_900
    handler.close()
    (rest,) = capsys.readouterr().err.splitlines()
    assert "19900 more lines like this one were left out: /photos/19999.jpg: truncated." in rest
    if as_json:
        assert json.loads(rest)["file"] == "/photos/19999.jpg"
        assert json.loads(rest)["level"] == "warning"


def test_what_was_left_out_is_told_when_its_hour_is_over(
    logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    handler = Log(Journal(), most=3, span=60, clock=lambda: now[0])
    root = logging.getLogger("guyverd")
    root.handlers, root.propagate = [handler], False
    root.setLevel("INFO")
    failing(logger, 10)
    capsys.readouterr()
    handler.tell()
    assert capsys.readouterr().err == "", "not before"
    now[0] = 61.0
    failing(logger, 2)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "7 more lines like this one were left out: /photos/9.jpg: truncated."
    assert len(lines) == 3
    handler.close()
    assert capsys.readouterr().err == ""


def test_who_asks_for_everything_gets_it(logger: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    configure("debug", as_json=False)
    for number in range(300):
        logger.debug("%d", number)
    assert len(capsys.readouterr().err.splitlines()) == 300
