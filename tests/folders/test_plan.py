from __future__ import annotations

import os
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guyverd.folders.linking import Style
from guyverd.folders.plan import Plan
from guyverd.model import PhotoId
from guyverd.published import Home, LinkKind, OwnerId, PublishedLink, Shelf, ShelfPhoto

from .model import CALM, NAMES, STAMP, STYLES, TARGETS, Tree, photo, shelf, shelf_lists

ROOT = b"/home/u/People"
STYLE = Style(ROOT, "Unnamed")
ABSOLUTE = replace(STYLE, links="absolute")
YEARS = replace(STYLE, years=True)
A = photo(b"/p/a.jpg", "2024-05-17T10:00:00")
B = photo(b"/p/b.jpg", "2023-05-18T10:00:00")


def built(*shelves: Shelf, style: Style = STYLE) -> Tree:
    return Tree().after(Tree().planned(shelves, style))


def paths(tree: Tree) -> list[bytes]:
    return [link.path for link in tree.links]


def moves(found: Plan) -> list[tuple[bytes, bytes]]:
    return [(rename.old, rename.new) for rename in found.renames]


# ---- links -----------------------------------------------------------------------------------------------------------


def test_links_lead_home_from_their_own_depth() -> None:
    tree = built(shelf(1, "Alice", A), shelf(7, None, A))
    assert tree.links == [
        PublishedLink(b"Alice/2024-05-17_a.jpg", b"../../../../p/a.jpg", OwnerId(1), A.photo),
        PublishedLink(b"Unnamed/0007/2024-05-17_a.jpg", b"../../../../../p/a.jpg", OwnerId(7), A.photo),
    ]
    for link in tree.links:
        joined = os.path.join(ROOT, os.path.dirname(link.path), link.target)
        assert os.path.normpath(joined) == b"/p/a.jpg"


def test_a_photo_beside_the_people_folder_is_near() -> None:
    (link,) = built(shelf(1, "Alice", photo(b"/home/u/Pictures/a.jpg"))).links
    assert link.target == b"../../Pictures/a.jpg"


@pytest.mark.parametrize(
    ("links", "kind"), [("absolute", LinkKind.SYMBOLIC), ("hard", LinkKind.HARD), ("copy", LinkKind.COPY)]
)
def test_other_links_say_the_target(links: str, kind: LinkKind) -> None:
    (link,) = built(shelf(7, None, A), style=replace(STYLE, links=links)).links
    assert (link.target, link.kind) == (b"/p/a.jpg", kind)


def test_nothing_to_do_is_false() -> None:
    tree = built(shelf(1, "Alice", A, B))
    again = tree.planned([shelf(1, "Alice", B, A)], STYLE)
    assert not again
    assert again.keep == 2
    assert (again.note, again.homes, again.gone) == ((), (), ())


def test_a_moved_photo_replaces_its_link() -> None:
    tree = built(shelf(1, "Alice", A))
    found = tree.planned([shelf(1, "Alice", photo(b"/p/new/a.jpg", A.taken_at))], STYLE)
    assert [link.path for link in found.make] == [link.path for link in found.remove] == [b"Alice/2024-05-17_a.jpg"]


def test_a_link_that_had_to_give_way_stays_where_it_is() -> None:
    tree = built(shelf(1, "Alice", A))
    (link,) = tree.links
    for folder, name in ((b"Alice", b"2024-05-17_a~2.jpg"), (b"Alice~3", b"2024-05-17_a~12.jpg")):
        home = replace(tree.homes[OwnerId(1)], path=folder)
        there = Tree([replace(link, path=folder + b"/" + name)], {OwnerId(1): home})
        assert not there.planned([shelf(1, "Alice", A)], STYLE), folder


def test_links_of_an_earlier_version_get_to_know_their_photos() -> None:
    tree = built(shelf(1, "Alice", A, B))
    tree.links = [replace(link, photo=None) for link in tree.links]
    found = tree.planned([shelf(1, "Alice", A, B)], STYLE)
    assert not found
    assert [link.photo for link in found.note] == [B.photo, A.photo]
    assert tree.after(found).links == built(shelf(1, "Alice", A, B)).links


def test_a_row_whose_link_was_not_finished_is_made_again() -> None:
    """Its removal failed, say, and now it is wanted after all."""
    tree = built(shelf(1, "Alice", A, B))
    tree.links[0] = replace(tree.links[0], made=False)
    found = tree.planned([shelf(1, "Alice", A, B)], STYLE)
    assert [link.path for link in found.make] == [link.path for link in found.remove] == [tree.links[0].path]


