"""Several people named in one text."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guyverd.errors import UnknownPerson, WhichPeople
from guyverd.service.pipeline.words.company import named


def read(text: str, *known: str) -> tuple[str, ...]:
    return named(text, set(known).__contains__)


@pytest.mark.parametrize(
    ("text", "known", "found"),
    [
        ("Alice", ["Alice"], ("Alice",)),
        ("Alice & Bob", ["Alice", "Bob"], ("Alice", "Bob")),
        ("Alice&Bob  &  12", ["Alice", "Bob", "12"], ("Alice", "Bob", "12")),
        ("Tom & Jerry", ["Tom & Jerry", "Tom"], ("Tom & Jerry",)),
        ("Tom & Jerry & Bob", ["Tom & Jerry", "Tom", "Bob"], ("Tom & Jerry", "Bob")),
        ("Al & Tom & Jerry", ["Al & Tom", "Jerry", "Al & Tom & Bo"], ("Al & Tom", "Jerry")),
        ("R&B & Bob", ["R&B", "Bob"], ("R&B", "Bob")),
    ],
)
def test_names_are_found_one_after_another(text: str, known: list[str], found: tuple[str, ...]) -> None:
    assert read(text, *known) == found


@pytest.mark.parametrize(
    ("text", "known", "who"),
    [
        ("Zoe", ["Alice"], "Zoe"),
        ("Alice & Zoe & Yves", ["Alice", "Yves"], "Zoe"),
        ("Zoe & Alice", ["Alice"], "Zoe"),
        ("Tom & Jerry & Zoe", ["Tom & Jerry", "Tom"], "Zoe"),
        ("Alice &", ["Alice"], ""),
        ("", ["Alice"], ""),
    ],
)
def test_who_is_nobody_is_told(text: str, known: list[str], who: str) -> None:
    with pytest.raises(UnknownPerson, match=re.escape(repr(who))):
        read(text, *known)


def test_several_readings_are_told() -> None:
    with pytest.raises(WhichPeople) as caught:
        read("Tom & Jerry", "Tom", "Jerry", "Tom & Jerry")
    assert "'Tom & Jerry'; 'Tom' and 'Jerry'" in caught.value.message
    assert "number" in caught.value.advice


def test_a_long_text_does_not_take_long() -> None:
    asked: list[str] = []

    def known(text: str) -> bool:
        asked.append(text)
        return set(text) <= set("a& ")

    with pytest.raises(UnknownPerson):
        named(" & ".join(["a"] * 40 + ["b"]), known)
    assert len(asked) == len(set(asked)) <= 41 * 42 // 2, "each part of the text is asked for once"


WORDS = st.sampled_from(["a", "b", "c"])
NAMES = st.lists(WORDS, min_size=1, max_size=3).map(" & ".join)


@given(st.sets(NAMES, min_size=1, max_size=5), st.data())
def test_what_is_read_is_what_was_written_or_it_is_ambiguous(known: set[str], data: st.DataObject) -> None:
    people = data.draw(st.lists(st.sampled_from(sorted(known)), min_size=1, max_size=4))
    try:
        assert read(" & ".join(people), *known) == tuple(people)
    except WhichPeople as problem:
        ways = problem.fields["ways"]
        assert isinstance(ways, str)
        assert len(ways.split("; ")) > 1
