"""However many files there are: a comparison holds a piece of them at a time, and a daemon stays small and quick."""

from __future__ import annotations

import gc
import os
import shutil
import statistics
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.million import DEEP, make, measure
from guyverd import config_file
from guyverd.catalogue.store import Catalogue
from guyverd.model import KnownFile, SeenFile
from guyverd.service.pipeline.observing import Observing
from guyverd.service.pipeline.surveying import STEP
from tests.promises import scaled

pytestmark = pytest.mark.promise("scale")

FILES = scaled(8_000, 100_000)
MILLION = 1_000_000


def held() -> int:
    """How many files are in memory, as known or as seen."""
    return sum(type(one) is KnownFile or type(one) is SeenFile for one in gc.get_objects())


@pytest.fixture
def observing(tmp_path: Path, write_config: Callable[..., Path]) -> Iterator[tuple[Observing, Catalogue]]:
    make(tmp_path / "photos", FILES)
    with Catalogue(os.fsencode(tmp_path / "catalogue.db")) as catalogue:
        config = config_file.load(write_config(tmp_path / "photos"))
        made = Observing(config, catalogue, lambda *_: None, lambda: 4e9)
        made.inspect_roots()
        yield made, catalogue


def compare(observing: Observing) -> int:
    """A comparison of everything; tells how many files were in memory at the end of a step, at most."""
    gc.collect()
    before, most = held(), 0
    observing.survey_all()
    while observing.surveying:
        observing.advance()
        most = max(most, held() - before)
    return most


def test_a_comparison_never_holds_more_than_a_piece(
    observing: tuple[Observing, Catalogue], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, catalogue = observing
    asked: list[int] = []
    known_between, known_of = catalogue.files.known_between, catalogue.files.known_of

    def noted(found: list[KnownFile]) -> list[KnownFile]:
        asked.append(len(found))
        return found

    monkeypatch.setattr(catalogue.files, "known_between", lambda *given: noted(known_between(*given)))
    monkeypatch.setattr(catalogue.files, "known_of", lambda files: noted(known_of(files)))
    assert compare(made) <= 2 * STEP
    (root,) = catalogue.files.roots()
    assert catalogue.counts().files == FILES
    deepest = max(row[0].count(b"/") for row in catalogue._db.rows("SELECT path FROM files"))
    assert deepest == DEEP
    found, before = made.found, sum(asked)
    assert compare(made) <= 2 * STEP, "nor where every one is known"
    assert made.found - found == FILES
    assert sum(asked) - before == FILES, "each is asked for once"
    shutil.rmtree(tmp_path / "photos" / "deep")
    assert compare(made) <= 2 * STEP, "nor where half of them went"
    assert catalogue.counts().files == FILES // 2
    assert max(asked) <= STEP
    assert root.path == os.fsencode(tmp_path / "photos")


@pytest.mark.torture
@pytest.mark.timeout(3 * 3600)
def test_a_million_files_are_compared_in_little_memory_and_status_answers_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The bound on time is what is promised: less than a second, whatever goes on."""
    place = Path(tempfile.gettempdir())
    free = os.statvfs(place)
    if free.f_bavail * free.f_frsize < 12e9 or (free.f_files and free.f_favail < 1.2 * MILLION):
        pytest.skip(f"a million files do not fit into {place}")
    monkeypatch.setenv("RUNTIME_DIRECTORY", "")
    # Not in pytest's own folder, which keeps the last three.
    with tempfile.TemporaryDirectory(prefix="guyverd-million-", dir=place) as folder:
        make(Path(folder) / "photos", MILLION)
        found = measure(Path(folder))
    told = (
        f"{found.files} files: first {found.first:.0f} s, identified {found.identified:.0f} s, second"
        f" {found.second:.0f} s, {found.peak / 1e6:.0f} MB, status {statistics.median(found.answers):.3f} s,"
        f" at most {max(found.answers):.3f} s of {len(found.answers)}"
    )
    print(told)
    assert found.files == found.photos == MILLION, told
    assert found.peak < 1e9, told
    assert max(found.answers) < 1.0, told
    assert len(found.answers) > 50, told
