"""The domain's words: ids and frozen values that pass between rooms. No I/O, no clock, no decisions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NewType

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    FloatArray = npt.NDArray[np.float32]
    DoubleArray = npt.NDArray[np.float64]
    IntArray = npt.NDArray[np.int64]
    BoolArray = npt.NDArray[np.bool_]
    Pixels = npt.NDArray[np.uint8]

RootId = NewType("RootId", int)
FileId = NewType("FileId", int)
PhotoId = NewType("PhotoId", int)
FaceId = NewType("FaceId", int)
PersonId = NewType("PersonId", int)
DecisionId = NewType("DecisionId", int)
AlbumId = NewType("AlbumId", int)
"""The number of the decision by which an album was saved."""

EMBEDDING_SIZE = 128


# ---- paths on disk ---------------------------------------------------------------------------------------------------


def storable(number: int) -> int:
    """A number of the file system's as one of 64 bits with a sign, as SQLite keeps them; different ones stay different.

    Inodes have 64 bits without one, and where they are hashes, as on mergerfs, they use them. A time in nanoseconds
    has more from the year 2262 on.
    """
    return number if -_HALF <= number < _HALF else (number + _HALF) % (2 * _HALF) - _HALF


_HALF = 1 << 63


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the file system says of a file; equal stamps mean it need not be read again.

    The device is left out on purpose: its number may change at every mount.
    """

    size: int
    """Bytes."""
    mtime_ns: int
    """Last modification, nanoseconds since 1970; `storable`, as is the inode."""
    inode: int

    def __post_init__(self) -> None:
        if not (-_HALF <= self.mtime_ns < _HALF and -_HALF <= self.inode < _HALF):
            object.__setattr__(self, "mtime_ns", storable(self.mtime_ns))
            object.__setattr__(self, "inode", storable(self.inode))


@dataclass(frozen=True, slots=True)
class SeenFile:
    """A file as found on disk."""

    path: bytes
    """Relative to its root."""
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A file as the catalogue remembers it."""

    id: FileId
    path: bytes
    """Relative to its root."""
    stamp: Stamp
    missing: bool
    """Not found when last looked for."""


@dataclass(frozen=True, slots=True)
class Changes:
    """The difference between what was known and what is there, within one scope of one root."""

    new: tuple[SeenFile, ...] = ()
    changed: tuple[tuple[FileId, SeenFile], ...] = ()
    """Known paths whose stamp differs."""
    returned: tuple[FileId, ...] = ()
    """Known paths that were missing and are back with the same stamp."""
    gone: tuple[FileId, ...] = ()
    """Known paths that are no longer there."""

    def __bool__(self) -> bool:
        return bool(self.new or self.changed or self.returned or self.gone)


class RootState(StrEnum):
    """How a photo root stands."""

    ONLINE = "online"
    OFFLINE = "offline"
    """Absent, or another directory stands in its place: nothing is concluded from what is not there."""


@dataclass(frozen=True, slots=True)
class RootIdentity:
    """Which directory a root was when it was last scanned."""

    device: int
    inode: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "device", storable(self.device))
        object.__setattr__(self, "inode", storable(self.inode))


# ---- photos, videos and faces ----------------------------------------------------------------------------------------


class PhotoKind(StrEnum):
    """What a content is; in the catalogue a video is a photo whose faces are tracks."""

    PHOTO = "photo"
    VIDEO = "video"


class PhotoState(StrEnum):
    """How far a photo has come."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"
    """Its bytes are no picture that can be read; tried again when they change."""
    QUARANTINED = "quarantined"
    """It killed or hung a worker three times."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels of the upright original; right and bottom are exclusive. It may reach past the picture."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Pixels."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Pixels."""
        return self.bottom - self.top

    def overlap(self, other: Box) -> float:
        """The area that the two have in common, as a share of that of both together, 0..1."""
        across = min(self.right, other.right) - max(self.left, other.left)
        down = min(self.bottom, other.bottom) - max(self.top, other.top)
        if across <= 0 or down <= 0:
            return 0.0
        common = across * down
        return common / (self.width * self.height + other.width * other.height - common)

    def scaled(self, factor: float) -> Box:
        """The same rectangle on a picture `factor` times as large, rounded to whole pixels."""
        return Box(
            round(self.left * factor),
            round(self.top * factor),
            round(self.right * factor),
            round(self.bottom * factor),
        )


