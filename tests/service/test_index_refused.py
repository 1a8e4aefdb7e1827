"""A saved index that is damaged, or that something else wrote: it is never loaded, but told and made anew."""

from __future__ import annotations

import dataclasses
import logging
import os
import random
import subprocess
import sys
from collections.abc import Iterator

import hnswlib
import numpy as np
import pytest

from guyverd.catalogue.store import Catalogue
from guyverd.config import Config
from guyverd.model import IndexStamp
from guyverd.people.index_file import maker
from guyverd.service.access import open_library
from guyverd.service.pipeline.grouping import Grouping
from tests.promises import scaled
from tests.service.conftest import scan

pytestmark = pytest.mark.promise("index")

_HEADER = 96
"""Bytes of sizes and parameters with which hnswlib's file begins."""


class Saved:
    """The index of a library of real photos, its file, and what hnswlib was asked to load since it was last asked."""

    def __init__(self, config: Config, catalogue: Catalogue, loaded: list[str]) -> None:
        self.config = config
        self.catalogue = catalogue
        self.loaded = loaded
        stamp = catalogue.index_stamp()
        assert stamp is not None
        self.stamp = stamp
        self.path = config.state / "index" / stamp.file
        self.content = self.path.read_bytes()
        self.faces = catalogue.photos.all_ids()
        assert len(self.faces) > 5

    def opened(self) -> Grouping:
        """What a program that starts now works with."""
        self.loaded.clear()
        grouping = Grouping(self.config, self.catalogue)
        np.testing.assert_array_equal(grouping.index.ids(), self.faces)
        vectors = self.catalogue.photos.table(self.faces).vectors
        assert (grouping.index.neighbours(vectors, 1).similarity > 0.9999).all()
        return grouping

    def refused(self, caplog: pytest.LogCaptureFixture) -> str:
        """Start with it; hnswlib must not have seen the file. Returns what was told."""
        caplog.clear()
        with caplog.at_level(logging.INFO):
            self.opened()
        assert self.loaded == []
        told = [record.getMessage() for record in caplog.records if "rebuilt" in record.getMessage()]
        assert len(told) == 1
        return told[0]


@pytest.fixture(autouse=True)
def _this_maker() -> Iterator[None]:
    yield
    maker.cache_clear()


@pytest.fixture
def saved(config: Config, monkeypatch: pytest.MonkeyPatch) -> Iterator[Saved]:
    scan(config)
    loaded: list[str] = []

    class Recording(hnswlib.Index):
        def load_index(self, path_to_index: str | bytes, max_elements: int = 0) -> None:
            loaded.append(os.fsdecode(path_to_index))
            super().load_index(path_to_index, max_elements)

    monkeypatch.setattr(hnswlib, "Index", Recording)
    with Catalogue(os.fsencode(config.state / "catalogue.db")) as catalogue:
        yield Saved(config, catalogue, loaded)


def damages(content: bytes, count: int, chance: random.Random) -> Iterator[bytes]:
    """So many files that are not this one: bits flipped each in another place, cut short, grown, swapped, emptied."""
    places = {*chance.sample(range(_HEADER * 8), count // 4)}
    while len(places) < count // 2:
        places.add(chance.randrange(len(content) * 8))
    for place in sorted(places):
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        yield bytes(flipped)
    lengths = {0, 1, _HEADER, len(content) - 1}
    while len(lengths) < count // 4:
        lengths.add(chance.randrange(len(content)))
    for length in sorted(lengths):
        yield content[:length]
    for _ in range(count - count // 2 - len(lengths)):
        # Of the right size: a sector that was never written, or that is another's.
        start = chance.randrange(0, len(content) - 512)
        part = bytes(512) if chance.random() < 0.5 else chance.randbytes(512)
        yield content[:start] + part + content[start + 512 :]


def test_no_damaged_file_is_loaded(saved: Saved, caplog: pytest.LogCaptureFixture) -> None:
    saved.opened()
    assert saved.loaded == [str(saved.path)], "the right one is"
    cases = 0
    for content in damages(saved.content, scaled(40, 200), random.Random(5)):
        if content == saved.content:
            continue
        saved.path.write_bytes(content)
        told = saved.refused(caplog)
        assert "bytes instead of" in told or "not as it was saved" in told, told
        cases += 1
    assert cases >= scaled(38, 195)
    saved.path.unlink()
    assert "is missing" in saved.refused(caplog)
    saved.path.symlink_to(saved.path)
    assert "cannot be read" in saved.refused(caplog)


ELSEWHERE: dict[str, tuple[str, object]] = {
    "another release": ("metadata.version", lambda _: "0.9.1"),
    "another build": ("hnswlib.__file__", os.__file__),
    "another kind of machine": ("platform.machine", lambda: "aarch64"),
    "other bytes": ("sys.byteorder", "big"),
    "other words": ("struct.calcsize", lambda _: 4),
    "other parameters": ("LINKS", 24),
}
"""What is otherwise there, in the module that asks for it."""


def test_what_something_else_wrote_is_not_loaded_and_is_replaced(
    saved: Saved, caplog: pytest.LogCaptureFixture
) -> None:
    here = maker()
    for what, (name, other) in ELSEWHERE.items():
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setattr(f"guyverd.people.index_file.{name}", other)
            maker.cache_clear()
            assert maker() != here, what
            told = saved.refused(caplog)
            assert here in told, what
            assert maker() in told, what
        maker.cache_clear()
    unknown = dataclasses.replace(saved.stamp, maker="")
    saved.catalogue.set_index_stamp(unknown)
    assert "an earlier version" in saved.refused(caplog)

    # Once: what is saved then is used from then on.
    saved.opened().save(now=True)
    now = saved.catalogue.index_stamp()
    assert now is not None
    assert now.maker == here
    saved.opened()
    assert saved.loaded == [str(saved.config.state / "index" / now.file)]


def test_a_stamp_of_before_it_was_noted_who_made_it(saved: Saved, caplog: pytest.LogCaptureFixture) -> None:
    """As the first releases wrote it; and one that nobody can read."""
    old = {key: value for key, value in dataclasses.asdict(saved.stamp).items() if key != "maker"}
    assert IndexStamp(**old).maker == ""
    for text in (repr(old).replace("'", '"'), '{"file": 1, "future": 2}', "no JSON"):
        _note(saved.catalogue, text)
        saved.refused(caplog)


def _note(catalogue: Catalogue, text: str) -> None:
    catalogue._db.write(lambda db: db.execute("UPDATE meta SET value = ? WHERE key = 'index'", (text,)))


def test_check_says_what_is_wrong_with_it_and_mends_it(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    scan(config)
    assert _checked(config) == ""
    with monkeypatch.context() as changed:
        changed.setattr("guyverd.people.index_file.platform.machine", lambda: "riscv64")
        maker.cache_clear()
        assert "riscv64" in _checked(config)
    maker.cache_clear()
    file = next((config.state / "index").iterdir())
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert "not as it was saved" in _checked(config)
    assert _checked(config, repair=True) == ""
    assert _checked(config) == ""


def _checked(config: Config, *, repair: bool = False) -> str:
    with open_library(config) as library:
        row = next(row for row in library.check(repair)["checks"] if row["name"] == "index")
    return "" if row["ok"] else str(row["detail"])


def test_two_processes_agree_who_they_are() -> None:
    code = "from guyverd.people.index_file import maker; print(maker())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == maker()
