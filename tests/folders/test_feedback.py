from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from guyverd.folders.acts import (
    Act,
    Dropped,
    Given,
    Hidden,
    Merged,
    Moved,
    Parted,
    Rearranged,
    Refused,
    Returned,
    Shared,
)
from guyverd.folders.feedback import Reading, read_back
from guyverd.folders.snapshot import take
from guyverd.model import PersonId, PhotoId
from guyverd.published import Home, LinkKind, OwnerId

from .household import Album, Household

ALICE, BOB, SEVEN, EIGHT = OwnerId(1), OwnerId(2), OwnerId(7), OwnerId(8)


def fill(home: Household) -> None:
    home.person(1, "Alice", "a1.jpg", "a2.jpg", "a3.jpg")
    home.person(2, "Bob", "b1.jpg", "b2.jpg", "b3.jpg")
    home.person(7, None, "u1.jpg", "u2.jpg")
    home.person(8, None, "v1.jpg")
    home.photo("both.jpg", 1, 2)
    home.publish()


@pytest.fixture
def home(tmp_path: Path) -> Household:
    found = Household(tmp_path)
    fill(found)
    return found


@pytest.fixture(params=["relative", "absolute", "hard", "copy"])
def any_kind(request: pytest.FixtureRequest, tmp_path: Path) -> Household:
    found = Household(tmp_path, links=request.param)
    fill(found)
    return found


def x(name: str) -> str:
    """The link of a photo."""
    return f"2024-05-17_{name}.jpg"


def only(reading: Reading) -> Act:
    assert reading.excess == ""
    (act,) = reading.acts
    return act


def where(act: Act) -> dict[str, str | None]:
    """Which links were moved where."""
    return {
        os.fsdecode(shift.link.path): None if shift.path is None else os.fsdecode(shift.path) for shift in act.shifts
    }


def settle(home: Household) -> None:
    """Heed what was done, publish, and see that no more is to be heard."""
    home.heed(home.read())
    home.publish()
    home.assert_settled()


def names(home: Household) -> dict[int, str | None]:
    return {int(person): name for person, name in home.catalogue.names.items() if home.catalogue.photos_of(person)}


def people_in(home: Household, photo: str) -> set[int | None]:
    (number,) = (one for one, known in home.catalogue.photos.items() if known.target.endswith(b"/" + photo.encode()))
    return {face.person for face in home.catalogue.faces.values() if face.photo == number}


# ---- nothing was done ------------------------------------------------------------------------------------------------


def test_what_was_published_says_nothing(any_kind: Household) -> None:
    assert any_kind.read() == Reading(())
    any_kind.assert_settled()


@pytest.mark.parametrize("years", [False, True])
def test_companions_and_albums_and_years_say_nothing(tmp_path: Path, years: bool) -> None:
    home = Household(tmp_path, years=years)
    home.photo("IMG_1.HEIC", 1, 2, companions=["IMG_1.MOV", "IMG_1.HEIC.xmp"])
    home.photo("old.jpg", 1, day=None)
    home.catalogue.albums[OwnerId(-5)] = Album("Both", frozenset((PersonId(1), PersonId(2))))
    home.publish()
    assert len(home.ledger.rows) == 3 * 3 + 1
    home.assert_settled()


def test_an_empty_people_folder_says_nothing(tmp_path: Path) -> None:
    assert Household(tmp_path).read() == Reading(())


# ---- naming ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("new", ["Alma", "Unnamed/Alma", "Family/Alma"])
def test_a_folder_without_a_name_gets_one(any_kind: Household, new: str) -> None:
    home = any_kind
    home.write("Unnamed/0007/notes.txt")
    home.heed(home.read())
    home.move("Unnamed/0007", new)
    act = only(home.read())
    assert isinstance(act, Moved)
    assert (act.owner, act.old, act.new, act.name) == (SEVEN, b"Unnamed/0007", new.encode(), "Alma")
    assert act.source == f"renamed Unnamed/0007 to {new}"
    assert where(act) == {f"Unnamed/0007/{x(one)}": f"{new}/{x(one)}" for one in ("u1", "u2")}
    home.heed(home.read())
    home.publish()
    place = "Alma" if new == "Unnamed/Alma" else new
    assert home.homes()[7] == place
    assert os.path.isfile(home.path(place, x("u1")))
    assert os.path.isfile(home.path(place, "notes.txt"))
    home.heed(home.read())
    home.assert_settled()


def test_a_folder_gets_another_name(any_kind: Household) -> None:
    any_kind.move("Alice", "Alice B.")
    act = only(any_kind.read())
    assert isinstance(act, Moved)
    assert (act.owner, act.name, act.source) == (ALICE, "Alice B.", "renamed Alice to Alice B.")
    settle(any_kind)
    assert any_kind.homes()[1] == "Alice B."


