from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guyverd.evaluation.moments import Asked, Span, joined, overlap, score


def test_shares_by_hand() -> None:
    asked = Asked(
        {"a": ((0.0, 4.0), (10.0, 12.0)), "b": ((5.0, 6.0),)},
        # The first is half right in length, the second met and too long, the third elsewhere.
        {"a": ((2.0, 4.0), (9.0, 13.0)), "c": ((0.0, 1.0),)},
    )
    told = score([asked, Asked({}, {"a": ((0.0, 1.0),)}), Asked({}, {})])
    assert (told.queries, told.absent) == (3, 2)
    assert (told.moments, told.found) == (3, 2)
    assert told.recall == pytest.approx(2 / 3)
    assert (told.answered, told.right, told.precision) == (4, 2, 0.5)
    assert told.time_precision == pytest.approx((2 + 2) / (2 + 4 + 1 + 1))
    assert told.time_recall == pytest.approx((2 + 2) / (4 + 2 + 1))
    # Off by 2 and 0 at the first, by 1 and 1 at the second.
    assert told.edges is not None
    assert told.edges[0] == 1.0
    assert 1 < told.edges[1] <= 2


def test_a_moment_that_shows_somebody_else_for_the_most_part_is_wrong() -> None:
    true = {"a": ((10.0, 12.0),)}
    assert score([Asked(true, {"a": ((8.1, 12.0),)})]).right == 1
    assert score([Asked(true, {"a": ((7.9, 12.0),)})]).right == 0
    assert score([Asked(true, {"a": ((10.9, 12.0),)})]).found == 1
    assert score([Asked(true, {"a": ((11.1, 12.0),)})]).found == 0


def test_two_shots_told_as_one_moment_have_two_edges() -> None:
    true = {"a": ((0.0, 2.0), (3.0, 5.0))}
    whole = score([Asked(true, {"a": ((0.0, 5.1),)})])
    assert whole.edges is not None
    assert whole.edges[0] == pytest.approx(0.05)
    assert (whole.found, whole.right) == (2, 1)
    assert whole.time_precision == pytest.approx(4 / 5.1)


def test_nothing_asked_and_nothing_found() -> None:
    nothing = score([])
    assert (nothing.precision, nothing.recall, nothing.time_precision, nothing.edges) == (None, None, None, None)
    silent = score([Asked({"a": ((0.0, 1.0),)}, {})])
    assert (silent.precision, silent.recall, silent.time_recall, silent.edges) == (None, 0.0, 0.0, None)


SPANS = st.lists(
    st.tuples(st.integers(0, 30), st.integers(1, 6)).map(lambda two: (float(two[0]), float(two[0] + two[1]))),
    max_size=6,
)


@given(SPANS, SPANS)
def test_shares_of_time_are_those_of_seconds(true: list[Span], found: list[Span]) -> None:
    """All times are whole seconds here, so each second is in a span or is not."""
    told = score([Asked({"a": joined(true)}, {"a": tuple(found)})])
    seen = {second for start, end in true for second in range(int(start), int(end))}
    answered = {second for start, end in found for second in range(int(start), int(end))}
    assert told.time_recall == (pytest.approx(len(seen & answered) / len(seen)) if seen else None)
    assert told.time_precision == (pytest.approx(len(seen & answered) / len(answered)) if answered else None)
    assert sum(end - start for start, end in joined(true)) == len(seen)
    for span in found:
        seconds = set(range(int(span[0]), int(span[1])))
        assert overlap(span, joined(true)) == len(seconds & seen)


@given(SPANS)
def test_the_truth_itself_is_a_full_answer(true: list[Span]) -> None:
    spans = joined(true)
    told = score([Asked({"a": spans}, {"a": spans})])
    assert told.precision in {None, 1.0}
    assert told.recall in {None, 1.0}
    assert told.edges in {None, (0.0, 0.0)}
