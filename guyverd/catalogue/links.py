"""The links guyverd made in the people folder: the ledger that says which are ours to change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from sqlite_utils import Database as Utils

from guyverd.catalogue.database import Database
from guyverd.catalogue.rows import display
from guyverd.model import PersonId, PublishedLink


class Renamed(Protocol):
    """A folder that got another path; both are relative to the people folder."""

    @property
    def old(self) -> bytes:
        """Before."""

    @property
    def new(self) -> bytes:
        """After."""


class Links:
    """Every link of ours on disk is a row here; a row may lack its link (it was about to be made, or taken away)."""

    def __init__(self, database: Database, now: Callable[[], str]) -> None:
        self._db = database
        self._now = now

    def published(self) -> list[PublishedLink]:
        """All links, by path."""
        rows = self._db.rows("SELECT path, target, person_id FROM links ORDER BY path")
        return [PublishedLink(row["path"], row["target"], PersonId(row["person_id"])) for row in rows]

    def intend(self, links: Sequence[PublishedLink]) -> None:
        """Note links that are about to be made."""
        at = self._now()

        def job(db: Utils) -> None:
            db.conn.executemany(
                "INSERT INTO links (path, display, target, person_id, made_at) VALUES (?,?,?,?,?)"
                " ON CONFLICT (path) DO UPDATE SET target = excluded.target, person_id = excluded.person_id,"
                " made_at = excluded.made_at",
                [(link.path, display(link.path), link.target, link.person, at) for link in links],
            )

        self._db.write(job)

    def forget(self, paths: Sequence[bytes]) -> None:
        """Note links that were taken away."""
        self._db.write(lambda db: db.conn.executemany("DELETE FROM links WHERE path = ?", [(path,) for path in paths]))

    def renamed(self, renames: Sequence[Renamed]) -> None:
        """Note, in this order, folders that got another path: every link below moves with them."""

        def job(db: Utils) -> None:
            for rename in renames:
                old, new = rename.old, rename.new
                rows = db.execute(
                    "SELECT path, target, person_id, made_at FROM links WHERE path > ? AND path < ?",
                    (old + b"/", old + b"0"),
                ).fetchall()
                db.execute("DELETE FROM links WHERE path > ? AND path < ?", (old + b"/", old + b"0"))
                for row in rows:
                    path = new + row["path"][len(old) :]
                    db.execute(
                        "INSERT OR REPLACE INTO links (path, display, target, person_id, made_at) VALUES (?,?,?,?,?)",
                        (path, display(path), row["target"], row["person_id"], row["made_at"]),
                    )

        self._db.write(job)
