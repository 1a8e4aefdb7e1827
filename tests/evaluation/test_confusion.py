from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from guyverd.evaluation.confusion import Part, mixes, splits
from guyverd.evaluation.page import FACES, MOST, PARTS, Shown, enlarged, page
from guyverd.model import Box

if TYPE_CHECKING:
    from guyverd.model import IntArray

labellings = st.lists(st.tuples(st.integers(1, 4), st.integers(0, 4)), max_size=25).map(
    lambda pairs: (np.array([t for t, _ in pairs], np.int64), np.array([f for _, f in pairs], np.int64))
)


def ints(*values: int) -> IntArray:
    return np.array(values, np.int64)


def test_the_worst_come_first() -> None:
    truth = ints(1, 1, 1, 2, 2, 3, 3, 1, 2)
    found = ints(5, 5, 5, 5, 5, 6, 7, 7, 0)
    worst, second = mixes(truth, found)
    assert (worst.number, worst.faces, worst.wrong) == (5, 5, 2)
    assert worst.parts == (Part(1, 5, (0, 1, 2)), Part(2, 5, (3, 4)))
    assert (second.number, second.faces, second.wrong) == (7, 2, 1)
    torn = splits(truth, found)
    assert [(item.number, item.wrong) for item in torn] == [(1, 1), (2, 1), (3, 1)]
    assert torn[1].parts == (Part(2, 5, (3, 4)), Part(2, 0, (8,)))


@given(labellings)
def test_every_group_of_several_and_every_person_in_several_is_there(labels: tuple[IntArray, IntArray]) -> None:
    truth, found = labels
    mixed = {group for group in found.tolist() if group and len(set(truth[found == group].tolist())) > 1}
    assert {item.number for item in mixes(truth, found)} == mixed
    torn = {
        person
        for person in truth.tolist()
        if len(set(found[(truth == person) & (found > 0)].tolist())) + int(((truth == person) & (found == 0)).sum()) > 1
    }
    assert {item.number for item in splits(truth, found)} == torn
    for item in mixes(truth, found):
        rows = sorted(row for part in item.parts for row in part.rows)
        assert rows == np.flatnonzero(found == item.number).tolist()
    for item in splits(truth, found):
        assert sorted(row for part in item.parts for row in part.rows) == np.flatnonzero(truth == item.number).tolist()


# ---- the page --------------------------------------------------------------------------------------------------------


def shown(row: int) -> Shown:
    return Shown(f"/photos/<{row}>&\udcff.jpg", b"jpeg %d" % row if row % 2 else None)


def test_the_page_shows_faces_and_harms_nobody() -> None:
    truth, found = ints(1, 1, 2, 1, 1), ints(4, 4, 4, 0, 0)
    names = {1: "<script>alert(1)</script>", 2: 'Bo "the second"'}
    text = page("A & B", [("photos", "5")], mixes(truth, found), splits(truth, found), names=names, show=shown)
    text.encode("utf-8")
    assert "<script" not in text
    assert "<title>A &amp; B</title>" in text
    assert "<td>photos</td><td>5</td>" in text
    assert "Group 4: 3 faces, 1 beside the largest part" in text
    assert "Bo &quot;the second&quot; (1)" in text
    assert "attached to nobody (2)" in text, "faces without a group stand together"
    assert text.count("data:image/jpeg;base64,") == 3
    assert "/photos/&lt;1&gt;&amp;\\udcff.jpg" in text
    assert "http" not in text, "it loads nothing from anywhere"
    assert 'title="/photos/&lt;0&gt;&amp;\\udcff.jpg">not readable' in text


def test_a_page_of_nothing() -> None:
    text = page("Right", [], [], [], names={}, show=shown)
    assert "No groups hold several people." in text
    assert "No people are in several groups." in text


def test_what_is_too_much_is_counted() -> None:
    groups = MOST + 3
    truth = np.concatenate([np.repeat(np.arange(1, 4), FACES + 5), np.tile([1, 2], groups), np.arange(10, 10 + PARTS)])
    found = np.concatenate([np.full(3 * (FACES + 5), 1), np.repeat(np.arange(2, groups + 2), 2), np.full(PARTS, 1)])
    names = {person: f"P{person}" for person in truth.tolist()}
    truth, found = truth.astype(np.int64), found.astype(np.int64)
    text = page("Much", [], mixes(truth, found), [], names=names, show=shown)
    assert f"{groups + 1} groups hold several people" in text
    assert f"The worst {MOST} are shown." in text
    assert text.count("<section>") == MOST
    assert text.count("and 5 more") == 3
    assert "and 3 parts more" in text


def test_a_box_is_enlarged_by_a_tenth_within_the_picture() -> None:
    assert enlarged(Box(100, 100, 200, 180), 1000, 1000) == Box(90, 92, 210, 188)
    assert enlarged(Box(-5, 2, 95, 102), 100, 110) == Box(0, 0, 100, 110)


@given(st.integers(-50, 200), st.integers(-50, 200), st.integers(1, 100), st.integers(1, 100))
def test_an_enlarged_box_holds_what_is_seen_of_it(left: int, top: int, across: int, down: int) -> None:
    box = Box(left, top, left + across, top + down)
    larger = enlarged(box, 200, 200)
    assert 0 <= larger.left <= max(box.left, 0)
    assert 0 <= larger.top <= max(box.top, 0)
    assert larger.right >= min(box.right, 200)
    assert larger.right <= 200
    assert larger.bottom <= 200
