"""Clips cut out of films: which frames they hold, with what sound, and what is made of films that are not whole."""

from __future__ import annotations

import errno
import io
import os
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from guyverd.errors import PictureMissing, PictureUnreadable
from guyverd.media.clip import cut_clip
from guyverd.service.pipeline.clipping import clip_suffix

if TYPE_CHECKING:
    from guyverd.model import Pixels

RATE, FRAMES = 10, 50
START, END = 1.2, 2.5
FIRST, LAST = 12, 24
"""The frames that are shown from START to END."""
KINDS = {
    ".mp4": ("libx264", "aac", None),
    ".mov": ("libx264", "aac", None),
    ".mkv": ("libx264", "libopus", None),
    ".webm": ("libvpx", "libopus", None),
    ".mts": ("libx264", "ac3", "mpegts"),
    ".avi": ("mjpeg", "pcm_s16le", None),
    ".3gp": ("mpeg4", "aac", "mp4"),
}


def picture(number: int) -> Pixels:
    """A number as eight bars, the white ones its bits."""
    bits = [255 * (number >> bit & 1) for bit in range(8)]
    return np.repeat(np.repeat(np.array(bits, np.uint8)[None, :, None], 96, 0), 20, 1).repeat(3, 2)


def film(path: Path, *, turned: int | None = None, sound: bool = True) -> Path:
    """A film of 5 s that shows the number of each frame, with a tone; some frames depend on later ones."""
    codec, tone, format_ = KINDS[path.suffix]
    with av.open(str(path), "w", format=format_) as container:
        container.metadata["creation_time"] = "2024-05-01T12:00:00.000000Z"
        shown = container.add_stream(codec, rate=RATE, options={"bf": "2"} if codec in ("libx264", "mpeg4") else {})
        assert isinstance(shown, av.VideoStream)
        shown.width, shown.height, shown.gop_size = 160, 96, 10
        shown.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        shown.thread_count = 1
        if turned is not None:
            shown.set_display_rotation(turned)
        heard = container.add_stream(tone, rate=48_000) if sound else None
        for number in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(shown.encode(frame))
            if heard is not None:
                assert isinstance(heard, av.AudioStream)
                wave = (np.sin(np.arange(4800) / 20) * 9000).astype(np.int16)
                part = av.AudioFrame.from_ndarray(wave[None], format="s16", layout="mono")
                part.sample_rate, part.pts, part.time_base = 48_000, number * 4800, Fraction(1, 48_000)
                container.mux(heard.encode(part))
        container.mux(shown.encode(None))
        if isinstance(heard, av.AudioStream):
            container.mux(heard.encode(None))
    return path


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("films")
    return {suffix: film(folder / f"film{suffix}") for suffix in KINDS}


def clip(path: Path, start: float = START, end: float = END, *, exact: bool = False) -> tuple[bytes, bool]:
    made = io.BytesIO()
    anew = cut_clip(os.fsencode(path), start, end, made, clip_suffix(os.fsencode(path), exact=exact), exact=exact)
    return made.getvalue(), anew


def numbers(data: bytes) -> list[int]:
    """Which frames of the film a player shows."""
    with av.open(io.BytesIO(data), "r") as container:
        rows = [frame.to_ndarray(format="gray")[48, 10::20] for frame in container.decode(video=0)]
        return [sum(1 << bit for bit, level in enumerate(row) if level > 128) for row in rows]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".mts"])
def test_what_is_copied_out_ends_with_the_moment(films: dict[str, Path], suffix: str) -> None:
    data, anew = clip(films[suffix])
    assert not anew
    shown = numbers(data)
    assert shown == list(range(shown[0], shown[-1] + 1))
    assert shown[-1] == LAST
    told = suffix in (".mp4", ".mov", ".mts")
    assert (shown[0] == FIRST) if told else (FIRST - 10 <= shown[0] <= FIRST), "from the last key frame before it"
    with av.open(io.BytesIO(data), "r") as container:
        (sound,) = container.streams.audio
        assert sound.codec_context.name.startswith(KINDS[suffix][1].removeprefix("lib"))
        heard = sum(packet.size > 0 for packet in container.demux(sound))
        assert heard > 20
        if suffix in (".mp4", ".mov"):
            assert container.metadata["creation_time"] == "2024-05-01T12:00:01.000000Z"
    assert clip(films[suffix]) == (data, False), "the same again"


