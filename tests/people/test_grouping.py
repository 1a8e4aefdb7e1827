"""All faces at once, with a real index: who is one person, and what the user's word does to it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guyverd.model import NOTHING_SAID, FaceId, FaceTable, PersonId, Standing
from guyverd.people.evidence import Measure
from guyverd.people.grouping import Grouped, group
from guyverd.people.index import FaceIndex
from tests.people.helpers import (
    NO_FACES,
    NO_IDS,
    SETTINGS,
    beside,
    directions,
    drawn,
    faces_of,
    ints,
    measure_of,
    partition,
    table_of,
)

if TYPE_CHECKING:
    from guyverd.model import IntArray

WHO = np.repeat(np.arange(4), 5)
TABLE = table_of(faces_of(WHO, spread=0.12))


def grouped(table: FaceTable, said: Standing = NOTHING_SAID, seed: int = 7) -> Grouped:
    index = FaceIndex.build(table.ids, table.vectors)
    return group(table, index, measure_of(table), seed=seed, said=said)


def labels(table: FaceTable, said: Standing = NOTHING_SAID, seed: int = 7) -> IntArray:
    return grouped(table, said, seed).labels


def test_faces_of_one_person_are_one_group_numbered_by_their_first_face() -> None:
    assert labels(TABLE).tolist() == (-1 - WHO).tolist()


def test_nobody_and_somebody_alone() -> None:
    nobody = table_of(NO_FACES, photos=NO_IDS)
    index = FaceIndex.build(NO_IDS, NO_FACES)
    assert group(nobody, index, Measure(SETTINGS, 0, NO_FACES), seed=1).labels.tolist() == []
    assert labels(table_of(directions(3))).tolist() == [0, 0, 0]


def test_whom_faces_are_attached_to_does_not_count() -> None:
    attached = replace(TABLE, people=np.arange(len(TABLE), dtype=np.int64) % 3)
    assert (labels(attached) == labels(TABLE)).all()


def test_a_face_that_the_index_does_not_hold_or_holds_beyond_the_table_is_passed_over() -> None:
    index = FaceIndex.build(TABLE.ids[1:], TABLE.vectors[1:])
    index.add(ints(999), TABLE.vectors[:1])
    found = group(TABLE, index, measure_of(TABLE), seed=7).labels
    assert (found[1:] == labels(TABLE)[1:]).all()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_another_order_of_visits_finds_the_same_people(seed: int) -> None:
    assert (labels(TABLE, seed=seed) == labels(TABLE)).all()


@given(st.permutations(range(1, len(TABLE) + 1)), st.integers(1, 10))
def test_how_faces_and_photos_are_numbered_does_not_matter(numbers: list[int], step: int) -> None:
    renumbered = replace(TABLE, ids=ints(*numbers), photos=TABLE.photos * step)
    assert (labels(renumbered) == labels(TABLE)).all()


def test_poor_faces_alone_found_nobody() -> None:
    poor = replace(TABLE, quality=np.where(WHO == 2, 0.05, 0.9).astype(np.float32))
    found = labels(poor)
    assert (found[WHO == 2] == 0).all()
    assert len(set(found[WHO != 2].tolist())) == 3


def test_two_faces_of_one_photo_are_two_people_unless_they_are_one_face_seen_twice() -> None:
    photos = TABLE.photos.copy()
    photos[1] = photos[0]
    found = labels(replace(TABLE, photos=photos))
    assert found[0] != found[1]
    assert partition(found[WHO > 0]) == partition(WHO[WHO > 0])
    vectors = TABLE.vectors.copy()
    vectors[1] = 1.5 * vectors[0]
    twins = grouped(replace(TABLE, photos=photos, vectors=vectors))
    assert twins.labels[0] == twins.labels[1] == -1
    assert twins.rules.waived == {(0, 1)}
    apart = Standing(apart=frozenset({(FaceId(1), FaceId(2))}))
    found = labels(replace(TABLE, photos=photos, vectors=vectors), apart)
    assert found[0] != found[1], "the user sees more than a likeness"


# ---- what was said ---------------------------------------------------------------------------------------------------


def test_pinned_faces_keep_their_person_and_bring_their_group_along() -> None:
    said = Standing(pinned={FaceId(2): PersonId(31), FaceId(3): PersonId(31), FaceId(12): PersonId(4)})
    found = labels(TABLE, said)
    assert found[WHO == 0].tolist() == [31] * 5
    assert found[WHO == 2].tolist() == [4] * 5
    assert (found[(WHO == 1) | (WHO == 3)] < 0).all()


def test_pinned_faces_that_look_alike_stay_two_people() -> None:
    said = Standing(pinned={FaceId(1): PersonId(8), FaceId(2): PersonId(9)})
    found = labels(TABLE, said)
    assert found[:2].tolist() == [8, 9]
    assert len(set(found[2:5].tolist())) == 1, "which of them the others are is left open, or is one of the two"


def test_pinned_faces_that_look_like_nobody_stay_one_person() -> None:
    said = Standing(pinned={FaceId(1): PersonId(8), FaceId(20): PersonId(8)})
    found = labels(TABLE, said)
    assert found[0] == found[19] == 8


def test_barred_faces_never_are_that_person() -> None:
    said = Standing(
        pinned={FaceId(1): PersonId(8), FaceId(2): PersonId(8), FaceId(3): PersonId(8)},
        barred=frozenset({(FaceId(4), PersonId(8))}),
    )
    found = labels(TABLE, said)
    assert found[:5].tolist() == [8, 8, 8, found[3], 8]
    assert found[3] != 8


def test_faces_that_are_one_person_or_two_by_a_word() -> None:
    same = Standing(together=frozenset({(FaceId(1), FaceId(6))}))
    found = labels(TABLE, same)
    assert found[0] == found[5]
    different = Standing(apart=frozenset({(FaceId(1), FaceId(2)), (FaceId(2), FaceId(3))}))
    found = labels(TABLE, different)
    assert found[0] != found[1] != found[2]
    assert partition(found[5:]) == partition(WHO[5:])


def test_groups_between_whose_faces_a_word_stands_are_never_joined() -> None:
    # Two looks with little between them: enough for a group, not for a link.
    one = directions(1)[0]
    other = beside(one, told=measure_of(TABLE).join + 0.4)
    looks = np.repeat(np.stack([one, other]), 3, axis=0)
    noise = np.random.default_rng(5).normal(size=looks.shape) / np.sqrt(128)
    table = table_of((looks + 0.02 * noise).astype(np.float32))
    assert len(partition(labels(table))) == 1
    said = Standing(apart=frozenset({(FaceId(1), FaceId(6))}))
    found = labels(table, said)
    assert found[0] != found[5]


def test_two_single_faces_take_more_than_groups_and_less_than_a_link() -> None:
    one = directions(1)[0]
    for told, found in ((0.3, True), (-0.3, False)):
        table = table_of(np.stack([one, beside(one, told=measure_of(table_of(one[None])).pair + told)]))
        assert bool(labels(table).any()) == found
    # As much as that for a whole group is enough.
    asked = measure_of(table_of(one[None]))
    other = beside(one, told=(asked.link + asked.join) / 2)
    noise = np.random.default_rng(3).normal(size=(4, 128)) / np.sqrt(128)
    table = table_of((np.stack([one, one, one, other]) + 0.02 * noise).astype(np.float32))
    assert len(partition(labels(table))) == 1


@st.composite
def words(draw: st.DrawFn) -> Standing:
    """Words that do not contradict one another, said of `CROWDED`."""
    faces = st.integers(1, len(CROWDED)).map(FaceId)
    people = st.integers(1, 3).map(PersonId)
    pairs = st.tuples(faces, faces).filter(lambda pair: pair[0] < pair[1])
    pinned = draw(st.dictionaries(faces, people, max_size=4))
    photos: dict[tuple[int, PersonId], FaceId] = {}
    for face, person in sorted(pinned.items()):
        photos.setdefault((int(CROWDED.photos[face - 1]), person), face)
    pinned = {face: person for (_, person), face in photos.items()}
    together = {pair for pair in draw(st.sets(pairs, max_size=2)) if not set(pair) & set(pinned)}
    ends = {face for pair in together for face in pair}
    apart = {pair for pair in draw(st.sets(pairs, max_size=4)) if not set(pair) & (ends | set(pinned))}
    barred = {(face, who) for face, who in draw(st.sets(st.tuples(faces, people), max_size=4)) if face not in pinned}
    return Standing(
        pinned=pinned,
        barred=frozenset((face, who) for face, who in barred if face not in ends),
        together=frozenset(together),
        apart=frozenset(apart),
    )


def _crowded() -> FaceTable:
    who = np.tile(np.arange(3), 6)
    return replace(table_of(faces_of(who, spread=0.25, seed=2)), photos=np.repeat(np.arange(1, 10), 2))


CROWDED = _crowded()


@given(words(), st.integers(0, 5))
def test_no_word_is_gone_against(said: Standing, seed: int) -> None:
    found = labels(CROWDED, said, seed)
    of = dict(zip(CROWDED.ids.tolist(), found.tolist(), strict=True))
    assert all(of[face] == person for face, person in said.pinned.items())
    assert all(of[face] != person for face, person in said.barred)
    assert not any(of[one] and of[one] == of[other] for one, other in said.apart)
    for row in range(0, len(CROWDED), 2):
        one, other = found[row], found[row + 1]
        pair = (FaceId(row + 1), FaceId(row + 2))
        assert not one or one != other or pair in said.together
    assert set(found[found > 0].tolist()) <= set(said.pinned.values())
    numbers = sorted(set(-1 - found[found < 0]))
    assert numbers == list(range(len(numbers)))
    assert all((found == label).sum() > 1 for label in set(found[found < 0].tolist()))


def test_many_blocks_give_what_one_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = labels(TABLE)
    monkeypatch.setattr("guyverd.people.grouping._BLOCK", 3)
    assert (labels(TABLE) == whole).all()


def test_some_of_the_faces_are_grouped_as_if_they_were_all() -> None:
    kept = WHO < 2
    assert (labels(TABLE.of(kept)) == labels(TABLE)[kept]).all()


def test_strangers_are_nobody() -> None:
    found = labels(table_of(drawn(60, seed=9)))
    assert (found == 0).mean() > 0.9
