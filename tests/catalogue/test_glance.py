"""Names read from outside, whatever state the file is in."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

import pytest

from guyverd.catalogue.glance import names_in
from guyverd.catalogue.rows import RootRow
from guyverd.catalogue.store import Catalogue
from guyverd.errors import CatalogueError
from guyverd.model import Assignment, FaceId, PersonId
from guyverd.service.pipeline.words.deciding import Deciding
from tests.catalogue.conftest import NOW, library


def test_names_are_read_while_the_library_is_at_work(catalogue: Catalogue, root: RootRow, path: bytes) -> None:
    library(catalogue, root, [1, 1, 1, 1])
    catalogue.people.assign([Assignment(FaceId(face), None, face, 0.9) for face in (1, 2, 3, 4)], [], 4, NOW)
    deciding = Deciding(catalogue)
    assert names_in(path) == []
    for person, name in enumerate(("Al", "Bo", "Cy"), 1):
        deciding.name(PersonId(person), name)
    deciding.hide(PersonId(2))
    assert sorted(names_in(path)) == ["Al", "Bo", "Cy"]
    assert names_in(path, hidden=True) == ["Bo"]
    deciding.merge(PersonId(1), PersonId(3))
    assert names_in(path, hidden=False) == ["Al"]


def test_a_file_that_cannot_be_read_is_one_error(tmp_path: Path, path: bytes) -> None:
    before = os.listdir(tmp_path)
    with pytest.raises(CatalogueError):
        names_in(path)
    assert os.listdir(tmp_path) == before, "no file is made"
    Path(os.fsdecode(path)).write_bytes(b"\0" * 5000)
    with pytest.raises(CatalogueError):
        names_in(path)
    os.unlink(path)
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE people (called TEXT)")
    with pytest.raises(CatalogueError, match="no such column"):
        names_in(path)
