"""A moment of a film encoded anew, from the very frame, upright, with its sound."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from guyverd.media.containers import Unfit, film_opened
from guyverd.media.cutting import LOOSE, NEAR, Part, date, sound_of
from guyverd.media.video import Film

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

_ENCODERS = {"webm": ("libvpx", "libopus", 48_000), "": ("libx264", "aac", 0)}
"""What pictures and sound are encoded with, and how many samples a second of the latter (0: as many as there are)."""
_OTHERWISE = "mpeg4"
"""What every FFmpeg has, also one that was built without x264."""
_TICK = Fraction(1, 60_000)
"""Times of frames are multiples of it; MPEG-4 knows none much shorter."""
_WHOLE = 1 << 31
_HIGH = 720
"""Lines from which on colours are coded as in high definition."""


def encode(path: bytes, part: Part) -> None:
    """Write a part of the film at `path`. Raises what `film_opened` does, and OSError."""
    # Pictures and sound are read side by side, each with a container of its own: they lie apart in some.
    with (
        film_opened(path) as (container, stream),
        film_opened(path, sound=True) as (beside, _),
        av.open(part.into, "w", format=part.format, options=LOOSE) as made,
    ):
        film = Film(container, stream)
        date(container, made, part.start)
        shown = _pictures(film, part, made)
        first = next(shown, None)
        if first is None:
            raise Unfit(film.broken or "it shows nothing at that time")
        sound = sound_of(beside)
        heard = iter(()) if sound is None else _heard(beside, sound, part, made)
        begun = next(heard, None)
        # Streams must all be there before the first packet is written.
        rest = heapq.merge(shown, heard if begun is None else _chained(begun, heard), key=lambda pair: pair[0])
        for _, packet in _chained(first, rest):
            made.mux_one(packet)


def _chained(first: tuple[float, Packet[Any]], rest: Iterator[tuple[float, Packet[Any]]]) -> Iterator[Any]:
    yield first
    yield from rest


def _pictures(film: Film, part: Part, made: OutputContainer) -> Iterator[tuple[float, Packet[Any]]]:
    """The film's packets, each with its time."""
    stream: VideoStream | None = None
    for moment in film.frames(part.start, every=True):
        if moment.time >= part.end - NEAR and stream is not None:
            break
        part.alive()
        pixels, _ = film.picture(moment, _WHOLE)
        # Colours are coded for blocks of two by two.
        pixels = np.ascontiguousarray(pixels[: len(pixels) // 2 * 2, : pixels.shape[1] // 2 * 2])
        if stream is None:
            stream = _film_stream(made, part.format, film.facts.rate, pixels.shape[:2])
        high = pixels.shape[0] >= _HIGH
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(
            format="yuv420p", dst_colorspace="ITU709" if high else "ITU601", threads=1
        )
        frame.pts, frame.time_base = round((moment.time - part.start) / _TICK), _TICK
        yield from _told(stream.encode(frame))
    if stream is not None:
        yield from _told(stream.encode(None))


def _film_stream(made: OutputContainer, format_: str, rate: float, size: tuple[int, ...]) -> VideoStream:
    height, width = size
    encoder = _ENCODERS.get(format_, _ENCODERS[""])[0]
    if encoder not in av.codecs_available:
        encoder = _OTHERWISE
    stream = made.add_stream(encoder, rate=Fraction(min(max(rate, 1.0), 240.0)).limit_denominator(1001))
    assert isinstance(stream, av.VideoStream)
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    context = stream.codec_context
    context.time_base = _TICK
    context.thread_count = 1
    context.colorspace = 1 if height >= _HIGH else 5
    # What x264 calls its macroblock tree is not the same twice.
    quick = {"preset": "veryfast", "crf": "18", "x264-params": "mbtree=0"}
    others = {"libvpx": {"crf": "10", "b:v": "8M"}, _OTHERWISE: {"qscale": "3", "flags": "+qscale"}}
    context.options = others.get(encoder, quick)
    return stream


def _heard(
    container: InputContainer, sound: AudioStream, part: Part, made: OutputContainer
) -> Iterator[tuple[float, Packet[Any]]]:
    """The sound's packets, each with its time; none where it cannot be decoded."""
    _, encoder, rate = _ENCODERS.get(part.format, _ENCODERS[""])
    origin = Fraction(container.start_time or 0, av.time_base)
    stream: AudioStream | None = None
    resampler: av.AudioResampler | None = None
    samples = 0
    container.seek(int((origin + Fraction(part.start)) * av.time_base), backward=True)
    try:
        for frame in container.decode(sound):
            if frame.pts is None or frame.time_base is None:
                continue
            time = float(frame.pts * frame.time_base - origin)
            if time < part.start:
                continue
            if time >= part.end:
                break
            if stream is None:
                rate = rate or frame.sample_rate
                layout = "mono" if frame.layout.nb_channels == 1 else "stereo"
                made_stream = made.add_stream(encoder, rate=rate)
                assert isinstance(made_stream, av.AudioStream)
                stream = made_stream
                stream.codec_context.layout = layout
                resampler = av.AudioResampler(stream.codec_context.format, layout, rate)
                samples = round((time - part.start) * rate)
            assert resampler is not None
            for some in resampler.resample(frame):
                some.pts, some.time_base = samples, Fraction(1, rate)
                samples += some.samples
                yield from _told(stream.encode(some))
    except (av.InvalidDataError, EOFError):
        pass  # what was heard until then is kept
    if stream is not None:
        yield from _told(stream.encode(None))


def _told(packets: list[Packet[Any]]) -> Iterator[tuple[float, Packet[Any]]]:
    for packet in packets:
        yield float((packet.dts or 0) * packet.time_base), packet