# ---- homes -----------------------------------------------------------------------------------------------------------


def test_a_name_on_the_same_depth_moves_the_folder_and_no_link() -> None:
    found = built(shelf(1, "Alice", A, B)).planned([shelf(1, "Bob", A, B)], STYLE)
    assert [(r.owner, r.old, r.new) for r in found.renames] == [(1, b"Alice", b"Bob")]
    assert (found.make, found.remove, found.keep) == ((), (), 2)


def test_naming_a_person_moves_the_folder_and_remakes_relative_links() -> None:
    found = built(shelf(7, None, A, B)).planned([shelf(7, "Alice", A, B)], STYLE)
    assert moves(found) == [(b"Unnamed/0007", b"Alice")]
    assert (len(found.make), len(found.remove), found.keep) == (2, 2, 0)
    found = built(shelf(7, None, A, B), style=ABSOLUTE).planned([shelf(7, "Alice", A, B)], ABSOLUTE)
    assert (len(found.renames), found.make, found.remove, found.keep) == (1, (), (), 2)


def test_two_who_swap_names_both_keep_their_folders() -> None:
    found = built(shelf(1, "Alice", A), shelf(2, "Bob", B)).planned([shelf(1, "Bob", A), shelf(2, "Alice", B)], STYLE)
    assert moves(found) == [(b"Alice", b"Bob (moving)"), (b"Bob", b"Alice"), (b"Bob (moving)", b"Bob")]
    assert not found.make
    assert not found.remove


@pytest.mark.parametrize("incremental", [False, True])
def test_a_name_taken_over_from_someone_who_is_gone(incremental: bool) -> None:
    tree = built(shelf(1, "Alice", A), shelf(2, "Bob", B), shelf(3, "Cy", A))
    owners = {OwnerId(1), OwnerId(2)} if incremental else None
    others = [] if incremental else [shelf(3, "Cy", A)]
    found = tree.planned([shelf(1, "Bob", A), *others], STYLE, owners)
    assert moves(found) == [(b"Alice", b"Bob")]
    assert [link.path for link in found.remove] == [b"Bob/2023-05-18_b.jpg"]
    assert not found.make
    assert found.gone == (2,)


def test_whoever_lies_elsewhere_stays_there_while_the_name_is_the_same() -> None:
    tree = built(shelf(1, "Alice", A, B), shelf(7, None, A))
    homes = {OwnerId(1): Home(OwnerId(1), b"Family/Mum", "Alice"), OwnerId(7): Home(OwnerId(7), b"Who/0007", None)}
    found = Tree(tree.links, homes).planned([shelf(1, "Alice", A, B), shelf(7, None, A)], STYLE)
    assert {os.path.dirname(link.path) for link in found.make} == {b"Family/Mum", b"Who/0007"}
    now = Tree(tree.links, homes).after(found)
    assert {owner: home.path for owner, home in now.homes.items()} == {1: b"Family/Mum", 7: b"Who/0007"}
    renamed = now.planned([shelf(1, "Ann", A, B), shelf(7, None, A)], STYLE)
    assert moves(renamed) == [(b"Family/Mum", b"Ann")]


def test_who_is_called_as_before_has_the_folder_of_before() -> None:
    tree = built(shelf(1, "Ann", A), shelf(2, "Bob", B))
    former = {OwnerId(1): b"Family/Alice B.", OwnerId(3): b"Family/Cy"}
    found = tree.planned([shelf(1, "Alice B.", A), shelf(2, "Bob", B), shelf(3, "Cy", B)], STYLE, former=former)
    assert moves(found) == [(b"Ann", b"Family/Alice B.")]
    assert [home.path for home in found.homes] == [b"Family/Alice B.", b"Family/Cy"]


@pytest.mark.parametrize("path", [b"bob", b"Bob/Alice", b"Unnamed"])
def test_a_former_folder_that_cannot_be_had_again(path: bytes) -> None:
    tree = built(shelf(1, "Ann", A), shelf(2, "Bob", B))
    found = tree.planned([shelf(1, "Alice", A), shelf(2, "Bob", B)], STYLE, former={OwnerId(1): path})
    assert moves(found) == [(b"Ann", b"Alice")]


def test_of_two_who_had_one_folder_the_lower_number_has_it_again() -> None:
    former = {OwnerId(9): b"Family/A", OwnerId(2): b"Family/a"}
    for shelves in ([shelf(9, "A", A), shelf(2, "A", B)], [shelf(2, "A", B), shelf(9, "A", A)]):
        found = Tree([]).planned(shelves, STYLE, former=former)
        assert [home.path for home in found.homes] == [b"Family/a", b"A"]


