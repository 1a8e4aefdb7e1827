"""What is said about people, by grouping or by the user, and what must never come of it."""

from __future__ import annotations

import dataclasses
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guyverd.catalogue.rows import RootRow
from guyverd.catalogue.store import Catalogue
from guyverd.errors import CannotMerge, CatalogueError, PersonError, UnknownPerson
from guyverd.model import (
    Assignment,
    Author,
    Changes,
    Decision,
    DecisionId,
    DecisionKind,
    FaceId,
    FileId,
    Merge,
    PersonId,
)
from guyverd.people.decisions import replay
from guyverd.service.pipeline.words.deciding import Deciding
from tests.catalogue.conftest import NOW, add, call, library, merge, read

NAMES = st.none() | st.sampled_from(["Al", "Bo", "Céline"])


def to(person: int, *faces: int) -> list[Assignment]:
    return [Assignment(FaceId(one), PersonId(person), None, 0.9) for one in faces]


def founding(group: int, *faces: int) -> list[Assignment]:
    return [Assignment(FaceId(one), None, group, 0.9) for one in faces]


def whose(catalogue: Catalogue) -> dict[int, int | None]:
    return {row.id: row.person for row in catalogue.photos.faces()}


def all_that_was_said(catalogue: Catalogue) -> list[object]:
    people = catalogue.people
    return [people.all(), people.names(), people.forwards(), catalogue.decisions.log(), whose(catalogue)]


# ---- what grouping found ---------------------------------------------------------------------------------------------


def test_groups_are_numbered_in_the_order_they_are_met(catalogue: Catalogue, root: RootRow) -> None:
    library(catalogue, root, [1] * 4)
    items = [*founding(7, 1), *founding(0, 2), *founding(7, 3), *founding(3, 4)]
    assert catalogue.people.assign(items, [], 4, NOW) == [1, 2, 3]
    assert whose(catalogue) == {1: 1, 2: 2, 3: 1, 4: 3}
    assert catalogue.people.assign(founding(7), [], 4, NOW) == [], "numbers mean nothing beyond one call"


def test_a_group_without_a_face_to_attach_founds_nobody(catalogue: Catalogue, root: RootRow) -> None:
    library(catalogue, root, [1, 1])
    catalogue.people.assign(founding(0, 1), [], 2, NOW)
    assert catalogue.people.assign([*founding(0, 1, 99), *founding(1, 99)], [], 2, NOW) == []
    assert catalogue.people.names() == {1: None}
    assert catalogue.people.assign(founding(0, 1, 2), [], 2, NOW) == [2], "its other face does"
    assert whose(catalogue) == {1: 1, 2: 2}


def test_nobody_is_attached_to_somebody_who_does_not_stand(catalogue: Catalogue, root: RootRow) -> None:
    library(catalogue, root, [1] * 4)
    catalogue.people.assign([*founding(0, 1), *founding(1, 2)], [], 4, NOW)
    merge(catalogue, 1, 2)
    assert catalogue.people.assign([*to(2, 3), *to(99, 4)], [], 4, NOW) == []
    assert whose(catalogue) == {1: 1, 2: 1, 3: None, 4: None}
    assert catalogue.contradictions() == catalogue.integrity() == []


