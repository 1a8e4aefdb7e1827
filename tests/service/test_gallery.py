"""The page of what was found: what it says, and that nothing in a name can do harm in it. Pure."""

from __future__ import annotations

import html.parser
import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guyverd.service import gallery
from guyverd.service.gallery import Shown, card, head, tail

ROW: dict[str, Any] = {
    **{"file": "/photos/a.jpg", "files": ["/photos/a.jpg"], "photo": 1, "kind": "photo", "face": 7, "name": "Alice"},
    **{"box": [100, 50, 300, 250], "distance": 0.25, "evidence": 6.0, "margin": 3.5, "person": 12, "through": True},
    **{"confidence": 0.981, "taken_at": "2024-05-01T12:00:00", "start": None, "end": None, "at": None},
    "duplicates": [],
}
SEEN = Shown(b"whole", b"face", 1000, 500)


class Read(html.parser.HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data + " "


def page(*cards: str) -> str:
    return head("Found by x.jpg", "It is Alice (12).", len(cards)) + "".join(cards) + tail()


def test_a_photo() -> None:
    read = Read(page(card(ROW, SEEN)))
    for said in ("Found by x.jpg", "It is Alice (12). 1 picture", "a.jpg", "98 % sure, Alice", "2024-05-01 12:00"):
        assert said in read.text
    assert "distance 0.250, margin 3.50, by the person" in read.text
    places = [attrs["style"] for tag, attrs in read.tags if tag == "i"]
    assert places == ["left:10.00%;top:10.00%;width:20.00%;height:40.00%"]
    pictures = [attrs["src"] or "" for tag, attrs in read.tags if tag == "img"]
    assert pictures == ["data:image/jpeg;base64,d2hvbGU=", "data:image/jpeg;base64,ZmFjZQ=="]


def test_a_moment_links_to_its_time() -> None:
    row = {**ROW, "file": "/photos/a b.mp4", "kind": "video", "start": 12.25, "end": 3723.5, "at": 20.0}
    read = Read(page(card(row, SEEN)))
    (link,) = (attrs["href"] for tag, attrs in read.tags if tag == "a")
    assert link == "file:///photos/a%20b.mp4#t=12.25,3723.50"
    assert "00:12–1:02:03" in read.text


def test_what_is_not_known_is_not_told() -> None:
    together = {key: ROW[key] for key in ("file", "files", "photo", "kind", "taken_at", "start", "end")}
    read = Read(page(card(together, Shown(b"whole", None, 10, 10))))
    assert "sure" not in read.text
    assert not [tag for tag, _ in read.tags if tag == "i"]
    gone = {**ROW, "file": None, "files": [], "distance": None, "margin": None, "person": None, "name": None}
    read = Read(page(card({**gone, "through": False, "duplicates": [{}, {}]}, "no file of it is there now")))
    for said in ("no file of it is there now", "nobody known", "by likeness", "and 2 that are all but the same"):
        assert said in read.text
    assert not [tag for tag, _ in read.tags if tag in ("a", "img")]
    assert "more than 99 % sure" in Read(card({**ROW, "confidence": 0.9999}, SEEN)).text


EVIL = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "\u202egpj.exe", "caf\udce9\n\x1b[31m", "--><b>"]
SOME = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=12)
NAMES = (
    SOME
    | st.sampled_from(EVIL)
    | st.binary(min_size=1, max_size=8).filter(lambda name: not {0, 47} & set(name)).map(os.fsdecode)
)


@pytest.mark.promise("metadata")
@given(NAMES, NAMES, NAMES)
def test_no_name_leaves_its_place(name: str, person: str, title: str) -> None:
    row = {**ROW, "file": f"/photos/{name}", "files": [f"/photos/{name}"], "name": person}
    text = head(title, title, 1) + card(row, SEEN) + card(row, name) + tail()
    assert text.encode("utf-8").decode("utf-8") == text, "lone surrogates cannot be written"
    plain = head("t", "t", 1) + card(ROW, SEEN) + card(ROW, "n") + tail()
    assert [tag for tag, _ in Read(text).tags] == [tag for tag, _ in Read(plain).tags]
    assert not any("\u202a" <= char <= "\u202e" or char == "\x1b" for char in text)
    for tag, attrs in Read(text).tags:
        assert not [key for key in attrs if key.startswith("on")], tag
        assert tag != "a" or (attrs["href"] or "").startswith("file:///photos/")


def test_nothing_is_loaded_and_the_page_is_known_again() -> None:
    text = page(card(ROW, SEEN))
    assert text.splitlines()[1] == gallery.MARK
    assert "default-src 'none'; img-src data:" in text
    assert "http:" not in text
    assert "https:" not in text
    odd = os.fsdecode(b"/photos/caf\xe9.jpg")
    assert 'href="file:///photos/caf%E9.jpg"' in card({**ROW, "file": odd, "files": [odd]}, SEEN)
