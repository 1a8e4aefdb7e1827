from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guyverd.evaluation.films import (
    ABSENT,
    EACH,
    RATE,
    SIZE,
    WIDTHS,
    Appearance,
    Place,
    Script,
    Still,
    cast,
    scripts,
)
from guyverd.evaluation.projecting import Drawer, write
from guyverd.model import Box

if TYPE_CHECKING:
    from guyverd.model import Pixels

FACE = Box(100, 80, 180, 160)
MIDDLE = Place(0.5, 0.5, 0.2)


def still(number: int, person: int = 1) -> Still:
    return Still(number, person, 300, 240, FACE)


def stills(people: list[int]) -> list[Still]:
    return [still(number, person) for number, person in enumerate(people)]


def painted(number: int) -> Pixels:
    """A photo of one colour, told by its number, with a white face."""
    pixels = np.full((240, 300, 3), (40 + 20 * number, 200 - 20 * number, 120), np.uint8)
    pixels[FACE.top : FACE.bottom, FACE.left : FACE.right] = 255
    return pixels


# ---- what is seen ----------------------------------------------------------------------------------------------------


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


# ---- scripts ---------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(1, 6), max_size=40), st.integers(1, 3), st.integers(1, 9), st.integers(0, 2**32))
def test_scripts_keep_their_word(people: list[int], most: int, shots: int, seed: int) -> None:
    made = scripts(stills(people), most, seed, shots)
    assert made == scripts(stills(people), most, seed, shots)
    used = [each.still.number for script in made for each in script.appearances]
    assert len(used) == len(set(used)), "each photo once"
    assert len(made) <= most
    assert len(used) == len(people) or len(made) == most
    for script in made:
        assert all(0 <= each.first < each.last <= script.frames for each in script.appearances)
        # Nobody twice in one frame, and everybody at least once in some.
        for one, other in itertools.combinations(script.appearances, 2):
            if one.first < other.last and other.first < one.last:
                assert one.still.person != other.still.person
        truth = script.truth()
        assert set(truth) == {each.still.person for each in script.appearances}
        for spans in truth.values():
            assert all(0 <= start < end <= script.seconds for start, end in spans)
            assert all(one[1] < other[0] for one, other in itertools.pairwise(spans))
        for each in script.appearances:
            assert any(each.seen(frame) for frame in range(each.first, each.last))


def test_every_kind_of_shot_and_of_what_comes_between_is_made() -> None:
    """Told by what they look like, not by their names."""
    made = scripts(stills(list(range(1, 200))), 8, seed=1)
    every = [each for script in made for each in script.appearances]
    assert any(each.begin == each.end and not each.half for each in every), "still"
    assert any(each.end.wide > each.begin.wide for each in every), "closer"
    assert any(each.end.wide < each.begin.wide for each in every), "farther"
    assert any(not 0 <= each.begin.across <= 1 for each in every), "coming in"
    assert any(each.begin.across != each.end.across and 0 < each.begin.across < 1 for each in every), "moving"
    pairs = [
        (one, other)
        for script in made
        for one, other in itertools.pairwise(script.appearances)
        if one.half == -1 and other.half == 1
    ]
    assert any(one.first == other.first for one, other in pairs), "two at once"
    assert any(one.first < other.first < one.last for one, other in pairs), "one comes later"
    assert any(each.fade_in for each in every)
    assert any(each.fade_out for each in every)
    crossed = [
        (one, other)
        for script in made
        for one, other in itertools.pairwise(script.appearances)
        if one.fade_out == other.fade_in > 0 and one.last - other.first == one.fade_out
    ]
    assert crossed, "a fade from one to the other"
    assert any(not script.at(frame) for script in made for frame in range(script.frames - RATE)), "nobody"
    assert min(min(each.begin.wide, each.end.wide) for each in every) == WIDTHS[0]
    assert all(15 < script.seconds < 90 for script in made)


