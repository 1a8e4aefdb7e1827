"""A moment of a film as a film of its own: cut out as it is, or encoded anew where that is asked for or cannot be else.

Cut out, nothing is lost and it takes no time: the packets are copied, with the sound. A film can only be decoded from a
frame on that depends on no other, so they begin with the last such frame before the moment; MP4 and MOV tell players to
begin where the moment does, other kinds begin up to some seconds before it. Encoded anew, it begins with the very
frame, upright. Calls C code fed by strangers: for expendable workers only.
"""

from __future__ import annotations

import datetime
import heapq
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, BinaryIO

import av
import numpy as np

from guyverd.errors import PictureUnreadable
from guyverd.media.containers import Unfit, film_opened
from guyverd.media.video import Film

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.stream import Stream
    from av.video.stream import VideoStream

_FORMATS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
_FITS = {
    "video": frozenset(("h264", "hevc", "av1", "libdav1d", "mpeg4", "mpeg2video")),
    "audio": frozenset(("aac", "mp3", "mp3float", "ac3", "eac3", "alac", "opus", "libopus")),
}
"""What players expect to find in an MP4, of what comes from another kind of file."""
_ENCODERS = {"webm": ("libvpx", "libopus", 48_000), "": ("libx264", "aac", 0)}
"""What pictures and sound are encoded with, and how many samples a second of the latter (0: as many as there are)."""
_BACK = (0.0, 5.0, 30.0)
"""Seconds before the moment at which to look for a frame to begin with, then at the beginning of the film."""
_LASTS = Fraction(1)
"""Seconds for which a frame may be shown, where a film has few."""
_UNDUE = 64
"""Packets that are held until it is known when they are due."""
_EARLY = 10
_NEAR = Fraction(1, 2000)
"""Seconds: times that differ by less are one, whichever way they were rounded."""
_UNTIMED = 10_000
"""Packets in a row without a time, after which nothing more is expected of a film."""
_LOOSE = {"fflags": "bitexact"}
"""The same moment twice gives the same bytes: no random numbers, no dates of today."""
_TICK = Fraction(1, 90_000)
_WHOLE = 1 << 31
_HIGH = 720
"""Lines from which on colours are coded as in high definition."""


def cut_clip(
    path: bytes,
    start: float,
    end: float,
    target: BinaryIO,
    suffix: str,
    *,
    exact: bool = False,
    alive: Callable[[], object] = lambda: None,
) -> bool:
    """Write what the video at `path` shows from `start` to `end`, in seconds, into the empty file `target`.

    `suffix` tells its kind: .mp4, .mov, .mkv or .webm. `alive` is called every now and then. Returns whether it was
    encoded anew: where it is to be `exact`, or its packets do not fit. Raises what `film_opened` does,
    PictureUnreadable also where the video shows nothing then; OSError where `target` cannot be written.
    """
    format_ = _FORMATS[suffix]
    into = _Target(target)
    part = _Part(start, end, into, format_, alive)
    try:
        if not exact:
            try:
                with film_opened(path, sound=True) as (container, film):
                    _copy(container, film, part)
            except _Misfit:
                into.clear()
            else:
                return False
        _encode(path, part)
    except PictureUnreadable:
        if into.problem is not None:
            raise into.problem from None
        raise
    return True


class _Misfit(Exception):
    """The packets cannot stand in a file of that kind."""


class _Target:
    """The file that is written, and why it could not be."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.problem: OSError | None = None

    def write(self, data: bytes) -> int:
        """Write where it stands."""
        try:
            return self._file.write(data)
        except OSError as problem:
            self.problem = problem
            raise

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to another place."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Where it stands."""
        return self._file.tell()

    def clear(self) -> None:
        """Begin anew."""
        self._file.seek(0)
        self._file.truncate()


@dataclass(frozen=True, slots=True)
class _Part:
    """What is cut, and into what."""

    start: float
    end: float
    into: _Target
    format: str
    alive: Callable[[], object]


# ---- as it is --------------------------------------------------------------------------------------------------------


