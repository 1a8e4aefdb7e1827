"""Videos in a library: real films, real workers, real faces."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from guyverd import config_file
from guyverd.config import Config
from guyverd.service.access import open_library
from tests.faces.samples import astronaut, both, hopper
from tests.films import cut_off, film, nobody, still, zoom
from tests.service.conftest import ASTRONAUT, HOPPER, Daemon, copy, eventually, scan, tree

OLD = (1_600_000_000, 1_600_000_000)
"""Not young: nothing waits until it has come to rest."""
CLIP = ((ASTRONAUT, 0.0, 4.0), (HOPPER, 5.0, 8.0), (ASTRONAUT, 8.0, 10.0), (HOPPER, 8.0, 10.0))
"""Who is seen in the clip, and when."""


def clip(path: Path) -> None:
    spans = film(
        path,
        *(still(astronaut(), 4), nobody(1), zoom(hopper(), 3), still(both(), 2)),
        size=(960, 540),
        taken_at="2021-03-04T05:06:07Z",
    )
    assert spans == [(0, 4), (4, 5), (5, 8), (8, 10)]
    os.utime(path, OLD)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, negatives: Path) -> Config:
    """A library of photos and videos that was scanned once: one is cut off, one is no video."""
    folder = tmp_path_factory.mktemp("videos")
    photos = copy(negatives, folder / "photos", "*[01].jpg")
    clip(photos / "clip.mp4")
    film(photos / "cut.mkv", still(hopper(), 12), size=(480, 360))
    cut_off(photos / "cut.mkv", 0.5)
    (photos / "none.mov").write_bytes(b"this is no video" * 100)
    for name in ("cut.mkv", "none.mov"):
        os.utime(photos / name, OLD)
    path = folder / "config.yaml"
    path.write_text(
        f"photos: [{photos}]\npeople: {folder / 'People'}\nstate: {folder / 'state'}\n"
        "watch: {quiet: 300 ms, ceiling: 3 s, poll: 1 s}\nworkers: {count: 2, speed: full}\n"
        "folders: {min_photos: 2}\nvideos: {rate: 0.5}\n"
    )
    config = config_file.load(path)
    progress = scan(config)
    assert (progress["photos_done"], progress["videos_done"], progress["videos_total"]) == (4, 3, 3)
    assert progress["failures"] == 2
    return config


def tracks(config: Config) -> list[tuple[int, str, float, float, int | None]]:
    """Number, file, start, end and person of every track."""
    with open_library(config) as library:
        rows = [row for row in library.faces() if row["start"] is not None]
    return [(row["face"], Path(row["files"][0]).name, row["start"], row["end"], row["person"]) for row in rows]


def people(config: Config) -> dict[str, int | None]:
    with open_library(config) as library:
        rows = [row for row in library.faces() if row["start"] is None]
    return {Path(row["files"][0]).name.rstrip("0123.jpg"): row["person"] for row in rows}


def test_those_in_videos_are_those_in_photos(library: Config) -> None:
    known = people(library)
    found = [(start, end, person) for _, name, start, end, person in tracks(library) if name == "clip.mp4"]
    for one, (start, end, person) in zip(CLIP, sorted(found, key=lambda row: (row[0], row[2] or 0)), strict=True):
        assert person == known[one[0]]
        assert [start, end] == pytest.approx([one[1], one[2]], abs=0.2)
    folders = [names for names in tree(library.people).values() if "clip.mp4" in names]
    assert len(folders) == 2, "it is in everybody's folder, once"
    assert sorted(len(names) for names in folders) == [3, 4], "and the one cut off in the admiral's"


def test_what_is_broken_is_listed_and_what_was_found_stays(library: Config) -> None:
    with open_library(library) as opened:
        failures = {Path(row["file"]).name: row for row in opened.failures()}
        status = opened.status()
    assert {name: row["state"] for name, row in failures.items()} == {"cut.mkv": "partly", "none.mov": "failed"}
    assert failures["cut.mkv"]["reason"]
    assert "cut.mkv" in {name for _, name, *_ in tracks(library)}
    assert (status["counts"]["photos"], status["counts"]["videos"], status["counts"]["failures"]) == (4, 3, 2)
    assert status["backlog"] == {"files": 0, "photos": 0, "videos": 0, "faces": 0}


@pytest.mark.torture
@pytest.mark.promise("edited")
def test_read_again_they_keep_their_numbers_and_people(library: Config) -> None:
    before = tracks(library)
    with open_library(library) as opened:
        opened.scan(every=True)
        eventually(lambda: not opened.progress()["busy"], 120)
    assert [row[:2] + row[4:] for row in tracks(library)] == [row[:2] + row[4:] for row in before]
    with open_library(library) as opened:
        assert all(row["ok"] for row in opened.check()["checks"])


# ---- under torture ---------------------------------------------------------------------------------------------------


@pytest.mark.torture
@pytest.mark.promise("kill")
def test_a_daemon_that_is_killed_while_it_reads_a_film_goes_on_where_it_was(
    tmp_path: Path, negatives: Path, write_config: Callable[..., Path], start: Callable[..., Daemon]
) -> None:
    """A film of five parts: after each kill the next daemon begins with what is not there yet."""
    photos = copy(negatives, tmp_path / "photos", "*[01].jpg")
    shots = [still(astronaut() if number % 2 else hopper(), 35.0) for number in range(8)]
    film(photos / "film.mp4", *shots, size=(320, 240), rate=5)
    os.utime(photos / "film.mp4", OLD)
    path = write_config(photos, videos="{rate: 0.5}", folders="{min_photos: 2}")
    config = config_file.load(path)
    kept: list[int] = []
    for most in (1, 2, 3, 4):
        daemon = start(path)
        eventually(lambda most=most: parts(config) >= most or done(config), 120)  # type: ignore[misc]
        daemon.stop(signal.SIGKILL)
        kept.append(parts(config))
    assert kept == sorted(kept), "no part is lost"
    assert kept[0] >= 1
    scan(config)
    assert parts(config) == 0
    disturbed = tracks(config)
    other = config_file.load(write_config(photos, tmp_path / "Others", videos="{rate: 0.5}", folders="{min_photos: 2}"))
    (tmp_path / "state").rename(tmp_path / "state.before")
    scan(other)
    assert tracks(other) == disturbed
    assert len(disturbed) == 8


def parts(config: Config) -> int:
    """How many parts of videos are kept, as anybody may look while a daemon works."""
    return asked(config, "SELECT count(*) FROM video_parts")


def done(config: Config) -> bool:
    return asked(config, "SELECT count(*) FROM photos WHERE kind = 'video' AND state = 'done'") == 1


def asked(config: Config, question: str) -> int:
    try:
        with contextlib.closing(sqlite3.connect(f"file:{config.state / 'catalogue.db'}?mode=ro", uri=True)) as reader:
            return int(reader.execute(question).fetchone()[0])
    except sqlite3.OperationalError:  # it is not made yet
        return 0