def test_who_has_no_name_any_more_has_no_folder_that_shows_one() -> None:
    former = {OwnerId(7): b"Unnamed/Alice", OwnerId(8): b"Family/0008"}
    found = Tree([]).planned([shelf(7, None, A), shelf(8, None, B)], STYLE, former=former)
    assert [home.path for home in found.homes] == [b"Unnamed/0007", b"Family/0008"]


def test_a_folder_below_another_moves_by_itself_and_the_other_stays_with_what_is_in_it() -> None:
    tree = built(shelf(1, "Alice", A), shelf(2, "Bob", B))
    nested = Tree(tree.links, tree.homes | {OwnerId(2): Home(OwnerId(2), b"Alice/Bob", "Bob")})
    nested = nested.after(nested.planned([shelf(1, "Alice", A), shelf(2, "Bob", B)], STYLE))
    assert paths(nested) == [b"Alice/2024-05-17_a.jpg", b"Alice/Bob/2023-05-18_b.jpg"]
    inner = nested.planned([shelf(1, "Alice", A), shelf(2, "Ben", B)], STYLE)
    assert moves(inner) == [(b"Alice/Bob", b"Ben")]
    outer = nested.planned([shelf(1, "Ann", A), shelf(2, "Bob", B)], STYLE)
    assert moves(outer) == [], "or Bob's would move along"
    assert paths(nested.after(outer)) == [b"Alice/Bob/2023-05-18_b.jpg", b"Ann/2024-05-17_a.jpg"]


def test_nobody_moves_to_where_somebody_elses_folder_lies_within() -> None:
    tree = built(shelf(1, "Alice", A), shelf(2, "Bob", B))
    tree = Tree(tree.links, tree.homes | {OwnerId(2): Home(OwnerId(2), b"Family/Bob", "Bob")})
    tree = tree.after(tree.planned([shelf(1, "Alice", A), shelf(2, "Bob", B)], STYLE))
    found = tree.planned([shelf(1, "Family", A), shelf(2, "Bob", B)], STYLE)
    assert moves(found) == []
    assert paths(tree.after(found)) == [b"Family/2024-05-17_a.jpg", b"Family/Bob/2023-05-18_b.jpg"]


def test_a_folder_with_nothing_but_the_users_own_is_renamed_too() -> None:
    homes = {OwnerId(1): Home(OwnerId(1), b"Alice", "Alice", inode=5), OwnerId(2): Home(OwnerId(2), b"Bo", "Bo")}
    found = Tree([], homes).planned([shelf(1, "Ann"), shelf(2, "Ben")], STYLE)
    assert moves(found) == [(b"Alice", b"Ann")], "the other was never seen"
    assert [home.path for home in found.homes] == [b"Ann", b"Ben"]


def test_two_of_one_name_and_an_album_of_that_name() -> None:
    tree = built(shelf(-1, "Alice", A), shelf(9, "Alice", A), shelf(3, "alice", B))
    assert {home.owner: home.path for home in tree.homes.values()} == {3: b"alice", 9: b"Alice (9)", -1: b"Alice (1)"}
    more = tree.planned(
        [shelf(1, "Alice", B), shelf(3, "alice", B), shelf(9, "Alice", A), shelf(-1, "Alice", A)], STYLE
    )
    assert moves(more) == []
    assert [home.path for home in more.homes] == [b"Alice (1) (1)"], "nobody yields who is there"
    alone = tree.planned([shelf(9, "Alice", A), shelf(-1, "Alice", A)], STYLE)
    assert moves(alone) == [], "the plain name is free, and yet they are called as before"


def test_the_folder_of_the_unnamed_can_be_called_otherwise() -> None:
    faceless = replace(STYLE, unnamed="Faceless")
    tree = built(shelf(7, None, A))
    now = tree.after(tree.planned([shelf(7, None, A), shelf(8, None, B), shelf(9, "faceless", B)], faceless))
    assert {owner: home.path for owner, home in now.homes.items()} == {
        7: b"Unnamed/0007",
        8: b"Faceless/0008",
        9: b"faceless (9)",
    }


