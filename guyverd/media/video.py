"""Frames of a film by time: upright, with square pixels, from any moment on.

Times are seconds from the beginning as players count them: when the container's first stream begins. Only frames that
others depend on are decoded where that is enough, half the work or less with the usual encoders. What a decoder or a
container gets wrong in the middle of a film ends it there, and `Film.broken` says why; what came before stays.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import av
import numpy as np
from av.sidedata.sidedata import Type

from guyverd.errors import PastTheEnd
from guyverd.media.containers import Unfit, film_opened
from guyverd.media.metadata import filmed_at, filmed_at_in_stream
from guyverd.media.still import Picture

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

    from guyverd.model import Pixels

    Thumb = np.ndarray[Any, np.dtype[np.float32]]

_BACK = (0.0, 4.0, 20.0, 120.0)
"""Seconds before the wanted time at which to look for a frame to begin with, then at the beginning. Seeking lands on a
frame that depends on no other where a container has a list of them, and anywhere where it has none."""
_FAR = 20.0
"""Seconds before the wanted time from which on it is worth while to look for a frame to begin with first."""
_EARLY = 10.0
"""Seconds before the beginning of a film that are sought to find its first frame."""
_UNHURRIED = 4.0
"""A few seconds of what is skipped are decoded like the rest."""
_LONG = (1.0, 10.0, 100.0, float("inf"))
"""Seconds for which a frame may be shown: in slides, for minutes."""
_ROUNDED = 1e-3
"""Seconds by which the time of a frame may be off, as containers count in milliseconds."""
_FEW = 0.1
"""Seconds of a film of which one frame is decoded where none depends on another."""
_FAULTS = 200
"""Packets in a row that cannot be decoded, or frames that are not later than the one before: then it is over."""
_JUMP = 1.0
"""Seconds by which the clock may go back, as where two frames were swapped."""
_LONG_SIDE, _SHORT_SIDE = 64, 36
"""Pixels of a thumbnail."""
_WIDEST = 4.0
"""A pixel is at most so many times as wide as high; more is a mistake in the file."""
_MOST_PIXELS = 36_000_000
_SHORTEST = 16


@dataclass(frozen=True, slots=True)
class Facts:
    """What a film says about itself."""

    width: int
    """Pixels, upright and square."""
    height: int
    format: str
    """MP4, MOV, 3GP, MKV, WEBM, AVI or MTS."""
    taken_at: str | None
    """Capture time, ISO 8601, with an offset where the film tells one."""
    duration: float | None
    """Seconds, as announced; None where nothing is."""
    rate: float
    """Frames in a second, on average; 25 where that is not told."""
    sure: bool = False
    """Whether the duration is that of the pictures themselves; else sound may go on for longer."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One frame, not yet unpacked."""

    time: float
    """Seconds; later than that of the frame before."""
    frame: VideoFrame
    lasts: float
    """Seconds until the next frame, as far as it is told."""

    @property
    def key(self) -> bool:
        """Whether it depends on no other frame."""
        return bool(self.frame.key_frame)

    @property
    def held(self) -> int:
        """Bytes that it takes while it is kept."""
        return sum(plane.buffer_size for plane in self.frame.planes)

    def thumb(self) -> Thumb:
        """Its brightness on a few pixels, as the decoder has it, not turned: float32[h, w], 0..255."""
        frame = self.frame
        name = frame.format.name
        if not name.startswith(("yuv", "nv1", "gray")) or name.endswith("be"):
            frame = frame.reformat(4 * _LONG_SIDE, 4 * _SHORT_SIDE, "gray")
        plane = frame.planes[0]
        deep = frame.format.components[0].bits > 8
        kind = np.dtype("<u2") if deep else np.dtype(np.uint8)
        grey = np.frombuffer(cast("Any", plane), kind).reshape(plane.height, -1)[:, : plane.width]
        down, across = max(1, plane.height // (4 * _SHORT_SIDE)), max(1, plane.width // (4 * _LONG_SIDE))
        some = grey[down // 2 :: down, across // 2 :: across]
        high, wide = some.shape[0] // 4, some.shape[1] // 4
        # Each the mean of sixteen pixels spread over it: one alone would be noise, or change where a pattern moves.
        found: Thumb = some[: 4 * high, : 4 * wide].reshape(high, 4, wide, 4).mean((1, 3), dtype=np.float32)
        if deep:
            found /= np.float32(1 << (frame.format.components[0].bits - 8))
        return found


class Film:
    """A film that is open."""

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        """Decode its first frame. Raises Unfit where there is none."""
        self._container = container
        self._stream = stream
        self._context = stream.codec_context
        self._tick = float(stream.time_base or Fraction(1, 25))
        self._origin = _origin(container, stream)
        self.alone = bool(self._context.codec.intra_only)
        """Whether no frame depends on another, as old cameras and studios have it: then few are decoded."""
        # AVI has no times of its own: frames are shown in the order of their packets' numbers.
        self._numbered = container.format.name == "avi" and not self.alone
        self._first = True
        self.broken: str | None = None
        """Why it ended before its end, in words for the user."""
        first = next(self._decoded(every=True), None)
        if first is None:
            raise Unfit(self.broken or "no frame of it can be decoded")
        self._turn = _turn(first.frame)
        self._stretch = _stretch(stream)
        width, height = self._upright(first.frame)
        if min(width, height) < _SHORTEST:
            raise Unfit(f"its frames have only {width} × {height} pixels")
        self.facts = Facts(
            width,
            height,
            _format(container, stream),
            filmed_at({**stream.metadata, **container.metadata}) or _told_by_camera(first.frame),
            _duration(container, stream, self._origin),
            float(stream.average_rate or stream.guessed_rate or 25),
            bool(stream.duration and stream.duration > 0),
        )
        self._first = False

    def frames(self, start: float, *, every: bool = False) -> Iterator[Moment]:
        """The frames from the first at or after `start` on; of those nothing depends on, none, unless `every` is said.

        It ends with the film; `broken` says whether that is before its time.
        """
        every = every or self._numbered
        for back in (*_BACK, None):
            at = 0.0 if back is None else max(0.0, start - back)
            self._go_to(at)
            moments = self._decoded(every=every, calm_until=start - _UNHURRIED)
            first = next(moments, None)
            if first is not None and first.time < start - _FAR:
                # Where the container has no list of its frames this is the beginning, mostly.
                moments = self._decoded(every=every, begin=self._last_key(at, start))
                first = next(moments, None)
            if at == 0.0 or (first is not None and first.time <= start):
                break
        if first is None:
            return
        for moment in itertools.chain([first], moments):
            if moment.time >= start - 1e-6:
                yield moment

    def _last_key(self, at: float, start: float) -> int | None:
        """The number of the last packet before `start`, from `at` on, that depends on no other; and go to `at` again.

        Nothing is decoded for that.
        """
        found = None
        self._go_to(at)
        for packet in self._packets():
            number = packet.dts if packet.pts is None or self._numbered else packet.pts
            if number is None:
                continue
            if number * self._tick - self._origin > start + _JUMP:
                break
            if packet.is_keyframe and number * self._tick - self._origin <= start:
                found = number
        self._go_to(at)
        return found

    def picture(self, moment: Moment, enough: int) -> tuple[Pixels, float]:
        """A frame as uint8[h, w, 3], RGB, upright, C-contiguous, and its scale: 1 / a whole number.

        It is reduced as long as `enough` pixels remain on the longer side.
        """
        frame = moment.frame
        width, height = self.facts.width, self.facts.height
        divisor = max(1, max(width, height) // enough)
        wide, tall = max(1, width // divisor), max(1, height // divisor)
        if self._turn.across:
            wide, tall = tall, wide
        if frame.width * frame.height > _MOST_PIXELS:
            raise Unfit(f"its frames have {frame.width} × {frame.height} pixels")
        fields = 2 if frame.interlaced_frame and tall == frame.height else 1
        # Of two half pictures taken one after the other only one is of use: what moves would have combs.
        small = frame.reformat(wide, tall, "rgb24", **_colours(frame))
        pixels = cast("Pixels", small.to_ndarray())
        if fields > 1:
            pixels = np.repeat(pixels[::2], 2, axis=0)[:tall]
        return np.ascontiguousarray(self._turn.of(pixels)), 1 / divisor

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _upright(self, frame: VideoFrame) -> tuple[int, int]:
        width, height = frame.width, frame.height
        if self._stretch > 1:
            width = round(width * self._stretch)
        else:
            height = round(height / self._stretch)
        return (height, width) if self._turn.across else (width, height)

    def _go_to(self, time: float) -> None:
        """Somewhere before `time`, if the container can."""
        self.broken = None
        # Well before the beginning where that is meant: a list of times may be off by a frame.
        ticks = round((time + self._origin - (0.0 if time else _EARLY)) / self._tick)
        try:
            self._container.seek(ticks, stream=self._stream, backward=True)
        except av.FFmpegError:
            # It has no list of its frames: from the beginning, then.
            with contextlib.suppress(av.FFmpegError):
                self._container.seek(round(self._origin * av.time_base), backward=True)

    def _decoded(self, *, every: bool, calm_until: float = float("-inf"), begin: int | None = None) -> Iterator[Moment]:
        """What comes next, in the order of time; until `calm_until` only what others depend on.

        Packets before the one with the number `begin` are passed over.
        """
        last = float("-inf")
        faults = 0
        numbers: list[int] = []
        for frame in self._raw(every=every, calm_until=calm_until, begin=begin, numbers=numbers):
            ticks = heapq.heappop(numbers) if self._numbered and numbers else frame.pts
            time = last + 1 / 25 if ticks is None else ticks * self._tick - self._origin
            if time < last - _JUMP:
                self.broken = f"its clock jumps back at {_clock(last)}"
                return
            if frame.is_corrupt or time <= last or not frame.width:
                faults += 1
                if faults > _FAULTS:
                    self.broken = f"nothing of it can be decoded after {_clock(max(0.0, last))}"
                    return
                continue
            faults = 0
            last = time
            yield Moment(max(0.0, time), frame, (frame.duration or 0) * self._tick)

    def _raw(self, *, every: bool, calm_until: float, begin: int | None, numbers: list[int]) -> Iterator[VideoFrame]:
        faults = 0
        context = self._context
        hurried: bool | None = None
        cell: int | None = None
        for packet in self._packets():
            if begin is not None and packet.size:
                if begin != (packet.dts if packet.pts is None or self._numbered else packet.pts):
                    continue
                begin = None
            if self.alone and not every and packet.size and packet.dts is not None:
                before, cell = cell, int((packet.dts * self._tick - self._origin) // _FEW)
                if cell == before:
                    continue
            calm = not every or (packet.pts is not None and packet.pts * self._tick - self._origin < calm_until)
            if calm is not hurried:
                context.skip_frame = "NONREF" if calm else "DEFAULT"
                hurried = calm
            if self._numbered and packet.size and packet.dts is not None:
                heapq.heappush(numbers, packet.dts)
            try:
                frames = self._stream.decode(packet if packet.size else None)
            except av.InvalidDataError:
                faults += 1
                if faults > _FAULTS:
                    self.broken = "its pictures cannot be decoded"
                    return
                continue
            except EOFError:
                return
            if frames:
                faults = 0
            yield from frames

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        while True:
            try:
                yield from self._container.demux(self._stream)
            except IndexError:
                # A packet of a stream that was not there at the beginning, as in a recording of television: PyAV knows
                # none but those. It is past that packet.
                continue
            except (av.InvalidDataError, EOFError) as problem:
                self.broken = f"its file is damaged ({' '.join(str(problem).split())[:80]})"
            return


@contextlib.contextmanager
def opened_film(path: bytes, size: int | None = None) -> Iterator[Film]:
    """The film in a file; raises what `containers.film_opened` does."""
    with film_opened(path, size) as (container, stream):
        yield Film(container, stream)


def read_frame(path: bytes, time: float, *, enough: int = 4096, size: int | None = None) -> Picture:
    """What a film shows at `time`, in seconds. Raises VideoUnreadable, PastTheEnd among them, and the like."""
    with opened_film(path, size) as film:
        shown = _on_screen(film, time)
        if shown is None or time > shown.time + max(shown.lasts, 2 / film.facts.rate) + _ROUNDED:
            if film.broken:
                raise Unfit(film.broken)
            end = film.facts.duration or 0.0 if shown is None else shown.time
            raise PastTheEnd(path=os.fsdecode(path), time=_clock(time), end=_clock(end))
        pixels, scale = film.picture(shown, enough)
        facts = film.facts
        return Picture(pixels, facts.width, facts.height, scale, facts.format, facts.taken_at, facts.duration)


def _on_screen(film: Film, time: float) -> Moment | None:
    """The last frame that began before: it is shown until the next does. Before the first one it is the first."""
    for back in _LONG:
        shown: Moment | None = None
        for moment in film.frames(max(0.0, time - back), every=True):
            if moment.time > time + _ROUNDED and (shown is not None or back < _LONG[-1]):
                break
            shown = moment
            if moment.time > time + _ROUNDED:
                break
        if shown is not None:
            return shown
    return None


@dataclass(frozen=True, slots=True)
class _Turn:
    """How a frame becomes upright: first rows and columns are swapped, then either is turned round."""

    across: bool = False
    left_right: bool = False
    up_down: bool = False

    def of(self, pixels: Pixels) -> Pixels:
        if self.across:
            pixels = pixels.transpose(1, 0, 2)
        if self.left_right:
            pixels = pixels[:, ::-1]
        return pixels[::-1] if self.up_down else pixels


def _turn(frame: VideoFrame) -> _Turn:
    """From the frame's matrix: (x, y) is shown at (a x + c y, b x + d y)."""
    try:
        matrix = next((bytes(one) for one in _noted(frame) if one.type == Type.DISPLAYMATRIX), b"")
        a, b, _, c, d = np.frombuffer(matrix, "<i4")[:5].tolist()
    except ValueError:
        return _Turn()
    if abs(b) + abs(c) > abs(a) + abs(d):
        return _Turn(True, c < 0, b < 0)
    return _Turn(False, a < 0, d < 0)


def _stretch(stream: VideoStream) -> float:
    """How many times as wide as high a pixel is."""
    told = stream.sample_aspect_ratio or getattr(stream.codec_context, "sample_aspect_ratio", None)
    value = float(told) if told else 1.0
    return value if 1 / _WIDEST <= value <= _WIDEST else 1.0


def _origin(container: InputContainer, stream: VideoStream) -> float:
    told: int | None = container.start_time
    if told is not None:
        return told / av.time_base
    return float((stream.start_time or 0) * (stream.time_base or 0))


def _duration(container: InputContainer, stream: VideoStream, origin: float) -> float | None:
    """The shorter of what the pictures and the whole are said to last: what was trimmed is still in the pictures."""
    told = []
    if stream.duration and stream.time_base and stream.duration > 0:
        begins = float((stream.start_time or 0) * stream.time_base) - origin
        told.append(max(0.0, begins) + float(stream.duration * stream.time_base))
    if container.duration and container.duration > 0:
        told.append(container.duration / av.time_base)
    return min(told, default=None)


def _format(container: InputContainer, stream: VideoStream) -> str:
    name = container.format.name
    if name == "matroska,webm":
        return "WEBM" if stream.codec_context.codec.canonical_name in ("vp8", "vp9", "av1") else "MKV"
    if name == "mpegts":
        return "MTS"
    if name == "avi":
        return "AVI"
    brand = container.metadata.get("major_brand", "")
    return "MOV" if brand.startswith("qt") or not brand else "3GP" if brand.startswith("3g") else "MP4"


def _colours(frame: VideoFrame) -> dict[str, Any]:
    """What swscale has to be told: frames larger than television's mostly do not say how they code colours."""
    unsaid = frame.colorspace in (0, 2) and frame.format.name.startswith(("yuv", "nv"))
    return {"src_colorspace": "ITU709"} if unsaid and frame.height >= 720 else {}


def _noted(frame: VideoFrame) -> list[Any]:
    """What stands beside the pixels of a frame."""
    data: Any = frame.side_data
    return [data[at] for at in range(len(data))]


def _told_by_camera(frame: VideoFrame) -> str | None:
    """The time that a camcorder writes into the pictures themselves."""
    for data in _noted(frame):
        if data.type == Type.SEI_UNREGISTERED and (found := filmed_at_in_stream(bytes(data))):
            return found
    return None


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
