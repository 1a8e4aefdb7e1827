from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from guyverd.evaluation.films import RATE, Still
from guyverd.evaluation.scripting import ABSENT, EACH, WIDTHS, cast, scripts
from tests.evaluation.test_films import still


def stills(people: list[int]) -> list[Still]:
    return [still(number, person) for number, person in enumerate(people)]


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
