"""Frames of films by time: every kind of container, turned and stretched, whole and cut off, and what is no film."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from guyverd.errors import PastTheEnd, PictureMissing, PictureUnreadable, VideoUnreadable
from guyverd.media.content import ContentChanged
from guyverd.media.video import Film, opened_film, read_frame
from tests.media.footage import B_FRAMES, RATE, number, number_of, written

KINDS = [
    (".mp4", "libx264", "MP4"),
    (".mp4", "libx265", "MP4"),
    (".mov", "mpeg4", "MOV"),
    (".mkv", "libx264", "MKV"),
    (".webm", "libvpx-vp9", "WEBM"),
    (".webm", "libvpx", "WEBM"),
    (".avi", "libx264", "AVI"),
    (".avi", "mjpeg", "AVI"),
    (".mts", "libx264", "MTS"),
    (".mts", "mpeg2video", "MTS"),
    (".3gp", "h263", "3GP"),
]
FRAMES = 60


def clip(folder: Path, suffix: str, codec: str) -> Path:
    size = (128, 96) if codec == "h263" else (96, 64)
    options = {
        "libx264": B_FRAMES,
        "libx265": {"preset": "ultrafast", "x265-params": "log-level=none:pools=none:frame-threads=1"},
        "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
    }.get(codec, {"g": "12"})
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    # H.263 knows the clock of television alone.
    rate = 30 if codec == "h263" else RATE
    frames = (number(at, *size) for at in range(FRAMES))
    return written(folder / f"clip{suffix}", frames, codec, options=options, pixels=pixels, rate=rate)


@pytest.mark.parametrize(("suffix", "codec", "format_"), KINDS)
def test_every_frame_has_its_time_from_any_moment_on(tmp_path: Path, suffix: str, codec: str, format_: str) -> None:
    path = clip(tmp_path, suffix, codec)
    with opened_film(os.fsencode(path)) as film:
        rate = film.facts.rate
        assert film.facts.format == format_
        assert film.facts.duration == pytest.approx(FRAMES / rate, abs=0.1)
        shown = list(film.frames(0.0, every=True))
        assert [moment.time for moment in shown] == pytest.approx([at / rate for at in range(FRAMES)], abs=0.002)
        assert [number_of(film.picture(moment, 4000)[0]) for moment in shown[::7]] == pytest.approx(
            list(range(FRAMES))[::7], abs=3.4
        )
        later = [moment.time for moment in film.frames(1.21, every=True)]
        assert later == [moment.time for moment in shown if moment.time >= 1.21]
        fewer = [moment.time for moment in film.frames(0.0)]
        assert set(fewer) <= {moment.time for moment in shown}
        assert FRAMES // 5 <= len(fewer) <= (FRAMES // 2 + 1 if film.alone else FRAMES)
        assert list(film.frames(60.0)) == []
        assert film.broken is None


@pytest.mark.parametrize(
    ("turned", "mirrored", "size", "red", "green"),
    [
        (0, False, (96, 64), (4, 4), (32, 92)),
        (90, False, (64, 96), (90, 4), (4, 32)),
        (-90, False, (64, 96), (4, 60), (92, 32)),
        (180, False, (96, 64), (60, 92), (32, 4)),
        (0, True, (96, 64), (4, 92), (32, 4)),
        (90, True, (64, 96), None, None),
    ],
)
def test_frames_are_upright(
    tmp_path: Path,
    turned: int,
    mirrored: bool,
    size: tuple[int, int],
    red: tuple[int, int] | None,
    green: tuple[int, int] | None,
) -> None:
    path = written(tmp_path / "clip.mov", [number(1)] * 3, turned=turned, mirrored=mirrored)
    picture = read_frame(os.fsencode(path), 0.0)
    assert (picture.width, picture.height) == size
    assert picture.pixels.shape == (size[1], size[0], 3)
    assert picture.pixels.flags.c_contiguous
    if red and green:
        assert picture.pixels[red][0] > 200
        assert picture.pixels[green][1] > 120
    else:
        # Mirrored and turned: the red corner is in a corner, and opposite of where turning alone brings it.
        corners = [picture.pixels[y, x, 0] > 200 for y in (4, 90) for x in (4, 60)]
        assert sum(corners) == 1
        assert not corners[2]


def test_pixels_that_are_not_square_are_stretched(tmp_path: Path) -> None:
    wide = written(tmp_path / "wide.mp4", [number(1)] * 3, aspect=Fraction(2, 1))
    tall = written(tmp_path / "tall.mp4", [number(1)] * 3, aspect=Fraction(1, 2))
    silly = written(tmp_path / "silly.mp4", [number(1)] * 3, aspect=Fraction(200, 1))
    sizes = [read_frame(os.fsencode(path), 0.0) for path in (wide, tall, silly)]
    assert [(one.width, one.height) for one in sizes] == [(192, 64), (96, 128), (96, 64)]
    assert [one.pixels.shape[:2] for one in sizes] == [(64, 192), (128, 96), (64, 96)]


def test_large_frames_are_reduced_by_a_whole_number(tmp_path: Path) -> None:
    path = written(tmp_path / "large.mp4", [number(1, 800, 450)] * 2, options={"preset": "ultrafast"})
    with opened_film(os.fsencode(path)) as film:
        moment = next(film.frames(0.0))
        for enough, side, scale in ((1000, 800, 1.0), (300, 400, 0.5), (200, 200, 0.25)):
            pixels, told = film.picture(moment, enough)
            assert (max(pixels.shape), told) == (side, scale)


def test_what_was_taken_field_by_field_has_no_combs(tmp_path: Path) -> None:
    def at(place: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        made = np.zeros((64, 96, 3), np.uint8)
        made[:, place : place + 20] = 220
        return made

    combed = []
    for step in range(8):
        first, second = at(20 + 4 * step), at(32 + 4 * step)
        first[1::2] = second[1::2]
        combed.append(first)
    options = {"flags": "+ilme+ildct", "top": "1", "q": "1"}
    path = written(tmp_path / "fields.mts", combed, "mpeg2video", options=options)
    with opened_film(os.fsencode(path)) as film:
        moment = list(film.frames(0.0, every=True))[4]
        assert moment.frame.interlaced_frame
        pixels = film.picture(moment, 4000)[0].astype(int)
        rows = np.abs(pixels[1:] - pixels[:-1]).mean()
        assert rows < 2
        assert np.abs(combed[4][1:].astype(int) - combed[4][:-1]).mean() > 30


def test_a_moment_is_the_frame_that_is_on_the_screen_then(tmp_path: Path) -> None:
    path = written(tmp_path / "clip.mkv", (number(at) for at in range(FRAMES)), options=B_FRAMES)
    for time, shown in ((0.0, 0), (0.039, 0), (0.041, 1), (1.0, 25), (1.99, 49), (2.39, 59)):
        picture = read_frame(os.fsencode(path), time)
        assert number_of(picture.pixels) == pytest.approx(shown, abs=1), time
        assert picture.duration == pytest.approx(2.4, abs=0.05)
    for time in (2.6, 60.0):
        with pytest.raises(PastTheEnd, match="ends at 0:00:02"):
            read_frame(os.fsencode(path), time)


def test_frames_that_stay_long_are_seen_as_long(tmp_path: Path) -> None:
    path = written(tmp_path / "slides.mp4", (number(10 * at) for at in range(4)), times=[0, 100, 101, 200])
    assert number_of(read_frame(os.fsencode(path), 3.9).pixels) == pytest.approx(0, abs=1)
    assert number_of(read_frame(os.fsencode(path), 7.0).pixels) == pytest.approx(20, abs=1)
    with opened_film(os.fsencode(path)) as film:
        assert [moment.time for moment in film.frames(1.0, every=True)] == pytest.approx([4.0, 4.04, 8.0])


def test_the_time_of_capture_is_told(tmp_path: Path) -> None:
    kept = {"movflags": "use_metadata_tags"}
    own = {"creation_time": "2019-08-07T06:05:04Z", "com.apple.quicktime.creationdate": "2019-08-07T09:05:04+0300"}
    for name, told, options, taken in (
        ("a.mov", own, kept, "2019-08-07T09:05:04+03:00"),
        ("b.mp4", {"creation_time": "2019-08-07T06:05:04Z"}, None, "2019-08-07T06:05:04+00:00"),
        ("c.mkv", {"creation_time": "2019-08-07T06:05:04.25Z"}, None, "2019-08-07T06:05:04.250+00:00"),
        ("d.mp4", {"creation_time": "1970-01-01T00:00:00Z"}, None, None),
        ("e.webm", {}, None, None),
    ):
        codec = "libvpx" if name.endswith("webm") else "libx264"
        path = written(tmp_path / name, [number(1)] * 2, codec, metadata=told, container_options=options)
        assert read_frame(os.fsencode(path), 0.0).taken_at == taken, name


# ---- what is no film, or not all of one ------------------------------------------------------------------------------


def reason(path: Path) -> str:
    with pytest.raises(VideoUnreadable) as raised, opened_film(os.fsencode(path)) as film:
        list(film.frames(0.0))
    return str(raised.value.fields["detail"])


def test_what_is_no_film_is_refused_in_words(tmp_path: Path) -> None:
    film = written(tmp_path / "film.mp4", (number(at) for at in range(25)))
    data = film.read_bytes()
    for name, content, words in (
        ("empty.mp4", b"", "empty"),
        ("words.avi", b"These are words. " * 99, "no video"),
        ("zeros.mkv", bytes(100_000), "no video"),
        ("cut.mp4", data[: len(data) * 2 // 3], "cut short or damaged"),
        ("half.mp4", data[:900], "cut short or damaged"),
        ("list.mp4", b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfilm.mp4\n#EXT-X-ENDLIST\n", "no video"),
        ("more.mov", b"ffconcat version 1.0\nfile 'film.mp4'\n", "no video"),
        ("pages.mkv", b'<?xml version="1.0"?><MPD><BaseURL>http://[::1]/x</BaseURL></MPD>', "no video"),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        assert words in reason(path), name


def test_only_known_codecs_and_formats_are_taken_apart(tmp_path: Path) -> None:
    odd = written(tmp_path / "odd.mov", [number(1)] * 3, "qtrle", pixels="rgb24")
    assert "coded in a way that is not read" in reason(odd)
    other = written(tmp_path / "other.mp4", [number(1)] * 3, "mpeg4", form="nut")
    assert "no video" in reason(other)
    sound = tmp_path / "sound.mp4"
    with av.open(str(sound), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        assert isinstance(stream, av.AudioStream)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert "no film" in reason(sound)
    tiny = written(tmp_path / "tiny.avi", [number(1, 8, 8)] * 3, "mpeg4")
    assert "8 × 8 pixels" in reason(tiny)


def test_the_file_is_the_one_that_was_meant(tmp_path: Path) -> None:
    path = written(tmp_path / "film.mp4", (number(at) for at in range(50)))
    size = path.stat().st_size
    (tmp_path / "link.mp4").symlink_to(path)
    with pytest.raises(PictureUnreadable), opened_film(os.fsencode(tmp_path / "link.mp4")):
        pass
    with pytest.raises(PictureMissing), opened_film(os.fsencode(tmp_path / "none.mp4")):
        pass
    with pytest.raises(ContentChanged), opened_film(os.fsencode(path), size + 1):
        pass

    def touched() -> None:
        with opened_film(os.fsencode(path), size) as film:
            next(film.frames(0.0))
            os.utime(path, (5, 5))

    with pytest.raises(ContentChanged):
        touched()
    # What another process holds open is read by its descriptor, whatever it is called by now.
    with open(path, "rb") as held:
        path.unlink()
        there = b"/proc/%d/fd/%d" % (os.getpid(), held.fileno())
        assert read_frame(there, 1.0).width == 96


@pytest.mark.parametrize("suffix", [".mkv", ".avi", ".mts", ".webm"])
def test_what_comes_before_the_end_of_a_file_that_is_cut_off_stays(tmp_path: Path, suffix: str) -> None:
    path = clip(tmp_path, suffix, "libvpx" if suffix == ".webm" else "libx264")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 4 // 5])
    with opened_film(os.fsencode(path)) as film:
        times = [moment.time for moment in film.frames(0.0, every=True)]
    assert 10 <= len(times) < FRAMES
    assert times == sorted(set(times))


def test_a_clock_that_jumps_back_ends_a_film_and_one_that_leaps_does_not(tmp_path: Path) -> None:
    one = written(tmp_path / "one.mts", (number(at) for at in range(75)), options={"g": "12"}).read_bytes()
    (tmp_path / "two.mts").write_bytes(one + one)
    with opened_film(os.fsencode(tmp_path / "two.mts")) as film:
        assert len(list(film.frames(0.0, every=True))) == 75
        assert film.broken == "its clock jumps back at 0:00:02"
    leap = [*range(25), *range(250_000, 250_025)]
    path = written(tmp_path / "leap.mkv", (number(at) for at in range(50)), times=leap)
    with opened_film(os.fsencode(path)) as film:
        times = [moment.time for moment in film.frames(0.0, every=True)]
        assert len(times) == 50
        assert times[25] == pytest.approx(10_000.0, abs=0.01)


def test_what_cannot_be_decoded_in_the_middle_is_passed_over(tmp_path: Path) -> None:
    path = written(tmp_path / "film.mkv", (number(at) for at in range(100)), "mpeg4", options={"g": "10"})
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 300] = os.urandom(300)
    path.write_bytes(data)
    with opened_film(os.fsencode(path)) as film:
        times = [moment.time for moment in film.frames(0.0, every=True)]
    assert 40 < len(times) <= 100
    assert times[-1] > 3.0


def test_a_frame_of_another_size_in_the_middle_is_shown_as_large_as_the_first(tmp_path: Path) -> None:
    small = written(tmp_path / "a.mts", (number(at) for at in range(25)), options={"g": "5"})
    large = written(tmp_path / "b.mts", (number(at, 192, 128) for at in range(25)), options={"g": "5"})
    path = tmp_path / "both.mts"
    path.write_bytes(small.read_bytes() + large.read_bytes())
    with opened_film(os.fsencode(path)) as film:
        assert isinstance(film, Film)
        for moment in film.frames(0.0, every=True):
            assert film.picture(moment, 4000)[0].shape == (64, 96, 3)
