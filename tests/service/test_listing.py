"""Lists from the catalogue alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from guyverd.catalogue.rows import RootRow
from guyverd.catalogue.store import Catalogue
from guyverd.service.pipeline.listing import Listing
from tests.catalogue.conftest import ROOT, add, read


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    with Catalogue(bytes(tmp_path / "catalogue.db")) as catalogue:
        yield catalogue


@pytest.mark.parametrize("count", [1, 499, 500, 501, 502, 1203])
def test_every_face_is_listed_however_many_there_are(catalogue: Catalogue, tmp_path: Path, count: int) -> None:
    catalogue.files.configure([ROOT])
    [root] = catalogue.files.roots()
    assert isinstance(root, RootRow)
    add(catalogue, root, {b"crowd.jpg": "crowd"})
    read(catalogue, 1, count)
    rows = list(Listing(catalogue, tmp_path / "People").faces())
    assert [row["face"] for row in rows] == list(range(1, count + 1))
