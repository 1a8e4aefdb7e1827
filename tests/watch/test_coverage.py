from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guyverd.watch.coverage import Budget, gather, watch_limit

PATHS = st.lists(st.lists(st.sampled_from([b"a", b"b", b"ab", b"c.d"]), max_size=4).map(b"/".join), max_size=30)


def holds(outer: bytes, inner: bytes) -> bool:
    return outer in (b"", inner) or inner.startswith(outer + b"/")


@pytest.mark.promise("watch-limit")
@given(PATHS, st.integers(1, 12))
def test_what_is_gathered_holds_everything_once(folders: list[bytes], most: int) -> None:
    gathered = gather(folders, most)
    assert len(gathered) <= most
    assert all(any(holds(outer, folder) for outer in gathered) for folder in folders)
    assert not any(holds(one, other) for one in gathered for other in gathered if one != other)
    assert list(gathered) == sorted(set(gathered))
    assert bool(gathered) == bool(folders)


def test_few_stay_as_they_are_and_many_give_way_to_their_parents_from_the_deepest_on() -> None:
    folders = [b"x", b"a/1", b"a/2", b"b/c/1", b"b/c/2", b"b/d/3"]
    assert gather(folders, 6) == (b"a/1", b"a/2", b"b/c/1", b"b/c/2", b"b/d/3", b"x")
    assert gather(folders, 5) == (b"a/1", b"a/2", b"b/c", b"b/d", b"x")
    assert gather(folders, 3) == (b"a", b"b", b"x")
    assert gather(folders, 2) == (b"",)
    assert gather([b"a", b"ab", b"a/b"], 9) == (b"a", b"ab")


def test_a_share_of_the_limit_is_left_to_others() -> None:
    budget = Budget(lambda: 800)
    assert budget.free
    budget.took(700)  # others hold the other hundred
    assert budget.spent() == 100
    assert (budget.excess, budget.free) == (100, False)
    budget.took(-100)
    assert (budget.held, budget.excess, budget.free) == (600, 0, False)
    budget.took(-1)
    assert budget.free, "a folder was deleted: another may take its watch"
    budget.took(1)
    budget.ask_again()
    assert budget.free


@pytest.mark.parametrize(
    ("limit", "held", "spare"), [(50, 50, 6), (8192, 10, 5), (10_000_000, 9_000_000, 4096), (None, 80, 10), (50, 1, 0)]
)
def test_how_much_is_given_back(limit: int | None, held: int, spare: int) -> None:
    budget = Budget(lambda: limit)
    budget.took(held)
    assert budget.spent() == spare


def test_this_system_has_a_limit() -> None:
    limit = watch_limit()
    assert limit is None or limit > 0
