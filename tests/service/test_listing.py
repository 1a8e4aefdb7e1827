"""Lists from the catalogue alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from guyverd.catalogue.rows import RootRow
from guyverd.catalogue.store import Catalogue
from guyverd.service.pipeline.listing import Listing
from tests.catalogue.conftest import add, read


@pytest.mark.parametrize("count", [1, 499, 500, 501, 502, 1203])
def test_every_face_is_listed_however_many_there_are(
    catalogue: Catalogue, root: RootRow, tmp_path: Path, count: int
) -> None:
    add(catalogue, root, {b"crowd.jpg": "crowd"})
    read(catalogue, 1, count)
    rows = list(Listing(catalogue, tmp_path / "People").faces())
    assert [row["face"] for row in rows] == list(range(1, count + 1))