def test_who_is_not_looked_at_keeps_everything() -> None:
    tree = built(shelf(1, "Alice", A), shelf(2, "Bob", B), shelf(3, None, A))
    found = tree.planned([shelf(1, "Bob", A)], STYLE, {OwnerId(1), OwnerId(3)})
    now = tree.after(found)
    assert {owner: home.path for owner, home in now.homes.items()} == {1: b"Bob (1)", 2: b"Bob"}
    assert paths(now) == [b"Bob (1)/2024-05-17_a.jpg", b"Bob/2023-05-18_b.jpg"]


def test_where_something_is_made_the_folder_is_looked_at_again() -> None:
    """It may be another folder under the same name, to be known by another inode."""
    tree = built(shelf(1, "Alice", A), shelf(2, "Bob", B))
    tree.homes = {owner: replace(home, inode=owner) for owner, home in tree.homes.items()}
    found = tree.planned([shelf(1, "Alice", A, B), shelf(2, "Bob", B)], STYLE)
    assert found.homes == (tree.homes[OwnerId(1)],)


def test_a_folder_that_was_never_seen_is_looked_at() -> None:
    tree = built(shelf(1, "Alice", A))
    tree.homes = {owner: replace(home, inode=None) for owner, home in tree.homes.items()}
    found = tree.planned([shelf(1, "Alice", A)], STYLE)
    assert not found
    assert found.homes == (tree.homes[OwnerId(1)],)


# ---- what somebody placed, and what lies beside ----------------------------------------------------------------------


@pytest.mark.parametrize("place", [b"Alice/best.jpg", b"Alice/Holidays/2024-05-17_a.jpg", b"Alice/2024-05-17_b.jpg"])
@pytest.mark.parametrize("style", [STYLE, YEARS])
def test_a_link_that_somebody_placed_stays_there(place: bytes, style: Style) -> None:
    tree = built(shelf(1, "Alice", A, B), style=style)
    link = next(link for link in tree.links if link.photo == A.photo)
    up = place.count(b"/") - link.path.count(b"/")
    target = b"../" * up + link.target if up >= 0 else link.target[3:]
    there = Tree([one for one in tree.links if one is not link], tree.homes)
    there.links.append(replace(link, path=place, target=target, placed=True))
    same = there.planned([shelf(1, "Alice", A, B)], style)
    assert not same
    renamed = there.planned([shelf(1, "Ann", A, B)], style)
    assert (moves(renamed), renamed.make) == ([(b"Alice", b"Ann")], ())
    moved = there.planned([shelf(1, "Alice", replace(A, target=b"/p/new/a.jpg"), B)], style)
    assert [(one.path, one.placed) for one in moved.make] == [(place, True)]
    gone = there.planned([shelf(1, "Alice", B)], style)
    assert [one.path for one in gone.remove] == [place]


def test_a_placed_link_outside_its_owners_folder_is_of_no_account() -> None:
    tree = built(shelf(1, "Alice", A))
    stray = replace(tree.links[0], path=b"Elsewhere/a.jpg", placed=True)
    found = Tree([stray], tree.homes).planned([shelf(1, "Alice", A)], STYLE)
    assert [one.path for one in found.remove] == [b"Elsewhere/a.jpg"]
    assert [(one.path, one.placed) for one in found.make] == [(b"Alice/2024-05-17_a.jpg", False)]


LIVE = photo(b"/p/IMG_1.HEIC", "2024-05-17", b"/p/IMG_1.MOV", b"/p/IMG_1.HEIC.xmp")


def test_what_belongs_to_a_photo_lies_beside_it_under_its_name() -> None:
    tree = built(shelf(1, "Alice", LIVE))
    assert [(link.path, link.companion, link.photo) for link in tree.links] == [
        (b"Alice/2024-05-17_IMG_1.HEIC", False, LIVE.photo),
        (b"Alice/2024-05-17_IMG_1.HEIC.xmp", True, LIVE.photo),
        (b"Alice/2024-05-17_IMG_1.MOV", True, LIVE.photo),
    ]
    alone = tree.planned([shelf(1, "Alice", replace(LIVE, companions=()))], STYLE)
    assert [link.companion for link in alone.remove] == [True, True]
    assert alone.make == ()


def test_what_belongs_to_a_photo_follows_the_name_that_somebody_gave_its_link() -> None:
    tree = built(shelf(1, "Alice", LIVE))
    first = replace(tree.links[0], path=b"Alice/best.HEIC", placed=True)
    tree = Tree([first, *tree.links[1:]], tree.homes)
    now = tree.after(tree.planned([shelf(1, "Alice", LIVE)], STYLE))
    assert paths(now) == [b"Alice/best.HEIC", b"Alice/best.HEIC.xmp", b"Alice/best.MOV"]
    assert not now.planned([shelf(1, "Alice", LIVE)], STYLE)


