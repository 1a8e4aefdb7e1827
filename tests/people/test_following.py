"""What a saved search delivers of what it finds: a photo once, a moment once."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from guyverd.followed import Shown, Wanted
from guyverd.model import FaceId, PhotoId
from guyverd.people.following import Span, joined, to_deliver
from guyverd.people.moments import NEARLY

times = st.integers(0, 40).map(lambda tenths: tenths / 2)
spans = st.lists(
    st.tuples(times, times.map(lambda length: length + 0.5)).map(lambda one: (one[0], sum(one))), max_size=8
)


def shown(photo: int, start: float | None = None, end: float | None = None) -> Shown:
    return Shown(FaceId(1), PhotoId(photo), b"%032d" % photo, start is not None, start, end)


def wanted(photo: int, start: float | None = None, end: float | None = None) -> Wanted:
    return Wanted(b"%032d" % photo, start, end)


def test_a_photo_and_a_whole_video_come_once() -> None:
    found = [shown(1), shown(2), shown(1), shown(3, 1, 2), shown(3, 9, 12)]
    assert to_deliver(found, [wanted(2)], clips=False) == [wanted(1), wanted(3)]


def test_of_a_video_each_moment_comes_once() -> None:
    found = [shown(1), shown(3, 9, 12), shown(3, 1, 2), shown(3, 2 + NEARLY, 5), shown(4, 0, 1)]
    assert to_deliver(found, [], clips=True) == [wanted(1), wanted(3, 1, 5), wanted(3, 9, 12), wanted(4, 0, 1)]


def test_a_moment_that_lasts_longer_now_is_known() -> None:
    assert to_deliver([shown(3, 1, 8), shown(3, 20, 22)], [wanted(3, 2, 5)], clips=True) == [wanted(3, 20, 22)]


def test_who_has_the_whole_video_needs_no_moment() -> None:
    assert to_deliver([shown(3, 1, 8)], [wanted(3)], clips=True) == []


def test_a_video_of_which_no_time_is_told_comes_whole() -> None:
    one = Shown(FaceId(1), PhotoId(3), b"%032d" % 3, True, None, None)
    assert to_deliver([one], [], clips=True) == [wanted(3)]


@given(spans)
def test_joined_times_cover_the_same_and_lie_apart(some: list[Span]) -> None:
    made = joined(some)
    assert made == joined(made)
    assert all(any(low <= start and end <= high for low, high in made) for start, end in some)
    assert all(after[0] - before[1] > NEARLY for before, after in pairwise(made))
    assert {low for low, _ in made} <= {start for start, _ in some}
    assert {high for _, high in made} <= {end for _, end in some}


@given(spans, spans)
def test_whatever_was_noted_is_never_delivered_again(first: list[Span], then: list[Span]) -> None:
    found = [shown(3, *span) for span in first]
    noted = to_deliver(found, [], clips=True)
    assert to_deliver(found, noted, clips=True) == []
    more = to_deliver([*found, *(shown(3, *span) for span in then)], noted, clips=True)
    for one in more:
        assert one.start is not None
        assert one.end is not None
        assert not [other for other in noted if _overlap((one.start, one.end), other)]


def _overlap(one: Span, other: Wanted) -> bool:
    return other.start is not None and other.end is not None and one[0] < other.end and other.start < one[1]
