"""What the catalogue hands out: frozen rows for the service, and how paths become text."""

from __future__ import annotations

from dataclasses import dataclass

from guyverd.catalogue.database import Row
from guyverd.model import (
    Box,
    FaceId,
    FileId,
    PersonId,
    PhotoId,
    PhotoKind,
    PhotoReading,
    RootId,
    RootIdentity,
    RootState,
    Stamp,
)


def display(path: bytes) -> str:
    """A path as text to show and to query; bytes that are not UTF-8 become U+FFFD."""
    return path.decode("utf-8", "replace")


def within(root: bytes, path: bytes) -> bytes:
    """The absolute path of `path` below `root`."""
    return path if not root else root if not path else root.rstrip(b"/") + b"/" + path


def box_of(row: Row) -> Box:
    """The box in a row of faces."""
    return Box(row["left"], row["top"], row["right"], row["bottom"])


@dataclass(frozen=True, slots=True)
class RootRow:
    """A photo folder and how it stands."""

    id: RootId
    path: bytes
    identity: RootIdentity | None
    """As of the last scan; None before the first."""
    state: RootState
    detail: str
    scanned_at: str | None


@dataclass(frozen=True, slots=True)
class PendingFile:
    """A file whose bytes have not been identified."""

    id: FileId
    root: bytes
    """Absolute."""
    relative: bytes
    stamp: Stamp

    @property
    def path(self) -> bytes:
        """Absolute."""
        return within(self.root, self.relative)


@dataclass(frozen=True, slots=True)
class PendingPhoto:
    """A photo whose faces have not been looked for."""

    id: PhotoId
    hash: bytes
    attempts: int
    size: int
    """Bytes."""
    paths: tuple[bytes, ...]
    """Absolute paths of the files that hold it; at least one."""
    again: bool = False
    """It was read before, and has the faces that were found then."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is to be read, by size: for each number of bits that a size takes, how many there are and their bytes."""

    photos: dict[int, tuple[int, int]]
    """Photos that can be read now."""
    files: dict[int, tuple[int, int]]
    """Files that were not identified yet."""
    new: float
    """The share of identified files that are a photo of their own, no copy of another; 1.0 before there are any."""
    videos: tuple[int, int] = (0, 0)
    """Bytes of videos that can be read now, and of files that will be videos; they are not among the others."""


@dataclass(frozen=True, slots=True)
class FaceRow:
    """A face with all that is told of it."""

    id: int
    person: PersonId | None
    photo: PhotoId
    box: tuple[int, int, int, int]
    confidence: float
    quality: float
    taken_at: str | None
    manual: bool = False
    """Drawn by hand."""
    starts: float | None = None
    """Of a track: seconds from the beginning of the video, from which on the person is seen; None in a photo."""
    ends: float | None = None
    """Likewise, exclusive."""
    frame: float | None = None
    """Likewise: the frame in which the box is."""


@dataclass(frozen=True, slots=True)
class Holding:
    """Whose a face is."""

    face: FaceId
    photo: PhotoId
    person: PersonId | None
    quality: float
    score: float | None
    """Mean cosine similarity to the evidence it joined; None where somebody said who it is."""
    starts: float | None = None
    """Of a track: seconds from the beginning of the video, from which on the person is seen; None in a photo."""
    ends: float | None = None
    """Likewise, exclusive."""
    left: int = 0
    """Where its box begins: pixels of the upright photo, or of a video's best frame of it."""


@dataclass(frozen=True, slots=True)
class PictureRow:
    """A photo or video with the files that hold it."""

    photo: PhotoId
    files: tuple[bytes, ...]
    taken_at: str | None
    width: int
    height: int
    kind: PhotoKind
    duration: float | None
    """Seconds; of a video."""
    seen: tuple[tuple[float, float], ...]
    """Of a video: from when to when the person is seen, in seconds, by the beginning."""


@dataclass(frozen=True, slots=True)
class ReadPhoto:
    """A photo with everything that was found in it, and who its faces are attached to."""

    photo: PhotoId
    files: tuple[bytes, ...]
    """Absolute, the one known longest first; at least one."""
    size: int
    """Bytes."""
    engine: str
    reading: PhotoReading
    faces: tuple[int, ...]
    """The number of each face of the reading."""
    people: tuple[int, ...]
    """The person of each, 0 for nobody."""


@dataclass(frozen=True, slots=True)
class FailureRow:
    """A file that gave no faces, and why."""

    file: bytes
    state: str
    reason: str
    attempts: int
    at: str


@dataclass(frozen=True, slots=True)
class Counts:
    """How much there is."""

    files: int
    photos: int
    """Videos not among them."""
    videos: int
    faces: int
    """Tracks of videos among them."""
    people: int
    named: int
    failures: int
    pending_files: int
    pending_photos: int
    pending_videos: int
    ungrouped_faces: int
    missing_files: int
