"""An evaluation's state: gone at the end, or kept for the next; nobody else's folder is ever taken for it."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from guyverd import config_file
from guyverd.catalogue.store import Catalogue
from guyverd.config import Config, Faces
from guyverd.errors import AlreadyRunning, ConfigError, NotKept
from guyverd.service.lock import held
from guyverd.service.pipeline.evaluation.workplace import workplace
from guyverd.service.pipeline.looking import Looking
from tests.service.conftest import ASTRONAUT, scan


def catalogue(config: Config) -> Catalogue:
    return Catalogue(os.fsencode(config.state / "catalogue.db"))


def found(config: Config) -> list[tuple[tuple[bytes, ...], tuple[int, ...]]]:
    with catalogue(config) as opened:
        return [(photo.files, photo.people) for photo in opened.readings.all()]


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many photos each pass was given by its workers."""
    counted: list[int] = []
    record = Looking._record

    def counting(self: Looking) -> bool:
        before = self.tally.photos
        answer = record(self)
        counted.append(self.tally.photos - before)
        return answer

    monkeypatch.setattr(Looking, "_record", counting)
    return counted


def test_without_a_place_to_keep_nothing_is_left(photos: Path) -> None:
    with workplace(photos, None, None) as config:
        assert config.photos == (photos,)
        config.state.mkdir()
        place = config.state.parent
    assert not place.exists()


def test_settings_are_those_of_a_config_that_is_named(photos: Path, config: Config, tmp_path: Path) -> None:
    tried = dataclasses.replace(config, faces=Faces(smallest=0.1), photos=(tmp_path / "other",))
    with workplace(photos, tried, None) as made:
        assert made.faces.smallest == 0.1
        assert made.photos == (photos,)
        assert made.state != tried.state
        assert made.people != tried.people
    with workplace(photos, None, None) as made:
        assert made.faces == Faces()


def test_what_was_found_is_kept_and_people_are_found_anew(photos: Path, tmp_path: Path, reads: list[int]) -> None:
    keep = tmp_path / "kept"
    (photos / "copy.jpg").write_bytes((photos / f"{ASTRONAUT}0.jpg").read_bytes())
    with workplace(photos, None, keep) as config:
        scan(config)
        first = found(config)
    assert sum(reads) == 9
    reads.clear()
    with workplace(photos, None, keep) as config:
        with catalogue(config) as opened:
            assert opened.counts().people == 0
            assert opened.counts().faces == opened.counts().ungrouped_faces == 10
            assert [photo.files for photo in opened.readings.all()] == [files for files, _ in first]
        scan(config)
        assert found(config) == first, "the same photos, in the same order, and so the same people"
    assert sum(reads) == 0
    (photos / f"{ASTRONAUT}1.jpg").unlink()
    (photos / f"{ASTRONAUT}2.jpg").rename(photos / "moved.jpg")
    (photos / "both.jpg").write_bytes((photos / "hopper0.jpg").read_bytes() + b"\0")
    os.utime(photos / "both.jpg", (1_600_000_000, 1_600_000_000))
    with workplace(photos, None, keep) as config:
        scan(config)
        paths = {path for files, _ in found(config) for path in files}
    assert sum(reads) == 1, "only the file with other bytes"
    assert paths == {os.fsencode(path) for path in photos.glob("*.jpg")}


def test_photos_are_read_again_where_they_would_be_read_otherwise(
    photos: Path, tmp_path: Path, config: Config, reads: list[int]
) -> None:
    keep = tmp_path / "kept"
    for smallest, read in ((0.04, 9), (0.04, 0), (0.2, 9)):
        tried = dataclasses.replace(config, faces=Faces(smallest=smallest))
        reads.clear()
        with workplace(photos, tried, keep) as made:
            scan(made)
        assert sum(reads) == read
    other = tmp_path / "other"
    other.mkdir()
    (photos / "hopper0.jpg").rename(other / "hopper0.jpg")
    with workplace(other, tried, keep) as made:
        scan(made)
        assert [files for files, _ in found(made)] == [(os.fsencode(other / "hopper0.jpg"),)]


def test_a_folder_that_holds_other_things_is_left_alone(photos: Path, config: Config, tmp_path: Path) -> None:
    scan(config)
    before = sorted(path.name for path in config.state.iterdir())
    for folder in (config.state, tmp_path):
        with pytest.raises(NotKept), workplace(photos, None, folder):
            pass
    assert sorted(path.name for path in config.state.iterdir()) == before
    with pytest.raises(ConfigError), workplace(photos, None, photos / "new"):
        pass


def test_an_evaluation_that_was_killed_half_way_is_begun_again(photos: Path, tmp_path: Path) -> None:
    keep = tmp_path / "kept"
    with workplace(photos, None, keep) as config:
        scan(config)
        first = found(config)
    (keep / "state.new").mkdir()
    (keep / "state.new" / "catalogue.db").write_bytes(b"half")
    with workplace(photos, None, keep) as config:
        scan(config)
        assert found(config) == first


def test_two_at_once_do_not_share_a_folder(photos: Path, tmp_path: Path) -> None:
    keep = tmp_path / "kept"
    with workplace(photos, None, keep), pytest.raises(AlreadyRunning), workplace(photos, None, keep):
        pass
    with held(keep):
        assert config_file.default_path() is not None