@dataclass(frozen=True, slots=True)
class Quality:
    """How much a face tells, each part and the whole from 0 (nothing) to 1 (ideal)."""

    size: float
    sharpness: float
    confidence: float
    pose: float
    """1 looks straight ahead, 0 is a full profile."""
    score: float


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a face is in one frame of a video."""

    time: float
    """Seconds from the beginning of the video."""
    box: Box
    """In pixels of the upright frame."""
    quality: float
    """0..1, as `Quality.score`."""


@dataclass(frozen=True, slots=True)
class Track:
    """One person through one shot of a video."""

    start: float
    """Seconds from the beginning of the video: from here on the person is seen."""
    end: float
    """Seconds likewise, above `start`: from here on the person is not seen any more."""
    frames: tuple[Frame, ...]
    """The best ones, best first; at least one."""


@dataclass(frozen=True, slots=True)
class DetectedFace:
    """A face as a detector and the embedder see it; of a video, a track, told by its best frame."""

    box: Box
    confidence: float
    """The detector's own score; higher is surer, its scale is the detector's."""
    landmarks: tuple[tuple[float, float], ...]
    """Five points (x, y) in pixels of the upright original, in the order of `faces.engine.Points`."""
    quality: Quality
    embedding: FloatArray
    """float32[128]: mean of dlib's vectors for the chip and the mirrored chip, not normalised; of a track, the mean
    over its best faces."""
    track: Track | None = None
    """When it is seen; None in a photo."""
    look: int | None = None
    """Perceptual hash of the aligned chip, 64 bits with a sign; None where it was not made."""


@dataclass(frozen=True, slots=True)
class PhotoReading:
    """All that one look at a file's bytes yields."""

    hash: bytes
    """BLAKE2b-256 of the bytes that were decoded."""
    width: int
    """Pixels, upright."""
    height: int
    format: str
    """As Pillow names it: JPEG, PNG, HEIF…"""
    taken_at: str | None
    """Capture time, ISO 8601, with an offset where the picture tells one."""
    faces: tuple[DetectedFace, ...]
    asked: tuple[DetectedFace, ...] = ()
    """What is in the boxes that were asked for, found or not, in that order; their confidence is 0."""
    duration: float | None = None
    """Seconds; of a video only."""
    cut_off: str | None = None
    """In words, why the rest of a video could not be read; None where there is no such rest."""
    look: int | None = None
    """Perceptual hash of the whole picture, 64 bits with a sign; None where it was not made, as of a video."""


@dataclass(frozen=True, slots=True)
class Spans:
    """When faces are seen, as columns: tracks of videos from start to end, faces of photos always."""

    starts: DoubleArray
    """float64[n]: seconds from the beginning of the video; −inf in a photo."""
    ends: DoubleArray
    """float64[n]: likewise, exclusive; inf in a photo."""

    def of(self, rows: IntArray | BoolArray) -> Spans:
        """Those of these rows alone."""
        return Spans(self.starts[rows], self.ends[rows])

    def overlap(self, one: IntArray, other: IntArray) -> BoolArray:
        """Of pairs of rows of the same photo or video, int64[m] each: whether both are seen at one moment, bool[m]."""
        found: BoolArray = (self.starts[one] < self.ends[other]) & (self.starts[other] < self.ends[one])
        return found


@dataclass(frozen=True, slots=True)
class FaceTable:
    """Faces as columns, one row each: what clustering works on. Rows are ordered by (photo, ordinal).

    Two faces of one photo are seen together; two tracks of one video where their times overlap.
    """

    ids: IntArray
    """int64[n]."""
    photos: IntArray
    """int64[n]: the photo each face is in."""
    quality: FloatArray
    """float32[n], 0..1."""
    people: IntArray
    """int64[n]: the person each face is attached to, 0 for none."""
    vectors: FloatArray
    """float32[n, 128], raw."""
    spans: Spans | None = None
    """When each is seen; None where all are faces of photos."""

    def __len__(self) -> int:
        return len(self.ids)

    def beside(self, one: IntArray, other: IntArray) -> BoolArray:
        """Of pairs of rows, int64[m] each: whether both are seen at one moment, and so are two people, bool[m]."""
        found: BoolArray = self.photos[one] == self.photos[other]
        return found if self.spans is None else found & self.spans.overlap(one, other)

    def of(self, rows: IntArray | BoolArray) -> FaceTable:
        """The table with these rows alone."""
        spans = None if self.spans is None else self.spans.of(rows)
        return FaceTable(
            self.ids[rows], self.photos[rows], self.quality[rows], self.people[rows], self.vectors[rows], spans
        )


# ---- people ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Person:
    """A person and how much is known of them."""

    id: PersonId
    name: str | None
    faces: int
    photos: int
    """Photos of which at least one file is there."""
    hidden: bool = False
    """Has no folder, by the user's word."""


class DecisionKind(StrEnum):
    """What can be said about people. Only appended, never changed."""

    NAME = "name"
    """`person` is called `name`, or nothing where that is None."""
    CONFIRM = "confirm"
    """`faces` are `person`."""
    REJECT = "reject"
    """`faces` are not `person`."""
    MERGE = "merge"
    """`other` is `person`."""
    SPLIT = "split"
    """`faces` are not `person` but `other`, somebody else, who is called `name` where that is given."""
    HIDE = "hide"
    UNHIDE = "unhide"
    SAME = "same"
    """The two `faces` show one person: `person`, into whom `other` was merged where there is one. Said by guyverd:
    they may be one person though they are in one photo."""
    DIFFERENT = "different"
    """The two `faces` show two people, and where `person` is given, the second left them; or, without faces,
    `person` and `other` are two."""
    BOX = "box"
    """A face drawn by hand; it is `person` where one is given, who is called `name` where that is too."""
    APPLY = "apply"
    """A grouping of the whole library was applied; only its moves tell what it did."""
    ALBUM = "album"
    """The album `album` is as `saved` tells; where that is None, there is no such album any more."""
    UNDO = "undo"
    """The decision `undoes` counts as if it had never been made; an undo of an undo makes it again."""


