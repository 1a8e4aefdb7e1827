"""dlib's files with every number in them replaced by others: an error in words, and no memory for what is not there."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guyverd.errors import EngineError
from guyverd.faces import dat
from tests.faces.test_dat import DETECTOR, EMBEDDING, whole
from tests.promises import scaled

pytestmark = [pytest.mark.promise("fuzz"), pytest.mark.timeout(1800)]


def _numbers(data: bytes) -> list[tuple[int, int]]:
    """Where whole numbers stand: their first byte and the one after the last."""
    found: list[tuple[int, int]] = []

    class Noting(dat._Stream):
        def whole(self) -> int:
            before = self._at
            value = super().whole()
            found.append((before, self._at))
            return value

    dat._network(Noting(data))
    return found


NUMBERS = _numbers(DETECTOR)
NASTY = st.one_of(
    st.sampled_from([0, 1, -1, 2, 3, 255, 1 << 16, 1 << 31, (1 << 31) - 1, 1 << 32, (1 << 62), (1 << 63) - 1, 1 << 63]),
    st.sampled_from([(1 << 64) - 1, -(1 << 63), 32000, 32001, 32002, 1024, -1080]),
    st.integers(-(1 << 64) + 1, (1 << 64) - 1),
)


def test_the_numbers_are_found() -> None:
    assert len(NUMBERS) > 300


@settings(deadline=None, max_examples=scaled(200, 2500))
@given(st.lists(st.tuples(st.sampled_from(NUMBERS), NASTY), min_size=1, max_size=4, unique_by=lambda pair: pair[0]))
def test_any_numbers_are_an_engine_error_or_another_network(changes: list[tuple[tuple[int, int], int]]) -> None:
    data = DETECTOR
    for (start, end), value in sorted(changes, reverse=True):
        data = data[:start] + whole(value) + data[end:]
    tracemalloc.start()
    try:
        network = dat.read(data)
    except EngineError as problem:
        assert "\n" not in problem.message  # noqa: PT017
    else:
        assert len(network.layers) < 1000
    finally:
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert most < 4 * len(DETECTOR), "no memory is taken for what the file does not hold"


@settings(deadline=None, max_examples=scaled(60, 3000))
@given(st.data())
def test_any_piece_of_a_network_is_none(chance: st.DataObject) -> None:
    """Cut out, doubled, exchanged with a piece of another."""
    data = bytearray(DETECTOR)
    start = chance.draw(st.integers(0, len(data) - 1))
    end = chance.draw(st.integers(start, min(len(data), start + 5000)))
    kind = chance.draw(st.sampled_from(["cut", "double", "exchange", "zeros"]))
    if kind == "cut":
        del data[start:end]
    elif kind == "double":
        data[start:start] = data[start:end]
    elif kind == "exchange":
        data[start:end] = EMBEDDING[start:end]
    else:
        data[start:end] = bytes(end - start)
    try:
        network = dat.read(bytes(data))
    except EngineError:
        return
    assert len(data) == len(DETECTOR)
    assert len(network.layers) == len(dat.read(DETECTOR).layers)
    assert isinstance(network.layers[0], dat.Convolution)
    assert network.layers[0].filters.dtype == np.float32
