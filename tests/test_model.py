"""The values that pass between rooms, where they do more than hold."""

from __future__ import annotations

import numpy as np

from guyverd.model import FaceTable

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
