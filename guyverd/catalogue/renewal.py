"""Reading photos again: which, because of what read them, and whose vectors can be compared with whose."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from guyverd.catalogue.database import Database
from guyverd.catalogue.files import slices
from guyverd.catalogue.rows import box_of
from guyverd.catalogue.schema import APART
from guyverd.model import Box, FaceId, PhotoId

if TYPE_CHECKING:
    from sqlite_utils import Database as Utils

    from guyverd.model import IntArray

_ENGINES = """
    WITH RECURSIVE every (engine) AS (
        SELECT min(engine) FROM photos WHERE engine IS NOT NULL
        UNION ALL SELECT (SELECT min(engine) FROM photos WHERE engine > every.engine) FROM every
            WHERE engine IS NOT NULL)
    SELECT engine FROM every WHERE engine IS NOT NULL
"""
"""From one engine to the next: there are few, and many photos."""
_COMPARED = f"""
    SELECT engine FROM ({_ENGINES}) AS every WHERE EXISTS (
            SELECT 1 FROM photos WHERE photos.engine = every.engine AND state = 'done')
        OR EXISTS (SELECT 1 FROM photos WHERE photos.engine = every.engine AND state = 'pending'
            AND (grouped_at IS NULL) = 0)
"""
"""Those that read photos whose faces are compared with others, or will be."""


def network(engine: str) -> str:
    """What makes an engine's vectors: the last part of its name. Only vectors of one network can be compared."""
    return engine.rpartition(", ")[2]


class Renewal:
    """Queries and writes about what read the photos, and about doing it again."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def engines(self) -> dict[str, int]:
        """How many photos each engine read, of those that are not about to be read again."""
        rows = self._db.rows(
            "SELECT engine, count(*) FROM photos WHERE engine IS NOT NULL AND state = 'done' GROUP BY engine"
        )
        return {row[0]: row[1] for row in rows}

    def older(self, engine: str) -> int:
        """How many photos were read by another engine than this."""
        return sum(count for name, count in self.engines().items() if name != engine)

    def begin(self, engine: str, *, every: bool = False) -> tuple[int, bool]:
        """Have the photos read again that another engine than `engine` read, or `every` one, failed ones among them.

        Until then they keep their faces, and these their people. Where another network made their vectors, they are
        compared with none any more. Returns how many photos are waiting now, and whether there are such faces: then
        the index must be built anew.
        """

        def job(db: Utils) -> tuple[int, bool]:
            ours = [row[0] for row in db.execute(_ENGINES).fetchall() if network(row[0]) == network(engine)]
            alike = f"engine IN ({','.join('?' * len(ours))})"
            which = "state <> 'pending'" if every else "state = 'done' AND engine <> ?"
            marked = db.conn.execute(
                f"UPDATE photos SET state = 'pending', reason = NULL, attempts = 0 WHERE {which}",
                () if every else (engine,),
            )
            # Those that wait from an earlier request among them: that may have been for yet another network.
            parted = db.conn.execute(
                "UPDATE photos SET grouped_at = NULL WHERE state = 'pending' AND engine IS NOT NULL"
                f" AND grouped_at IS NOT NULL AND NOT {alike}",
                tuple(ours),
            )
            return marked.rowcount, parted.rowcount > 0

        return self._db.write(job)

    def networks(self) -> frozenset[str]:
        """What made the vectors of all faces that are compared: faces can be, where it is one."""
        return frozenset(network(row[0]) for row in self._db.rows(_COMPARED))

    def compared(self) -> tuple[frozenset[str], int]:
        """The same, and how many photos are kept apart: what is learned of all vectors holds while this does."""
        row = self._db.row(f"SELECT count(*) FROM ({APART})")
        assert row is not None
        return self.networks(), row[0]

    def boxes(self, photos: Sequence[int], kept: Collection[FaceId]) -> dict[PhotoId, tuple[Box, ...]]:
        """For photos that are read again: where a face must be described, found or not.

        That is where somebody drew a box, and where one of `kept` is.
        """
        found: dict[PhotoId, tuple[Box, ...]] = {}
        for some in slices(photos):
            marks = ",".join("?" * len(some))
            for row in self._db.rows(
                'SELECT id, photo_id, "left", top, "right", bottom, manual FROM faces'
                f" WHERE photo_id IN ({marks}) ORDER BY photo_id, ordinal",
                tuple(some),
            ):
                if row["manual"] or row["id"] in kept:
                    photo = PhotoId(row["photo_id"])
                    found[photo] = (*found.get(photo, ()), box_of(row))
        return found

    def revised(self) -> IntArray:
        """The faces of which the saved index has old vectors, ascending."""
        import numpy as np  # noqa: PLC0415  who only lists needs none

        rows = self._db.rows("SELECT face_id FROM revised ORDER BY face_id")
        return np.array([row[0] for row in rows], dtype=np.int64)
