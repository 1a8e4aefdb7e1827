from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guyverd.errors import StateError
from guyverd.model import IndexStamp
from guyverd.people.directions import unit
from guyverd.people.index import FaceIndex
from guyverd.people.index_file import IndexRefused, maker, prune
from tests.promises import scaled

from .helpers import NO_IDS, faces_of

if TYPE_CHECKING:
    from guyverd.model import FloatArray, IntArray


def some(n: int, seed: int = 0) -> tuple[IntArray, FloatArray]:
    rng = np.random.default_rng(seed)
    return np.arange(1, n + 1, dtype=np.int64), faces_of(rng.integers(0, max(1, min(300, n // 8)), n), seed, 0.6)


def brute(ids: IntArray, vectors: FloatArray, queries: FloatArray, k: int) -> tuple[IntArray, FloatArray]:
    similar = unit(queries) @ unit(vectors).T
    order = np.argsort(-similar, axis=1, kind="stable")[:, :k]
    return ids[order], np.take_along_axis(similar, order, axis=1)


def test_recall_of_forty_neighbours_against_brute_force() -> None:
    ids, vectors = some(3000)
    found = FaceIndex.build(ids, vectors).neighbours(vectors, 40)
    truth, similar = brute(ids, vectors, vectors, 40)
    hits = sum(len(np.intersect1d(a, b)) for a, b in zip(found.ids, truth, strict=True))
    assert hits / truth.size > 0.995
    same = found.ids == truth
    np.testing.assert_allclose(found.similarity[same], similar[same], atol=2e-6)
    assert (found.ids[:, 0] == ids).all(), "a face finds itself first"
    assert (np.diff(found.similarity, axis=1) <= 0).all()


def test_fewer_faces_than_wanted_are_padded() -> None:
    ids, vectors = some(3)
    found = FaceIndex.build(ids, vectors).neighbours(vectors, 5)
    assert found.ids.shape == found.similarity.shape == (3, 5)
    assert (np.sort(found.ids[:, :3], axis=1) == ids).all()
    assert (found.ids[:, 3:] == -1).all()
    assert (found.similarity[:, 3:] == -1).all()


def test_an_empty_index_answers() -> None:
    found = FaceIndex().neighbours(some(2)[1], 4)
    assert (found.ids == -1).all()
    assert len(FaceIndex()) == 0
    assert len(FaceIndex.build(NO_IDS, np.empty((0, 128), np.float32)).ids()) == 0


def test_no_vectors_no_neighbours() -> None:
    ids, vectors = some(5)
    assert FaceIndex.build(ids, vectors).neighbours(vectors[:0], 4).ids.shape == (0, 4)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 0.0])
def test_what_is_no_direction_is_refused_and_nothing_is_added(bad: float) -> None:
    ids, vectors = some(4)
    index = FaceIndex.build(ids[:2], vectors[:2])
    vectors[3] = bad
    with pytest.raises(ValueError, match=r"vector 1 is zero or not finite"):
        index.add(ids[2:], vectors[2:])
    with pytest.raises(ValueError, match="zero or not finite"):
        index.neighbours(vectors, 2)
    assert index.ids().tolist() == [1, 2]


def test_wrong_shapes_and_ids_are_refused() -> None:
    ids, vectors = some(4)
    index = FaceIndex()
    for wrong_ids, wrong_vectors in (
        (ids, vectors[:, :64]),
        (ids[:3], vectors),
        (np.array([1, 1, 2, 3]), vectors),
        (np.array([-1, 1, 2, 3]), vectors),
    ):
        with pytest.raises(ValueError, match=r"shape|ids for|twice|negative"):
            index.add(wrong_ids, wrong_vectors)
    assert len(index) == 0


def test_it_grows_past_its_first_room() -> None:
    ids, vectors = some(2500)
    index = FaceIndex.build(ids[:10], vectors[:10])
    for start in range(10, 2500, 400):
        index.add(ids[start : start + 400], vectors[start : start + 400])
    assert len(index) == 2500
    assert (index.neighbours(vectors, 1).ids[:, 0] == ids).mean() > 0.999


def test_added_again_with_another_vector() -> None:
    ids, vectors = some(50)
    index = FaceIndex.build(ids, vectors)
    index.add(ids, vectors)
    index.add(ids[:1], -vectors[:1])
    assert len(index) == 50
    found = index.neighbours(-vectors[:1], 1)
    assert found.ids[0, 0] == 1
    assert found.similarity[0, 0] == pytest.approx(1, abs=1e-5)


def test_removed_faces_are_not_found_and_may_return() -> None:
    ids, vectors = some(300)
    index = FaceIndex.build(ids, vectors)
    index.remove(np.array([*range(1, 291), 9999, 1]))
    assert len(index) == 10
    assert 5 not in index
    assert 295 in index
    found = index.neighbours(vectors, 40)
    assert (np.sort(found.ids[:, :10], axis=1) == index.ids()).all()
    assert (found.ids[:, 10:] == -1).all()
    index.add(ids[:1], vectors[:1])
    assert index.neighbours(vectors[:1], 1).ids[0, 0] == 1


def test_the_same_calls_build_the_same_index(tmp_path: Path) -> None:
    ids, vectors = some(500)
    stamps = []
    for name in "ab":
        (tmp_path / name).mkdir()
        index = FaceIndex.build(ids[:200], vectors[:200])
        index.add(ids[200:], vectors[200:])
        stamps.append(index.save(str(tmp_path / name), 1))
    assert stamps[0] == stamps[1]


def test_saved_and_loaded_with_removed_faces(tmp_path: Path) -> None:
    ids, vectors = some(400)
    index = FaceIndex.build(ids, vectors)
    index.remove(ids[::3])
    folder = os.fsencode(tmp_path / "ind") + b"ex\xff"
    os.mkdir(folder)
    stamp = index.save(folder, 7)
    assert os.listdir(folder) == [b"faces-7.hnsw"]
    assert stamp.file == "faces-7.hnsw"
    assert stamp.size == os.path.getsize(os.path.join(folder, b"faces-7.hnsw"))
    loaded = FaceIndex.load(folder, stamp)
    assert (loaded.ids() == index.ids()).all()
    before, after = index.neighbours(vectors, 10), loaded.neighbours(vectors, 10)
    assert (before.ids == after.ids).all()
    loaded.add(np.array([9000]), vectors[:1])
    assert len(loaded) == len(index) + 1


def test_an_empty_index_is_saved_and_loaded(tmp_path: Path) -> None:
    stamp = FaceIndex().save(str(tmp_path), 1)
    loaded = FaceIndex.load(str(tmp_path), stamp)
    assert len(loaded) == 0


@pytest.mark.promise("index")
@settings(max_examples=scaled(60, 400), deadline=None)
@given(data=st.data())
def test_a_file_that_is_not_the_stamped_one_is_never_loaded(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("index")
    stamp = FaceIndex.build(*some(30)).save(str(folder), 1)
    path = folder / stamp.file
    content = bytearray(path.read_bytes())
    damage = data.draw(st.sampled_from(["flip", "cut", "grow", "gone", "empty"]))
    if damage == "flip":
        bit = data.draw(st.integers(0, len(content) * 8 - 1))
        content[bit // 8] ^= 1 << bit % 8
    elif damage == "cut":
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    elif damage == "grow":
        content += b"\0"
    elif damage == "empty":
        content.clear()
    path.write_bytes(content)
    if damage == "gone":
        path.unlink()
    with pytest.raises(IndexRefused):
        FaceIndex.load(str(folder), stamp)


def test_a_stamp_is_not_a_path(tmp_path: Path) -> None:
    stamp = FaceIndex.build(*some(5)).save(str(tmp_path), 1)
    inner = tmp_path / "inner"
    inner.mkdir()
    for name in ("../faces-1.hnsw", "", ".", "faces-1.hnsw\0"):
        with pytest.raises(IndexRefused, match="no name"):
            FaceIndex.load(str(inner), dataclasses.replace(stamp, file=name))
    with pytest.raises(IndexRefused, match="5 faces instead of 4"):
        FaceIndex.load(str(tmp_path), dataclasses.replace(stamp, count=4))
    (inner / "faces-2.hnsw").mkdir()
    with pytest.raises(IndexRefused, match=r"cannot be read|bytes instead of"):
        FaceIndex.load(str(inner), IndexStamp("faces-2.hnsw", 4096, "", 0, maker()))


@pytest.mark.promise("index", "disk")
def test_a_save_that_fails_is_an_error_and_leaves_the_old_one(tmp_path: Path) -> None:
    index = FaceIndex.build(*some(20))
    stamp = index.save(str(tmp_path), 1)
    # The name to write aside is taken by a link to a device that is always full.
    (tmp_path / "faces-1.hnsw.part").symlink_to("/dev/full")
    with pytest.raises(StateError, match="was not saved"):
        index.save(str(tmp_path), 1)
    assert not (tmp_path / "faces-1.hnsw.part").is_symlink()
    assert len(FaceIndex.load(str(tmp_path), stamp)) == 20
    with pytest.raises(StateError):
        index.save(str(tmp_path / "absent"), 1)


@pytest.mark.promise("index", "disk")
def test_a_file_cut_short_by_a_full_disk_is_never_taken_for_the_index(tmp_path: Path) -> None:
    """A limit on the size of files does what a full disk does; hnswlib reports neither."""
    code = """
import resource, signal, sys
import numpy as np
from guyverd.errors import StateError
from guyverd.people.index import FaceIndex
vectors = np.random.default_rng(0).normal(size=(500, 128)).astype(np.float32)
index = FaceIndex.build(np.arange(500), vectors)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    index.save(sys.argv[1], 1)
except StateError as error:
    print(error)
"""
    told = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert "bytes were written" in told.stdout
    assert os.listdir(tmp_path) == []


def test_where_hnswlib_gives_up_everything_is_compared() -> None:
    ids, vectors = some(100)
    index = FaceIndex.build(ids, vectors)
    index.remove(ids[:50])
    sound = index._hnsw

    class GivesUp:
        def __getattr__(self, name: str) -> object:
            return getattr(sound, name)

        def knn_query(self, *args: object) -> None:
            raise RuntimeError("Cannot return the results in a contiguous 2D array. Probably ef or M is too small")

    index._hnsw = GivesUp()  # type: ignore[assignment]
    found = index.neighbours(vectors, 60)
    truth, similar = brute(ids[50:], vectors[50:], vectors, 50)
    assert (found.ids[:, :50] == truth).mean() > 0.99
    np.testing.assert_allclose(found.similarity[:, :50], similar, atol=2e-6)
    assert (found.ids[:, 50:] == -1).all()


def test_prune_keeps_the_named_one_and_foreign_files(tmp_path: Path) -> None:
    index = FaceIndex.build(*some(5))
    for generation in (1, 2, 10):
        index.save(str(tmp_path), generation)
    (tmp_path / "faces-3.hnsw.part").touch()
    (tmp_path / "notes.txt").touch()
    prune(str(tmp_path), "faces-2.hnsw")
    assert sorted(os.listdir(tmp_path)) == ["faces-2.hnsw", "notes.txt"]
    prune(str(tmp_path / "absent"), "faces-2.hnsw")


def test_many_threads_at_once() -> None:
    ids, vectors = some(4000)
    index = FaceIndex.build(ids[:100], vectors[:100])
    problems: list[BaseException] = []

    def work(job: int) -> None:
        try:
            for start in range(100 + job * 650, 100 + (job + 1) * 650, 50):
                index.add(ids[start : start + 50], vectors[start : start + 50])
                found = index.neighbours(vectors[start : start + 50], 5)
                assert (found.ids[:, 0] == ids[start : start + 50]).all()
                index.remove(ids[start : start + 10])
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=work, args=(job,)) for job in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert len(index) == 4000 - 6 * 13 * 10


class Slow:
    """hnswlib that does one kind of call when it is let, and notes all."""

    def __init__(self, index: FaceIndex, call: str) -> None:
        self._sound = index._hnsw
        self._call = call
        self.calls: list[str] = []
        self.begun, self.go_on = threading.Event(), threading.Event()
        index._hnsw = self  # type: ignore[assignment]

    def __getattr__(self, name: str) -> object:
        found = getattr(self._sound, name)

        def called(*args: object, **named: object) -> object:
            self.calls.append(name)
            if name == self._call:
                self.begun.set()
                assert self.go_on.wait(20)
            return found(*args, **named)

        return called if callable(found) else found


def test_who_asks_while_many_are_added_waits_for_a_few_of_them_only() -> None:
    ids, vectors = some(1000)
    index = FaceIndex.build(ids[:10], vectors[:10])
    slow = Slow(index, "add_items")
    adding = threading.Thread(target=index.add, args=(ids[10:], vectors[10:]))
    adding.start()
    assert slow.begun.wait(20)
    found: list[IntArray] = []
    asking = threading.Thread(target=lambda: found.append(index.neighbours(vectors[:1], 5).ids))
    asking.start()
    while len(index._turns._queue) < 2:
        time.sleep(0.001)
    slow.go_on.set()
    for thread in (adding, asking):
        thread.join()
    order = [call for call in slow.calls if call in ("add_items", "knn_query")]
    assert order[:3] == ["add_items", "knn_query", "add_items"]
    assert order.count("add_items") > 10
    assert found[0][0, 0] == 1
    assert len(index) == 1000


def test_who_asks_while_it_is_saved_does_not_wait_and_who_adds_does(tmp_path: Path) -> None:
    ids, vectors = some(200)
    index = FaceIndex.build(ids[:150], vectors[:150])
    slow = Slow(index, "save_index")
    stamps: list[IndexStamp] = []
    saving = threading.Thread(target=lambda: stamps.append(index.save(str(tmp_path), 1)))
    saving.start()
    assert slow.begun.wait(20)
    assert index.neighbours(vectors[:1], 5).ids[0, 0] == 1
    adding = threading.Thread(target=index.add, args=(ids[150:], vectors[150:]))
    adding.start()
    adding.join(0.05)
    assert adding.is_alive()
    slow.go_on.set()
    for thread in (saving, adding):
        thread.join()
    assert stamps[0].count == 150
    assert len(index) == 200
    assert FaceIndex.load(str(tmp_path), stamps[0]).ids().tolist() == ids[:150].tolist()


def test_a_thorough_question_finds_what_a_quick_one_misses() -> None:
    rng = np.random.default_rng(5)
    # Without any structure neighbours are as hard to find as they can be.
    vectors = rng.standard_normal((6000, 128)).astype(np.float32)
    ids = np.arange(6000)
    index = FaceIndex.build(ids, vectors)
    asked = rng.standard_normal((30, 128)).astype(np.float32)
    truth, _ = brute(ids, vectors, asked, 20)

    def hits(*, thorough: bool) -> int:
        found = index.neighbours(asked, 20, thorough=thorough).ids
        return sum(len(np.intersect1d(a, b)) for a, b in zip(found, truth, strict=True))

    assert hits(thorough=True) > 0.99 * truth.size > hits(thorough=False)
