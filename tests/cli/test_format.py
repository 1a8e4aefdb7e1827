"""Values as people read them."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from guyverd.cli import format as fmt

ANY = st.text(st.characters(codec=None))
BIDI = "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@given(ANY)
def test_safe_text_cannot_upset_a_terminal(text: str) -> None:
    shown = fmt.safe(text)
    assert not set(shown) & set(BIDI)
    assert all(unicodedata.category(char) not in ("Cc", "Cs", "Zl", "Zp") for char in shown)
    assert len(shown.splitlines()) <= 1
    shown.encode("utf-8")
    assert fmt.safe(shown) == shown


@pytest.mark.parametrize("text", ["IMG 1.jpg", "Zoë", "李", "علی\u200cرضا", "👩\u200d👧", "3:12\u202fPM", r"a\b", ""])
def test_honest_text_is_left_as_it_is(text: str) -> None:
    assert fmt.safe(text) == text


def test_what_is_escaped() -> None:
    assert fmt.safe("a\n\r\t\x07\x9b\u202e\udcff\U000e0001") == r"a\n\r\t\x07\x9b\u202e\udcff\U000e0001"
    assert fmt.safe(None) == "–"
    assert fmt.safe(12) == "12"


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P", "Zs"])))
def test_width_of_ascii(text: str) -> None:
    assert fmt.width(text) == len(text)


@pytest.mark.parametrize("text", ["Zoë", "李小龍", "e\u0301", "アリス"])
def test_width_agrees_with_rich(text: str) -> None:
    assert fmt.width(text) == cell_len(text)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "–"),
        (-1, "0 s"),
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (125, "2 min 5 s"),
        (3600, "1 h"),
        (12_000, "3 h 20 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_duration(seconds: float | None, shown: str) -> None:
    assert fmt.duration(seconds) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [(None, "–"), (0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (1_234_567, "1.2 MB"), (5e13, "50.0 TB")],
)
def test_size(count: float | None, shown: str) -> None:
    assert fmt.size(count) == shown


def test_counts() -> None:
    assert fmt.plural(1, "photo") == "1 photo"
    assert fmt.plural(0, "copy", "copies") == "0 copies"
    assert fmt.plural(12_345, "photo") == "12,345 photos"
    assert fmt.number(None) == "–"
    assert fmt.decimal(0.12345, 3) == "0.123"


def test_people_and_files() -> None:
    assert fmt.person(None) == "unknown"
    assert fmt.person({"id": 3, "name": None}) == "person 3"
    assert fmt.person({"id": 3, "name": "Bo"}) == "Bo (3)"
    assert fmt.files(["/a", "/b", "/c"]) == "/a  (and 2 copies)"


@pytest.mark.parametrize(
    ("start", "end", "shown"),
    [(0, 0.4, "00:00"), (12.9, 19.99, "00:12–00:19"), (59.9, 61, "00:59–01:01"), (3599.5, 3723, "59:59–1:02:03")],
)
def test_moments(start: float, end: float, shown: str) -> None:
    assert fmt.moment(start, end) == shown


@pytest.mark.parametrize(
    ("confidence", "shown"),
    [
        (None, "–"),
        (0.0, "< 1 %"),
        (0.29, "29 %"),
        (0.9899, "98 %"),
        (0.99, "99.0 %"),
        (0.9987, "99.8 %"),
        (1.0, "99.9 %"),
    ],
)
def test_how_sure_is_never_rounded_up(confidence: float | None, shown: str) -> None:
    assert fmt.sure(confidence) == shown
