"""The values that pass between rooms, where they do more than hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guyverd.model import FaceTable, RootIdentity, Stamp, storable

TABLE = FaceTable(
    np.array([7, 3, 9], np.int64),
    np.array([1, 1, 2], np.int64),
    np.array([0.5, 0.25, 1], np.float32),
    np.array([0, 4, 4], np.int64),
    np.arange(3 * 128, dtype=np.float32).reshape(3, 128),
)


def test_some_rows_of_a_table_in_the_order_asked_for() -> None:
    found = TABLE.of(np.array([2, 0]))
    assert len(found) == 2
    assert found.ids.tolist() == [9, 7]
    assert found.photos.tolist() == [2, 1]
    assert found.quality.tolist() == [1, 0.5]
    assert found.people.tolist() == [4, 0]
    assert found.vectors[:, 0].tolist() == [256, 0]


def test_rows_may_be_chosen_by_what_holds_for_them() -> None:
    assert TABLE.of(TABLE.people == 4).ids.tolist() == [3, 9]
    assert len(TABLE.of(TABLE.people == 5)) == 0
    assert TABLE.of(TABLE.people == 5).vectors.shape == (0, 128)


@pytest.mark.promise("time", "names")
@given(st.integers(-(2**64), 2**64), st.integers(-(2**64), 2**64))
def test_what_a_file_system_says_can_be_kept_and_stays_distinct(mtime: int, inode: int) -> None:
    stamp = Stamp(1, mtime, inode)
    assert -(2**63) <= stamp.mtime_ns < 2**63
    assert -(2**63) <= stamp.inode < 2**63
    assert Stamp(1, stamp.mtime_ns, stamp.inode) == stamp, "what was kept is what is seen the next time"
    assert storable(inode) != storable(inode + 1)
    assert RootIdentity(inode, mtime) == RootIdentity(storable(inode), storable(mtime))


def test_what_is_common_stays_as_it_is() -> None:
    assert Stamp(5, 1_700_000_000_123_456_789, 42).mtime_ns == 1_700_000_000_123_456_789
    assert storable(-1) == -1
    assert storable(2**64 - 1) == -1