class Author(StrEnum):
    """Who said it."""

    USER = "user"
    GUYVERD = "guyverd"


@dataclass(frozen=True, slots=True)
class SavedAlbum:
    """The photos that show all of some people, as a folder of its own."""

    title: str
    people: tuple[PersonId, ...]
    """At least one; a photo must show each of them."""
    since: str | None = None
    """The first day, ISO 8601 (YYYY, YYYY-MM or YYYY-MM-DD); a photo without a date is left out where one is given."""
    until: str | None = None
    """The last day, likewise; it is included whole."""
    without: frozenset[PhotoId] = frozenset()
    """Photos that are left out."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One line of the append-only log."""

    id: DecisionId
    at: str
    kind: DecisionKind
    author: Author
    person: PersonId | None
    """Whom it is about; in a merge, who stays."""
    other: PersonId | None
    """The second person of a decision about two: in a merge, who was absorbed."""
    name: str | None
    """The name given; in a merge, the name of who stays, as it was afterwards."""
    faces: tuple[FaceId, ...]
    """Which faces it is about; in a merge, those that changed their person."""
    undoes: DecisionId | None = None
    """The decision that an undo takes back."""
    source: str | None = None
    """What was done to the people folder that it was inferred from, in words; None where it was said otherwise."""
    album: AlbumId | None = None
    """The album it is about; one that is saved for the first time has the number of the decision."""
    saved: SavedAlbum | None = None
    """What the album is from then on."""


@dataclass(frozen=True, slots=True)
class Move:
    """A face that changes its person."""

    face: FaceId
    was: PersonId | None
    """None is nobody."""
    now: PersonId | None
    """None is nobody, or one of the people to be made where `group` is given."""
    group: int | None = None
    """In a plan: faces with the same number become one new person."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What all decisions together say; everybody in it stands for who they are today.

    No two of its words contradict each other: of those that did, the later was kept.
    """

    names: Mapping[PersonId, str] = field(default_factory=dict)
    """Everyone who has a name and was not absorbed."""
    forwards: Mapping[PersonId, PersonId] = field(default_factory=dict)
    """For everyone who was absorbed: into whom, directly. Free of cycles."""
    hidden: frozenset[PersonId] = frozenset()
    """Those who get no folder."""
    pinned: Mapping[FaceId, PersonId] = field(default_factory=dict)
    """The user's word: this face is that person."""
    barred: frozenset[tuple[FaceId, PersonId]] = frozenset()
    """The user's word: this face is not that person."""
    together: frozenset[tuple[FaceId, FaceId]] = frozenset()
    """Pairs that are one person, the smaller number first; they may be in one photo (mirror, collage)."""
    apart: frozenset[tuple[FaceId, FaceId]] = frozenset()
    """Pairs that are two people, the smaller number first."""
    apart_people: frozenset[tuple[PersonId, PersonId]] = frozenset()
    """People who are two and must not become one by themselves, the smaller number first."""
    alike: frozenset[tuple[FaceId, FaceId]] = frozenset()
    """Pairs that guyverd found to be one person though in one photo: they may be together, and need not."""
    whole: frozenset[PersonId] = frozenset()
    """People whom guyverd had parted and the user put together again: it does not part them any more."""
    albums: Mapping[AlbumId, SavedAlbum] = field(default_factory=dict)
    """The folders of photos that show some people together. Whoever was absorbed since is still named in them."""
    refused: tuple[DecisionId, ...] = ()
    """Decisions that cannot be, such as a merge of somebody absorbed before."""
    last: DecisionId = field(default=DecisionId(0), compare=False)
    """The newest decision that was looked at."""

    def survivor(self, person: PersonId) -> PersonId:
        """Who that person is today."""
        while person in self.forwards:
            person = self.forwards[person]
        return person


NOTHING_SAID = Standing()


@dataclass(frozen=True, slots=True)
class Assignment:
    """One face's new place: a person that stands, or one of the people to be made."""

    face: FaceId
    person: PersonId | None
    """A person that stands; None where `group` tells the new person."""
    group: int | None
    """Faces with the same number become one new person."""
    score: float
    """Mean evidence for it (`people.evidence`)."""


@dataclass(frozen=True, slots=True)
class Merge:
    """Two people who turn out to be one; `absorbed` has no name and gives its faces to `into`."""

    absorbed: PersonId
    into: PersonId
    score: float
    """Mean evidence for it (`people.evidence`)."""


# ---- caches ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class IndexStamp:
    """What the catalogue remembers of a saved index file, so that no other file is ever taken for it."""

    file: str
    """Name within the index folder."""
    size: int
    """Bytes."""
    hash: str
    """BLAKE2b-256 of the whole file, hexadecimal."""
    count: int
    """Faces in it."""
    maker: str = ""
    """What wrote it, in words: the library, its build, our parameters, the kind of machine; empty is not known."""
