from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guyverd.folders.plan import Plan, plan
from guyverd.folders.spare import is_spare_of
from guyverd.model import Album, PersonId, PublishedLink

from .model import CALM, NAMES, TARGETS, album, albums, carry_out, photo

ROOT = b"/home/u/People"
A = photo(b"/p/a.jpg", "2024-05-17T10:00:00")
B = photo(b"/p/b.jpg", "2024-05-18T10:00:00")


def planned(
    wanted: list[Album], published: list[PublishedLink], *, unnamed: str = "Unnamed", style: str = "relative"
) -> Plan:
    return plan(wanted, published, people_folder=ROOT, unnamed=unnamed, style=style)


def built(wanted: list[Album], *, unnamed: str = "Unnamed", style: str = "relative") -> list[PublishedLink]:
    return carry_out([], planned(wanted, [], unnamed=unnamed, style=style))


def test_links_lead_home_from_their_own_depth() -> None:
    links = built([album(1, "Alice", A), album(7, None, A)])
    assert links == [
        PublishedLink(b"Alice/2024-05-17_a.jpg", b"../../../../p/a.jpg", PersonId(1)),
        PublishedLink(b"Unnamed/0007/2024-05-17_a.jpg", b"../../../../../p/a.jpg", PersonId(7)),
    ]
    for link in links:
        joined = os.path.join(ROOT, os.path.dirname(link.path), link.target)
        assert os.path.normpath(joined) == b"/p/a.jpg"


def test_a_photo_beside_the_people_folder_is_near() -> None:
    (link,) = built([album(1, "Alice", photo(b"/home/u/Pictures/a.jpg"))])
    assert link.target == b"../../Pictures/a.jpg"


def test_absolute_links_say_the_target() -> None:
    (link,) = built([album(7, None, A)], style="absolute")
    assert link.target == b"/p/a.jpg"


def test_nothing_to_do_is_false() -> None:
    links = built([album(1, "Alice", A, B)])
    again = planned([album(1, "Alice", B, A)], links)
    assert not again
    assert again.keep == 2


def test_a_name_on_the_same_depth_moves_the_folder_and_no_link() -> None:
    links = built([album(1, "Alice", A, B)])
    found = planned([album(1, "Bob", A, B)], links)
    assert [(r.person, r.old, r.new) for r in found.renames] == [(1, b"Alice", b"Bob")]
    assert (found.make, found.remove, found.keep) == ((), (), 2)


def test_naming_a_person_moves_the_folder_and_remakes_relative_links() -> None:
    links = built([album(7, None, A, B)])
    found = planned([album(7, "Alice", A, B)], links)
    assert [(r.old, r.new) for r in found.renames] == [(b"Unnamed/0007", b"Alice")]
    assert (len(found.make), len(found.remove), found.keep) == (2, 2, 0)
    absolute = built([album(7, None, A, B)], style="absolute")
    found = planned([album(7, "Alice", A, B)], absolute, style="absolute")
    assert (len(found.renames), found.make, found.remove, found.keep) == (1, (), (), 2)


def test_two_who_swap_names_both_keep_their_folders() -> None:
    links = built([album(1, "Alice", A), album(2, "Bob", B)])
    found = planned([album(1, "Bob", A), album(2, "Alice", B)], links)
    assert [(r.old, r.new) for r in found.renames] == [
        (b"Alice", b"Bob (moving)"),
        (b"Bob", b"Alice"),
        (b"Bob (moving)", b"Bob"),
    ]
    assert not found.make
    assert not found.remove


def test_a_moved_photo_replaces_its_link() -> None:
    links = built([album(1, "Alice", A)])
    found = planned([album(1, "Alice", photo(b"/p/new/a.jpg", A.taken_at))], links)
    assert [link.path for link in found.make] == [link.path for link in found.remove] == [b"Alice/2024-05-17_a.jpg"]


def test_a_name_taken_over_from_someone_who_is_gone() -> None:
    links = built([album(1, "Alice", A), album(2, "Bob", B)])
    found = planned([album(1, "Bob", A)], links)
    assert [(r.old, r.new) for r in found.renames] == [(b"Alice", b"Bob")]
    assert [link.path for link in found.remove] == [b"Bob/2024-05-18_b.jpg"]
    assert not found.make


def test_a_link_that_had_to_give_way_stays_where_it_is() -> None:
    (link,) = built([album(1, "Alice", A)])
    for path in (b"Alice/2024-05-17_a~2.jpg", b"Alice~3/2024-05-17_a.jpg", b"Alice~2/2024-05-17_a~12.jpg"):
        there = [PublishedLink(path, link.target, link.person)]
        assert not planned([album(1, "Alice", A)], there), path
    there = [PublishedLink(b"Alice~2/2024-05-17_a.jpg", link.target, link.person)]
    moved = planned([album(1, "Alice", A), album(2, "Alice~2", B)], there)
    assert [(r.old, r.new) for r in moved.renames] == [(b"Alice~2", b"Alice")]