@pytest.mark.parametrize(("suffix", "exact"), [(".avi", False), (".mp4", True), (".webm", True), (".3gp", True)])
def test_what_is_encoded_anew_begins_with_the_very_frame(films: dict[str, Path], suffix: str, exact: bool) -> None:
    data, anew = clip(films[suffix], exact=exact)
    assert anew
    assert numbers(data) == list(range(FIRST, LAST + 1))
    with av.open(io.BytesIO(data), "r") as container:
        assert container.streams.video[0].codec_context.name == "h264"
        assert container.streams.audio[0].codec_context.name == "aac"
        assert container.duration is not None
        assert container.duration / av.time_base == pytest.approx(END - START, abs=0.1)
    assert clip(films[suffix], exact=exact)[0] == data


@pytest.mark.parametrize("exact", [False, True])
def test_a_film_that_is_turned_stays_upright(tmp_path: Path, exact: bool) -> None:
    data, _ = clip(film(tmp_path / "turned.mov", turned=90, sound=False), exact=exact)
    with av.open(io.BytesIO(data), "r") as container:
        frame = next(container.decode(video=0))
        told = (frame.width, frame.height, frame.rotation)
        assert told == ((96, 160, 0) if exact else (160, 96, 90))
        assert not container.streams.audio


def test_from_the_beginning_and_to_the_end(films: dict[str, Path]) -> None:
    for suffix in (".mp4", ".mkv", ".mts"):
        assert numbers(clip(films[suffix], 0.0, 60.0)[0]) == list(range(FRAMES)), suffix
    assert numbers(clip(films[".mp4"], 4.7, 4.8, exact=True)[0]) == [47]


@pytest.mark.parametrize("exact", [False, True])
def test_what_is_not_there(films: dict[str, Path], tmp_path: Path, exact: bool) -> None:
    with pytest.raises(PictureUnreadable):
        clip(films[".mkv"], 7.0, 8.0, exact=exact)
    whole = films[".mkv"].read_bytes()
    (tmp_path / "half.mkv").write_bytes(whole[: len(whole) // 2])
    # What is copied out ends with the frame on which the one before depends.
    assert numbers(clip(tmp_path / "half.mkv", 0.5, 1.0, exact=exact)[0])[-1] == (9 if exact else 10)
    with pytest.raises(PictureUnreadable):
        clip(tmp_path / "half.mkv", 4.5, 5.0, exact=exact)
    (tmp_path / "no.mkv").write_bytes(b"no film" * 100)
    with pytest.raises(PictureUnreadable):
        clip(tmp_path / "no.mkv", exact=exact)
    with pytest.raises(PictureMissing):
        clip(tmp_path / "gone.mkv", exact=exact)


class Full(io.BytesIO):
    """A disk that is full soon."""

    def write(self, data: object) -> int:
        assert isinstance(data, bytes | bytearray | memoryview)
        if self.tell() + len(data) > 2000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)


@pytest.mark.parametrize("exact", [False, True])
def test_a_disk_that_is_full_is_no_fault_of_the_film(films: dict[str, Path], exact: bool) -> None:
    with pytest.raises(OSError, match="No space left") as raised:
        cut_clip(os.fsencode(films[".mp4"]), START, END, Full(), ".mp4", exact=exact)
    assert raised.value.errno == errno.ENOSPC
    assert not isinstance(raised.value, av.FFmpegError)


def test_a_player_without_x264_encodes_all_the_same(films: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(av, "codecs_available", av.codecs_available - {"libx264"})
    data, anew = clip(films[".mp4"], exact=True)
    assert anew
    assert numbers(data) == list(range(FIRST, LAST + 1))
    with av.open(io.BytesIO(data), "r") as container:
        assert container.streams.video[0].codec_context.name == "mpeg4"