def test_nobody_is_cast_with_the_photo_they_are_asked_for_with() -> None:
    people = [1] * 6 + [2] * 2 + [3, 4, 5] + [6] * 3 + [7] * 2 + [8] * 2 + [9] * 2
    chosen = cast(stills(people), 100, seed=5)
    films, asked = {each.number for each in chosen.stills}, {each.number for each in chosen.asked}
    assert not films & asked
    assert sorted(each.person for each in chosen.asked) == [1, 2, 6, 7, 8, 9], "whoever has two photos"
    counts = {person: sum(each.person == person for each in chosen.stills) for person in range(1, 10)}
    assert [counts[person] for person in (3, 4, 5)] == [1, 1, 1], "passers-by"
    assert counts[1] in {0, 3}, "half of five, and none where they are in no film"
    assert counts[6] in {0, 1}
    absent = [each.person for each in chosen.asked if not counts[each.person]]
    assert len(absent) == len(chosen.asked) // ABSENT == 1
    many = cast(stills([person for person in range(40) for _ in range(20)]), 60, seed=5)
    assert {sum(each.person == person for each in many.stills) for person in range(40)} == {0, EACH}
    two = cast(stills([1] * 20 + [2] * 20), 60, seed=5)
    assert [sum(each.person == person for each in two.stills) for person in (1, 2)] == [10, 10], "half of nineteen"
    few = cast(stills(people), 4, seed=5)
    assert len(few.stills) == 4
    assert few == cast(stills(people), 4, seed=5)
    assert cast([], 9, seed=1).asked == ()


# ---- drawn and written -----------------------------------------------------------------------------------------------


def test_photos_are_drawn_where_the_script_has_them() -> None:
    one = Appearance(still(0), 0, 10, Place(0.25, 0.5, 0.1), Place(0.25, 0.5, 0.1), half=-1)
    other = Appearance(still(1, 2), 5, 15, Place(0.75, 0.5, 0.1), Place(0.75, 0.5, 0.1), half=1)
    drawer = Drawer(Script((one, other), 20), painted)
    first, both, second, nobody = (drawer.frame(frame) for frame in (0, 7, 12, 19))
    left, right = (slice(160, 200), slice(140, 180)), (slice(160, 200), slice(460, 500))
    assert (first[left] == 255).all(), "the face"
    assert (both[left] == 255).all()
    assert (both[right] == 255).all()
    assert (second[right] == 255).all()
    assert (first[right] == nobody[right]).all()
    assert (second[left] == nobody[left]).all()
    assert first[180, 110].tolist() == [40, 200, 120], "the photo beside its face"
    assert first.shape == (SIZE[1], SIZE[0], 3)


def test_a_fade_mixes_the_two_and_nothing_of_the_wall() -> None:
    before = Appearance(still(0), 0, 60, MIDDLE, MIDDLE, fade_out=9)
    after = Appearance(still(1, 2), 51, 100, MIDDLE, MIDDLE, fade_in=9)
    drawer = Drawer(Script((before, after), 100), painted)
    at = (180, 400)
    assert drawer.frame(50)[at].tolist() == [40, 200, 120]
    assert drawer.frame(55)[at].tolist() == [50, 190, 120]
    assert drawer.frame(60)[at].tolist() == [60, 180, 120]


def test_what_is_written_is_what_was_drawn(tmp_path: Path) -> None:
    one, other = still(0), still(3, 2)
    script = Script((Appearance(one, 0, 7, MIDDLE, MIDDLE), Appearance(other, 7, 12, MIDDLE, MIDDLE)), frames=15)
    path = tmp_path / "film.mp4"
    write(path, script, painted)
    with av.open(str(path)) as container:
        frames = [(frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    assert [time for time, _ in frames] == pytest.approx([at / RATE for at in range(15)])
    drawer = Drawer(script, painted)
    for at, (_, pixels) in enumerate(frames):
        far = np.abs(pixels.astype(int) - drawer.frame(at).astype(int))
        assert far.mean() < 6, at
    again = tmp_path / "again.mp4"
    write(again, script, painted)
    assert again.read_bytes() == path.read_bytes()
