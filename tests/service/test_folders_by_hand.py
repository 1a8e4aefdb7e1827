"""A user's day in the people folder beside a running daemon that is stopped and killed at any moment.

Whatever becomes of the daemon, everything must be as if nothing had: each step says whole what it expects.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.service import cast, sorting_by_hand
from tests.service.conftest import Daemon, place
from tests.service.hand import Hand


def contradicted(hand: Hand) -> None:
    both = hand.negatives / "both.jpg"
    cast.side_by_side(both, hand.photos / "ada0.jpg", hand.photos / "grace1.jpg")
    place(both, hand.photos / "both.jpg")
    for who in ("Ada Lovelace", "Grace"):
        hand.people[who].add("both")
        hand.shows(who, ["both"])
    hand.settled()
    # Grace's links are moved to Ada, but there is a photo that shows both.
    grace = [f"undated_{photo}.jpg" for photo in sorted(hand.people["Grace"])]
    with hand.disturbed():
        hand.mkdir("Ada Lovelace/from Grace")
        for link in grace:
            hand.mv(f"Grace/{link}", "Ada Lovelace/from Grace")
    hand.goes("Ada Lovelace/from Grace", "Grace")
    hand.asked.append("you moved all of Grace into Ada Lovelace, but there are photos that show both")
    hand.settled()
    hand.answer("no")
    hand.said("different")
    hand.settled()
    hand.mv("Grace", "ada lovelace")
    hand.goes("ada lovelace", "Grace")
    hand.asked.append("you renamed Grace to ada lovelace, but you said that they are two people")
    hand.settled()
    hand.answer("no")
    hand.said("different")
    hand.settled()


def drops(hand: Hand) -> None:
    # One of the library.
    hand.put(hand.photos / "lou0.jpg", "Bea/lou0.jpg")
    hand.said("confirm", "put lou0.jpg into Bea")
    hand.people["5"].remove("lou0")
    hand.people["Bea"].add("lou0")
    del hand.tree["Unnamed/0005/undated_lou0.jpg"]
    hand.settled()
    hand.undo()
    hand.people["Bea"].remove("lou0")
    hand.people["5"].add("lou0")
    hand.shows("Unnamed/0005", ["lou0"])
    hand.settled()
    hand.rm("Bea/lou0.jpg")
    hand.settled()

    # One that is not.
    cast.photographed(hand.negatives, "bea", 5)
    hand.put(hand.negatives / "bea4.jpg", "Bea/bea4.jpg")
    hand.people["Bea"].add("bea4")
    hand.settled()

    # A link to one that is not.
    cast.photographed(hand.elsewhere, "chen", 5)
    hand.link(hand.elsewhere / "chen4.jpg", "Chen/mine.jpg")
    hand.people["Chen"].add("chen4")
    hand.settled()
    # What is no picture stays, and says nothing.
    (hand.folder / "Chen" / "notes.txt").write_text("to be printed")
    hand.tree["Chen/notes.txt"] = "notes"
    hand.settled()


def asked(hand: Hand) -> None:
    party = hand.negatives / "party.jpg"
    cast.photographed(hand.negatives, "lou", 6)
    cast.side_by_side(party, hand.negatives / "lou4.jpg", hand.negatives / "lou5.jpg")
    hand.put(party, "Ada Lovelace/party.jpg")
    hand.asked.append("you put party.jpg into Ada Lovelace")
    hand.people["5"].add("party")
    hand.tree["Unnamed/0005/undated_party.jpg"] = "party"
    hand.unknown.append("party")
    hand.settled()
    hand.answer("no", [2])
    hand.said("confirm")
    hand.said("reject")
    hand.people["Ada Lovelace"].add("party")
    hand.unknown.remove("party")
    hand.settled()


def sorts(hand: Hand) -> None:
    with hand.disturbed():
        hand.mkdir("Ada Lovelace/best")
        hand.mv("Ada Lovelace/undated_ada0.jpg", "Ada Lovelace/best")
        hand.mv("Ada Lovelace/undated_ada1.jpg", "Ada Lovelace/best/on the wall.jpg")
    hand.settled()


def empties(hand: Hand) -> None:
    before = dict(hand.tree)
    own = {path for path in hand.tree if not (hand.folder / path).is_symlink() or "mine" in path}
    folders = ("Ada Lovelace", "Bea", "Chen", "Grace", "Unnamed")
    with hand.disturbed():
        away = [hand.trash(folder) for folder in folders]
    hand.paused = True
    hand.settled()
    # Where all of it is brought back, that is the word.
    with hand.disturbed():
        for whole in away:
            whole.rename(hand.folder / whole.name)
    hand.tree = dict(before)
    hand.paused = False
    hand.settled()

    with hand.disturbed():
        for folder in folders:
            hand.trash(folder)
    hand.paused = True
    hand.settled()
    hand.resume(accept=False)
    # What was the user's own stays in the trash.
    hand.tree = {path: photo for path, photo in before.items() if path not in own}
    del hand.tree["Unnamed/0005/undated_party.jpg"]
    for who, photo in (("Bea", "bea4"), ("Chen", "chen4"), ("Ada Lovelace", "party"), ("5", "party")):
        hand.people[who].remove(photo)
    hand.settled()
    with hand.disturbed():
        for folder in ("Ada Lovelace", "Bea", "Chen", "Grace", "Unnamed/0005"):
            hand.rm(folder)
    hand.paused = True
    hand.settled()
    hand.resume(accept=True)
    for folder in ("Ada Lovelace", "Bea", "Chen", "Grace", "Unnamed/0005"):
        hand.said("hide", f"deleted the folder {folder}")
    hand.settled()
    for who in ("Grace", "Chen", "Bea", "Ada Lovelace", "5"):
        with hand.library() as library:
            library.unhide(who)
        hand.said("unhide")
        hand.shows("Unnamed/0005" if who == "5" else who, hand.people[who])
    hand.settled()


SCRIPT = [
    sorting_by_hand.names,
    sorting_by_hand.moved_links,
    sorting_by_hand.copies,
    sorting_by_hand.deletes,
    sorting_by_hand.splits,
    sorting_by_hand.merges,
    sorting_by_hand.hides,
    contradicted,
    drops,
    asked,
    sorts,
    empties,
    sorting_by_hand.hides_who_has_a_folder_of_their_own_name,
]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Four of each, which nobody has read."""
    for who in cast.EVERYBODY:
        cast.photographed(tmp_path / "photos", who, 4)
    return tmp_path / "photos"


@pytest.mark.parametrize("seed", [0])
def test_whatever_is_done_by_hand_is_understood_also_by_one_that_dies(
    photos: Path, write_config: Callable[..., Path], start: Callable[..., Daemon], seed: int
) -> None:
    hand = Hand(write_config(photos, watch="{quiet: 100 ms, ceiling: 3 s, poll: 1 s}"), start, random.Random(seed))
    sorting_by_hand.begun(hand)
    hand.dies_at_work(4.0)
    hand.settled()
    for chapter in SCRIPT:
        chapter(hand)
