"""What questions to the user are made from: all faces at a glance; and which questions were left unanswered."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from guyverd.catalogue.columns import spans
from guyverd.catalogue.database import Database
from guyverd.catalogue.files import slices
from guyverd.catalogue.schema import APART
from guyverd.model import EMBEDDING_SIZE, PhotoId

if TYPE_CHECKING:
    from sqlite_utils import Database as Utils

    from guyverd.model import FloatArray, IntArray, Spans

_GROUPED = f"FROM faces JOIN photos ON photos.id = photo_id WHERE grouped_at IS NOT NULL AND photo_id NOT IN ({APART})"
_FEW = 10_000
"""So many vectors are looked up one by one; for more all are read in their order, which is quicker then."""


@dataclass(frozen=True, slots=True)
class Glance:
    """All faces that were grouped, by photo and ordinal, without their vectors."""

    ids: IntArray
    photos: IntArray
    quality: FloatArray
    people: IntArray
    """int64[n], 0 for nobody."""
    read: IntArray
    """int64[n]: when its photo was read, in seconds; a face whose vector is another one has another time."""
    spans: Spans | None = None
    """When each is seen; None where all are faces of photos."""


class Questions:
    """Reads faces, and remembers what was skipped."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def glance(self) -> Glance:
        """All faces that can be compared with one another. 1.1 s for 200,000 on two busy cores."""
        rows = self._db.rows(
            "SELECT faces.id, photo_id, quality, coalesce(person_id, 0), coalesce(unixepoch(read_at), 0), starts, ends"
            f" {_GROUPED} ORDER BY photo_id, ordinal"
        )
        columns = list(zip(*rows, strict=True)) if rows else [()] * 7
        ids, photos, people, read = (np.array(columns[at], dtype=np.int64) for at in (0, 1, 3, 4))
        seen = spans(*(np.array(columns[at], dtype=np.float64) for at in (5, 6)))
        return Glance(ids, photos, np.array(columns[2], dtype=np.float32), people, read, seen)

    def vectors(self, ids: IntArray) -> FloatArray:
        """The vectors of those faces, raw, float32[k, 128], in the order of `ids`; all of them must be there."""
        found = np.empty((len(ids), EMBEDDING_SIZE), dtype=np.float32)
        order = np.argsort(ids, kind="stable")
        ordered = ids[order]

        def put(rows: Iterable[tuple[int, bytes]]) -> None:
            some = list(rows)
            if some:
                at = np.searchsorted(ordered, np.array([row[0] for row in some], dtype=np.int64))
                joined = np.frombuffer(b"".join(row[1] for row in some), dtype="<f4")
                found[order[at]] = joined.reshape(len(some), EMBEDDING_SIZE)

        if len(ids) <= _FEW:
            for some in slices(ordered.tolist()):
                marks = ",".join("?" * len(some))
                put(
                    (row[0], row[1])
                    for row in self._db.rows(f"SELECT id, embedding FROM faces WHERE id IN ({marks})", tuple(some))
                )
            return found
        wanted, batch = set(ordered.tolist()), []
        for row in self._db.stream("SELECT id, embedding FROM faces ORDER BY id", batch=_FEW):
            if row[0] in wanted:
                batch.append((row[0], row[1]))
            if len(batch) == _FEW:
                put(batch)
                batch = []
        put(batch)
        return found

    def sizes(self, photos: Collection[PhotoId]) -> dict[PhotoId, tuple[int, int]]:
        """Width and height of photos, in pixels of the upright picture."""
        found: dict[PhotoId, tuple[int, int]] = {}
        for some in slices(sorted(photos)):
            marks = ",".join("?" * len(some))
            rows = self._db.rows(f"SELECT id, width, height FROM photos WHERE id IN ({marks})", tuple(some))
            found |= {PhotoId(row[0]): (row[1], row[2]) for row in rows}
        return found

    # ---- what was left unanswered ------------------------------------------------------------------------------------

    def skip(self, question: str, keys: Collection[str], at: str) -> None:
        """Remember that a question about these was skipped."""

        def job(db: Utils) -> None:
            db.conn.executemany(
                "INSERT INTO skipped (key, question, at) VALUES (?, ?, ?)"
                " ON CONFLICT (key) DO UPDATE SET question = excluded.question, at = excluded.at",
                [(key, question, at) for key in sorted(keys)],
            )

        self._db.write(job)

    def unskip(self, question: str) -> None:
        """Forget that it was."""
        self._db.write(lambda db: db.execute("DELETE FROM skipped WHERE question = ?", (question,)))

    def skipped(self, since: str) -> frozenset[str]:
        """What was skipped at that time or later."""
        return frozenset(row[0] for row in self._db.rows("SELECT key FROM skipped WHERE at >= ?", (since,)))
