from __future__ import annotations

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from guyverd.model import Author, Decision, DecisionId, DecisionKind, PersonId
from guyverd.people.decisions import replay


def named(number: int, person: int, name: str | None) -> Decision:
    return Decision(DecisionId(number), "", DecisionKind.NAME, Author.USER, PersonId(person), None, name, ())


def merged(number: int, into: int, absorbed: int | None, name: str | None = None) -> Decision:
    other = None if absorbed is None else PersonId(absorbed)
    return Decision(DecisionId(number), "", DecisionKind.MERGE, Author.USER, PersonId(into), other, name, ())


def test_nothing_decided() -> None:
    standing = replay([])
    assert (standing.names, standing.forwards, standing.refused) == ({}, {}, ())
    assert standing.survivor(PersonId(4)) == 4


def test_the_last_name_counts_and_none_takes_it_away() -> None:
    standing = replay([named(2, 1, "Ada"), named(1, 1, "Adda"), named(3, 2, "Bo"), named(4, 2, None)])
    assert standing.names == {1: "Ada"}


def test_a_merge_sets_the_name_of_who_stays() -> None:
    standing = replay([named(1, 2, "Ada"), merged(2, 1, 2, "Ada")])
    assert standing.names == {1: "Ada"}
    assert standing.forwards == {2: 1}


def test_chains_lead_to_the_last_survivor() -> None:
    standing = replay([merged(1, 2, 3), merged(2, 1, 2), merged(3, 3, 4), named(4, 4, "Ada")])
    assert standing.forwards == {3: 2, 2: 1, 4: 1}
    assert {standing.survivor(PersonId(person)) for person in (1, 2, 3, 4)} == {1}
    assert standing.names == {1: "Ada"}


def test_what_cannot_be_is_refused() -> None:
    log = [merged(1, 1, 2), merged(2, 2, 1), merged(3, 1, 1), merged(4, 3, 2), merged(5, 1, None), named(6, 1, "Ada")]
    standing = replay(log)
    assert standing.forwards == {2: 1}
    assert standing.refused == (2, 3, 4, 5)
    assert standing.names == {1: "Ada"}


def elsewhere(person: PersonId | None) -> PersonId | None:
    return None if person is None else PersonId(person + 100)


people = st.integers(1, 8)
names = st.none() | st.sampled_from(["Ada", "Bo", "Cy"])
logs = st.lists(
    st.one_of(
        st.builds(lambda person, name: named(0, person, name), people, names),
        st.builds(lambda into, absorbed, name: merged(0, into, absorbed, name), people, people, names),
    ),
    max_size=14,
).map(lambda log: [dataclasses.replace(one, id=DecisionId(i)) for i, one in enumerate(log, 1)])


@given(logs)
def test_every_chain_ends_with_somebody_who_stands(log: list[Decision]) -> None:
    standing = replay(log)
    for person in range(1, 9):
        survivor = standing.survivor(PersonId(person))
        assert survivor not in standing.forwards
    assert not set(standing.names) & set(standing.forwards)


@given(logs, st.randoms(use_true_random=False))
def test_replay_is_idempotent_and_needs_no_order(log: list[Decision], random: object) -> None:
    twice = [*log, *log]
    random.shuffle(twice)  # type: ignore[attr-defined]
    assert replay(twice) == replay(log)


@given(logs, logs, st.randoms(use_true_random=False))
def test_the_order_of_independent_decisions_does_not_matter(
    first: list[Decision], second: list[Decision], random: object
) -> None:
    """Two logs about different people, woven into one another in any way."""
    others = [dataclasses.replace(one, person=elsewhere(one.person), other=elsewhere(one.other)) for one in second]
    turns = [True] * len(first) + [False] * len(others)
    random.shuffle(turns)  # type: ignore[attr-defined]
    mine, theirs = iter(first), iter(others)
    woven = [dataclasses.replace(next(mine if turn else theirs), id=DecisionId(i)) for i, turn in enumerate(turns, 1)]
    one, other, both = replay(first), replay(others), replay(woven)
    assert both.names == {**one.names, **other.names}
    assert both.forwards == {**one.forwards, **other.forwards}
    assert len(both.refused) == len(one.refused) + len(other.refused)
