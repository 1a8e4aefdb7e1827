"""Saved searches and their deliveries, which are noted before they are made and stay noted for good."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from guyverd.catalogue.database import Database, Row
from guyverd.catalogue.files import slices
from guyverd.catalogue.rows import within
from guyverd.errors import FollowTaken, UnknownFollow
from guyverd.followed import (
    Delivery,
    DeliveryId,
    Follow,
    FollowId,
    Form,
    Progress,
    Ranges,
    Shown,
    Source,
    Tally,
    Wanted,
    outside,
)
from guyverd.model import EMBEDDING_SIZE, FaceId, PersonId, PhotoId

if TYPE_CHECKING:
    from sqlite_utils import Database as Utils

    from guyverd.model import FloatArray

_SHOWN = (
    "SELECT faces.id, photo_id, hash, photos.kind, starts, ends FROM faces JOIN photos ON photos.id = photo_id"
    " WHERE NOT EXISTS (SELECT 1 FROM delivered_faces WHERE follow_id = ? AND face_id = faces.id) AND"
)


_HELD = (
    "FROM photos JOIN files ON files.photo_id = photos.id JOIN roots ON roots.id = files.root_id"
    " WHERE files.state = 'identified' AND missing_since IS NULL AND configured AND roots.state = 'online'"
)
"""Files whose bytes can be had now, with their photos."""


class Asked(NamedTuple):
    """What is to be followed: somebody, or a face; see `followed.Follow`."""

    shows: str
    person: PersonId | None = None
    embedding: FloatArray | None = None
    network: str | None = None


class Place(NamedTuple):
    """Where to, and what."""

    folder: bytes
    mounted: bool
    form: Form
    clips: bool


class Follows:
    """Queries and writes about saved searches."""

    def __init__(self, database: Database, now: Callable[[], str]) -> None:
        self._db = database
        self._now = now

    def all(self) -> list[Follow]:
        """Every saved search, by number."""
        return [_follow(row) for row in self._db.rows("SELECT * FROM follows ORDER BY id")]

    def get(self, follow: FollowId) -> Follow:
        """One saved search. Raises UnknownFollow where it ended."""
        row = self._db.row("SELECT * FROM follows WHERE id = ?", (follow,))
        if row is None:
            raise UnknownFollow(follow=follow)
        return _follow(row)

    def named(self, text: str) -> Follow:
        """The one of that name, in whatever letters, or else of that number. Raises UnknownFollow."""
        every = self.all()
        wanted = " ".join(text.split())
        for key in (str, str.casefold):
            found = [one for one in every if key(one.name) == key(wanted)]
            if found:
                return found[0]
        for one in every:
            if str(one.id) == wanted:
                return one
        raise UnknownFollow(follow=repr(text))

    def add(self, name: str, asked: Asked, place: Place, *, past: bool) -> Follow:
        """Save a search: what enters the library from now on counts, and with `past` all that is in it.

        What was not read yet enters it when it is. Raises FollowTaken where there is one of that name.
        """
        vector = None if asked.embedding is None else asked.embedding.astype("<f4").tobytes()

        def job(db: Utils) -> FollowId:
            for row in db.execute("SELECT id, name FROM follows").fetchall():
                if row["name"].casefold() == name.casefold():
                    raise FollowTaken(follow=row["name"])
            first, photos = (1, ((1, None),)) if past else _from_now_on(db)
            found = db.execute(
                "INSERT INTO follows (name, folder, display, mounted, form, clips, shows, person_id, embedding,"
                " network, first_face, photos, compared, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                " RETURNING id",
                (
                    *(name, place.folder, place.folder.decode("utf-8", "replace"), place.mounted, place.form.value),
                    *(place.clips, asked.shows, asked.person, vector, asked.network, first, json.dumps(photos)),
                    *(first - 1, self._now()),
                ),
            ).fetchone()
            return FollowId(found["id"])

        return self.get(self._db.write(job))

    def end(self, follow: FollowId) -> bool:
        """Forget a saved search and what is noted of it. Tells whether there was one."""
        return self._db.write(lambda db: db.execute("DELETE FROM follows WHERE id = ?", (follow,)).rowcount > 0)

    def there(self, follow: FollowId) -> bool:
        """Whether it has not ended."""
        return self._db.row("SELECT 1 FROM follows WHERE id = ?", (follow,)) is not None

    # ---- what is found -----------------------------------------------------------------------------------------------

    def comparable(self) -> FaceId:
        """Up to this number all faces were grouped."""
        row = self._db.row(
            "SELECT min(faces.id) FROM photos INDEXED BY photos_to_group CROSS JOIN faces"
            " ON faces.photo_id = photos.id WHERE grouped_at IS NULL AND state = 'done'"
        )
        assert row is not None
        if row[0] is not None:
            return FaceId(row[0] - 1)
        row = self._db.row("SELECT coalesce(max(id), 0) FROM faces")
        assert row is not None
        return FaceId(row[0])

    def grouped_after(self, after: int, most: int) -> list[FaceId]:
        """The first `most` faces with a number above that one which were grouped."""
        rows = self._db.rows(
            "SELECT faces.id FROM faces CROSS JOIN photos ON photos.id = photo_id WHERE faces.id > ?"
            " AND grouped_at IS NOT NULL AND state = 'done' ORDER BY faces.id LIMIT ?",
            (after, most),
        )
        return [FaceId(row[0]) for row in rows]

    def of_person(self, follow: Follow, person: PersonId) -> list[Shown]:
        """That person's faces which count for a saved search and were not taken up for it yet."""
        lowest = follow.photos[0][0]
        # The index has a person's faces by photo: what was known before is not gone through.
        rows = self._db.rows(
            f"{_SHOWN} person_id = ? AND photo_id >= ? AND faces.id >= ? AND photos.state = 'done'"
            " AND grouped_at IS NOT NULL",
            (follow.id, person, lowest, follow.first),
        )
        return _shown(follow, rows)

    def of_faces(self, follow: Follow, faces: Sequence[int]) -> list[Shown]:
        """Those of these faces which count for a saved search and were not taken up for it yet."""
        rows: list[Row] = []
        for some in slices(faces):
            rows += self._db.rows(f"{_SHOWN} faces.id IN ({','.join('?' * len(some))})", (follow.id, *some))
        return _shown(follow, rows)

    def noted(self, follow: FollowId, hashes: Collection[bytes]) -> list[Wanted]:
        """What was noted for a saved search of photos with these hashes."""
        rows: list[Row] = []
        ordered = sorted(hashes)
        for start in range(0, len(ordered), 500):
            some = ordered[start : start + 500]
            marks = ",".join("?" * len(some))
            rows += self._db.rows(
                f"SELECT hash, starts, ends FROM deliveries WHERE follow_id = ? AND hash IN ({marks})", (follow, *some)
            )
        return [Wanted(row["hash"], row["starts"], row["ends"]) for row in rows]

    def want(
        self,
        follow: FollowId,
        wanted: Iterable[Wanted],
        faces: Iterable[FaceId],
        *,
        compared: int | None = None,
        through: PersonId | None = None,
    ) -> bool:
        """Note what is to be delivered, for which faces, and how far the faces were compared, in one transaction.

        Tells whether the saved search is still there.
        """

        def job(db: Utils) -> bool:
            there = db.execute(
                "UPDATE follows SET compared = max(compared, coalesce(?, compared)), through_id = ? WHERE id = ?",
                (compared, through, follow),
            ).rowcount
            if not there:
                return False
            db.conn.executemany(
                "INSERT OR IGNORE INTO delivered_faces (follow_id, face_id) VALUES (?, ?)",
                ((follow, face) for face in faces),
            )
            at = self._now()
            db.conn.executemany(
                "INSERT INTO deliveries (follow_id, hash, starts, ends, at) VALUES (?, ?, ?, ?, ?)",
                ((follow, one.hash, one.start, one.end, at) for one in wanted),
            )
            return True

        return self._db.write(job)

    # ---- deliveries --------------------------------------------------------------------------------------------------

    def open(self, follow: FollowId, most: int, after: int = 0) -> list[Delivery]:
        """The first `most` deliveries after a number that are not made, of those whose photo can be had now."""
        rows = self._db.rows(
            "SELECT * FROM deliveries WHERE follow_id = ? AND state <> 'made' AND id > ? AND EXISTS"
            f" (SELECT 1 {_HELD} AND photos.hash = deliveries.hash) ORDER BY deliveries.id LIMIT ?",
            (follow, after, most),
        )
        return [_delivery(row) for row in rows]

    def begin(self, deliveries: Iterable[Delivery]) -> None:
        """Note under which names deliveries are about to be made."""
        self._note(deliveries, Progress.BEGUN)

    def done(self, deliveries: Iterable[Delivery]) -> None:
        """Note that deliveries were made, and last."""
        self._note(deliveries, Progress.MADE)

    def _note(self, deliveries: Iterable[Delivery], state: Progress) -> None:
        rows = [
            (
                *(state.value, one.name, None if one.name is None else one.name.decode("utf-8", "replace")),
                *(one.target, one.inode, self._now(), one.id),
            )
            for one in deliveries
        ]
        self._db.write(
            lambda db: db.conn.executemany(
                "UPDATE deliveries SET state = ?, name = ?, display = ?, target = ?, inode = ?, at = ? WHERE id = ?",
                rows,
            )
        )

    def begun(self, folder: bytes) -> dict[bytes, DeliveryId]:
        """The names in a folder, of whichever saved search, under which something may stand that is not made yet."""
        rows = self._db.rows(
            "SELECT deliveries.name, deliveries.id FROM follows JOIN deliveries ON follow_id = follows.id"
            " WHERE folder = ? AND state = 'begun' AND deliveries.name IS NOT NULL",
            (folder,),
        )
        return {row["name"]: DeliveryId(row["id"]) for row in rows}

    def astray(self, follow: FollowId) -> list[Delivery]:
        """Links that were made and lead to where their photo is not any more, though it is elsewhere."""
        rows = self._db.rows(
            "SELECT * FROM deliveries WHERE follow_id = ? AND state = 'made' AND inode IS NULL AND target IS NOT NULL"
            " AND NOT EXISTS (SELECT 1 FROM photos JOIN present_files ON photo_id = photos.id"
            " WHERE photos.hash = deliveries.hash AND CAST(root_path || '/' || path AS BLOB) = target)"
            " AND EXISTS (SELECT 1 FROM photos JOIN present_files ON photo_id = photos.id"
            " WHERE photos.hash = deliveries.hash) ORDER BY id",
            (follow,),
        )
        return [_delivery(row) for row in rows]

    def files_there(self) -> tuple[int, int]:
        """Another pair of numbers where files came, moved or went."""
        row = self._db.row(
            "SELECT (SELECT coalesce(max(id), 0) FROM files), (SELECT coalesce(sum(files), 0) FROM tallies)"
        )
        assert row is not None
        return row[0], row[1]

    def sources(self, hashes: Collection[bytes]) -> dict[bytes, list[Source]]:
        """The files that hold these photos and are there, the one known longest first."""
        found: dict[bytes, list[Source]] = {hash_: [] for hash_ in hashes}
        ordered = sorted(hashes)
        for start in range(0, len(ordered), 500):
            some = ordered[start : start + 500]
            for row in self._db.rows(
                f"SELECT photos.hash, roots.path AS root, files.path, files.size, files.mtime_ns {_HELD}"
                f" AND photos.hash IN ({','.join('?' * len(some))}) ORDER BY files.id",
                tuple(some),
            ):
                found[row["hash"]].append(Source(within(row["root"], row["path"]), row["size"], row["mtime_ns"]))
        return found

    def tallies(self) -> dict[FollowId, Tally]:
        """How much of each saved search is done; nobody waits for what is forgotten."""
        rows = self._db.rows(
            "SELECT follow_id, sum(state = 'made') AS made, sum(state <> 'made' AND EXISTS"
            " (SELECT 1 FROM photos WHERE photos.hash = deliveries.hash)) AS waiting FROM deliveries GROUP BY follow_id"
        )
        return {FollowId(row["follow_id"]): Tally(row["made"], row["waiting"]) for row in rows}


