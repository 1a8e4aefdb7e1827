"""Tracks: one person through one shot of a film; found part by part, and put together over the parts' edges.

Pure. A film is looked at in parts of equal length, so that it can go on after an interruption and several workers can
share it. Two neighbours both look at the first frame from their common edge on: a face there is in a piece of each, and
the pieces are one track.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from guyverd.model import EMBEDDING_SIZE, Box, DetectedFace, Frame, Quality, Track

if TYPE_CHECKING:
    from guyverd.model import FloatArray

LENGTH = 60.0
"""Seconds of a part. Part n is from n × 60 s on."""
BEST = 8
"""Faces of a track that are kept: its embedding is their mean."""
FRAMES = 5
"""Frames that are told of a track."""
_WORTH = 0.6
"""A face counts towards the embedding if it has at least this share of the best one's quality."""
_SAME_PLACE = 0.3
"""Boxes of one frame that overlap by this share of their union are the same face."""
_GLIMPSE = 0.8
"""How sure the detector must be of a face that was seen on one frame only; others come from grain and patterns."""
_APART = 0.5
"""Seconds between two frames that are told of a track."""

_MAGIC = b"guyverd part 1\n"
_HEAD = struct.Struct("<QQ")
_SEAL = 16
_VECTOR = 4 * EMBEDDING_SIZE


@dataclass(frozen=True, slots=True)
class Sight:
    """A face on one frame."""

    time: float
    """Seconds from the beginning of the film."""
    face: DetectedFace
    """Without a track."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What of a track lies in one part."""

    start: float
    """Seconds from the beginning of the film: from here on it is seen."""
    end: float
    """Seconds likewise: from here on it is not seen any more."""
    first: Box
    """Where it is at the start; matters where it `opens`."""
    last: Box
    """Where it is at the end; matters where it `stays`."""
    opens: bool
    """Seen on the first frame of the part: it may have begun in the part before."""
    stays: bool
    """Seen on the frame at the part's end, which is the first of the next part."""
    seen: int
    """On how many frames."""
    best: tuple[Sight, ...]
    """Its best faces, best first; 1 to `BEST`."""


@dataclass(frozen=True, slots=True)
class VideoPart:
    """What was found in one part of a film."""

    number: int
    """From 0."""
    start: float
    """Seconds from the beginning of the film."""
    end: float
    """Seconds likewise; of the last part, where the film ends."""
    last: bool
    """Whether the film ends in it, or before it."""
    width: int
    """Pixels, upright."""
    height: int
    format: str
    """Such as MP4 or MKV."""
    taken_at: str | None
    """Capture time, ISO 8601."""
    duration: float | None
    """Seconds the film lasts, as it announces; None where it does not."""
    cut_off: str | None
    """Why it ended before the end that it announces, in words; None where it did not."""
    pieces: tuple[Piece, ...]


def parts_of(duration: float) -> int:
    """How many parts a film of so many seconds has."""
    return max(1, math.ceil(duration / LENGTH - 1e-9))


# ---- put together ----------------------------------------------------------------------------------------------------


def whole(parts: Sequence[VideoPart]) -> tuple[DetectedFace, ...]:
    """The tracks of a film from all its parts, in order, up to the first that is `last`.

    Ordered by when they begin, then from left to right. Raises ValueError where a part is missing.
    """
    chains: list[list[Piece]] = []
    open_: list[list[Piece]] = []
    for number, part in enumerate(parts):
        if part.number != number:
            raise ValueError(f"part {part.number} of a film stands where part {number} belongs")
        going_on = _matched(open_, [piece for piece in part.pieces if piece.opens])
        before, open_ = open_, []
        for piece in part.pieces:
            at = going_on.get(id(piece))
            chain = [] if at is None else before[at]
            if not chain:
                chains.append(chain)
            chain.append(piece)
            if piece.stays:
                open_.append(chain)
        if part.last:
            break
    else:
        raise ValueError("the last part of a film is missing")
    tracks = [track for chain in chains if (track := _track(chain)) is not None]
    return tuple(sorted(tracks, key=_order))


def _matched(open_: Sequence[Sequence[Piece]], opening: Sequence[Piece]) -> dict[int, int]:
    """Which of the chains that stay each opening piece (by its id) goes on with: those that overlap most, first."""
    pairs = [
        (-chain[-1].last.overlap(piece.first), at, place)
        for at, chain in enumerate(open_)
        for place, piece in enumerate(opening)
    ]
    found: dict[int, int] = {}
    taken: set[int] = set()
    for shared, at, place in sorted(pairs):
        if -shared >= _SAME_PLACE and at not in taken and id(opening[place]) not in found:
            found[id(opening[place])] = at
            taken.add(at)
    return found


def _track(chain: Sequence[Piece]) -> DetectedFace | None:
    """The track that pieces make; None where it was but a glimpse of what may be no face."""
    # The frame at an edge is seen by both sides.
    seen = sum(piece.seen for piece in chain) - (len(chain) - 1)
    sights = best_of([sight for piece in chain for sight in piece.best])
    best = sights[0]
    if seen < 2 and best.face.confidence < _GLIMPSE:
        return None
    start, end = chain[0].start, max(piece.end for piece in chain)
    frames = tuple(Frame(sight.time, sight.face.box, sight.face.quality.score) for sight in spread(sights))
    return replace(best.face, embedding=mean(sights), track=Track(start, max(end, start + 1e-3), frames))