@pytest.mark.parametrize(
    ("new", "name"),
    [
        ("ALICE", "ALICE"),
        ("Ali\u0301ce", "Al\xedce"),
        ("  Alice \u00a0 B ", "Alice B"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("👩\u200d👧", "👩\u200d👧"),
        ("a" * 255, "a" * 255),
        ("CON", "CON"),
        ("-rf", "-rf"),
    ],
)
def test_any_text_is_a_name(home: Household, new: str, name: str) -> None:
    home.move("Alice", new)
    act = only(home.read())
    assert isinstance(act, Moved)
    assert act.name == name
    settle(home)
    assert home.homes()[1] == new


@pytest.mark.parametrize("new", [b"Al\xffce", b"a\x07b", "\u200b".encode()])
def test_what_is_no_text_is_no_name_and_the_folder_stays(home: Household, new: bytes) -> None:
    home.move("Alice", new)
    act = only(home.read())
    assert isinstance(act, Moved)
    assert act.name is None
    settle(home)
    assert home.homes()[1] == os.fsdecode(new)
    assert names(home)[1] == "Alice"


def test_a_folder_is_moved_below_another_and_means_nothing_else(home: Household) -> None:
    home.move("Alice", "Family/Alice")
    act = only(home.read())
    assert isinstance(act, Moved)
    assert act.name is None
    settle(home)
    assert home.homes()[1] == "Family/Alice"
    # And a folder of folders that is renamed takes them along.
    home.move("Bob", "Family/Bob")
    settle(home)
    home.move("Family", "Friends")
    acts = home.read().acts
    assert [(type(act), act.source) for act in acts] == [
        (Moved, "renamed Family/Alice to Friends/Alice"),
        (Moved, "renamed Family/Bob to Friends/Bob"),
    ]
    settle(home)
    assert names(home) == {1: "Alice", 2: "Bob", 7: None, 8: None}


def test_the_folder_of_the_unnamed_is_renamed(home: Household) -> None:
    home.move("Unnamed", "Who")
    assert [act.name for act in home.read().acts if isinstance(act, Moved)] == [None, None]
    settle(home)
    assert home.homes()[7] == "Who/0007"


def test_a_named_folder_does_not_stay_among_the_unnamed(home: Household) -> None:
    home.move("Alice", "Unnamed/Alice")
    settle(home)
    assert home.homes()[1] == "Alice"


def test_a_folder_moved_up_under_its_number_is_not_named(home: Household) -> None:
    home.move("Unnamed/0007", "0007")
    settle(home)
    assert (names(home)[7], home.homes()[7]) == (None, "0007")


def test_two_folders_swap_their_names(any_kind: Household) -> None:
    home = any_kind
    home.move("Alice", "x")
    home.move("Bob", "Alice")
    home.move("x", "Bob")
    assert {(act.owner, act.name) for act in home.read().acts if isinstance(act, Moved)} == {(1, "Bob"), (2, "Alice")}
    settle(home)
    assert names(home) == {1: "Bob", 2: "Alice", 7: None, 8: None}
    assert home.homes() == {1: "Bob", 2: "Alice", 7: "Unnamed/0007", 8: "Unnamed/0008"}


def test_a_name_that_its_bearer_gave_up_is_free(any_kind: Household) -> None:
    home = any_kind
    home.move("Alice", "Alice B.")
    home.move("Unnamed/0007", "Alice")
    assert [(act.owner, act.name) for act in home.read().acts if isinstance(act, Moved)] == [
        (1, "Alice B."),
        (7, "Alice"),
    ]
    settle(home)
    assert home.homes() == {1: "Alice B.", 2: "Bob", 7: "Alice", 8: "Unnamed/0008"}


def test_names_are_handed_on_from_last_to_first(any_kind: Household) -> None:
    home = any_kind
    home.move("Bob", "Carol")
    home.move("Alice", "Bob")
    home.move("Unnamed/0007", "Alice")
    acts = [(act.owner, act.name) for act in home.read().acts if isinstance(act, Moved)]
    assert acts == [(2, "Carol"), (1, "Bob"), (7, "Alice")]
    settle(home)
    assert home.homes() == {1: "Bob", 2: "Carol", 7: "Alice", 8: "Unnamed/0008"}


def test_of_two_of_one_name_one_is_called_otherwise(home: Household) -> None:
    home.person(9, "Alice", "c1.jpg")
    home.publish()
    assert home.homes()[9] == "Alice (9)"
    home.move("Alice (9)", "Alice C.")
    settle(home)
    assert names(home)[9] == "Alice C."
    home.catalogue.names[PersonId(9)] = "Alice"
    home.publish()
    home.move("Alice (9)", "ALICE (9)")
    settle(home)
    home.move("Alice", "alice")
    settle(home)
    assert names(home)[1] == "alice"


def test_letters_of_another_size_for_the_second_of_a_name_are_no_merge(home: Household) -> None:
    home.person(9, "Alice", "c1.jpg")
    home.publish()
    published = home.published(home.snapshot())
    home.move("Alice", "ALICE")
    actual = home.snapshot()
    # Whichever of the two is told to bear the name.
    for bearer in (ALICE, OwnerId(9)):
        act = only(read_back(replace(published, names={"alice": bearer}), actual, limit=0.25))
        assert isinstance(act, Moved)
        assert act.name == "ALICE"


def test_a_renamed_folder_with_something_done_in_it(home: Household) -> None:
    home.move("Alice", "Alma")
    os.unlink(home.path("Alma", x("a1")))
    home.move(f"Alma/{x('a2')}", f"Bob/{x('a2')}")
    acts = home.read().acts
    assert [(type(act), act.source) for act in acts] == [
        (Moved, "renamed Alice to Alma"),
        (Given, f"moved {x('a2')} from Alma to Bob"),
        (Refused, f"deleted {x('a1')} from Alma"),
    ]
    settle(home)
    assert people_in(home, "a1.jpg") == {None}
    assert people_in(home, "a2.jpg") == {2}


# ---- links moved and copied ------------------------------------------------------------------------------------------


def test_a_link_is_moved_to_another(any_kind: Household) -> None:
    home = any_kind
    home.move(f"Bob/{x('b1')}", f"Alice/{x('b1')}")
    act = only(home.read())
    assert isinstance(act, Given)
    assert (act.owner, act.to, act.source) == (BOB, ALICE, f"moved {x('b1')} from Bob to Alice")
    assert where(act) == {f"Bob/{x('b1')}": f"Alice/{x('b1')}"}
    settle(home)
    assert people_in(home, "b1.jpg") == {1}


def test_several_links_are_moved_at_once_and_renamed_underway(any_kind: Household) -> None:
    home = any_kind
    home.move(f"Bob/{x('b1')}", "Alice/at the sea.jpg")
    home.move(f"Bob/{x('b2')}", f"Alice/2024/{x('b2')}")
    act = only(home.read())
    assert act.source == "moved 2 links from Bob to Alice"
    settle(home)
    assert os.path.isfile(home.path("Alice/at the sea.jpg"))
    assert os.path.isfile(home.path("Alice/2024", x("b2")))


def test_a_link_is_moved_from_somebody_without_a_name(any_kind: Household) -> None:
    any_kind.move(f"Unnamed/0007/{x('u1')}", f"Alice/{x('u1')}")
    assert isinstance(only(any_kind.read()), Given)
    settle(any_kind)
    assert people_in(any_kind, "u1.jpg") == {1}


def test_a_link_is_moved_to_somebody_who_has_the_photo_already(home: Household) -> None:
    home.move(f"Bob/{x('both')}", "Alice/both (2).jpg")
    act = only(home.read())
    assert isinstance(act, Given)
    assert where(act) == {f"Bob/{x('both')}": "Alice/both (2).jpg"}
    settle(home)


def test_a_link_is_moved_over_the_same_link_of_the_other(home: Household) -> None:
    home.move(f"Bob/{x('both')}", f"Alice/{x('both')}")
    act = only(home.read())
    assert isinstance(act, Refused)
    assert act.owner == BOB
    settle(home)
    assert people_in(home, "both.jpg") == {1, None}


def test_where_either_of_two_may_have_been_moved_neither_is_given(home: Household) -> None:
    home.person(9, "Carol", "c1.jpg")
    home.publish()
    home.move(f"Alice/{x('both')}", f"Carol/{x('both')}")
    os.unlink(home.path("Bob", x("both")))
    acts = home.read().acts
    assert [(type(act), act.source) for act in acts] == [
        (Refused, f"deleted {x('both')} from Alice"),
        (Refused, f"deleted {x('both')} from Bob"),
        (Dropped, f"put {x('both')} into Carol"),
    ]
    home.heed(home.read())
    home.publish()
    # Nobody knows which of the two faces is hers, and neither is the one it was.
    assert people_in(home, "both.jpg") == {None}
    assert home.read() == Reading(())


def test_where_two_were_moved_to_two_nobody_knows_which_went_where(home: Household) -> None:
    home.person(9, "Carol", "c1.jpg")
    home.person(10, "Dave", "d1.jpg")
    home.publish()
    home.move(f"Alice/{x('both')}", f"Carol/{x('both')}")
    home.move(f"Bob/{x('both')}", f"Dave/{x('both')}")
    assert [type(act) for act in home.read().acts] == [Refused, Refused, Dropped, Dropped]
    home.heed(home.read())
    home.publish()
    assert people_in(home, "both.jpg") == {None}
    assert home.read() == Reading(())


def test_a_link_went_where_its_company_went(home: Household) -> None:
    home.person(9, "Carol", "c1.jpg")
    home.person(10, "Dave", "d1.jpg")
    home.publish()
    for one in ("a1", "a2", "both"):
        home.move(f"Alice/{x(one)}", f"Dave/{x(one)}")
    for one in ("b1", "b2", "both"):
        home.move(f"Bob/{x(one)}", f"Carol/{x(one)}")
    assert [(act.owner, act.to, len(act.shifts)) for act in home.read().acts if isinstance(act, Given)] == [
        (ALICE, 10, 3),
        (BOB, 9, 3),
    ]
    settle(home)
    assert people_in(home, "both.jpg") == {9, 10}


def test_both_links_of_a_photo_are_moved_to_one(home: Household) -> None:
    home.person(9, "Carol", "c1.jpg")
    home.publish()
    home.move(f"Alice/{x('both')}", f"Carol/{x('both')}")
    home.move(f"Bob/{x('both')}", "Carol/both (2).jpg")
    assert [type(act) for act in home.read().acts] == [Given, Given]
    settle(home)
    assert people_in(home, "both.jpg") == {9, None}


def test_a_link_that_was_sorted_at_home_is_not_taken_for_anothers(home: Household) -> None:
    home.person(9, "Carol", "c1.jpg")
    home.publish()
    home.move(f"Alice/{x('both')}", f"Carol/{x('both')}")
    home.move(f"Bob/{x('both')}", f"Bob/best/{x('both')}")
    quiet, given = home.read().acts
    assert isinstance(quiet, Rearranged)
    assert isinstance(given, Given)
    assert (given.owner, given.to) == (ALICE, 9)
    settle(home)


@pytest.mark.parametrize("copied", [shutil.copy2, os.link])
def test_a_link_is_copied_to_another(home: Household, copied: object) -> None:
    source, target = home.path("Bob", x("b1")), home.path("Alice", x("b1"))
    if copied is os.link:
        os.link(source, target, follow_symlinks=False)
    else:
        shutil.copy2(source, target, follow_symlinks=False)
    act = only(home.read())
    assert isinstance(act, Shared)
    assert (act.to, act.owners, act.path, act.shifts) == (ALICE, (BOB,), f"Alice/{x('b1')}".encode(), ())
    assert act.photo == home.ledger.rows[f"Bob/{x('b1')}".encode()].photo
    assert act.source == f"copied {x('b1')} from Bob to Alice"
    settle(home)
    assert people_in(home, "b1.jpg") == {1}
    assert not os.path.lexists(source)


def test_a_hard_link_is_copied_to_another(tmp_path: Path) -> None:
    home = Household(tmp_path, links="hard")
    fill(home)
    os.link(home.path("Bob", x("b1")), home.path("Alice/again.jpg"))
    assert isinstance(only(home.read()), Shared)
    settle(home)
    assert people_in(home, "b1.jpg") == {1}


def test_a_copied_copy_is_a_file_that_was_dropped(tmp_path: Path) -> None:
    home = Household(tmp_path, links="copy")
    fill(home)
    shutil.copy2(home.path("Bob", x("b1")), home.path("Alice/again.jpg"))
    act = only(home.read())
    assert isinstance(act, Dropped)
    assert act.seen == take(home.root).entries[b"Alice/again.jpg"]


def test_a_photo_of_two_is_copied_to_a_third(home: Household) -> None:
    home.person(9, "Carol", "c1.jpg")
    home.publish()
    shutil.copy2(home.path("Bob", x("both")), home.path("Carol"), follow_symlinks=False)
    act = only(home.read())
    assert isinstance(act, Shared)
    assert act.owners == (ALICE, BOB)
    assert act.source == f"copied {x('both')} from Alice and Bob to Carol"
    home.heed(home.read())
    home.publish()
    assert people_in(home, "both.jpg") == {1, 2}


def test_a_second_copy_in_the_same_folder_means_nothing(any_kind: Household) -> None:
    if any_kind.style.links == "copy":
        return
    shutil.copy2(any_kind.path("Bob", x("b1")), any_kind.path("Bob/best.jpg"), follow_symlinks=False)
    if any_kind.style.links == "hard":
        os.unlink(any_kind.path("Bob/best.jpg"))
        os.link(any_kind.path("Bob", x("b1")), any_kind.path("Bob/best.jpg"))
    assert any_kind.read() == Reading(())


def test_a_link_is_deleted(any_kind: Household) -> None:
    os.unlink(any_kind.path("Bob", x("b1")))
    act = only(any_kind.read())
    assert isinstance(act, Refused)
    assert (act.owner, act.source) == (BOB, f"deleted {x('b1')} from Bob")
    assert where(act) == {f"Bob/{x('b1')}": None}
    settle(any_kind)
    assert people_in(any_kind, "b1.jpg") == {None}
    assert os.path.isfile(os.path.join(any_kind.photos, b"b1.jpg"))


def test_the_link_of_one_of_two_is_deleted(any_kind: Household) -> None:
    os.unlink(any_kind.path("Bob", x("both")))
    act = only(any_kind.read())
    assert isinstance(act, Refused)
    assert act.owner == BOB
    settle(any_kind)
    assert people_in(any_kind, "both.jpg") == {1, None}


def test_all_links_are_deleted_and_the_folder_is_left(home: Household) -> None:
    for name in os.listdir(home.path("Bob")):
        os.unlink(os.path.join(home.path("Bob"), name))
    act = only(home.read())
    assert isinstance(act, Refused)
    assert act.source == "deleted 4 links from Bob"
    settle(home)


def test_a_link_put_at_the_top_is_taken_out_of_its_folder(home: Household) -> None:
    home.move(f"Bob/{x('b1')}", x("b1"))
    act = only(home.read())
    assert isinstance(act, Refused)
    assert act.source == f"moved {x('b1')} out of Bob"
    settle(home)
    assert people_in(home, "b1.jpg") == {None}
    assert os.path.islink(home.path(x("b1")))


def test_a_link_put_among_the_folders_of_the_unnamed_is_taken_out_of_its_folder(home: Household) -> None:
    home.move(f"Bob/{x('b1')}", f"Unnamed/{x('b1')}")
    act = only(home.read())
    assert isinstance(act, Refused)
    assert act.source == f"moved {x('b1')} out of Bob"
    settle(home)


def test_a_link_is_renamed_or_sorted_within_its_folder(any_kind: Household) -> None:
    home = any_kind
    home.move(f"Bob/{x('b1')}", "Bob/at the sea.jpg")
    home.move(f"Bob/{x('b2')}", f"Bob/best/{x('b2')}")
    act = only(home.read())
    assert isinstance(act, Rearranged)
    assert where(act) == {f"Bob/{x('b1')}": "Bob/at the sea.jpg", f"Bob/{x('b2')}": f"Bob/best/{x('b2')}"}
    assert act.source == "moved links within their folder"
    settle(home)
    assert os.path.isfile(home.path("Bob/at the sea.jpg"))
    assert os.path.isfile(home.path("Bob/best", x("b2")))


def test_two_links_swap_their_names(home: Household) -> None:
    home.move(f"Bob/{x('b1')}", "Bob/t")
    home.move(f"Bob/{x('b2')}", f"Bob/{x('b1')}")
    home.move("Bob/t", f"Bob/{x('b2')}")
    assert isinstance(only(home.read()), Rearranged)
    settle(home)
    assert os.readlink(home.path("Bob", x("b1"))).endswith(b"b2.jpg")


def test_an_editor_saved_over_a_link(home: Household) -> None:
    os.unlink(home.path("Bob", x("b1")))
    mine = home.write(f"Bob/{x('b1')}", text=b"edited")
    quiet, dropped = home.read().acts
    assert isinstance(quiet, Rearranged)
    assert quiet.source == f"put something else in the place of {x('b1')}"
    assert isinstance(dropped, Dropped)
    assert (dropped.to, dropped.source) == (BOB, f"put {x('b1')} into Bob")
    home.heed(home.read())
    home.publish()
    home.assert_settled()
    assert people_in(home, "b1.jpg") == {2}
    with open(mine, "rb") as file:
        assert file.read() == b"edited"


def test_an_editor_saved_over_a_copy(tmp_path: Path) -> None:
    home = Household(tmp_path, links="copy")
    fill(home)
    home.write(f"Bob/{x('b1')}", text=b"edited in place")
    assert [type(act) for act in home.read().acts] == [Rearranged, Dropped]
    settle(home)
    assert people_in(home, "b1.jpg") == {2}


def test_a_link_is_exchanged_for_another(home: Household) -> None:
    os.unlink(home.path("Bob", x("b1")))
    os.symlink(b"/elsewhere.jpg", home.path("Bob", x("b1")))
    assert [type(act) for act in home.read().acts] == [Rearranged, Dropped]
    settle(home)


# ---- whole folders ---------------------------------------------------------------------------------------------------


def merged(home: Household, source: str) -> None:
    act = only(home.read())
    assert isinstance(act, Merged)
    assert (act.owner, act.into, act.source) == (SEVEN, ALICE, source)
    settle(home)
    assert names(home) == {1: "Alice", 2: "Bob", 8: None}
    assert people_in(home, "u1.jpg") == {1}


def test_all_links_are_moved_to_another(any_kind: Household) -> None:
    for one in ("u1", "u2"):
        any_kind.move(f"Unnamed/0007/{x(one)}", f"Alice/{x(one)}")
    merged(any_kind, "moved all of Unnamed/0007 into Alice")


def test_all_links_are_moved_to_another_and_the_folder_is_deleted(any_kind: Household) -> None:
    for one in ("u1", "u2"):
        any_kind.move(f"Unnamed/0007/{x(one)}", f"Alice/{x(one)}")
    os.rmdir(any_kind.path("Unnamed/0007"))
    merged(any_kind, "moved all of Unnamed/0007 into Alice")


def test_a_folder_is_moved_into_anothers(any_kind: Household) -> None:
    any_kind.move("Unnamed/0007", "Alice/0007")
    merged(any_kind, "moved the folder Unnamed/0007 into Alice")
    assert os.path.lexists(any_kind.path("Alice/0007", x("u1")))


def test_a_folder_gets_a_name_that_is_somebodys(any_kind: Household) -> None:
    any_kind.move("Unnamed/0007", "alice")
    merged(any_kind, "renamed Unnamed/0007 to alice")


def test_a_folder_gets_the_name_of_somebody_whose_folder_is_elsewhere(home: Household) -> None:
    home.move("Alice", "Family/Alice")
    settle(home)
    home.move("Unnamed/0007", "Alice")
    merged(home, "renamed Unnamed/0007 to Alice")


def test_a_merge_that_cannot_be_is_taken_back(home: Household) -> None:
    """One photo shows both."""
    for name in os.listdir(home.path("Bob")):
        home.move(b"Bob/" + name, b"Alice/from bob " + name)
    act = only(home.read())
    assert isinstance(act, Merged)
    settle(home)
    assert people_in(home, "b1.jpg") == {2}
    assert home.homes()[2] == "Bob"
    assert len(os.listdir(home.path("Bob"))) == 4


def test_the_one_link_of_somebody_is_moved_and_the_folder_is_left(home: Household) -> None:
    home.move(f"Unnamed/0008/{x('v1')}", f"Alice/{x('v1')}")
    assert isinstance(only(home.read()), Given)
    settle(home)


def test_the_links_of_one_are_parted_among_two(home: Household) -> None:
    home.move(f"Unnamed/0007/{x('u1')}", f"Alice/{x('u1')}")
    home.move(f"Unnamed/0007/{x('u2')}", f"Bob/{x('u2')}")
    assert [type(act) for act in home.read().acts] == [Given, Given]
    settle(home)


def test_a_folder_is_deleted(any_kind: Household) -> None:
    shutil.rmtree(any_kind.path("Bob"))
    act = only(any_kind.read())
    assert isinstance(act, Hidden)
    assert (act.owner, act.source, len(act.shifts)) == (BOB, "deleted the folder Bob", 4)
    settle(any_kind)
    assert any_kind.catalogue.hidden == {2}
    assert people_in(any_kind, "b1.jpg") == {2}


def test_a_folder_goes_to_the_trash_and_comes_back(any_kind: Household) -> None:
    home = any_kind
    home.move("Bob", ".Trash-1000/files/Bob")
    assert isinstance(only(home.read()), Hidden)
    settle(home)
    home.move(".Trash-1000/files/Bob", "Bob")
    act = only(home.read())
    assert isinstance(act, Returned)
    assert (act.owner, act.folder, act.source) == (BOB, b"Bob", "brought back the folder Bob")
    before = take(home.root)
    home.heed(home.read())
    assert home.catalogue.hidden == set()
    if home.style.links == "copy":
        return  # these are files like any other by now
    settle(home)
    assert take(home.root).entries.keys() == before.entries.keys()


def test_the_folder_of_somebody_without_a_name_comes_back(home: Household) -> None:
    home.move("Unnamed/0007", ".Trash-1000/files/0007")
    settle(home)
    home.move(".Trash-1000/files/0007", "Unnamed/0007")
    assert isinstance(only(home.read()), Returned)
    settle(home)


def test_back_before_anybody_looked(home: Household) -> None:
    home.move("Bob", ".Trash-1000/files/Bob")
    home.move(".Trash-1000/files/Bob", "Bob")
    assert home.read() == Reading(())


def test_what_the_user_has_in_the_folder_of_somebody_hidden_brings_nobody_back(home: Household) -> None:
    home.write("Bob/notes.txt")
    os.symlink(b"/p/mine.jpg", home.path("Bob/mine.jpg"))
    settle(home)
    home.catalogue.hidden.add(PersonId(2))
    home.publish()
    assert sorted(os.listdir(home.path("Bob"))) == [b"mine.jpg", b"notes.txt"]
    assert home.read() == Reading(())
    # Nor what is written there later, and is no link.
    home.write("Bob/more notes.txt")
    assert home.read() == Reading(())


def test_some_links_are_moved_and_the_rest_deleted_with_the_folder(home: Household) -> None:
    home.move(f"Bob/{x('b1')}", f"Alice/{x('b1')}")
    shutil.rmtree(home.path("Bob"))
    assert [(type(act), act.source) for act in home.read().acts] == [
        (Hidden, "deleted the folder Bob"),
        (Given, f"moved {x('b1')} from Bob to Alice"),
    ]
    settle(home)
    assert people_in(home, "b1.jpg") == {1}
    assert home.catalogue.hidden == {2}


def test_a_folder_is_deleted_and_its_inode_is_anothers(home: Household) -> None:
    shutil.rmtree(home.path("Bob"))
    os.mkdir(home.path("Holidays"))
    home.write("Holidays/notes.txt")
    inode = os.stat(home.path("Holidays")).st_ino
    home.ledger.homes[BOB] = replace(home.ledger.homes[BOB], inode=inode)
    assert isinstance(only(home.read()), Hidden)
    # Nor does a folder count that holds somebody else's links.
    home.ledger.homes[BOB] = replace(home.ledger.homes[BOB], inode=os.stat(home.path("Alice")).st_ino)
    assert isinstance(only(home.read()), Hidden)


def test_a_folder_is_known_again_by_what_was_in_it_where_inodes_are_not_kept(home: Household) -> None:
    for owner, one in list(home.ledger.homes.items()):
        home.ledger.homes[owner] = replace(one, inode=None if owner == 1 else 1)
    assert home.read() == Reading(())
    home.move("Alice", "Alma")
    act = only(home.read())
    assert isinstance(act, Moved)
    assert act.name == "Alma"


def test_a_folder_of_which_most_was_deleted_is_known_by_itself(home: Household) -> None:
    home.move("Alice", "Alma")
    for one in ("a1", "a2", "both"):
        os.unlink(home.path("Alma", x(one)))
    moved, refused = home.read().acts
    assert isinstance(moved, Moved)
    assert isinstance(refused, Refused)
    settle(home)


def test_a_folder_is_exchanged_for_a_link(home: Household) -> None:
    home.move("Bob", "../outside/Bob")
    os.symlink(os.path.join(home.outside, b"Bob"), home.path("Bob"))
    act = only(home.read())
    assert isinstance(act, Rearranged)
    assert set(where(act).values()) == {None}
    home.heed(home.read())
    home.publish()
    home.assert_settled()
    assert home.homes()[2] == "Bob~2"
    assert len(os.listdir(os.path.join(home.outside, b"Bob"))) == 4


# ---- new folders -----------------------------------------------------------------------------------------------------


def test_links_are_moved_into_a_new_folder(any_kind: Household) -> None:
    home = any_kind
    home.move(f"Bob/{x('b1')}", f"Carol/{x('b1')}")
    home.move(f"Bob/{x('b2')}", f"Carol/2024/{x('b2')}")
    act = only(home.read())
    assert isinstance(act, Parted)
    assert (act.folder, act.name, act.source) == (b"Carol", "Carol", "moved 2 links into the new folder Carol")
    settle(home)
    assert names(home)[9] == "Carol"
    assert home.homes()[9] == "Carol"
    assert people_in(home, "b2.jpg") == {9}
    assert os.path.isfile(home.path("Carol/2024", x("b2")))


def test_links_of_two_are_moved_into_a_new_folder(home: Household) -> None:
    home.move(f"Bob/{x('b1')}", f"Carol/{x('b1')}")
    home.move(f"Unnamed/0007/{x('u1')}", f"Carol/{x('u1')}")
    assert isinstance(only(home.read()), Parted)
    settle(home)
    assert people_in(home, "b1.jpg") == people_in(home, "u1.jpg") == {9}


def test_a_new_folder_beside_others_in_a_folder_of_folders(home: Household) -> None:
    home.move("Alice", "Family/Alice")
    settle(home)
    home.move(f"Bob/{x('b1')}", f"Family/Carol/{x('b1')}")
    act = only(home.read())
    assert isinstance(act, Parted)
    assert (act.folder, act.name) == (b"Family/Carol", "Carol")
    settle(home)


def test_a_new_folder_among_the_unnamed_and_in_a_folder(home: Household) -> None:
    home.move(f"Bob/{x('b1')}", f"Unnamed/New Folder/{x('b1')}")
    act = only(home.read())
    assert isinstance(act, Parted)
    assert act.folder == b"Unnamed/New Folder"


def test_all_links_are_moved_into_a_new_folder(any_kind: Household) -> None:
    """As a file manager renames a folder across file systems."""
    home = any_kind
    for one in ("u1", "u2"):
        home.move(f"Unnamed/0007/{x(one)}", f"Alma/{x(one)}")
    os.rmdir(home.path("Unnamed/0007"))
    act = only(home.read())
    assert isinstance(act, Moved)
    assert (act.owner, act.name) == (SEVEN, "Alma")
    settle(home)


def test_all_links_are_moved_into_a_new_folder_and_the_old_one_is_left(home: Household) -> None:
    for name in os.listdir(home.path("Bob")):
        home.move(b"Bob/" + name, b"Robert/" + name)
    act = only(home.read())
    assert isinstance(act, Moved)
    assert (act.owner, act.name) == (BOB, "Robert")
    settle(home)


def test_links_are_moved_into_a_new_folder_with_a_name_that_is_somebodys(home: Household) -> None:
    home.move("Alice", "Family/Alice")
    settle(home)
    home.move(f"Bob/{x('b1')}", f"Alice/{x('b1')}")
    act = only(home.read())
    assert isinstance(act, Given)
    assert (act.owner, act.to) == (BOB, ALICE)
    settle(home)
    assert people_in(home, "b1.jpg") == {1}


def test_a_collection_of_ones_own_is_nobody(home: Household) -> None:
    os.mkdir(home.path("Best"))
    for person, one in (("Alice", "a1"), ("Bob", "b1"), ("Bob", "b2")):
        shutil.copy2(home.path(person, x(one)), home.path("Best"), follow_symlinks=False)
    assert home.read() == Reading(())
    home.heed(home.read())
    # Long after, one of those is deleted where it came from: that is no move.
    os.unlink(home.path("Bob", x("b1")))
    act = only(home.read())
    assert isinstance(act, Refused)
    settle(home)
    assert sorted(os.listdir(home.path("Best"))) == [x(one).encode() for one in ("a1", "b1", "b2")]


@pytest.mark.parametrize(("copies", "read"), [(["a1"], True), (["a1", "a2"], True), (["a1", "a2"], False)])
def test_a_link_moved_into_a_collection_of_copies_is_no_person(home: Household, copies: list[str], read: bool) -> None:
    os.mkdir(home.path("Best"))
    for one in copies:
        shutil.copy2(home.path("Alice", x(one)), home.path("Best"), follow_symlinks=False)
    if read:
        home.heed(home.read())
    home.move(f"Bob/{x('b2')}", f"Best/{x('b2')}")
    act = only(home.read())
    assert isinstance(act, Rearranged)
    assert act.source == f"moved {x('b2')} into Best, which is nobody's"
    settle(home)
    assert people_in(home, "b2.jpg") == {2}
    assert os.path.islink(home.path("Best", x("b2")))


def copy_folder(home: Household, old: str, new: str) -> None:
    shutil.copytree(os.fsdecode(home.path(old)), os.fsdecode(home.path(new)), symlinks=True)


def test_a_folder_is_copied(home: Household) -> None:
    copy_folder(home, "Bob", "Bob (copy)")
    assert home.read() == Reading(())
    settle(home)


def test_a_folder_is_copied_and_the_first_deleted_before_anybody_looked(home: Household) -> None:
    copy_folder(home, "Bob", "Robert")
    shutil.rmtree(home.path("Bob"))
    act = only(home.read())
    assert isinstance(act, Moved)
    assert act.name == "Robert"


# ---- what is not ours ------------------------------------------------------------------------------------------------


def test_a_file_and_a_link_are_dropped(any_kind: Household) -> None:
    home = any_kind
    home.photo("new.jpg", None)
    home.write("Alice/deep/mine.jpg")
    os.symlink(os.path.join(home.photos, b"new.jpg"), home.path("Alice/found.jpg"))
    file, link = home.read().acts
    assert isinstance(file, Dropped)
    assert isinstance(link, Dropped)
    assert (file.to, file.path, file.source) == (ALICE, b"Alice/deep/mine.jpg", "put mine.jpg into Alice")
    assert link.seen == os.path.join(home.photos, b"new.jpg")
    settle(home)
    assert people_in(home, "new.jpg") == {1}


def test_a_file_is_dropped_among_the_unnamed_and_at_the_top(home: Household) -> None:
    home.write("Unnamed/mine.jpg")
    home.write("mine.jpg")
    home.write("Holidays/mine.jpg")
    assert home.read() == Reading(())
    home.write("Unnamed/0007/mine.jpg")
    act = only(home.read())
    assert isinstance(act, Dropped)
    assert act.to == SEVEN


def test_what_was_in_a_folder_before_it_was_anybodys_says_nothing(home: Household) -> None:
    os.mkdir(home.path("Alma"))
    shutil.copy2(home.path("Bob", x("b1")), home.path("Alma"), follow_symlinks=False)
    home.write("Alma/mine.jpg")
    home.heed(home.read())
    home.catalogue.names[PersonId(7)] = "Alma"
    home.publish()
    assert home.homes()[7] == "Alma"
    assert home.read() == Reading(())
    home.heed(home.read())
    assert home.read() == Reading(())
    home.write("Alma/more.jpg")
    assert only(home.read()).source == "put more.jpg into Alma"


def test_a_file_is_dropped_into_a_folder_that_is_renamed_at_once(home: Household) -> None:
    home.move("Unnamed/0007", "Alma")
    home.write("Alma/mine.jpg")
    moved, dropped = home.read().acts
    assert isinstance(moved, Moved)
    assert isinstance(dropped, Dropped)
    assert (dropped.to, dropped.source) == (SEVEN, "put mine.jpg into Alma")
    settle(home)


def test_a_file_with_the_inode_of_a_copy_that_was_deleted_is_not_that_copy(tmp_path: Path) -> None:
    home = Household(tmp_path, links="copy")
    fill(home)
    path = f"Bob/{x('b1')}".encode()
    os.unlink(home.path(path))
    home.write("Alice/mine.jpg", text=b"quite another")
    row = home.ledger.rows[path]
    assert row.stamp is not None
    mine = os.stat(home.path("Alice/mine.jpg")).st_ino
    home.ledger.rows[path] = replace(row, stamp=replace(row.stamp, inode=mine))
    assert [type(act) for act in home.read().acts] == [Refused, Dropped]


# ---- albums ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def album(home: Household) -> Household:
    home.photo("both2.jpg", 1, 2)
    home.catalogue.albums[OwnerId(-5)] = Album("Alice & Bob", frozenset((PersonId(1), PersonId(2))))
    home.publish()
    home.assert_settled()
    return home


def test_an_album_is_renamed_moved_and_deleted(album: Household) -> None:
    album.move("Alice & Bob", "Us")
    act = only(album.read())
    assert isinstance(act, Moved)
    assert (act.owner, act.name) == (-5, "Us")
    settle(album)
    album.move("Us", "Family/Us")
    settle(album)
    assert album.homes()[-5] == "Family/Us"
    shutil.rmtree(album.path("Family/Us"))
    act = only(album.read())
    assert isinstance(act, Hidden)
    assert act.owner == -5
    settle(album)
    assert people_in(album, "both.jpg") == {1, 2}


def test_a_link_is_deleted_from_an_album(album: Household) -> None:
    os.unlink(album.path("Alice & Bob", x("both")))
    act = only(album.read())
    assert isinstance(act, Refused)
    assert act.owner == -5
    settle(album)
    assert people_in(album, "both.jpg") == {1, 2}
    assert os.path.lexists(album.path("Alice", x("both")))


def test_nobody_is_said_to_be_anybody_by_an_album(album: Household) -> None:
    album.move(f"Alice/{x('a1')}", f"Alice & Bob/{x('a1')}")
    album.move(f"Alice & Bob/{x('both')}", "Bob/from the album.jpg")
    shutil.copy2(album.path("Bob", x("b1")), album.path("Alice & Bob"), follow_symlinks=False)
    album.write("Alice & Bob/mine.jpg")
    act = only(album.read())
    assert isinstance(act, Rearranged)
    assert set(where(act).values()) == {None}
    assert act.source == "moved 2 links into or out of an album, which says nothing of anybody"
    album.heed(album.read())
    album.publish()
    assert people_in(album, "a1.jpg") == {1}
    assert people_in(album, "both.jpg") == {1, 2}
    assert album.read() == Reading(())


def test_a_folder_in_an_albums_and_an_album_in_a_folder_only_lie_elsewhere(album: Household) -> None:
    album.move("Unnamed/0007", "Alice & Bob/0007")
    assert isinstance(only(album.read()), Moved)
    settle(album)
    album.move("Alice & Bob", "Alice/Us")
    assert [(type(act), act.source) for act in album.read().acts] == [
        (Moved, "renamed Alice & Bob to Alice/Us"),
        (Moved, "renamed Alice & Bob/0007 to Alice/Us/0007"),
    ]
    settle(album)
    assert (album.homes()[-5], album.homes()[7]) == ("Alice/Us", "Alice/Us/0007")
    album.move("Alice", "Alma")
    settle(album)
    assert album.homes() == {-5: "Alma/Us", 1: "Alma", 2: "Bob", 7: "Alma/Us/0007", 8: "Unnamed/0008"}


def test_a_folder_gets_the_name_of_an_album(album: Household) -> None:
    album.move("Unnamed/0007", "alice & bob")
    act = only(album.read())
    assert isinstance(act, Moved)
    assert act.name == "alice & bob"
    settle(album)


def test_links_of_an_album_are_moved_into_a_new_folder(album: Household) -> None:
    album.move(f"Alice & Bob/{x('both')}", f"Best/{x('both')}")
    act = only(album.read())
    assert isinstance(act, Rearranged)
    settle(album)
    assert os.path.islink(album.path("Alice & Bob", x("both")))
    assert os.path.islink(album.path("Best", x("both")))


# ---- companions, pages, years ----------------------------------------------------------------------------------------


@pytest.fixture
def pairs(tmp_path: Path) -> Household:
    home = Household(tmp_path)
    for number in range(1, 4):
        home.photo(f"A{number}.HEIC", 1, companions=[f"A{number}.MOV"])
        home.photo(f"B{number}.HEIC", 2, companions=[f"B{number}.MOV"])
    home.person(1, "Alice")
    home.person(2, "Bob")
    home.publish()
    home.assert_settled()
    return home


@pytest.mark.parametrize("together", [True, False])
def test_a_photo_is_moved_with_its_video_or_without(pairs: Household, together: bool) -> None:
    pairs.move("Bob/2024-05-17_B1.HEIC", "Alice/2024-05-17_B1.HEIC")
    if together:
        pairs.move("Bob/2024-05-17_B1.MOV", "Alice/2024-05-17_B1.MOV")
    given = [act for act in pairs.read().acts if isinstance(act, Given)]
    assert [act.source for act in given] == ["moved 2024-05-17_B1.HEIC from Bob to Alice"]
    settle(pairs)
    assert people_in(pairs, "B1.HEIC") == {1}
    assert os.path.lexists(pairs.path("Alice/2024-05-17_B1.MOV"))
    assert not os.path.lexists(pairs.path("Bob/2024-05-17_B1.MOV"))


def test_a_video_alone_says_nothing(pairs: Household) -> None:
    pairs.move("Bob/2024-05-17_B1.MOV", "Alice/2024-05-17_B1.MOV")
    os.unlink(pairs.path("Bob/2024-05-17_B2.MOV"))
    assert {type(act) for act in pairs.read().acts} == {Rearranged}
    settle(pairs)
    assert os.path.lexists(pairs.path("Bob/2024-05-17_B1.MOV"))
    assert os.path.lexists(pairs.path("Bob/2024-05-17_B2.MOV"))


def test_a_folder_with_videos_is_deleted_renamed_and_merged(pairs: Household) -> None:
    pairs.move("Bob", "Robert")
    assert isinstance(only(pairs.read()), Moved)
    settle(pairs)
    for name in os.listdir(pairs.path("Robert")):
        pairs.move(b"Robert/" + name, b"Alice/" + name)
    assert [act for act in pairs.read().acts if isinstance(act, Merged)]
    settle(pairs)
    assert people_in(pairs, "B1.HEIC") == {1}


def test_a_folder_with_videos_is_deleted(pairs: Household) -> None:
    pairs.photo("c.jpg", 3)
    pairs.publish()
    shutil.rmtree(pairs.path("Bob"))
    (hidden,) = (act for act in pairs.read().acts if isinstance(act, Hidden))
    assert hidden.owner == 2
    settle(pairs)


@pytest.mark.parametrize("kind", [LinkKind.PAGE, LinkKind.COVER])
def test_pages_and_covers_say_nothing(home: Household, kind: LinkKind) -> None:
    for folder, owner in (("Bob", BOB), ("Alice", ALICE)):
        path = home.write(folder, "index.html", text=folder.encode())
        row = replace(
            home.ledger.rows[f"Bob/{x('b1')}".encode()],
            path=os.path.relpath(path, home.root),
            owner=owner,
            kind=kind,
            photo=None,
            stamp=None,
        )
        stamp = take(home.root).entries[row.path]
        assert not isinstance(stamp, bytes)
        home.ledger.rows[row.path] = replace(row, stamp=stamp)
    assert home.read() == Reading(())
    os.unlink(home.path("Bob/index.html"))
    assert isinstance(only(home.read()), Rearranged)
    shutil.rmtree(home.path("Bob"))
    assert {type(act) for act in home.read().acts} == {Hidden, Rearranged}


def test_by_person_and_year(tmp_path: Path) -> None:
    home = Household(tmp_path, years=True)
    home.person(1, "Alice", "a1.jpg", "a2.jpg")
    home.photo("old.jpg", 1, day="1999-01-01")
    home.photo("older.jpg", 1, day=None)
    home.person(2, "Bob", "b1.jpg", "b2.jpg")
    home.publish()
    home.move("Alice", "Alma")
    assert isinstance(only(home.read()), Moved)
    settle(home)
    home.move("Alma/1999", "Bob/1999")
    act = only(home.read())
    assert isinstance(act, Given)
    settle(home)
    assert people_in(home, "old.jpg") == {2}
    home.move("Bob/2024", "Bob/this year")
    assert isinstance(only(home.read()), Rearranged)
    settle(home)
    assert os.path.lexists(home.path("Bob/this year", x("b1")))
    shutil.rmtree(home.path("Bob/this year"))
    assert isinstance(only(home.read()), Refused)


# ---- too much, and what is not seen ----------------------------------------------------------------------------------


def test_the_whole_tree_is_emptied(any_kind: Household) -> None:
    for name in ("Alice", "Bob", "Unnamed"):
        shutil.rmtree(any_kind.path(name))
    assert any_kind.read().excess == f"all {len(any_kind.ledger.rows)} links are missing"


def test_the_whole_tree_of_one_person_with_videos_is_emptied(tmp_path: Path) -> None:
    home = Household(tmp_path)
    home.photo("a.HEIC", 1, companions=["a.MOV"])
    home.photo("b.HEIC", 1, companions=["b.MOV"])
    home.publish()
    shutil.rmtree(home.path("Unnamed"))
    assert home.read().excess == "all 4 links are missing"
    # Also where only that folder is looked at.
    assert home.read([b"Unnamed/0001"]).excess == "all 4 links are missing"


def test_the_only_link_is_deleted(tmp_path: Path) -> None:
    home = Household(tmp_path)
    home.person(1, "Alice", "a.jpg")
    home.publish()
    os.unlink(home.path("Alice", x("a")))
    assert home.read().excess == "the only link is missing"


def large(tmp_path: Path, people: int, photos: int) -> Household:
    home = Household(tmp_path)
    for person in range(1, people + 1):
        home.person(person, f"P{person:02d}", *(f"{person}-{number}.jpg" for number in range(photos)))
    home.publish()
    return home


def test_one_large_folder_is_deleted(tmp_path: Path) -> None:
    home = Household(tmp_path)
    home.person(1, "Alice", *(f"a{number}.jpg" for number in range(80)))
    home.person(2, "Bob", "b.jpg")
    home.publish()
    shutil.rmtree(home.path("Alice"))
    assert isinstance(only(home.read()), Hidden)


def test_links_are_missing_everywhere(tmp_path: Path) -> None:
    home = large(tmp_path, 10, 6)
    folders = sorted(home.ledger.rows)
    for path in folders[::3]:
        os.unlink(home.path(path))
    assert home.read(limit=0.5).excess == ""
    assert home.read(limit=0.25).excess == ""  # so few may always be missing
    os.unlink(home.path(folders[1]))
    assert home.read(limit=0.5).excess == ""
    assert home.read(limit=0.25).excess == "21 of 60 links are missing or in other folders"


def test_much_of_everything_is_moved_into_one_folder(tmp_path: Path) -> None:
    home = large(tmp_path, 4, 8)
    for path in sorted(home.ledger.rows):
        if not path.startswith(b"P01/") and not path.endswith(b"-0.jpg"):
            home.move(path, b"P01/" + path.replace(b"/", b" "))
    assert home.read().excess == "21 of 32 links are missing or in other folders"


def test_few_folders_are_moved_into_one_whatever_is_in_them(tmp_path: Path) -> None:
    home = large(tmp_path, 4, 8)
    for path in sorted(home.ledger.rows):
        if not path.startswith(b"P01/"):
            home.move(path, b"P01/" + path.replace(b"/", b" "))
    reading = home.read()
    assert [type(act) for act in reading.acts] == [Merged] * 3
    assert reading.excess == ""
    settle(home)


def test_everything_is_moved_into_a_new_folder(tmp_path: Path) -> None:
    home = large(tmp_path, 4, 8)
    for path in sorted(home.ledger.rows):
        home.move(path, b"All/" + path.replace(b"/", b" "))
    assert home.read().excess == "32 of 32 links are missing or in other folders"


def test_many_folders_are_deleted_or_renamed(tmp_path: Path) -> None:
    home = large(tmp_path, 12, 1)
    for person in range(1, 4):
        shutil.rmtree(home.path(f"P{person:02d}"))
    for person in range(4, 6):
        home.move(f"P{person:02d}", f"Q{person:02d}")
    assert home.read().excess == ""
    home.move("P06", "Q06")
    assert home.read(limit=0.5).excess == ""
    assert home.read(limit=0.25).excess == "6 of 12 folders are missing or called otherwise"


def test_many_folders_are_moved_below_one(tmp_path: Path) -> None:
    home = large(tmp_path, 12, 2)
    for person in range(1, 13):
        home.move(f"P{person:02d}", f"Family/P{person:02d}")
    assert home.read(limit=0.01).excess == ""
    settle(home)


def unread(home: Household, folder: bytes) -> Reading:
    actual = home.snapshot()
    actual.unreadable.add(folder)
    for path in [path for path in actual.entries if path.startswith(folder + b"/")]:
        del actual.entries[path]
    return read_back(home.published(actual), actual, limit=0.25)


def test_a_folder_that_cannot_be_read_says_nothing(home: Household) -> None:
    assert unread(home, b"Bob") == Reading(())
    # What is missing from another is not there, wherever it may have gone.
    os.unlink(home.path("Alice", x("a1")))
    assert isinstance(only(unread(home, b"Bob")), Refused)


def test_a_folder_that_was_renamed_and_cannot_be_read_says_nothing(home: Household) -> None:
    home.move("Bob", "Robert")
    assert unread(home, b"Robert") == Reading(())


def test_what_is_about_to_be_made_is_not_missed(home: Household) -> None:
    path = f"Bob/{x('b1')}".encode()
    home.ledger.rows[path] = replace(home.ledger.rows[path], made=False)
    os.unlink(home.path(path))
    assert home.read() == Reading(())
    folder = [row for row in home.ledger.rows.values() if row.path.startswith(b"Unnamed/0007/")]
    home.ledger.rows.update({row.path: replace(row, made=False) for row in folder})
    shutil.rmtree(home.path("Unnamed/0007"))
    assert home.read() == Reading(())


def test_a_home_that_was_not_made_yet_is_not_missed(home: Household) -> None:
    home.ledger.homes[OwnerId(9)] = Home(OwnerId(9), b"Carol", "Carol")
    assert home.read() == Reading(())


def test_links_that_an_earlier_version_made(home: Household) -> None:
    """It noted no photo."""
    for path, row in list(home.ledger.rows.items()):
        home.ledger.rows[path] = replace(row, photo=None)
    assert home.read() == Reading(())
    home.move(f"Bob/{x('b1')}", f"Alice/{x('b1')}")
    assert isinstance(only(home.read()), Given)
    shutil.copy2(home.path("Bob", x("b2")), home.path("Alice"), follow_symlinks=False)
    assert [type(act) for act in home.read().acts] == [Given, Dropped]


# ---- looking at some folders -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "scopes"),
    [
        ((f"Bob/{x('b1')}", f"Alice/{x('b1')}"), [b"Bob", b"Alice"]),
        ((f"Bob/{x('b1')}", f"Bob/deep/{x('b1')}"), [b"Bob"]),
        (("Bob", "Robert"), [b"Bob", b"Robert"]),
        (("Bob", ".gone"), [b"Bob"]),
        (("Unnamed/0007", "Alma"), [b"Unnamed/0007", b"Alma"]),
        (("Unnamed/0007", "Alice/0007"), [b"Unnamed/0007", b"Alice/0007"]),
        (("Unnamed/0007", "Unnamed/Alma"), [b"Unnamed"]),
        ((f"Bob/{x('b1')}", f"Carol/{x('b1')}"), [b"Bob", b"Carol"]),
        ((f"Bob/{x('b1')}", ".gone"), [b"Bob"]),
        (("../photos/a1.jpg", "Bob/mine.jpg"), [b"Bob"]),
    ],
)
def test_some_folders_say_what_the_whole_does(home: Household, change: tuple[str, str], scopes: list[bytes]) -> None:
    home.move(*change)
    whole = home.read()
    assert whole.acts
    assert home.read(scopes) == whole


def test_what_is_not_looked_at_is_not_missed(home: Household) -> None:
    home.move(f"Bob/{x('b1')}", f"Alice/{x('b1')}")
    assert isinstance(only(home.read([b"Bob"])), Refused)
    assert isinstance(only(home.read([b"Alice"])), Dropped)
    assert home.read([b"Unnamed"]) == Reading(())


def test_photos_of_the_top_are_told_apart(home: Household) -> None:
    assert {row.photo for row in home.ledger.rows.values()} == {PhotoId(number) for number in range(1, 11)}
