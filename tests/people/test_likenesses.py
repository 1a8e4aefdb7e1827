"""Which pictures are near-identical."""

from __future__ import annotations

import numpy as np

from guyverd.people.directions import unit
from guyverd.people.likenesses import ALIKE, CHIP, SAME, WHOLE, Look, differing, groups

NONE = Look(None, None)


def bits(count: int) -> int:
    """A hash that differs in so many bits from 0."""
    found = sum(1 << (place * 5) % 64 for place in range(count))
    return found - (1 << 64) if found >= 1 << 63 else found


def at(*cosines: float) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Unit vectors with these cosines to the first axis, and no others in common."""
    found = np.zeros((len(cosines), 128), np.float32)
    for row, cosine in enumerate(cosines):
        found[row, 0], found[row, row + 1] = cosine, np.sqrt(1 - cosine * cosine)
    return unit(found)


def test_bits_are_counted_of_numbers_with_a_sign() -> None:
    zero, every = np.zeros(4, np.int64), np.full(2, -1, np.int64)
    assert differing(zero, np.array([0, 1, -1, bits(30)], np.int64)).tolist() == [0, 1, 64, 30]
    assert differing(every, np.array([-1, 0], np.int64)).tolist() == [0, 64]


def test_the_same_again_and_what_was_cropped() -> None:
    first = Look(0, 0)
    saved_again, cropped = Look(bits(WHOLE), bits(60)), Look(bits(60), bits(CHIP))
    other = Look(bits(WHOLE + 1), bits(CHIP + 1))
    near = at(1, 0.98, 0.98, 0.98)
    assert groups(near, [first, saved_again, cropped, other]) == [[0, 1, 2], [3]]


def test_whose_face_is_another_is_no_copy_however_alike_the_pictures() -> None:
    assert groups(at(1, ALIKE - 0.01), [Look(0, 0), Look(0, 0)]) == [[0], [1]]


def test_without_hashes_the_face_alone_tells() -> None:
    assert groups(at(1, SAME + 0.001, SAME - 0.003), [NONE, NONE, NONE]) == [[0, 1], [2]]
    assert groups(at(1, 0.98), [Look(0, None), Look(None, 0)]) == [[0], [1]], "what one has the other has not"


def test_what_is_apart_stays_apart() -> None:
    same = np.tile(at(1), (3, 1))
    assert groups(same, [Look(0, 0), Look(0, 0, 1), Look(0, 0)]) == [[0, 2], [1]]


def test_more_than_are_compared_at_a_time() -> None:
    many = np.tile(at(1), (2500, 1))
    assert groups(many, [Look(0, 0)] * 2500) == [list(range(2500))]