def best_of(sights: Sequence[Sight]) -> list[Sight]:
    """The best `BEST` of a track's faces, best first, each frame counted once."""
    found: dict[float, Sight] = {}
    for sight in sorted(sights, key=lambda sight: (-sight.face.quality.score, sight.time)):
        found.setdefault(sight.time, sight)
    return list(itertools.islice(found.values(), BEST))


def spread(sights: Sequence[Sight]) -> list[Sight]:
    """A few of them that are not of nearly the same moment, best first."""
    chosen: list[Sight] = []
    for sight in sights:
        if all(abs(sight.time - other.time) >= _APART for other in chosen):
            chosen.append(sight)
    return chosen[:FRAMES]


def mean(sights: Sequence[Sight]) -> FloatArray:
    """The embedding of a track, float32[128]: the mean over its best faces, each counting by its quality."""
    most = sights[0].face.quality.score
    worth = [sight for sight in sights if sight.face.quality.score >= _WORTH * most]
    weights = np.array([max(1e-3, sight.face.quality.score) for sight in worth])
    vectors = np.stack([sight.face.embedding for sight in worth]).astype(np.float64)
    found: FloatArray = (weights @ vectors / weights.sum()).astype(np.float32)
    return found


def _order(face: DetectedFace) -> tuple[float, int, int, int, int]:
    assert face.track is not None
    return (face.track.start, face.box.left, face.box.top, face.box.right, face.box.bottom)


# ---- as bytes --------------------------------------------------------------------------------------------------------


def encoded(part: VideoPart) -> bytes:
    """A part as bytes that `decoded` reads: what it tells as JSON, then the vectors, sealed with a hash."""
    vectors = [sight.face.embedding for piece in part.pieces for sight in piece.best]
    told = {
        "number": part.number,
        "start": part.start,
        "end": part.end,
        "last": part.last,
        "width": part.width,
        "height": part.height,
        "format": part.format,
        "taken_at": part.taken_at,
        "duration": part.duration,
        "cut_off": part.cut_off,
        "pieces": [_piece_told(piece) for piece in part.pieces],
    }
    text = json.dumps(told, allow_nan=False, separators=(",", ":")).encode()
    blob = b"".join(np.ascontiguousarray(vector, "<f4").tobytes() for vector in vectors)
    body = _MAGIC + _HEAD.pack(len(text), len(vectors)) + text + blob
    return body + _seal(body)


def decoded(data: bytes) -> VideoPart:
    """The part that `encoded` made into bytes. Raises ValueError for all other bytes."""
    body, seal = data[:-_SEAL], data[-_SEAL:]
    if not data.startswith(_MAGIC) or _seal(body) != seal:
        raise ValueError("these bytes are no part of a film")
    try:
        return _decoded(body)
    except (KeyError, TypeError, IndexError, AttributeError, struct.error, RecursionError) as problem:
        raise ValueError(f"these bytes are no part of a film: {problem}") from problem


def _decoded(body: bytes) -> VideoPart:
    at = len(_MAGIC)
    length, count = _HEAD.unpack_from(body, at)
    at += _HEAD.size
    if len(body) != at + length + count * _VECTOR:
        raise ValueError("a part of a film has another length than it says")
    told = json.loads(body[at : at + length])
    vectors = np.frombuffer(body, "<f4", offset=at + length).reshape(count, EMBEDDING_SIZE).astype(np.float32)
    if not np.isfinite(vectors).all():
        raise ValueError("a part of a film has a vector that is none")
    left = iter(vectors)
    pieces = tuple(_piece_of(piece, left) for piece in told["pieces"])
    if next(left, None) is not None:
        raise ValueError("a part of a film has more vectors than faces")
    return VideoPart(
        int(told["number"]),
        float(told["start"]),
        float(told["end"]),
        bool(told["last"]),
        int(told["width"]),
        int(told["height"]),
        str(told["format"]),
        _text(told["taken_at"]),
        None if told["duration"] is None else float(told["duration"]),
        _text(told["cut_off"]),
        pieces,
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _piece_told(piece: Piece) -> list[object]:
    best = [_sight_told(sight) for sight in piece.best]
    edges = _box_told(piece.first), _box_told(piece.last)
    return [piece.start, piece.end, *edges, piece.opens, piece.stays, piece.seen, best]


def _piece_of(told: Any, vectors: Any) -> Piece:
    start, end, first, last, opens, stays, seen, best = told
    sights = tuple(_sight_of(sight, next(vectors, None)) for sight in best)
    if not sights:
        raise ValueError("a piece of a track has no face")
    return Piece(float(start), float(end), _box_of(first), _box_of(last), bool(opens), bool(stays), int(seen), sights)


def _sight_told(sight: Sight) -> list[object]:
    face = sight.face
    quality = face.quality
    parts = [quality.size, quality.sharpness, quality.confidence, quality.pose, quality.score]
    return [sight.time, _box_told(face.box), face.confidence, face.landmarks, parts, face.look]


def _sight_of(told: Any, vector: FloatArray | None) -> Sight:
    time, box, confidence, landmarks, parts, look = told
    if vector is None or len(landmarks) != 5:
        raise ValueError("a face of a film lacks its vector or a landmark")
    points = tuple((float(x), float(y)) for x, y in landmarks)
    quality = Quality(*map(float, parts))
    face = DetectedFace(
        _box_of(box), float(confidence), points, quality, vector, look=None if look is None else int(look)
    )
    return Sight(float(time), face)


def _box_told(box: Box) -> list[int]:
    return [box.left, box.top, box.right, box.bottom]


def _box_of(told: Any) -> Box:
    left, top, right, bottom = told
    return Box(int(left), int(top), int(right), int(bottom))


def _seal(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=_SEAL).digest()
