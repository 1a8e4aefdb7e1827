"""Photos and the faces in them: what was read, what failed, and the columns that clustering works on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from guyverd.catalogue.columns import Everybody, Whose, everybody, spans, whose
from guyverd.catalogue.database import Database, Row
from guyverd.catalogue.files import Files, slices
from guyverd.catalogue.films import forget_parts
from guyverd.catalogue.inheriting import succeed
from guyverd.catalogue.placing import place
from guyverd.catalogue.rows import FaceRow, FailureRow, PendingPhoto, PictureRow, Waiting, within
from guyverd.catalogue.schema import APART, FAILED_FILES, present
from guyverd.company import companions
from guyverd.model import (
    EMBEDDING_SIZE,
    FaceId,
    FaceTable,
    PersonId,
    PhotoId,
    PhotoKind,
    PhotoReading,
    PhotoState,
)

if TYPE_CHECKING:
    from sqlite_utils import Database as Utils

    from guyverd.model import DoubleArray, FloatArray, IntArray

_FACE = (
    'SELECT faces.id, person_id, photo_id, "left", top, "right", bottom, confidence, quality, taken_at, manual,'
    " starts, ends, json_extract(frames, '$[0][0]') AS frame FROM faces JOIN photos ON photos.id = faces.photo_id"
)
_GROUPED = f"FROM faces JOIN photos ON photos.id = photo_id WHERE grouped_at IS NOT NULL AND photo_id NOT IN ({APART})"
_TABLE = (
    f"SELECT id, photo_id, quality, person_id, embedding, starts, ends FROM faces WHERE photo_id NOT IN ({APART}) AND"
)
_READABLE = (
    "state = 'pending' AND EXISTS (SELECT 1 FROM files JOIN roots ON roots.id = files.root_id"
    " WHERE files.photo_id = photos.id AND files.state = 'identified' AND missing_since IS NULL AND configured"
    " AND roots.state = 'online')"
)
_BITS = "CASE " + " ".join(f"WHEN size < {1 << bits} THEN {bits}" for bits in range(48)) + " ELSE 48 END"
_NONE = np.empty(0, dtype=np.int64)


class Photos:
    """Queries and writes about photos and faces."""

    def __init__(self, database: Database, files: Files) -> None:
        self._db = database
        self._files = files

    # ---- reading pictures --------------------------------------------------------------------------------------------

    def pending(self, limit: int, after: int = 0, kind: PhotoKind = PhotoKind.PHOTO) -> list[PendingPhoto]:
        """Photos, or videos, to read of which at least one file is there, known to hold it, and its root online.

        By id; those that were read before come after all others.
        """
        which = f"kind = '{kind.value}' AND engine IS"
        new, any_ = "INDEXED BY photos_new_kind", "INDEXED BY photos_pending_kind"
        found = self._pending(f"{which} NULL AND id > ? ORDER BY id LIMIT ?", (after, limit), new)
        if len(found) < limit:
            rest = limit - len(found)
            found += self._pending(f"{which} NOT NULL AND id > ? ORDER BY id LIMIT ?", (after, rest), any_)
        return found

    def some_pending(self, sizes: tuple[int, int], limit: int) -> list[PendingPhoto]:
        """Such photos of at least and below so many bytes: a choice from all over the library, always the same."""
        # Multiplied by a large odd number, ids lie in no order of theirs.
        return self._pending(
            "kind = 'photo' AND size >= ? AND size < ? ORDER BY (id * 2654435761) & 4294967295 LIMIT ?",
            (sizes[0], sizes[1], limit),
        )

    def _pending(self, which: str, parameters: tuple[int, ...], index: str = "") -> list[PendingPhoto]:
        rows = self._db.rows(
            f"SELECT id, hash, attempts, size, engine FROM photos {index} WHERE {_READABLE} AND {which}", parameters
        )
        paths = self._files.paths_of([row["id"] for row in rows])
        return [
            PendingPhoto(
                PhotoId(row["id"]),
                row["hash"],
                row["attempts"],
                row["size"],
                paths[row["id"]],
                again=row["engine"] is not None,
            )
            for row in rows
        ]

    def waiting(self, videos: Collection[str] = ()) -> Waiting:
        """What is to be read, by size. It looks at each photo and file that waits: 0.12 s for 100,000.

        `videos` are the extensions, in lower case, of files that will be videos.
        """
        photos = self._db.rows(
            f"SELECT {_BITS} AS bits, count(*), sum(size) FROM photos WHERE {_READABLE}"
            " AND kind = 'photo' GROUP BY bits"
        )
        ends = " OR ".join(f"lower(substr(display, {-1 - len(one)})) = '.{one}'" for one in videos if one.isalnum())
        is_video = f"({ends or 'FALSE'})"
        pending = (
            "FROM files WHERE state = 'pending' AND missing_since IS NULL"
            " AND root_id IN (SELECT id FROM roots WHERE configured AND state = 'online')"
        )
        files = self._db.rows(f"SELECT {_BITS} AS bits, count(*), sum(size) {pending} AND NOT {is_video} GROUP BY bits")
        films = self._db.row(
            f"SELECT (SELECT coalesce(sum(size), 0) FROM photos WHERE {_READABLE} AND kind = 'video'),"
            f" (SELECT coalesce(sum(size), 0) {pending} AND {is_video})"
        )
        row = self._db.row(
            "SELECT (SELECT count(*) FROM photos), (SELECT count(*) FROM files WHERE photo_id IS NOT NULL)"
        )
        assert row is not None
        assert films is not None
        return Waiting(
            {row[0]: (row[1], row[2]) for row in photos},
            {row[0]: (row[1], row[2]) for row in files},
            min(1.0, row[0] / row[1]) if row[1] else 1.0,
            (films[0], films[1]),
        )

    def read(
        self,
        readings: Iterable[tuple[PhotoId, PhotoReading]],
        engine: str,
        at: str,
        kept: Collection[FaceId] = frozenset(),
    ) -> list[int]:
        """Make what was found in photos durable, in one transaction; their faces are not grouped yet.

        Faces of a photo that was read before are found again by their places, with their numbers and people; those of
        a photo that this one is an edit of, by their vectors. Those of
        `kept`, of whom something was said, never go; a photo with one that the reading says nothing of is read again.
        Returns the faces that are no more.
        """

        def job(db: Utils) -> list[int]:
            gone: list[int] = []
            for photo, reading in readings:
                done = db.conn.execute(
                    "UPDATE photos SET state = 'done', reason = ?, width = ?, height = ?, format = ?, taken_at = ?,"
                    " duration = ?, look = ?, engine = ?, read_at = ? WHERE id = ?",
                    (
                        *(reading.cut_off, reading.width, reading.height, reading.format, reading.taken_at),
                        *(reading.duration, reading.look, engine, at, photo),
                    ),
                )
                if not done.rowcount:
                    continue  # forgotten while it was read
                if reading.duration is not None:
                    forget_parts(db, photo)
                succeed(db, photo, reading, engine)
                placed = place(db, photo, reading, kept)
                gone += placed.gone
                db.conn.execute(
                    "UPDATE photos SET state = iif(?1, 'done', 'pending'), grouped_at = CASE WHEN EXISTS"
                    " (SELECT 1 FROM faces WHERE photo_id = ?3) THEN NULL ELSE ?2 END WHERE id = ?3",
                    (placed.whole, at, photo),
                )
            return gone

        return self._db.write(job)

    def failed(self, photo: PhotoId, state: PhotoState, reason: str, attempts: int, at: str) -> list[int]:
        """Note why a photo gave no faces; `PENDING` means it will be tried again.

        Returns the faces it has from an earlier reading, if they are compared with no others from now on.
        """

        def job(db: Utils) -> list[int]:
            db.execute(
                "UPDATE photos SET state = ?1, reason = ?2, attempts = ?3, read_at = ?4,"
                " grouped_at = CASE WHEN ?1 = 'pending' THEN grouped_at ELSE ?4 END WHERE id = ?5",
                (state.value, reason, attempts, at, photo),
            )
            if state is PhotoState.PENDING:
                return []
            forget_parts(db, photo)
            return [row[0] for row in db.execute("SELECT id FROM faces WHERE photo_id = ?", (photo,))]

        return self._db.write(job)

    def failures(self) -> Iterator[FailureRow]:
        """Every file that is there and gave nothing, or not all, with the reason."""
        rows = self._db.stream(
            # A file that cannot be read now is told as that, whatever its photo once was.
            "SELECT roots.path AS root_path, files.path,"
            " iif(files.state = 'failed', files.state, iif(photos.state = 'done', 'partly', photos.state)) AS state,"
            " coalesce(iif(files.state = 'failed', files.reason, photos.reason), '') AS reason,"
            " iif(files.state = 'failed', 0, photos.attempts) AS attempts,"
            " iif(files.state = 'failed', files.seen_at, photos.read_at) AS at"
            " FROM files JOIN roots ON roots.id = files.root_id LEFT JOIN photos ON photos.id = files.photo_id"
            f" WHERE missing_since IS NULL AND configured AND files.id IN ({FAILED_FILES})"
            " ORDER BY roots.path, files.path"
        )
        for row in rows:
            file = within(row["root_path"], row["path"])
            yield FailureRow(file, row["state"], row["reason"], row["attempts"], row["at"])

    # ---- what is told of faces and photos ----------------------------------------------------------------------------

    def faces(self, person: PersonId | None = None) -> Iterator[FaceRow]:
        """Every face of a photo that is there, or one person's, by photo and ordinal."""
        whose = "" if person is None else "person_id = :person AND "
        rows = self._db.stream(
            f"{_FACE} WHERE {whose}{present('faces.photo_id')} ORDER BY photo_id, ordinal",
            {"person": person},
        )
        return (_face_row(row) for row in rows)

    def faces_by_id(self, faces: Sequence[int]) -> dict[int, FaceRow]:
        """Those of the given faces whose photo is there."""
        found = {}
        for some in slices(faces):
            marks = ",".join("?" * len(some))
            for row in self._db.rows(
                f"{_FACE} WHERE faces.id IN ({marks}) AND {present('faces.photo_id')}",
                tuple(some),
            ):
                found[row["id"]] = _face_row(row)
        return found

    def pictures_of(self, person: PersonId) -> list[PictureRow]:
        """A person's photos that are there, oldest first; those without a date last."""
        rows = self._db.rows(
            "SELECT DISTINCT photos.id, taken_at, width, height, kind, duration FROM photos"
            f" JOIN faces ON faces.photo_id = photos.id WHERE faces.person_id = ? AND {present('photos.id')}"
            " ORDER BY taken_at IS NULL, taken_at, photos.id",
            (person,),
        )
        paths = self._files.paths_of([row["id"] for row in rows])
        seen: dict[int, list[tuple[float, float]]] = defaultdict(list)
        if any(row["kind"] == PhotoKind.VIDEO for row in rows):
            tracks = (
                "SELECT photo_id, starts, ends FROM faces WHERE person_id = ? AND starts IS NOT NULL ORDER BY starts"
            )
            for photo, start, end in self._db.rows(tracks, (person,)):
                seen[photo].append((start, end))
        return [
            PictureRow(
                PhotoId(row["id"]),
                paths[row["id"]],
                *(row["taken_at"], row["width"], row["height"], PhotoKind(row["kind"]), row["duration"]),
                seen=tuple(seen[row["id"]]),
            )
            for row in rows
        ]

    # ---- columns for clustering --------------------------------------------------------------------------------------

    def everybody(self) -> Everybody:
        """All faces as columns, by photo and ordinal, with the newest decision of that moment."""
        return everybody(self._db)

    def whose(self) -> Whose:
        """Whose every face is."""
        return whose(self._db)

    def table(self, faces: IntArray) -> FaceTable:
        """Those faces as columns, ordered by photo and ordinal; unknown ids are passed over."""
        rows: list[Row] = []
        for some in slices([int(face) for face in np.unique(faces)]):
            marks = ",".join("?" * len(some))
            rows += self._db.rows(f"{_TABLE} id IN ({marks})", tuple(some))
        return _table(sorted(rows, key=lambda row: (row["photo_id"], row["id"])))

    def members(self, people: IntArray, at_most: int = 200) -> FaceTable:
        """The faces of those people as columns, at most so many of each, spread evenly over their photos."""
        faces: list[int] = []
        for person in np.unique(people).tolist():
            # As one text: a row for each face of somebody who is everywhere would take most of an arrival's time.
            row = self._db.row(
                "SELECT group_concat(id) FROM (SELECT id FROM faces WHERE person_id = ?"
                f" AND photo_id NOT IN ({APART}) ORDER BY photo_id, ordinal)",
                (person,),
            )
            every = np.array(row[0].split(","), dtype=np.int64) if row is not None and row[0] else _NONE
            rank = np.arange(len(every)) * at_most // max(1, len(every))
            # The whole of rank * most / total changes at exactly `most` ranks, evenly spread.
            kept = np.diff(rank, prepend=-1) > 0 if len(every) > at_most else np.ones(len(every), dtype=bool)
            faces += every[kept].tolist()
        return self.table(np.array(faces, dtype=np.int64))

    def companions(self, faces: IntArray) -> FaceTable:
        """The other faces in the photos of these faces, and the tracks that overlap with them in time, as columns."""
        rows: list[Row] = []
        for some in slices(np.unique(faces).tolist()):
            marks = ",".join("?" * len(some))
            rows += self._db.rows(
                f"{_TABLE} photo_id IN (SELECT photo_id FROM faces WHERE id IN ({marks}))", tuple(some)
            )
        every = {row["id"]: row for row in rows}
        table = _table(sorted(every.values(), key=lambda row: (row["photo_id"], row["id"])))
        given = np.isin(table.ids, faces)
        one, other = companions(table.photos, table.spans)
        beside = np.union1d(other[given[one]], one[given[other]])
        return table.of(beside[~given[beside]])

    def crowd(self, through: int, at_most: int, videos: int | None = None) -> tuple[int, FloatArray]:
        """How many faces the photos up to id `through` have, and the vectors of at most so many from all over them.

        Which depends on the photos alone, and not on when each was read: float32[m, 128], of one network. Of videos
        those up to id `videos` count, where it is given; and of one with more tracks only the first 64, so that those
        in a few films are not taken for everybody.
        """
        last = through if videos is None else min(videos, through)
        which = (
            f"photo_id <= {int(through)}"
            f" AND photo_id NOT IN (SELECT id FROM photos WHERE kind = 'video' AND id > {int(last)})"
        )
        row = self._db.row(f"SELECT count(*) FROM faces WHERE {which}")
        assert row is not None
        rows = self._db.rows(
            # Multiplied by a large odd number, places lie in no order of theirs.
            f"{_TABLE} id IN (SELECT id FROM faces WHERE {which} AND ordinal < 64"
            " ORDER BY ((photo_id * 64 + ordinal) * 2654435761) & 4294967295 LIMIT ?)",
            (at_most,),
        )
        return int(row[0]), _table(sorted(rows, key=lambda row: (row["photo_id"], row["id"]))).vectors

    def grouped(self, batch: int = 20_000) -> Iterator[tuple[IntArray, FloatArray]]:
        """Ids and vectors of all faces that were grouped, in the order of photo and ordinal, `batch` at a time."""
        rows: list[Row] = []
        sql = f"SELECT faces.id, embedding {_GROUPED} ORDER BY photo_id, ordinal"
        for row in self._db.stream(sql, batch=batch):
            rows.append(row)
            if len(rows) == batch:
                yield _ids(rows), _vectors(rows)
                rows = []
        if rows:
            yield _ids(rows), _vectors(rows)

    def grouped_ids(self) -> IntArray:
        """The ids of all faces that were grouped, ascending."""
        with self._db.reading() as reader:
            cursor = reader.cursor()
            # A million of anything but plain tuples takes seconds to make.
            cursor.row_factory = None
            found = cursor.execute(f"SELECT faces.id {_GROUPED}").fetchall()
        return np.sort(np.fromiter((face for (face,) in found), np.int64, len(found)))

    def all_ids(self) -> IntArray:
        """The ids of all faces, ascending."""
        rows = self._db.rows("SELECT id FROM faces ORDER BY id")
        return np.array([row[0] for row in rows], dtype=np.int64)

    def ungrouped(self, through: int, kind: PhotoKind | None = None) -> IntArray:
        """The faces, by photo and ordinal, of read photos up to id `through` that were not grouped yet; of one kind."""
        rows = self._db.rows(
            # Few photos wait, and the index knows them; left to itself, SQLite goes through all faces.
            "SELECT faces.id FROM photos INDEXED BY photos_to_group CROSS JOIN faces ON faces.photo_id = photos.id"
            f" WHERE grouped_at IS NULL AND state = 'done' AND photos.id <= ?{_of(kind)} ORDER BY photo_id, ordinal",
            (through,),
        )
        return np.array([row[0] for row in rows], dtype=np.int64)

    def first_unread(self, kind: PhotoKind | None = None) -> int | None:
        """The lowest id of a photo, or one of a kind, that is still to be read for the first time; None: all were read.

        0 where photos wait to be read again because another network made their vectors: nothing can be said of any
        face as long as those are missing that it would be compared with.
        """
        if self._db.row(f"{APART} AND {_READABLE} LIMIT 1") is not None:
            return 0
        index = "INDEXED BY photos_new" if kind is None else "INDEXED BY photos_new_kind"
        some = self._pending(f"engine IS NULL{_of(kind)} ORDER BY id LIMIT ?", (1,), index)
        return some[0].id if some else None

    def next_id(self) -> int:
        """A number above that of every photo there is."""
        row = self._db.row("SELECT coalesce(max(id), 0) + 1 FROM photos")
        assert row is not None
        found: int = row[0]
        return found

    def ungrouped_range(self, kind: PhotoKind | None = None) -> tuple[int | None, int | None]:
        """The lowest and the highest id of the photos, or those of a kind, that were read and not grouped yet."""
        row = self._db.row(
            f"SELECT min(id), max(id) FROM photos WHERE grouped_at IS NULL AND state = 'done'{_of(kind)}"
        )
        assert row is not None
        return row[0], row[1]


