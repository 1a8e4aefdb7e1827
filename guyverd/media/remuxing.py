"""Packets copied out of a film as they are, from the last frame that depends on no other to the end of a moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

import av

from guyverd.media.containers import Unfit
from guyverd.media.cutting import LOOSE, NEAR, Misfit, Part, date, origin_of, sound_of

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.stream import Stream
    from av.video.stream import VideoStream

_FITS = {
    "video": frozenset(("h264", "hevc", "av1", "libdav1d", "mpeg4", "mpeg2video")),
    "audio": frozenset(("aac", "mp3", "mp3float", "ac3", "eac3", "alac", "opus", "libopus")),
}
"""What players expect to find in an MP4, of what comes from another kind of file."""
_BACK = (0.0, 5.0, 30.0)
"""Seconds before the moment at which to look for a frame to begin with, then at the beginning of the film."""
_LASTS = Fraction(1)
"""Seconds for which a frame may be shown, where a film has few."""
_UNDUE = 64
"""Packets that are held until it is known when they are due."""
_EARLY = 10
_UNTIMED = 10_000
"""Packets in a row without a time, after which nothing more is expected of a film."""


def copy_out(container: InputContainer, film: VideoStream, part: Part) -> None:
    """Write a part of a film that is open. Raises Misfit, Unfit where it shows nothing then, and OSError."""
    origin = origin_of(container, film)
    begin, last = origin + Fraction(part.start), origin + Fraction(part.end) - NEAR
    sound = sound_of(container)
    streams: list[Stream] = [film] if sound is None else [film, sound]
    if not _fit(container, streams, part.format):
        raise Misfit
    packets = _from(container, film, streams, begin)
    first = next(packets, None)
    if first is None or first.pts is None or first.pts * first.time_base >= last:
        raise Misfit  # who decodes it can tell what is wrong
    try:
        with av.open(part.into, "w", format=part.format, options=LOOSE) as made:
            date(container, made, part.start)
            copies = {stream.index: made.add_stream_from_template(stream) for stream in streams}
            # Before the moment, as time below zero, only where players are told to pass over it.
            zero = begin if part.format in ("mp4", "mov") else min(begin, first.pts * first.time_base)
            wanted = _until(first, packets, last, len(streams))
            if _mux(made, copies, wanted, zero, part.alive) < begin - _LASTS:
                raise Unfit("it shows nothing at that time")
    except (av.FFmpegError, ValueError) as problem:
        if part.into.problem is not None:
            raise part.into.problem from problem
        raise Misfit from problem


def _fit(container: InputContainer, streams: list[Stream], format_: str) -> bool:
    """Whether packets of these can stand in a file of that kind, and be played."""
    if format_ != "mp4" or container.format.name.startswith("mov"):
        return True
    if container.format.name == "avi" and getattr(streams[0].codec_context, "has_b_frames", True):
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
    origin = origin_of(container, film)
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
    if at == origin_of(container, film):
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