def _copy(container: InputContainer, film: VideoStream, part: _Part) -> None:
    origin = _origin(container, film)
    begin, last = origin + Fraction(part.start), origin + Fraction(part.end) - _NEAR
    sound = _sound(container)
    streams: list[Stream] = [film] if sound is None else [film, sound]
    if not _fit(container, streams, part.format):
        raise _Misfit
    packets = _from(container, film, streams, begin)
    first = next(packets, None)
    if first is None or first.pts is None or first.pts * first.time_base >= last:
        raise _Misfit  # who decodes it can tell what is wrong
    try:
        with av.open(part.into, "w", format=part.format, options=_LOOSE) as made:
            _date(container, made, part.start)
            copies = {stream.index: made.add_stream_from_template(stream) for stream in streams}
            # Before the moment, as time below zero, only where players are told to pass over it.
            zero = begin if part.format in ("mp4", "mov") else min(begin, first.pts * first.time_base)
            wanted = _until(first, packets, last, len(streams))
            if _mux(made, copies, wanted, zero, part.alive) < begin - _LASTS:
                raise Unfit("it shows nothing at that time")
    except (av.FFmpegError, ValueError) as problem:
        if part.into.problem is not None:
            raise part.into.problem from problem
        raise _Misfit from problem


def _fit(container: InputContainer, streams: list[Stream], format_: str) -> bool:
    """Whether packets of these can stand in a file of that kind, and be played."""
    if format_ != "mp4" or container.format.name.startswith("mov"):
        return True
    if container.format.name == "avi" and streams[0].codec_context.has_b_frames:
        return False  # it does not tell in which order its frames are shown
    return all(stream.codec_context.name in _FITS.get(stream.type, ()) for stream in streams)


def _mux(
    made: OutputContainer,
    copies: dict[int, Stream],
    packets: Iterator[Packet[Stream]],
    zero: Fraction,
    alive: Callable[[], object],
) -> Fraction:
    """Write packets, as from the time `zero` on; returns when the last frame is shown."""
    last = Fraction(-1)
    for number, packet in enumerate(packets):
        if number % 256 == 0:
            alive()
        if packet.stream.type == "video":
            last = max(last, _time(packet.pts, packet))
        shift = round(zero / packet.time_base)
        assert packet.pts is not None
        assert packet.dts is not None
        packet.pts -= shift
        packet.dts -= shift
        packet.stream = copies[packet.stream_index]
        made.mux_one(packet)
    return last


def _from(
    container: InputContainer, film: VideoStream, streams: list[Stream], begin: Fraction
) -> Iterator[Packet[Stream]]:
    """Packets from the last frame before `begin` on that depends on no other, and the sound from there on."""
    origin = _origin(container, film)
    for back in (*_BACK, None):
        at = origin if back is None else max(origin, begin - Fraction(back))
        _seek(container, film, at)
        packets = _timed(container, streams)
        key = next((one for one in packets if one.stream_index == film.index and one.is_keyframe), None)
        if key is None or key.pts is None:
            continue
        if at == origin or key.pts * key.time_base <= begin:
            yield key
            heard = key.pts * key.time_base
            yield from (one for one in packets if _time(one.pts, one) >= heard or one.stream_index == film.index)
            return


def _seek(container: InputContainer, film: VideoStream, at: Fraction) -> None:
    assert film.time_base is not None
    if at == _origin(container, film):
        at -= _EARLY  # lists of times may be off by a frame, and some kinds have none
    try:
        container.seek(int(at / film.time_base), stream=film, backward=True)
    except av.FFmpegError:
        container.seek(int(at * av.time_base), backward=True)


def _timed(container: InputContainer, streams: list[Stream]) -> Iterator[Packet[Stream]]:
    """Packets that tell their time; those after a fault in the middle of the file are none."""
    untimed = 0
    # After a jump into a film it is not known at first when its packets are due, only when their frames are shown.
    early: dict[int, list[Packet[Stream]]] = {}
    try:
        for packet in container.demux(*streams):
            untimed += 1
            if untimed > _UNTIMED:
                return
            if not packet.size or (packet.dts is None and packet.pts is None):
                continue
            untimed = 0
            before = early.setdefault(packet.stream_index, [])
            if packet.dts is None and len(before) < _UNDUE:
                before.append(packet)
                continue
            yield from _due(before, packet)
            before.clear()
            if packet.pts is None:
                packet.pts = packet.dts  # as AVI does
            packet.dts = packet.pts if packet.dts is None else packet.dts
            yield packet
    except (av.InvalidDataError, EOFError):
        pass
    for before in early.values():
        yield from _due(before, None)