def _from_now_on(db: Utils) -> tuple[int, Ranges]:
    """The first number of faces to come, and the photos that were not read yet or are to come."""
    (last_face,) = db.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'faces'").fetchone()
    (last_photo,) = db.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'photos'").fetchone()
    unread = db.execute("SELECT id FROM photos WHERE state <> 'done' AND engine IS NULL").fetchall()
    return last_face + 1, outside((row[0] for row in unread), last_photo)


def _follow(row: Row) -> Follow:
    import numpy as np  # noqa: PLC0415  a list of saved searches without a face needs none

    vector = None
    if row["embedding"] is not None:
        vector = np.frombuffer(row["embedding"], dtype="<f4").reshape(EMBEDDING_SIZE).astype(np.float32)
    return Follow(
        id=FollowId(row["id"]),
        name=row["name"],
        folder=row["folder"],
        mounted=bool(row["mounted"]),
        form=Form(row["form"]),
        clips=bool(row["clips"]),
        shows=row["shows"],
        person=None if row["person_id"] is None else PersonId(row["person_id"]),
        embedding=vector,
        network=row["network"],
        through=None if row["through_id"] is None else PersonId(row["through_id"]),
        first=FaceId(row["first_face"]),
        photos=tuple((low, high) for low, high in json.loads(row["photos"])),
        compared=FaceId(row["compared"]),
        at=row["at"],
    )


def _shown(follow: Follow, rows: Iterable[Row]) -> list[Shown]:
    return [
        Shown(
            FaceId(row["id"]), PhotoId(row["photo_id"]), row["hash"], row["kind"] == "video", row["starts"], row["ends"]
        )
        for row in rows
        if follow.reaches(row["id"], row["photo_id"])
    ]


def _delivery(row: Row) -> Delivery:
    return Delivery(
        DeliveryId(row["id"]),
        FollowId(row["follow_id"]),
        Wanted(row["hash"], row["starts"], row["ends"]),
        Progress(row["state"]),
        row["name"],
        row["target"],
        row["inode"],
    )