def _of(kind: PhotoKind | None) -> str:
    return "" if kind is None else f" AND kind = '{kind.value}'"


def _face_row(row: Row) -> FaceRow:
    person = row["person_id"]
    return FaceRow(
        row["id"],
        None if person is None else PersonId(person),
        PhotoId(row["photo_id"]),
        (row["left"], row["top"], row["right"], row["bottom"]),
        row["confidence"],
        row["quality"],
        row["taken_at"],
        bool(row["manual"]),
        row["starts"],
        row["ends"],
        row["frame"],
    )


def _ids(rows: Sequence[Row]) -> IntArray:
    return np.array([row["id"] for row in rows], dtype=np.int64)


def _vectors(rows: Sequence[Row]) -> FloatArray:
    joined = b"".join(row["embedding"] for row in rows)
    return np.frombuffer(joined, dtype="<f4").reshape(len(rows), EMBEDDING_SIZE).astype(np.float32)


def _times(rows: Sequence[Row], column: str) -> DoubleArray:
    return np.array([row[column] for row in rows], dtype=np.float64)


def _table(rows: Sequence[Row]) -> FaceTable:
    return FaceTable(
        ids=_ids(rows),
        photos=np.array([row["photo_id"] for row in rows], dtype=np.int64),
        quality=np.array([row["quality"] for row in rows], dtype=np.float32),
        people=np.array([row["person_id"] or 0 for row in rows], dtype=np.int64),
        vectors=_vectors(rows),
        spans=spans(_times(rows, "starts"), _times(rows, "ends")),
    )