def _due(early: list[Packet[Stream]], then: Packet[Stream] | None) -> Iterator[Packet[Stream]]:
    """The packets before `then` with the times at which they are due, one frame after the other."""
    for back, packet in zip(range(len(early), 0, -1), early, strict=True):
        if then is None or then.dts is None:
            packet.dts = packet.pts
        else:
            rate = getattr(packet.stream, "average_rate", None) or 25
            lasts = packet.duration or round(1 / (rate * packet.time_base))
            packet.dts = then.dts - back * max(1, lasts)
        yield packet


def _until(
    first: Packet[Stream], packets: Iterator[Packet[Stream]], last: Fraction, streams: int
) -> Iterator[Packet[Stream]]:
    """Packets until each stream is past `last`; of frames shown later those alone on which earlier ones depend."""
    over: set[int] = set()
    later: list[Packet[Stream]] = []
    yield first
    for packet in packets:
        if packet.stream_index in over:
            continue
        if _time(packet.dts, packet) >= last:
            over.add(packet.stream_index)
            if len(over) == streams:
                return
        elif _time(packet.pts, packet) >= last:
            later.append(packet)
        else:
            if any(one.stream_index == packet.stream_index for one in later):
                yield from later
                later = []
            yield packet


def _time(ticks: int | None, packet: Packet[Stream]) -> Fraction:
    assert ticks is not None
    return ticks * packet.time_base


# ---- anew ------------------------------------------------------------------------------------------------------------


def _encode(path: bytes, part: _Part) -> None:
    # Pictures and sound are read side by side, each with a container of its own: they lie apart in some.
    with (
        film_opened(path) as (container, stream),
        film_opened(path, sound=True) as (beside, _),
        av.open(part.into, "w", format=part.format, options=_LOOSE) as made,
    ):
        film = Film(container, stream)
        _date(container, made, part.start)
        shown = _pictures(film, part, made)
        first = next(shown, None)
        if first is None:
            raise Unfit(film.broken or "it shows nothing at that time")
        sound = _sound(beside)
        heard = iter(()) if sound is None else _heard(beside, sound, part, made)
        begun = next(heard, None)
        # Streams must all be there before the first packet is written.
        rest = heapq.merge(shown, heard if begun is None else _chained(begun, heard), key=lambda pair: pair[0])
        for _, packet in _chained(first, rest):
            made.mux_one(packet)


def _chained(first: tuple[float, Packet[Any]], rest: Iterator[tuple[float, Packet[Any]]]) -> Iterator[Any]:
    yield first
    yield from rest


def _pictures(film: Film, part: _Part, made: OutputContainer) -> Iterator[tuple[float, Packet[Any]]]:
    """The film's packets, each with its time."""
    stream: VideoStream | None = None
    for moment in film.frames(part.start, every=True):
        if moment.time >= part.end - _NEAR and stream is not None:
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
    stream = made.add_stream(encoder, rate=Fraction(min(max(rate, 1.0), 240.0)).limit_denominator(1001))
    assert isinstance(stream, av.VideoStream)
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    context = stream.codec_context
    context.time_base = _TICK
    context.thread_count = 1
    context.colorspace = 1 if height >= _HIGH else 5
    # What x264 calls its macroblock tree is not the same twice.
    quick = {"preset": "veryfast", "crf": "18", "x264-params": "mbtree=0"}
    context.options = quick if encoder == "libx264" else {"crf": "10", "b:v": "8M"}
    return stream


def _heard(
    container: InputContainer, sound: AudioStream, part: _Part, made: OutputContainer
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


# ---- both ------------------------------------------------------------------------------------------------------------


def _sound(container: InputContainer) -> AudioStream | None:
    found = container.streams.best("audio")
    return found if isinstance(found, av.AudioStream) and found.codec_context is not None else None


def _origin(container: InputContainer, film: VideoStream) -> Fraction:
    """When the film begins, as `media.video` has it."""
    if container.start_time is not None:
        return Fraction(container.start_time, av.time_base)
    return (film.start_time or 0) * (film.time_base or Fraction(0))


def _date(container: InputContainer, made: OutputContainer, start: float) -> None:
    """When the moment was filmed, where the film tells it of itself."""
    told = container.metadata.get("creation_time")
    if told is None:
        return
    try:
        at = datetime.datetime.fromisoformat(told) + datetime.timedelta(seconds=start)
    except (ValueError, OverflowError):
        return
    made.metadata["creation_time"] = at.isoformat()