@given(
    asked=st.lists(
        st.tuples(st.integers(1, 9), st.none() | st.integers(1, 4), st.integers(0, 2), st.booleans()), max_size=25
    )
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_asked_nobody_moves_and_nobody_is_twice_in_a_photo(
    tmp_path_factory: pytest.TempPathFactory, asked: list[tuple[int, int | None, int, bool]]
) -> None:
    with Catalogue(os.fsencode(tmp_path_factory.mktemp("any") / "c.db"), clock=lambda: NOW) as catalogue:
        catalogue.files.configure([b"/photos"])
        library(catalogue, catalogue.files.roots()[0], [4, 3, 1])
        call: list[Assignment] = []
        before: dict[int, int | None] = {}
        for face, person, group, now in asked:
            call.append(
                Assignment(
                    FaceId(face), None if person is None else PersonId(person), group if person is None else None, 0
                )
            )
            if now:
                catalogue.people.assign(call, [], 3, NOW)
                call = []
                after = whose(catalogue)
                assert {face: person for face, person in after.items() if before.get(face)}.items() >= {
                    face: person for face, person in before.items() if person
                }.items()
                before = after
                assert catalogue.contradictions() == []
                assert all(person.photos for person in catalogue.people.all())
                assert len(catalogue.people.names()) == len(catalogue.people.all()), "nobody without a face"


def test_read_photos_up_to_a_number_are_grouped_and_no_others(catalogue: Catalogue, root: RootRow) -> None:
    add(catalogue, root, {b"%d.jpg" % n: f"photo {n}" for n in range(5)})
    for photo in (1, 2, 4, 5):
        read(catalogue, photo)
    catalogue.people.assign([], [], 4, NOW)
    assert catalogue.photos.ungrouped(99).tolist() == [4]
    assert catalogue.counts().ungrouped_faces == 1
    read(catalogue, 3)
    assert catalogue.photos.ungrouped_range() == (3, 5), "one that is read later is not passed over"


def test_a_merge_that_cannot_be_takes_its_assignments_along(catalogue: Catalogue, root: RootRow) -> None:
    library(catalogue, root, [1, 1])
    catalogue.people.assign(founding(0, 1), [], 1, NOW)
    before = all_that_was_said(catalogue)
    with pytest.raises(UnknownPerson):
        catalogue.people.assign(founding(0, 2), [Merge(PersonId(9), PersonId(1), 0.9)], 2, NOW)
    assert all_that_was_said(catalogue) == before
    assert catalogue.photos.ungrouped_range() == (2, 2)


# ---- merging ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("into", "absorbed", "left"),
    [("Al", None, "Al"), (None, "Bo", "Bo"), ("Al", "Bo", "Al"), (None, None, None)],
)
def test_who_stays_keeps_their_name_or_takes_the_others(
    catalogue: Catalogue, root: RootRow, into: str | None, absorbed: str | None, left: str | None
) -> None:
    library(catalogue, root, [1, 1])
    catalogue.people.assign([*founding(0, 1), *founding(1, 2)], [], 2, NOW)
    for person, name in ((1, into), (2, absorbed)):
        if name:
            call(catalogue, person, name)
    assert merge(catalogue, 1, 2) == 0
    assert catalogue.people.names() == {1: left}
    last = catalogue.decisions.log()[-1]
    assert (last.person, last.other, last.name, last.faces, last.author) == (1, 2, left, (2,), Author.USER)
    assert [catalogue.people.get(PersonId(one)).name for one in (1, 2)] == [left, left]
    assert catalogue.people.named("Bo") == ([1] if left == "Bo" else [])
    rows = catalogue._db.rows("SELECT name FROM people ORDER BY id")
    assert [row["name"] for row in rows] == [left, None], "whoever asks the file for a name finds one person"


def test_only_the_faces_in_shared_photos_are_left_to_nobody(catalogue: Catalogue, root: RootRow) -> None:
    library(catalogue, root, [2, 2, 1, 1])
    catalogue.people.assign([*founding(0, 1, 3, 5), *founding(1, 2, 4, 6)], [], 4, NOW)
    assert merge(catalogue, 2, 1) == 2
    assert whose(catalogue) == {1: None, 2: 2, 3: None, 4: 2, 5: 2, 6: 2}
    assert catalogue.decisions.log()[-1].faces == (5,)
    assert catalogue.contradictions() == []
    scores = catalogue._db.rows("SELECT score FROM faces WHERE person_id IS NULL")
    assert [row["score"] for row in scores] == [None, None]


def test_a_chain_of_survivors_of_any_length(catalogue: Catalogue, root: RootRow) -> None:
    library(catalogue, root, [1] * 30)
    catalogue.people.assign([one for n in range(30) for one in founding(n, n + 1)], [], 30, NOW)
    for person in range(1, 30):
        merge(catalogue, person + 1, person)
    assert {catalogue.people.survivor(person) for person in range(1, 31)} == {30}
    assert catalogue.people.get(PersonId(1)).photos == 30
    assert catalogue.people.forwards() == {n: n + 1 for n in range(1, 30)}
    assert [person.id for person in catalogue.people.all()] == [30]


