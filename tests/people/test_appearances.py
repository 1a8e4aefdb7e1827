"""A person who looks like several is compared look by look."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from guyverd.model import FaceTable
from guyverd.people.appearances import Appearances, part

from .helpers import faces_of, ints, measure_of, table_of

if TYPE_CHECKING:
    from guyverd.model import BoolArray


def parted(
    table: FaceTable, several: Collection[int], good: BoolArray | None = None, seed: int = 1
) -> tuple[Appearances, dict[int, list[list[int]]]]:
    """What `part` says, and for each person the rows of their looks, largest first."""
    measure = measure_of(table)
    good = np.ones(len(table), bool) if good is None else good
    found = part(table, measure.scales(table.vectors), measure, good=good, several=several, seed=seed)
    looks: dict[int, list[list[int]]] = {}
    for number in np.unique(found.table.people[found.table.people != 0]).tolist():
        owner = found.owners.get(number, number)
        looks.setdefault(owner, []).append(np.flatnonzero(found.table.people == number).tolist())
    return found, looks


# Six pictures of a child, four of the adult, one like nobody; and another person.
WHO = ints(0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 3, 3, 3)
TABLE = table_of(faces_of(WHO, spread=0.15), people=np.where(WHO < 3, 7, 8))


def test_child_and_adult_are_two_looks_of_one_person() -> None:
    found, looks = parted(TABLE, [7, 8, 55])
    assert looks == {7: [[0, 1, 2, 3, 4, 5, 10], [6, 7, 8, 9]], 8: [[11, 12, 13]]}
    assert set(found.owners.values()) == {7}
    assert found.table.people[0] == 7, "the largest keeps the person's number"
    assert not set(found.owners) & {7, 8}
    for name in ("ids", "photos", "quality", "vectors"):
        assert getattr(found.table, name) is getattr(TABLE, name)


def test_only_who_may_look_like_several_is_parted() -> None:
    for several in ([], [8], [55]):
        found, _ = parted(TABLE, several)
        assert found.owners == {}
        assert found.table is TABLE


def test_several_people_each_with_several_looks() -> None:
    who = np.repeat(np.arange(5), 4)
    table = table_of(faces_of(who, spread=0.15), people=ints(3, 3, 9, 9, 9)[who])
    found, looks = parted(table, [9, 3])
    assert [len(looks[person]) for person in (3, 9)] == [2, 3]
    assert sorted(found.owners.values()) == [3, 9, 9]
    assert len(set(found.owners)) == 3


def test_of_few_faces_no_look_can_be_told() -> None:
    who = ints(0, 0, 1)
    assert parted(table_of(faces_of(who), people=ints(7, 7, 7)), [7])[0].owners == {}
    who = ints(0, 0, 0, 1)
    assert parted(table_of(faces_of(who), people=ints(7, 7, 7, 7)), [7])[0].owners == {}, "one picture is no look"


def test_poor_faces_hold_no_looks_together() -> None:
    # Two pictures of the child, two of the adult, and four halfway between, like both.
    vectors = faces_of(ints(0, 0, 1, 1, 2, 2, 2, 2), spread=0.05)
    middle = vectors[:4].mean(axis=0)
    vectors[:4] = 0.7 * vectors[:4] + 0.3 * middle
    vectors[4:] = middle + 0.01 * vectors[4:]
    table = table_of(vectors, people=np.full(8, 5))
    assert parted(table, [5])[0].owners == {}
    _, looks = parted(table, [5], np.arange(8) < 4)
    assert [{0, 1} <= set(look) for look in looks[5]].count(True) == 1
    assert [{2, 3} <= set(look) for look in looks[5]].count(True) == 1
    assert not any({0, 2} <= set(look) for look in looks[5])


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_every_face_stays_with_its_person(data: st.DataObject) -> None:
    n = data.draw(st.integers(0, 24))
    who = ints(*data.draw(st.lists(st.integers(0, 4), min_size=n, max_size=n)))
    people = ints(*data.draw(st.lists(st.sampled_from([-1, 0, 1, 2]), min_size=n, max_size=n)))
    good = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)), bool)
    several = data.draw(st.sets(st.sampled_from([1, 2, 3])))
    table = table_of(faces_of(who, spread=0.2), people=people)
    found, looks = parted(table, several, good)
    back = [found.owners.get(number, number) for number in found.table.people.tolist()]
    assert back == people.tolist()
    for person, rows in looks.items():
        assert person in several or len(rows) == 1
        assert all(len(look) >= 2 for look in rows) or len(rows) == 1
        sizes = [len(look) for look in rows]
        keeps = int((found.table.people == person).sum())
        assert keeps == max(sizes)
    again, _ = parted(table, several, good)
    assert again.owners == found.owners
    assert again.table.people.tolist() == found.table.people.tolist()
