from __future__ import annotations

import pytest

from guyverd.evaluation.films import RATE, Appearance, Place, Script, Still
from guyverd.model import Box

FACE = Box(100, 80, 180, 160)
MIDDLE = Place(0.5, 0.5, 0.2)


def still(number: int, person: int = 1) -> Still:
    return Still(number, person, 300, 240, FACE)


def test_a_cut_is_exact_to_the_frame() -> None:
    one, other = still(0), still(1, 2)
    script = Script((Appearance(one, 0, 50, MIDDLE, MIDDLE), Appearance(other, 50, 75, MIDDLE, MIDDLE)), frames=100)
    assert script.truth() == {1: ((0.0, 2.0),), 2: ((2.0, 3.0),)}
    assert script.seconds == 4.0
    assert [len(script.at(frame)) for frame in (0, 49, 50, 74, 75)] == [1, 1, 1, 1, 0]


def test_a_fade_is_seen_from_its_first_quarter_on_and_both_make_one() -> None:
    before = Appearance(still(0), 0, 60, MIDDLE, MIDDLE, fade_out=9)
    after = Appearance(still(1, 2), 51, 100, MIDDLE, MIDDLE, fade_in=9)
    for frame in range(51, 60):
        assert before.opacity(frame) + after.opacity(frame) == pytest.approx(1)
    assert (before.opacity(50), after.opacity(60)) == (1, 1)
    truth = Script((before, after), 100).truth()
    # In frame 53 the second has three tenths, in frame 57 the first.
    assert truth == {1: ((0.0, 58 / RATE),), 2: ((53 / RATE, 4.0),)}


def test_who_comes_in_from_the_side_is_seen_when_most_of_the_face_is() -> None:
    outside = Place(-0.2, 0.5, 0.2)
    coming = Appearance(still(0), 0, 101, outside, Place(0.5, 0.5, 0.2))
    ((start, end),) = Script((coming,), 101).truth()[1]
    assert end == 101 / RATE
    first = round(start * RATE)
    # The face is 128 pixels wide; 15 % of it may lie outside, and each frame brings 4.48 pixels.
    left, _, scale = coming.rectangle(first)
    assert -0.15 * 128 <= left + scale * FACE.left < -0.15 * 128 + 4.48
    assert not coming.seen(first - 1)


def test_half_of_the_picture_is_nobody_elses() -> None:
    aside = Appearance(still(0), 0, 10, Place(0.5, 0.5, 0.2), Place(0.5, 0.5, 0.2), half=-1)
    assert aside.window() == (0, 320)
    assert not aside.seen(0), "half of the face is cut away"
    assert Appearance(still(0), 0, 10, Place(0.75, 0.5, 0.2), Place(0.75, 0.5, 0.2), half=1).seen(0)


def test_a_zoom_keeps_the_face_where_it_is() -> None:
    closer = Appearance(still(0), 0, 51, Place(0.5, 0.5, 0.1), Place(0.5, 0.5, 0.3))
    for frame, wide in ((0, 64), (25, 128), (50, 192)):
        left, top, scale = closer.rectangle(frame)
        assert scale * FACE.width == pytest.approx(wide)
        assert left + scale * (FACE.left + FACE.right) / 2 == pytest.approx(320)
        assert top + scale * (FACE.top + FACE.bottom) / 2 == pytest.approx(180)