def test_what_cannot_be_merged_says_why_and_changes_nothing(catalogue: Catalogue, root: RootRow) -> None:
    library(catalogue, root, [1, 1, 1])
    catalogue.people.assign([*founding(0, 1), *founding(1, 2), *founding(2, 3)], [], 3, NOW)
    merge(catalogue, 1, 2)
    before = all_that_was_said(catalogue)
    wrong: list[tuple[int, int, type[PersonError], str]] = [
        (1, 2, UnknownPerson, "2"),
        (2, 1, UnknownPerson, "2"),
        (1, 99, UnknownPerson, "99"),
        (99, 1, UnknownPerson, "99"),
        (99, 99, UnknownPerson, "99"),
        (3, 3, CannotMerge, "same"),
    ]
    for into, absorbed, problem, told in wrong:
        with pytest.raises(problem, match=told) as caught:
            merge(catalogue, into, absorbed)
        assert caught.value.exit_code == 5
        assert caught.value.advice
    assert all_that_was_said(catalogue) == before


# ---- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "asked"),
    [("Al", "AL"), ("Straße", "STRASSE"), ("Ægir", "ægir"), ("İpek", "i̇pek"), ("Σωκράτης", "ΣΩΚΡΆΤΗΣ"), ("王", "王")],
)
def test_upper_and_lower_case_are_alike_in_every_script(
    catalogue: Catalogue, root: RootRow, name: str, asked: str
) -> None:
    library(catalogue, root, [1])
    catalogue.people.assign(founding(0, 1), [], 1, NOW)
    call(catalogue, 1, name)
    assert catalogue.people.named(asked) == [1]
    assert catalogue.people.names() == {1: name}


def test_who_has_exactly_that_name_comes_before_who_has_it_in_another_case(catalogue: Catalogue, root: RootRow) -> None:
    library(catalogue, root, [1, 1, 1])
    catalogue.people.assign([*founding(0, 1), *founding(1, 2), *founding(2, 3)], [], 3, NOW)
    for person, name in ((1, "al"), (2, "Al"), (3, "Al")):
        call(catalogue, person, name)
    assert catalogue.people.named("Al") == [2, 3]
    assert catalogue.people.named("al") == [1]
    assert catalogue.people.named("AL") == [1, 2, 3]
    merge(catalogue, 1, 2)
    assert catalogue.people.named("Al") == [3]


def test_a_name_that_is_no_text_is_refused_in_words(catalogue: Catalogue, root: RootRow) -> None:
    """A terminal that is not UTF-8 gives lone surrogates."""
    library(catalogue, root, [1])
    catalogue.people.assign(founding(0, 1), [], 1, NOW)
    before = all_that_was_said(catalogue)
    with pytest.raises(PersonError, match="no text") as caught:
        Deciding(catalogue).name(PersonId(1), "Caf\udce9")
    caught.value.message.encode()
    with pytest.raises(CatalogueError):
        call(catalogue, 1, "")
    assert catalogue.people.named("Caf\udce9") == []
    assert all_that_was_said(catalogue) == before


def test_whoever_has_a_name_is_listed_without_a_photo_too(catalogue: Catalogue, root: RootRow) -> None:
    library(catalogue, root, [1, 1, 1, 1])
    catalogue.people.assign([*founding(0, 1), *founding(1, 2), *founding(2, 3, 4)], [], 4, NOW)
    call(catalogue, 1, "Al")
    catalogue.files.apply(root.id, Changes(gone=(FileId(1), FileId(2))), NOW)
    told = [(one.id, one.name, one.faces, one.photos) for one in catalogue.people.all()]
    assert told == [(3, None, 2, 2), (1, "Al", 0, 0)]
    assert catalogue.people.get(PersonId(2)).photos == 0
    assert catalogue.counts().named == 1


def test_the_log_is_only_added_to(catalogue: Catalogue, root: RootRow) -> None:
    library(catalogue, root, [1])
    catalogue.people.assign(founding(0, 1), [], 1, NOW)
    for name in ("Al", "Bo"):
        call(catalogue, 1, name)
    before = catalogue.decisions.log()
    for statement in (
        "UPDATE decisions SET name = 'Cy' WHERE id = 1",
        "DELETE FROM decisions WHERE id = 2",
        "REPLACE INTO decisions (id, at, kind, author, person_id) VALUES (1, '', 'name', 'user', 1)",
        "INSERT INTO decisions (id, at, kind, author, person_id) VALUES (1, '', 'name', 'user', 1)"
        " ON CONFLICT (id) DO UPDATE SET name = 'Cy'",
    ):
        with pytest.raises(CatalogueError, match="a decision is never"):
            catalogue._db.write(lambda db, statement=statement: db.execute(statement))  # type: ignore[misc]
    assert catalogue.decisions.log() == before
    assert [decision.name for decision in before] == ["Al", "Bo"]


