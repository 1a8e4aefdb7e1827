"""The commands about what shows somebody, on a real library with a film: what they find, and what they say else."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from guyverd import config_file
from guyverd.cli import main
from tests.films import cut_off, film, nobody, pictures, still
from tests.service.conftest import place, scan

pytestmark = [pytest.mark.torture, pytest.mark.promise("fuzz")]

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def home(astronaut: Path, grace_hopper: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library with a photo of each of two people, and a film in which both are seen, one after the other."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "photos").mkdir()
    (folder / "none").mkdir()
    place(astronaut, folder / "photos" / "astronaut.jpg")
    place(grace_hopper, folder / "photos" / "hopper.jpg")
    one, other = pictures([astronaut, grace_hopper])
    film(folder / "photos" / "clip.mp4", still(one, 3), nobody(2), still(other, 3))
    for name, photos in (("config", "photos"), ("empty", "none")):
        settings = [f"photos: [{folder}/{photos}]", f"people: {folder}/People-{name}", f"state: {folder}/state-{name}"]
        (folder / f"{name}.yaml").write_text("\n".join([*settings, "workers: {count: 2, speed: full}"]))
    scan(config_file.load(folder / "config.yaml"))
    return folder


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(home)

    def really(*arguments: object, config: str = "config") -> Result:
        return CliRunner().invoke(main, ["--config", f"{config}.yaml", *map(str, arguments)])

    return really


def rows(result: Result) -> list[dict[str, object]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_photo_and_a_moment_find_each_other(run: Run, home: Path, astronaut: Path) -> None:
    for query in (astronaut, "photos/clip.mp4@1.5"):
        found = rows(run("search", query, "--all", "--json"))
        assert {Path(str(row["file"])).name for row in found} == {"astronaut.jpg", "clip.mp4"}, query
        (moment,) = (row for row in found if row["kind"] == "video")
        assert moment["start"] == pytest.approx(0, abs=0.3)
        assert moment["end"] == pytest.approx(3, abs=0.3)
    result = run("search", astronaut, "--all", "--clips", "--copy-to", home / "out", "--html", home / "page.html")
    assert "1 file copied, 1 clip cut" in result.stderr
    assert (home / "page.html").read_text("utf-8").count("<figure>") == 2
    (clip,) = (home / "out").glob("*.mp4")
    with av.open(io.BytesIO(clip.read_bytes()), "r") as container:
        shown = [frame.to_ndarray(format="gray").mean() for frame in container.decode(video=0)]
    assert len(shown) == pytest.approx(30, abs=3)
    assert np.ptp(shown) < 3, "it is one picture from first to last"


def test_people_in_a_film(run: Run) -> None:
    people = {str(row["id"]): row for row in rows(run("people", "--json"))}
    assert len(people) == 2
    for person in people:
        assert {row["kind"] for row in rows(run("search", person, "--all", "--json"))} == {"photo", "video"}
        (month,) = rows(run("timeline", person, "--json"))
        assert (month["photos"], month["videos"]) == (1, 1)
    assert rows(run("together", *people, "--json")) == [], "they are in one film, and never at once"


def test_what_cannot_be_searched_is_told_in_a_line(run: Run, home: Path) -> None:
    Image.new("RGB", (400, 300), (9, 99, 9)).save(home / "green.jpg")
    (home / "text.jpg").write_text("no picture")
    (home / "half.mkv").write_bytes(b"")
    film(home / "half.mkv", nobody(10))
    cut_off(home / "half.mkv", 0.4)
    (home / "half.mp4").write_bytes((home / "photos" / "clip.mp4").read_bytes()[:20_000])
    for query, code, said in (
        ("gone.jpg", 6, "There is no file gone.jpg"),
        ("text.jpg", 6, "no picture of a format known here"),
        ("./photos", 6, "it is a folder"),
        ("green.jpg", 6, "No face was found in"),
        ("half.mkv@1", 6, "No face was found in"),
        ("half.mkv@9", 6, "half.mkv"),
        ("half.mp4@1", 6, "it is cut short or damaged"),
        ("photos/clip.mp4@4", 6, "No face was found in"),
        ("photos/clip.mp4@60", 6, "it ends at 0:00:0"),
        ("photos/clip.mp4", 6, "is a video. Say which moment"),
        ("Nemo", 5, "There is no file Nemo, and no person"),
    ):
        result = run("search", query)
        assert result.exit_code == code, (query, result.output)
        assert said in result.stderr, query
        assert result.stderr.startswith("guyverd: ")
        assert result.stderr.count("\n") == 1, query
        assert result.stdout == ""
    result = run("search", home / "photos" / "hopper.jpg", config="empty")
    assert (result.exit_code, result.stdout) == (6, "")
    assert result.stderr.startswith("guyverd: There is no face in the library yet")
