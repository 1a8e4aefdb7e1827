"""Video files opened so that nothing but the file itself is ever read, by the parsers and decoders that films need.

FFmpeg knows hundreds of formats, some of which name other files or hosts to be opened. Here it gets bytes and no name,
from a descriptor that was opened by us, no protocol, four families of containers and the codecs of cameras and films.
Still it is C code fed by strangers: for expendable workers only.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator

import av
import av.logging
from av.container import InputContainer
from av.video.stream import VideoStream

from guyverd.errors import FileUnreadable, VideoUnreadable
from guyverd.media.content import ContentChanged, checked_unchanged, opened

_FORMATS = ("mov", "mp4", "m4a", "3gp", "3g2", "mj2", "matroska", "webm", "avi", "mpegts")
_CODECS = frozenset(
    {
        "h264",
        "hevc",
        "libdav1d",
        "av1",
        "vp8",
        "libvpx",
        "vp9",
        "libvpx-vp9",
        "mpeg4",
        "h263",
        "h263p",
        "flv",
        "msmpeg4v1",
        "msmpeg4v2",
        "msmpeg4",
        "mpeg1video",
        "mpeg2video",
        "mjpeg",
        "dvvideo",
        "prores",
        "vc1",
        "wmv3",
        "svq1",
        "svq3",
        "cinepak",
        "theora",
        "rawvideo",
        "huffyuv",
        "ffvhuff",
        "ffv1",
        "dnxhd",
        "indeo3",
        "indeo5",
    }
)
"""What phones, cameras and films are made with; everything else that FFmpeg decodes is left alone."""
_SOUNDS = frozenset(
    {
        "aac",
        "ac3",
        "adpcm_ima_qt",
        "adpcm_ima_wav",
        "adpcm_ms",
        "alac",
        "amrnb",
        "amrwb",
        "dca",
        "eac3",
        "flac",
        "libopencore_amrnb",
        "libopencore_amrwb",
        "libopus",
        "mp2",
        "mp2float",
        "mp3",
        "mp3float",
        "opus",
        "pcm_alaw",
        "pcm_bluray",
        "pcm_dvd",
        "pcm_mulaw",
        "pcm_s16be",
        "pcm_s16le",
        "pcm_s24le",
        "pcm_u8",
        "vorbis",
        "wmav2",
    }
)
"""What they are heard with; only where a clip is cut."""
_LIMITS = {"probesize": "10000000", "analyzeduration": "10000000", "max_streams": "64"}
_BUFFER = 1 << 18
_LARGEST = 36_000_000
"""Pixels of a frame: 8K. A decoder holds a score of frames."""
_DESCRIPTOR = re.compile(rb"/proc/[0-9]+/fd/[0-9]+")


@contextlib.contextmanager
def film_opened(
    path: bytes, size: int | None = None, *, sound: bool = False
) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container at `path` and the stream of it that is a film; nothing of it is decoded yet.

    With `sound`, what there is to hear may be taken apart, too.

    Raises PictureMissing; ContentChanged where the file has not `size` bytes, or changed meanwhile; VideoUnreadable
    where it is no video that is read here; FileUnreadable where the disk does not give it.
    """
    av.logging.set_level(None)
    # A descriptor of another process is no name that somebody else can turn.
    with opened(path, follow=_DESCRIPTOR.fullmatch(path) is not None) as (file, before):
        if size is not None and before.size != size:
            raise ContentChanged(path=os.fsdecode(path))
        if not before.size:
            raise VideoUnreadable(path=os.fsdecode(path), detail="the file is empty")
        source = _Source(file, before.size)
        with _explained(path, source), _container(source, sound=sound) as container:
            yield container, _film(container)
        checked_unchanged(path, file, before)


def _container(source: _Source, *, sound: bool) -> InputContainer:
    options = {
        "format_whitelist": ",".join(_FORMATS),
        "codec_whitelist": ",".join(sorted(_CODECS | _SOUNDS if sound else _CODECS)),
        "protocol_whitelist": "none",
        **_LIMITS,
    }
    return av.open(source, "r", container_options=options, buffer_size=_BUFFER, metadata_errors="replace")


def _film(container: InputContainer) -> VideoStream:
    """The stream to look at; the others, sound mostly, are not even taken apart."""
    films = [stream for stream in container.streams.video if _is_film(stream)]
    if not films:
        sound = container.streams.audio or container.streams.video
        raise Unfit(
            "it holds no film, only sound or a cover" if sound else "it holds no film, or is cut short or damaged"
        )
    # A second one is a preview, or another view of the same.
    film = max(films, key=lambda stream: stream.codec_context.width * stream.codec_context.height)
    context = film.codec_context
    if context.name not in _CODECS:
        raise Unfit(f"its pictures are coded in a way that is not read here ({context.name})")
    if context.width * context.height > _LARGEST:
        size = f"{context.width} × {context.height} pixels"
        raise Unfit(f"its frames have {size}; at most {_LARGEST / 1e6:g} million are read")
    # One thread: there is a worker for each core.
    context.thread_count = 1
    context.thread_type = "NONE"
    return film


def _is_film(stream: VideoStream) -> bool:
    from av.stream import Disposition  # noqa: PLC0415

    cover = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
    try:
        return not stream.disposition & cover and stream.codec_context is not None
    except ValueError:
        return False


class Unfit(Exception):
    """Why a video is not read, in words for the user."""


class _Source:
    """The bytes of an open file, and never more than it had when it was opened."""

    def __init__(self, file: int, size: int) -> None:
        self._file = file
        self._size = size
        self._place = 0
        self.problem: OSError | None = None

    def read(self, count: int) -> bytes:
        """The next bytes; none at the end."""
        try:
            data = os.pread(self._file, max(0, min(count, self._size - self._place)), self._place)
        except OSError as problem:
            # FFmpeg would take it for the end.
            self.problem = problem
            raise
        self._place += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to another place."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        self._place = max(0, base + offset)
        return self._place

    def tell(self) -> int:
        """Where it is."""
        return self._place

    def begins(self) -> bytes:
        """The first bytes."""
        return os.pread(self._file, 64, 0)


@contextlib.contextmanager
def _explained(path: bytes, source: _Source) -> Iterator[None]:
    """Every fault of the bytes as VideoUnreadable with a short reason."""
    name = os.fsdecode(path)
    try:
        yield
    except Unfit as reason:
        raise VideoUnreadable(path=name, detail=str(reason)) from None
    except (av.FFmpegError, UnicodeError) as problem:
        if source.problem is not None:
            raise FileUnreadable(path=name, detail=source.problem.strerror or str(source.problem)) from problem
        if isinstance(problem, MemoryError):
            raise
        raise VideoUnreadable(path=name, detail=_reason(problem, source)) from problem


def _reason(problem: Exception, source: _Source) -> str:
    begins = source.begins()
    if begins[4:8] in (b"ftyp", b"mdat", b"wide", b"free"):
        return "it is cut short or damaged: the table that tells where its frames are cannot be read"
    if isinstance(problem, av.InvalidDataError | av.ArgumentError | EOFError):
        return "it is no video of a kind known here, or its beginning is damaged"
    text = " ".join(str(problem).split())[:160]
    return f"it is damaged ({text or type(problem).__name__})"