def test_a_decision_that_was_thought_out_before_another_was_made_is_refused(
    catalogue: Catalogue, root: RootRow
) -> None:
    library(catalogue, root, [1, 1])
    catalogue.people.assign([*founding(0, 1), *founding(1, 2)], [], 2, NOW)
    late = Decision(DecisionId(1), NOW, DecisionKind.HIDE, Author.USER, PersonId(1), None, None, ())
    after = replay([late])
    call(catalogue, 2, "Bo")
    before = all_that_was_said(catalogue)
    for decision in (late, dataclasses.replace(late, id=DecisionId(2)), dataclasses.replace(late, id=DecisionId(7))):
        with pytest.raises(CatalogueError, match="at the same moment"):
            catalogue.decisions.record(decision, after)
    assert all_that_was_said(catalogue) == before
    late = dataclasses.replace(late, id=DecisionId(2))
    assert catalogue.decisions.record(late, replay([*catalogue.decisions.log(), late])).moves == ()
    assert catalogue.people.hidden() == {1}


# ---- albums ----------------------------------------------------------------------------------------------------------


def test_shelves_are_by_person_and_photo_with_the_file_known_longest(catalogue: Catalogue, root: RootRow) -> None:
    other = catalogue.files.roots()[1]
    add(catalogue, other, {b"z.jpg": "one"})
    add(catalogue, root, {b"a.jpg": "one", b"b.jpg": "two"})
    for photo in (2, 1):
        read(catalogue, photo, 2)
    catalogue.people.assign([*founding(0, 1, 3), *founding(1, 2, 4)], [], 2, NOW)
    one, two = catalogue.shelves.of_people(1)
    assert (one.owner, two.owner) == (1, 2)
    assert [photo.target for photo in one.photos] == [b"/more/z.jpg", b"/photos/b.jpg"]
    assert one.photos == two.photos
    catalogue.files.configure([b"/photos"])
    assert [photo.target for photo in catalogue.shelves.of_people(2)[0].photos] == [b"/photos/a.jpg", b"/photos/b.jpg"]


def test_a_photo_is_on_a_shelf_once_even_if_the_catalogue_contradicts_itself(
    catalogue: Catalogue, root: RootRow
) -> None:
    library(catalogue, root, [2])
    catalogue.people.assign(founding(0, 1), [], 1, NOW)
    catalogue._db.write(lambda db: db.execute("UPDATE faces SET person_id = 1"))
    assert catalogue.contradictions() == ["photo 1 shows person 1 2 times"]
    (shelf,) = catalogue.shelves.of_people(1)
    assert len(shelf.photos) == 1


def test_a_face_of_somebody_who_was_merged_is_a_contradiction(catalogue: Catalogue, root: RootRow) -> None:
    library(catalogue, root, [1, 1])
    catalogue.people.assign([*founding(0, 1), *founding(1, 2)], [], 2, NOW)
    merge(catalogue, 1, 2)
    catalogue._db.write(lambda db: db.execute("UPDATE faces SET person_id = 2 WHERE id = 2"))
    assert catalogue.contradictions() == ["face 2 belongs to person 2, who was merged into another"]


@pytest.mark.parametrize(("least", "shown"), [(1, [1, 2, 3]), (2, [2, 3]), (3, [3]), (4, [])])
def test_who_has_no_name_needs_so_many_photos(
    catalogue: Catalogue, root: RootRow, least: int, shown: list[int]
) -> None:
    library(catalogue, root, [1] * 6)
    add(catalogue, root, {b"copy %d.jpg" % n: "photo 0" for n in range(5)})
    catalogue.people.assign([*founding(0, 1), *founding(1, 2, 3), *founding(2, 4, 5, 6)], [], 6, NOW)
    assert [shelf.owner for shelf in catalogue.shelves.of_people(least)] == shown, "copies of a photo are one photo"
    call(catalogue, 1, "Al")
    assert [shelf.owner for shelf in catalogue.shelves.of_people(least)] == sorted({1, *shown})
