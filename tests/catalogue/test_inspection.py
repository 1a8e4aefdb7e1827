"""A look at the file from outside, whatever state it is in."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from guyverd.catalogue.inspection import Inspection, inspect, sqlite_version
from guyverd.catalogue.rows import RootRow
from guyverd.catalogue.schema import KNOWN
from guyverd.catalogue.store import Catalogue
from guyverd.model import IndexStamp, PhotoId, PhotoState
from tests.catalogue.conftest import NOW, ROOT, add, identify, library

pytestmark = pytest.mark.promise("report")

LATER = 1_800_000_000.0


def look(path: bytes, seconds: float = 30.0) -> Inspection:
    return inspect(path, seconds=seconds, now=LATER)


def files_of(path: bytes) -> dict[str, bytes]:
    folder = Path(os.fsdecode(path)).parent
    return {one.name: one.read_bytes() for one in folder.iterdir() if one.is_file()}


@pytest.fixture
def kept(path: bytes) -> bytes:
    """A catalogue with something in it, closed."""
    with Catalogue(path) as catalogue:
        catalogue.files.configure([ROOT])
        root = catalogue.files.roots()[0]
        library(catalogue, root, [1, 2, 3])
        add(catalogue, root, {b"x/bad.JPG": "bad", b"x/worse.heic": "worse", b"noext": "none"})
        identify(catalogue, {b"x/bad.JPG": "bad", b"x/worse.heic": "worse"})
        catalogue.photos.failed(PhotoId(4), PhotoState.FAILED, "truncated", 1, NOW)
        catalogue.photos.failed(PhotoId(5), PhotoState.QUARANTINED, "killed by SIGSEGV", 3, NOW)
        catalogue.set_index_stamp(IndexStamp("faces-1.hnsw", 10, "00", 6))
        catalogue.heard.pause("too much", NOW)
        catalogue.files.scanned(root.id, NOW)
    return path


def test_what_is_in_a_good_one(kept: bytes) -> None:
    before = files_of(kept)
    seen = look(kept)
    assert seen.problems == {}
    assert seen.exists
    assert seen.size > 0
    assert (seen.missing, seen.newer, seen.damage) == (frozenset(), frozenset(), ())
    assert seen.counts["photos"] == sum(seen.states.values())
    assert seen.states["failed"] == seen.states["quarantined"] == 1
    (root,) = seen.roots
    assert (root.path, root.state, root.scanned_at) == (ROOT, "online", NOW)
    assert root.files == sum(seen.extensions.values())
    assert ("failed", "truncated", "jpg", 1) in seen.reasons
    assert ("quarantined", "killed by SIGSEGV", "heic", 1) in seen.reasons
    assert seen.extensions[""] == 1
    assert seen.index is not None
    assert seen.index.file == "faces-1.hnsw"
    assert seen.paused
    assert seen.links == 0
    assert seen.latest is not None
    assert all(photo.startswith(ROOT + b"/") for photo in seen.some_photos)
    assert seen.some_photos
    assert all(as_made for _, _, as_made in seen.objects)
    assert {name for kind, name, _ in seen.objects if kind == "table"} >= {"files", "photos", "people", "decisions"}
    assert {name: content for name, content in files_of(kept).items() if not name.endswith(("-shm", "-wal"))} == {
        name: content for name, content in before.items() if not name.endswith(("-shm", "-wal"))
    }, "not a byte of it was changed"


def test_files_of_the_future_are_counted(catalogue: Catalogue, root: RootRow, path: bytes) -> None:
    add(catalogue, root, {b"a.jpg": "a"})
    assert inspect(path, seconds=30, now=LATER).future == 0
    assert inspect(path, seconds=30, now=-100_000.0).future == 1


def test_one_that_is_in_use(catalogue: Catalogue, root: RootRow, path: bytes) -> None:
    add(catalogue, root, {b"a.jpg": "a"})
    seen = look(path)
    assert seen.problems == {}
    assert seen.counts["files"] == 1
    assert seen.log_size > 0


def test_one_that_is_not_there(tmp_path: Path) -> None:
    seen = look(os.fsencode(tmp_path / "none.db"))
    assert (seen.exists, seen.problems, seen.damage) == (False, {}, None)
    assert list(tmp_path.iterdir()) == []


def test_one_of_tomorrow(kept: bytes) -> None:
    with sqlite3.connect(os.fsdecode(kept)) as db:
        db.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('guyverd', 'warp', '2099-01-01')"
        )
        db.execute("CREATE TABLE strange (x)")
    seen = look(kept)
    assert seen.newer == {"warp"}
    assert ("table", "strange", False) in seen.objects
    assert "strange" not in seen.counts, "only what is known is asked"


def test_one_of_yesterday(kept: bytes) -> None:
    newest = max(KNOWN)
    with sqlite3.connect(os.fsdecode(kept)) as db:
        db.execute("DELETE FROM _sqlite_migrations WHERE name = ?", (newest,))
    assert look(kept).missing == {newest}


@pytest.mark.parametrize("content", [b"", b"no catalogue at all" * 1000])
def test_one_that_is_none(path: bytes, content: bytes) -> None:
    Path(os.fsdecode(path)).write_bytes(content)
    seen = look(path)
    assert seen.exists
    assert seen.counts == {}
    assert seen.problems or seen.missing == KNOWN


def test_damage_is_found_and_the_rest_is_told(kept: bytes) -> None:
    file = Path(os.fsdecode(kept))
    data = bytearray(file.read_bytes())
    for page in range(8, len(data) // 4096, 3):
        data[4096 * page + 8 : 4096 * page + 200] = b"\xaa" * 192
    file.write_bytes(data)
    seen = look(kept)
    assert seen.damage or "damage" in seen.problems
    assert seen.pragmas["page_size"] == 4096


def test_a_look_that_takes_too_long_is_given_up(catalogue: Catalogue, root: RootRow, path: bytes) -> None:
    add(catalogue, root, {b"%d.jpg" % n: str(n) for n in range(20_000)})
    seen = look(path, seconds=-1.0)
    assert seen.took_too_long
    assert seen.damage is None
    assert seen.problems["damage"] == "it took too long"


def test_the_version_is_that_of_the_library() -> None:
    assert sqlite_version() == sqlite3.sqlite_version
