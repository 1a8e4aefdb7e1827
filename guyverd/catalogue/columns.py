"""All faces of a library as columns, of one moment: what looks at everybody at once works on these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from guyverd.catalogue.schema import APART
from guyverd.model import EMBEDDING_SIZE, DecisionId, FaceTable, Spans

if TYPE_CHECKING:
    from guyverd.catalogue.database import Database
    from guyverd.model import BoolArray, DoubleArray, IntArray

_FACES = (
    "SELECT faces.id, photo_id, quality, coalesce(person_id, 0),"
    f" grouped_at IS NOT NULL AND photo_id NOT IN ({APART}), starts, ends, embedding"
    " FROM faces JOIN photos ON photos.id = photo_id ORDER BY photo_id, ordinal"
)
_BATCH = 10_000


@dataclass(frozen=True, slots=True)
class Everybody:
    """Every face there is."""

    table: FaceTable
    compared: BoolArray
    """bool[n]: was grouped, and can be compared with the others of which that is true."""
    last: DecisionId
    """The newest decision at that moment; 0 before the first."""


def everybody(database: Database) -> Everybody:
    """Read them all, ordered by photo and ordinal; 0.5 kB each, and about a second for 200,000."""
    with database.reading() as reader:
        reader.execute("BEGIN")
        try:
            last = reader.execute("SELECT coalesce(max(id), 0) FROM decisions").fetchone()[0]
            n = reader.execute("SELECT count(*) FROM faces").fetchone()[0]
            numbers = np.empty((4, n), dtype=np.int64)
            quality = np.empty(n, dtype=np.float32)
            vectors = np.empty((n, EMBEDDING_SIZE), dtype=np.float32)
            seen = np.empty((2, n), dtype=np.float64)
            # Plain tuples, a batch at a time: turned into columns before the next is fetched.
            cursor = reader.cursor()
            cursor.row_factory = None
            cursor.execute(_FACES)
            at = 0
            while rows := cursor.fetchmany(_BATCH):
                some = slice(at, at + len(rows))
                ids, photos, worth, people, compared, starts, ends, embeddings = zip(*rows, strict=True)
                seen[:, some] = np.array([starts, ends], dtype=np.float64)
                numbers[:, some] = ids, photos, people, compared
                quality[some] = worth
                vectors[some] = np.frombuffer(b"".join(embeddings), dtype="<f4").reshape(-1, EMBEDDING_SIZE)
                at += len(rows)
        finally:
            reader.execute("COMMIT")
    table = FaceTable(numbers[0], numbers[1], quality, numbers[2], vectors, spans(seen[0], seen[1]))
    return Everybody(table, numbers[3].astype(bool), DecisionId(last))


def spans(starts: DoubleArray, ends: DoubleArray) -> Spans | None:
    """When faces are seen, from the columns of these names, NaN for NULL; None where all are faces of photos."""
    photo = np.isnan(starts)
    return None if photo.all() else Spans(np.where(photo, -np.inf, starts), np.where(photo, np.inf, ends))


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose every face is."""

    ids: IntArray
    """int64[n], rising."""
    people: IntArray
    """int64[n], 0 for nobody."""
    last: DecisionId
    """The newest decision at that moment; 0 before the first."""


def whose(database: Database) -> Whose:
    """A quarter of a second for 200,000 faces."""
    with database.reading() as reader:
        cursor = reader.cursor()
        cursor.row_factory = None
        rows = cursor.execute(
            "SELECT (SELECT coalesce(max(id), 0) FROM decisions), 0"
            " UNION ALL SELECT id, coalesce(person_id, 0) FROM faces"
        ).fetchall()
    found = np.array(rows[1:], dtype=np.int64).reshape(-1, 2)
    found = found[np.argsort(found[:, 0], kind="stable")]
    return Whose(found[:, 0], found[:, 1], DecisionId(rows[0][0]))