def test_a_photo_comes_before_what_belongs_to_another() -> None:
    raw = photo(b"/p/IMG_1.CR2", "2024-05-17")
    tree = built(shelf(1, "Alice", replace(LIVE, companions=(b"/p/IMG_1.CR2",)), raw))
    assert [(link.path, link.companion) for link in tree.links] == [
        (b"Alice/2024-05-17_IMG_1.CR2", False),
        (b"Alice/2024-05-17_IMG_1.HEIC", False),
    ]


# ---- styles ----------------------------------------------------------------------------------------------------------


def test_a_folder_for_each_year_and_back() -> None:
    people = [shelf(1, "Alice", A, B, photo(b"/p/c.jpg")), shelf(7, None, LIVE)]
    tree = built(*people)
    years = tree.after(tree.planned(people, YEARS))
    assert paths(years) == [
        b"Alice/2023/2023-05-18_b.jpg",
        b"Alice/2024/2024-05-17_a.jpg",
        b"Alice/undated/undated_c.jpg",
        b"Unnamed/0007/2024/2024-05-17_IMG_1.HEIC",
        b"Unnamed/0007/2024/2024-05-17_IMG_1.HEIC.xmp",
        b"Unnamed/0007/2024/2024-05-17_IMG_1.MOV",
    ]
    assert years == built(*people, style=YEARS)
    assert years.after(years.planned(people, STYLE)) == tree
    named = years.planned([people[0], shelf(7, "Greta", LIVE)], YEARS)
    assert moves(named) == [(b"Unnamed/0007", b"Greta")]


@pytest.mark.parametrize("before", ["relative", "absolute", "hard", "copy"])
@pytest.mark.parametrize("after", ["relative", "absolute", "hard", "copy"])
def test_links_of_another_kind_replace_the_ones_there(before: str, after: str) -> None:
    people = [shelf(1, "Alice", A, LIVE)]
    tree = built(*people, style=replace(STYLE, links=before))
    found = tree.planned(people, replace(STYLE, links=after))
    if before == after:
        assert not found
    else:
        assert {link.path for link in found.make} == {link.path for link in found.remove} == set(paths(tree))
    assert tree.after(found) == built(*people, style=replace(STYLE, links=after))


@pytest.mark.parametrize("kind", [LinkKind.PAGE, LinkKind.COVER])
def test_pages_and_covers_are_left_to_those_who_make_them(kind: LinkKind) -> None:
    tree = built(shelf(1, "Alice", A))
    ours = PublishedLink(b"Alice/index.html", b"hash", OwnerId(1), kind=kind, stamp=STAMP)
    tree.links.append(ours)
    assert not tree.planned([shelf(1, "Alice", A)], STYLE)
    now = tree.after(tree.planned([shelf(1, "Ann", A)], STYLE))
    assert replace(ours, path=b"Ann/index.html") in now.links
    assert tree.after(tree.planned([], STYLE)).links == []


# ---- any to any ------------------------------------------------------------------------------------------------------


@CALM
@given(shelf_lists(), shelf_lists(), STYLES, STYLES)
def test_one_plan_leads_from_any_shelves_to_any_other(
    before: list[Shelf], after: list[Shelf], style: Style, restyled: Style
) -> None:
    tree = built(*before, style=style)
    tree.assert_shows(before, style)
    now = tree.after(tree.planned(after, restyled))
    now.assert_shows(after, restyled)
    again = now.planned(after, restyled)
    assert (bool(again), again.note, again.homes, again.gone) == (False, (), (), ())
    called = {one.owner: one.name for one in before}
    for one in after:
        if one.owner in called and called[one.owner] == one.name:
            assert now.homes[one.owner].path == tree.homes[one.owner].path, "they are called as before"


@CALM
@given(shelf_lists(), shelf_lists(), st.sets(st.integers(-3, 7).filter(bool).map(OwnerId)), STYLES)
def test_looking_at_some_is_looking_at_all_where_the_others_are_as_they_should_be(
    before: list[Shelf], after: list[Shelf], owners: set[OwnerId], style: Style
) -> None:
    tree = built(*before, style=style)
    changed = [one for one in after if one.owner in owners]
    everybody = changed + [one for one in before if one.owner not in owners]
    full, part = tree.planned(everybody, style), tree.planned(changed, style, owners)
    assert replace(full, keep=0, standing=frozenset()) == replace(part, keep=0, standing=frozenset())
    assert part.standing <= full.standing
    others = [link for link in tree.links if link.owner not in owners]
    assert full.keep == part.keep + len(others)
    tree.after(part).assert_shows(everybody, style)


