"""Hashing: a bounded window, records in the order of files, and the priority of its threads."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from guyverd.catalogue.rows import RootRow
from guyverd.catalogue.store import Catalogue
from guyverd.errors import PictureMissing
from guyverd.model import Changes, SeenFile, Stamp
from guyverd.service.pipeline import identifying
from guyverd.service.pipeline.identifying import Identifying
from tests.catalogue.conftest import NOW, ROOT, content
from tests.service.conftest import eventually


def found(catalogue: Catalogue, root: RootRow, count: int) -> None:
    new = tuple(SeenFile(b"%04d.jpg" % n, Stamp(10, 1, n)) for n in range(count))
    catalogue.files.apply(root.id, Changes(new=new), NOW)


@pytest.fixture
def hashing(catalogue: Catalogue) -> Iterator[Identifying]:
    made = Identifying(catalogue, lambda: None, lambda file: None)
    yield made
    made.stop()


def test_however_many_wait_few_are_taken_up_and_records_are_in_their_order(
    catalogue: Catalogue, root: RootRow, hashing: Identifying, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[bytes] = []
    go = threading.Semaphore(0)

    def hash_file(path: bytes, *_: object) -> tuple[bytes, Stamp]:
        begun.append(path)
        go.acquire()
        time.sleep(random.Random(path).random() / 500)
        return content(os.fsdecode(path)), Stamp(10, 1, int(path[-8:-4]))

    monkeypatch.setattr(identifying, "hash_file", hash_file)
    found(catalogue, root, 500)
    for _ in range(10):
        hashing.advance()
    assert len(hashing._window) == 64
    assert len(begun) <= 2
    go.release(1000)

    def over() -> bool:
        assert len(hashing._window) <= 64
        hashing.advance()
        return not hashing.busy

    eventually(over)
    paths = [photo.paths[0] for photo in catalogue.photos.pending(1000)]
    assert paths == [ROOT + b"/%04d.jpg" % n for n in range(500)], "photos are numbered as files are"


@pytest.mark.parametrize("gentle", [True, False])
def test_hashing_lets_others_go_first_unless_it_is_to_be_quick(
    catalogue: Catalogue, root: RootRow, hashing: Identifying, monkeypatch: pytest.MonkeyPatch, gentle: bool
) -> None:
    seen: list[int] = []

    def hash_file(path: bytes, *_: object) -> tuple[bytes, Stamp]:
        seen.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        return content(os.fsdecode(path)), Stamp(10, 1, int(path[-8:-4]))

    monkeypatch.setattr(identifying, "hash_file", hash_file)
    found(catalogue, root, 20)
    hashing.set_gentle(gentle)
    eventually(lambda: hashing.advance() and not hashing.busy)
    own = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    assert set(seen) == {min(19, own + 10) if gentle else own}
    assert len(catalogue.photos.pending(100)) == 20


@pytest.mark.promise("offline")
def test_what_is_not_found_while_a_disk_is_away_is_not_gone(
    catalogue: Catalogue, root: RootRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hash_file(path: bytes, *_: object) -> tuple[bytes, Stamp]:
        raise PictureMissing(path=os.fsdecode(path))

    away = True
    hashing = Identifying(catalogue, lambda: None, lambda file: None, lost=lambda: away)
    monkeypatch.setattr(identifying, "hash_file", hash_file)
    found(catalogue, root, 3)
    for _ in range(20):
        hashing.advance()
        time.sleep(0.001)
    assert not any(known.missing for known in catalogue.files.known(root.id))
    away = False
    eventually(lambda: (hashing.advance() or True) and all(known.missing for known in catalogue.files.known(root.id)))
    hashing.stop()


def test_a_change_of_priority_loses_nothing(
    catalogue: Catalogue, root: RootRow, hashing: Identifying, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hash_file(path: bytes, *_: object) -> tuple[bytes, Stamp]:
        time.sleep(0.001)
        return content(os.fsdecode(path)), Stamp(10, 1, int(path[-8:-4]))

    monkeypatch.setattr(identifying, "hash_file", hash_file)
    found(catalogue, root, 300)
    turns = 0

    def over() -> bool:
        nonlocal turns
        turns += 1
        hashing.set_gentle(turns % 2 == 0)
        hashing.advance()
        return not hashing.busy

    eventually(over)
    assert turns > 3
    assert len(catalogue.photos.pending(1000)) == 300


@pytest.mark.promise("time")
def test_a_file_without_end_does_not_delay_the_stop(catalogue: Catalogue, root: RootRow, tmp_path: Path) -> None:
    """A terabyte, though nothing of it takes room: to read it whole takes a quarter of an hour."""
    catalogue.files.configure([os.fsencode(tmp_path)])
    (root,) = catalogue.files.roots()
    with (tmp_path / "huge.tif").open("wb") as huge:
        huge.truncate(10**12)
    status = (tmp_path / "huge.tif").stat()
    stamp = Stamp(status.st_size, status.st_mtime_ns, status.st_ino)
    catalogue.files.apply(root.id, Changes(new=(SeenFile(b"huge.tif", stamp),)), NOW)
    hashing = Identifying(catalogue, lambda: None, lambda file: None)
    hashing.advance()
    (_, future) = hashing._window[0]
    eventually(future.running)
    began = time.monotonic()
    hashing.stop()
    assert time.monotonic() - began < 8
    assert [file.path for file in catalogue.files.pending(10)] == [os.fsencode(tmp_path / "huge.tif")]
