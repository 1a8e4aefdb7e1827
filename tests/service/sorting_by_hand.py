"""Chapters of a user's day in the people folder: names, links moved, copied and deleted, folders that come and go.

Each does something, says what should come of it, and waits for that; they build upon each other in the order they
stand.
"""

from __future__ import annotations

from tests.service import cast
from tests.service.hand import Hand


def begun(hand: Hand) -> None:
    for number, who in enumerate(cast.EVERYBODY, 1):
        taken = {f"{who}{at}" for at in range(4)}
        hand.people[str(number)] = taken
        hand.shows(f"Unnamed/{number:04d}", taken)


def names(hand: Hand) -> None:
    # Who is given a name among those without one gets a folder among those with one.
    hand.mv("Unnamed/0001", "Unnamed/Ada")
    hand.said("name", "renamed Unnamed/0001 to Unnamed/Ada")
    hand.goes("Unnamed/Ada", "Ada")
    hand.people["Ada"] = hand.people.pop("1")
    hand.settled()

    hand.mv("Unnamed/0002", "Bea")
    hand.said("name", "renamed Unnamed/0002 to Bea")
    hand.people["Bea"] = hand.people.pop("2")
    hand.settled()

    with hand.disturbed():
        hand.mv("Unnamed/0003", "Chen")
        hand.mv("Unnamed/0004", "Grace")
    hand.said("name", "renamed Unnamed/0003 to Chen")
    hand.said("name", "renamed Unnamed/0004 to Grace")
    hand.people["Chen"] = hand.people.pop("3")
    hand.people["Grace"] = hand.people.pop("4")
    hand.settled()

    before = hand.expected()
    hand.mv("Ada", "Ada Lovelace")
    hand.said("name", "renamed Ada to Ada Lovelace")
    hand.people["Ada Lovelace"] = hand.people.pop("Ada")
    hand.settled()
    hand.back_and_forth(before)


def moved_links(hand: Hand) -> None:
    before = hand.expected()
    hand.mv("Ada Lovelace/undated_ada0.jpg", "Bea")
    hand.said("confirm", "moved undated_ada0.jpg from Ada Lovelace to Bea")
    hand.people["Ada Lovelace"].remove("ada0")
    hand.people["Bea"].add("ada0")
    hand.settled()
    hand.back_and_forth(before)
    hand.mv("Bea/undated_ada0.jpg", "Ada Lovelace")
    hand.said("confirm", "moved undated_ada0.jpg from Bea to Ada Lovelace")
    hand.people["Bea"].remove("ada0")
    hand.people["Ada Lovelace"].add("ada0")
    hand.settled()


def copies(hand: Hand) -> None:
    hand.cp("Bea/undated_bea0.jpg", "Chen")
    hand.said("confirm", "copied undated_bea0.jpg from Bea to Chen")
    hand.people["Bea"].remove("bea0")
    hand.people["Chen"].add("bea0")
    del hand.tree["Bea/undated_bea0.jpg"]
    hand.settled()
    hand.undo()
    hand.goes("Chen/undated_bea0.jpg", "Bea/undated_bea0.jpg")
    hand.people["Chen"].remove("bea0")
    hand.people["Bea"].add("bea0")
    hand.settled()
    hand.cp("Bea/undated_bea0.jpg", "Chen/mine.jpg", hard=True)
    hand.said("confirm", "copied mine.jpg from Bea to Chen")
    hand.people["Bea"].remove("bea0")
    hand.people["Chen"].add("bea0")
    del hand.tree["Bea/undated_bea0.jpg"]
    hand.settled()
    hand.undo()
    hand.goes("Chen/mine.jpg", "Bea/undated_bea0.jpg")
    hand.people["Chen"].remove("bea0")
    hand.people["Bea"].add("bea0")
    hand.settled()


def deletes(hand: Hand) -> None:
    before = hand.expected()
    hand.rm("Bea/undated_bea1.jpg")
    hand.said("reject", "deleted undated_bea1.jpg from Bea")
    hand.people["Bea"].remove("bea1")
    hand.unknown.append("bea1")
    hand.settled()
    hand.back_and_forth(before)
    with hand.library() as library:
        library.confirm("Bea", [str(hand.photos / "bea1.jpg")])
    hand.said("confirm")
    hand.unknown.remove("bea1")
    hand.people["Bea"].add("bea1")
    hand.shows("Bea", ["bea1"])
    hand.settled()


def splits(hand: Hand) -> None:
    before = hand.expected()
    with hand.disturbed():
        hand.mkdir("Zoe")
        hand.mv("Chen/undated_chen0.jpg", "Zoe")
        hand.mv("Chen/undated_chen1.jpg", "Zoe")
    hand.said("split", "moved 2 links into the new folder Zoe")
    hand.people["Chen"] -= {"chen0", "chen1"}
    hand.people["Zoe"] = {"chen0", "chen1"}
    hand.settled()
    hand.back_and_forth(before)


def merges(hand: Hand) -> None:
    # All links are moved: what was split off is one again.
    before = hand.expected()
    with hand.disturbed():
        hand.mv("Zoe/undated_chen0.jpg", "Chen")
        hand.mv("Zoe/undated_chen1.jpg", "Chen")
        hand.rmdir("Zoe")
    hand.said("merge", "moved all of Zoe into Chen")
    hand.people["Chen"] |= hand.people.pop("Zoe")
    hand.settled()
    hand.back_and_forth(before)

    # A folder gets the name of another.
    hand.undo()
    hand.tree, hand.people, hand.unknown = before
    hand.settled()
    hand.mv("Zoe", "chen")
    hand.said("merge", "renamed Zoe to chen")
    hand.goes("chen", "Chen")
    hand.people["Chen"] |= hand.people.pop("Zoe")
    hand.settled()


def hides(hand: Hand) -> None:
    before = hand.expected()
    away = hand.trash("Bea")
    hand.said("hide", "deleted the folder Bea")
    hand.settled()
    hand.back_and_forth(before)
    with hand.disturbed():
        away.rename(hand.folder / "Bea")
    hand.shows("Bea", hand.people["Bea"])
    hand.said("unhide", "brought back the folder Bea")
    hand.settled()


def hides_who_has_a_folder_of_their_own_name(hand: Hand) -> None:
    hand.mv("Bea", "Bea...")
    hand.said("name", "renamed Bea to Bea...")
    hand.people["Bea..."] = hand.people.pop("Bea")
    hand.settled()
    away = hand.trash("Bea...")
    hand.said("hide", "deleted the folder Bea...")
    hand.settled()
    with hand.disturbed():
        away.rename(hand.folder / "Bea...")
    hand.shows("Bea...", hand.people["Bea..."])
    hand.said("unhide", "brought back the folder Bea...")
    hand.settled()
    hand.mv("Bea...", "Beatrice")
    hand.said("name", "renamed Bea... to Beatrice")
    hand.people["Beatrice"] = hand.people.pop("Bea...")
    hand.settled()