FOLDERS = st.one_of(
    NAMES.filter(bool).map(lambda name: str(name).encode()),
    st.sampled_from(
        [b"Unnamed/0003", b"Unnamed/0004", b"Faceless/0003", b"Alice~2", b"Alice/2024", b"Alice/Bob", b"", b"old/er"]
    ),
)
FILES = st.sampled_from([b"2024-05-17_a.jpg", b"2024-05-17_a~2.jpg", b"undated_b.jpg", b"undated_b~3.jpg", b"other"])
TEXTS = st.builds(lambda up, target: b"../" * up + target[1:], st.integers(3, 6), TARGETS) | TARGETS


@st.composite
def any_link(draw: st.DrawFn) -> PublishedLink:
    folder, file = draw(FOLDERS), draw(FILES)
    kind = draw(st.sampled_from([LinkKind.SYMBOLIC, LinkKind.SYMBOLIC, LinkKind.HARD, LinkKind.COPY]))
    return PublishedLink(
        folder + b"/" + file if folder else file,
        draw(TEXTS),
        OwnerId(draw(st.integers(-3, 7).filter(bool))),
        draw(st.none() | st.integers(1, 6).map(PhotoId)),
        kind,
        draw(st.booleans()),
        draw(st.booleans()),
        draw(st.just(STAMP) | st.none()) if kind is not LinkKind.SYMBOLIC else None,
        draw(st.booleans()),
    )


HOMES = st.lists(
    st.builds(
        Home,
        st.integers(-3, 7).filter(bool).map(OwnerId),
        FOLDERS.filter(bool),
        NAMES,
        st.none() | st.integers(1, 5),
    ),
    max_size=5,
    unique_by=(lambda home: home.owner, lambda home: home.path.lower()),
)


@CALM
@given(shelf_lists(), st.lists(any_link(), max_size=10, unique_by=lambda link: link.path), HOMES, STYLES)
def test_a_plan_makes_order_out_of_anything_published(
    wanted: list[Shelf], published: list[PublishedLink], homes: list[Home], style: Style
) -> None:
    tree = Tree(published, {home.owner: home for home in homes})
    found = tree.planned(wanted, style)
    assert set(found.remove) <= set(published)
    now = tree.after(found)
    # What somebody placed is where they placed it; hard links and copies cannot be told by what they were made of.
    shown = [replace(link, target=link.target) for link in now.links]
    assert sorted((link.owner, link.photo or 0) for link in shown if not link.companion) == sorted(
        (one.owner, shot.photo) for one in wanted for shot in one.photos
    )
    assert now.homes.keys() == {one.owner for one in wanted}
    if style.links in ("relative", "absolute"):
        now.assert_shows(wanted, style)
    again = now.planned(wanted, style)
    assert (bool(again), again.note, again.homes, again.gone) == (False, (), (), ())


def test_the_order_of_shelves_and_links_does_not_matter() -> None:
    people = [shelf(1, "Alice", A, B), shelf(2, "alice", B), shelf(3, None, A), shelf(-2, "Alice", A)]
    tree = built(*people)
    assert built(*people[::-1]) == tree
    assert Tree(tree.links[::-1], tree.homes).planned(people, STYLE).keep == 5


@pytest.mark.parametrize("count", [300])
def test_a_ring_of_many_names_is_one_plan(count: int) -> None:
    tree = built(*(shelf(number, f"P{number}", A) for number in range(1, count + 1)))
    turned = [shelf(number, f"P{number % count + 1}", A) for number in range(1, count + 1)]
    found = tree.planned(turned, STYLE)
    assert len(found.renames) == count + 1
    now = tree.after(found)
    now.assert_shows(turned, STYLE)
    assert now.links == built(*turned).links


def test_the_photos_number_matters_more_than_its_file() -> None:
    """Two photos that swapped their files: each link goes on showing its photo."""
    one, two = ShelfPhoto(PhotoId(1), b"/p/a.jpg", None), ShelfPhoto(PhotoId(2), b"/p/b.jpg", None)
    tree = built(shelf(1, "Alice", one, two))
    swapped = [shelf(1, "Alice", replace(one, target=b"/p/b.jpg"), replace(two, target=b"/p/a.jpg"))]
    now = tree.after(tree.planned(swapped, STYLE))
    now.assert_shows(swapped, STYLE)
