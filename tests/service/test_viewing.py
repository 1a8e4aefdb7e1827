"""Parts of films looked at: when who is seen, to the frame, whatever the edges; faces are coloured squares here."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from guyverd import config
from guyverd.errors import PictureMissing, VideoUnreadable
from guyverd.faces.tracks import LENGTH, VideoPart, whole
from guyverd.media.content import ContentChanged
from guyverd.model import Box, DetectedFace
from guyverd.service.pipeline.jobs import PartWanted
from guyverd.service.pipeline.viewing import view
from tests.faces.seen import face
from tests.media.footage import B_FRAMES, RATE, written

if TYPE_CHECKING:
    from guyverd.model import Pixels

WIDE, HIGH, SQUARE = 160, 96, 24
COLOURS = {1: (230, 20, 20), 2: (20, 230, 20), 3: (20, 20, 230)}
FEW = {"preset": "ultrafast", "g": "50"}
Scene = Callable[[float], Sequence[tuple[int, int]]]
"""Who is where at a time: people and the left edge of each."""


@dataclass
class Squares:
    """Finds squares of known colours where a FaceFinder finds faces; counts the looks."""

    decoded: int = 1500
    looks: int = 0
    glances: int = 0

    def look(self, pixels: Pixels, scale: float) -> list[DetectedFace]:
        assert scale == 1.0
        self.looks += 1
        return list(found(pixels))

    def look_near(self, pixels: Pixels, scale: float, box: Box) -> list[DetectedFace]:
        self.glances += 1
        return [one for one in found(pixels) if abs(one.box.left - box.left) <= box.width]

    def describe(self, sightings: list[list[DetectedFace]]) -> list[tuple[DetectedFace, ...]]:
        return [tuple(each) for each in sightings]


def found(pixels: Pixels) -> Iterator[DetectedFace]:
    for person, colour in COLOURS.items():
        mask = np.abs(pixels.astype(int) - colour).max(axis=2) < 60
        if mask.sum() > SQUARE * SQUARE // 2:
            across, down = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
            box = Box(int(across[0]), int(down[0]), int(across[-1]) + 1, int(down[-1]) + 1)
            yield replace(face(person, 0), box=box)


def picture(people: Sequence[tuple[int, int]], ground: int = 0) -> Pixels:
    """A ground that is another for each number, and people on it."""
    coarse = np.random.default_rng(ground).integers(60, 180, (6, 10), dtype=np.uint8)
    made = np.repeat(coarse.repeat(16, 0).repeat(16, 1)[:, :, None], 3, axis=2)
    for person, left in people:
        made[36 : 36 + SQUARE, left : left + SQUARE] = COLOURS[person]
    return made


def filmed(
    path: Path, scene: Scene, seconds: float, *, rate: int = RATE, cuts: Sequence[float] = (), **other: object
) -> Path:
    def frames() -> Iterator[Pixels]:
        for at in range(round(seconds * rate)):
            yield picture(scene(at / rate), sum(cut <= at / rate + 1e-9 for cut in cuts))

    return written(path, frames(), rate=rate, **{"options": FEW, **other})  # type: ignore[arg-type]


def wanted(path: Path, number: int = 0, **settings: float) -> PartWanted:
    return PartWanted((os.fsencode(path),), path.stat().st_size, number, config.Videos(**settings))  # type: ignore[arg-type]


def seen(part: PartWanted, finder: Squares, beat: Callable[[], None] = lambda: None) -> VideoPart:
    return view(part, finder, beat)  # type: ignore[arg-type]


def parts(path: Path, finder: Squares | None = None, **settings: float) -> list[VideoPart]:
    done: list[VideoPart] = []
    while not (done and done[-1].last):
        done.append(seen(wanted(path, len(done), **settings), finder or Squares()))
    return done


def spans(found_: Sequence[DetectedFace]) -> list[tuple[float, float]]:
    return [(round(one.track.start, 2), round(one.track.end, 2)) for one in found_ if one.track]


def test_who_comes_and_goes_is_timed_to_the_frame(tmp_path: Path) -> None:
    def scene(time: float) -> list[tuple[int, int]]:
        here = [(1, round(10 + 10 * time))] if 1.28 <= time < 4.64 else []
        return [*here, (2, 120)] if time >= 2.52 else here

    [part] = parts(filmed(tmp_path / "film.mp4", scene, 6))
    assert (part.number, part.last, part.width, part.height, part.format) == (0, True, WIDE, HIGH, "MP4")
    assert (part.start, part.cut_off) == (0.0, None)
    assert part.end == pytest.approx(6)
    assert part.duration == pytest.approx(6)
    assert spans(whole([part])) == [(1.28, 4.64), (2.52, 6.0)]


@pytest.mark.parametrize(("name", "codec"), [("film.mkv", "libx264"), ("film.avi", "mjpeg")])
def test_a_cut_is_found_among_the_frames_that_are_not_decoded_otherwise(tmp_path: Path, name: str, codec: str) -> None:
    cuts = [1.48, 3.12, 4.56]

    def scene(time: float) -> list[tuple[int, int]]:
        return [(1 + sum(cut <= time + 1e-9 for cut in cuts) % 3, 60)]

    told = {"options": B_FRAMES} if codec == "libx264" else {"options": {}, "pixels": "yuvj420p"}
    path = filmed(tmp_path / name, scene, 6, cuts=cuts, codec=codec, **told)
    assert spans(whole(parts(path))) == [(0.0, 1.48), (1.48, 3.12), (3.12, 4.56), (4.56, 6.0)]


def test_tracks_go_over_the_edges_of_parts_which_may_be_read_in_any_order(tmp_path: Path) -> None:
    def scene(time: float) -> list[tuple[int, int]]:
        one = [(1, 20 + int(time / 2))] if 10 <= time < 125 else []
        two = [(2, 100)] if 59.6 <= time < 60.4 or time >= 119.8 else []
        return [*one, *two]

    path = filmed(tmp_path / "film.mp4", scene, 130, rate=5)
    read = parts(path)
    assert [part.number for part in read] == [0, 1, 2]
    assert [part.end for part in read] == [60.0, 120.0, pytest.approx(130.0)]
    assert spans(whole(read)) == [(10.0, 125.0), (59.6, 60.4), (119.8, 130.0)]
    backwards = [seen(wanted(path, number), Squares()) for number in (2, 1, 0)]
    assert spans(whole(backwards[::-1])) == spans(whole(read))
    behind = seen(wanted(path, 7), Squares())
    assert (behind.last, behind.pieces) == (True, ())


def test_it_looks_once_a_second_more_where_much_changes_and_not_where_nothing_does(tmp_path: Path) -> None:
    def moving(time: float) -> list[tuple[int, int]]:
        return [(1, round(10 + 12 * time))]

    calm, still, cut = Squares(), Squares(), Squares()
    parts(filmed(tmp_path / "calm.mp4", moving, 10), calm)
    parts(filmed(tmp_path / "still.mp4", lambda _: [(1, 50)], 10), still)
    parts(filmed(tmp_path / "cut.mp4", moving, 10, cuts=[1.5, 3.5, 5.5]), cut)
    assert 10 <= calm.looks <= 11
    assert still.looks <= 2
    assert cut.looks == calm.looks + 6
    rare = Squares()
    parts(filmed(tmp_path / "rare.mp4", moving, 10), rare, rate=0.25)
    assert rare.looks <= 5


def test_a_film_that_is_cut_off_keeps_what_was_seen_and_says_so(tmp_path: Path) -> None:
    path = filmed(tmp_path / "film.mkv", lambda time: [(1, round(20 + 3 * time))], 20)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    [part] = parts(path)
    assert part.last
    assert part.cut_off is not None
    assert "of 20 seconds" in part.cut_off
    assert 5 < part.end < 15
    assert spans(whole([part])) == [(0.0, round(part.end, 2))]


def test_what_goes_on_for_too_long_is_not_read(tmp_path: Path) -> None:
    path = filmed(tmp_path / "film.mp4", lambda _: [], 5, rate=5)
    with pytest.raises(VideoUnreadable, match=r"more than 0.001 hours \(videos.longest\)"):
        seen(wanted(path, longest=3.6), Squares())
    with pytest.raises(VideoUnreadable, match="more than 6 hours"):
        seen(wanted(path, 361), Squares())


def test_the_first_of_several_copies_that_can_be_read_is_taken(tmp_path: Path) -> None:
    path = filmed(tmp_path / "film.mp4", lambda _: [(1, 50)], 2)
    other = tmp_path / "other.mp4"
    other.write_bytes(b"changed")
    none = tmp_path / "none.mp4"
    several = replace(wanted(path), paths=tuple(os.fsencode(each) for each in (none, other, path)))
    assert len(seen(several, Squares()).pieces) == 1
    for paths, problem in (((none, other), ContentChanged), ((none,), PictureMissing)):
        with pytest.raises(problem):
            seen(replace(several, paths=tuple(map(os.fsencode, paths))), Squares())


def test_the_pool_hears_that_it_goes_on_as_the_film_does(tmp_path: Path) -> None:
    beats = 0

    def beat() -> None:
        nonlocal beats
        beats += 1

    path = filmed(tmp_path / "film.mp4", lambda _: [], LENGTH, rate=5)
    seen(wanted(path), Squares(), beat)
    assert 8 <= beats <= 12