def test_a_folder_shared_with_another_is_not_moved() -> None:
    (link,) = built([album(1, "Alice", A)])
    other = PublishedLink(b"Alice/b.jpg", b"../../../../p/b.jpg", PersonId(2))
    assert not planned([album(1, "Carol", A), album(2, "Bob", B)], [link, other]).renames


def test_the_folder_of_the_unnamed_can_be_called_otherwise() -> None:
    people = [album(1, "Faceless", A), album(7, None, A), album(8, None, B)]
    links = built(people)
    found = planned(people, links, unnamed="Faceless")
    assert [(r.old, r.new) for r in found.renames] == [
        (b"Faceless", b"Faceless (1)"),
        (b"Unnamed/0007", b"Faceless/0007"),
        (b"Unnamed/0008", b"Faceless/0008"),
    ]
    assert not found.make
    assert carry_out(links, found) == built(people, unnamed="Faceless")


STYLES = st.sampled_from(["relative", "absolute"])
UNNAMED = st.sampled_from(["Unnamed", "Faceless"])


@CALM
@given(albums(), albums(), UNNAMED, UNNAMED, STYLES, STYLES)
def test_one_plan_leads_from_any_albums_to_any_other(
    before: list[Album], after: list[Album], unnamed: str, renamed: str, style: str, restyled: str
) -> None:
    links = built(before, unnamed=unnamed, style=style)
    found = planned(after, links, unnamed=renamed, style=restyled)
    now = carry_out(links, found)
    wanted = built(after, unnamed=renamed, style=restyled)
    assert len(now) == len(wanted)
    for link, right in zip(now, wanted, strict=True):
        # "Alice~2" may have been somebody's own name and now pass for a spare of "Alice".
        assert (link.target, link.person) == (right.target, right.person)
        assert link == right or _spare(link.path, right.path)
    assert not planned(after, now, unnamed=renamed, style=restyled)


def _spare(path: bytes, wanted: bytes) -> bool:
    pairs = list(zip(path.split(b"/"), wanted.split(b"/"), strict=True))
    last = len(pairs) - 1
    return all(is_spare_of(here, there, folder=at < last) for at, (here, there) in enumerate(pairs))


FOLDERS = st.one_of(
    NAMES.filter(bool).map(lambda name: str(name).encode()),
    st.sampled_from(
        [b"Unnamed/0003", b"Unnamed/0004", b"Faceless/0003", b"Alice~2", b"Unnamed~2/0003", b"", b"old/er"]
    ),
)
FILES = st.sampled_from([b"2024-05-17_a.jpg", b"2024-05-17_a~2.jpg", b"undated_b.jpg", b"undated_b~3.jpg", b"other"])
TEXTS = st.builds(lambda up, target: b"../" * up + target[1:], st.integers(3, 6), TARGETS) | TARGETS
LINKS = st.builds(
    lambda folder, file, text, person: PublishedLink(folder + b"/" + file if folder else file, text, PersonId(person)),
    FOLDERS,
    FILES,
    TEXTS,
    st.integers(1, 9),
)


@CALM
@given(albums(), st.lists(LINKS, max_size=10, unique_by=lambda link: link.path), STYLES)
def test_a_plan_makes_order_out_of_anything_published(
    wanted: list[Album], published: list[PublishedLink], style: str
) -> None:
    found = planned(wanted, published, style=style)
    assert set(found.remove) <= set(published)
    now = carry_out(published, found)
    right = built(wanted, style=style)
    assert sorted((link.person, link.target) for link in now) == sorted((link.person, link.target) for link in right)
    for link in now:
        assert any(
            _spare(link.path, other.path)
            for other in right
            if (other.person, other.target) == (link.person, link.target)
            and other.path.count(b"/") == link.path.count(b"/")
        )
    assert not planned(wanted, now, style=style)


def test_the_order_of_albums_and_links_does_not_matter() -> None:
    people = [album(1, "Alice", A, B), album(2, "alice", B), album(3, None, A)]
    links = built(people)
    assert built(people[::-1]) == links
    assert planned(people, links[::-1]).keep == 4


@pytest.mark.parametrize("count", [300])
def test_a_ring_of_many_names_is_one_plan(count: int) -> None:
    people = [album(number, f"P{number}", A) for number in range(1, count + 1)]
    links = built(people)
    turned = [album(number, f"P{number % count + 1}", A) for number in range(1, count + 1)]
    found = planned(turned, links)
    assert len(found.renames) == count + 1
    assert carry_out(links, found) == built(turned)
