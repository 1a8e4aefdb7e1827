"""The links guyverd made in the people folder: the ledger that says which are ours to change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from guyverd.catalogue.database import Database
from guyverd.catalogue.rows import display
from guyverd.model import PersonId, PublishedLink

if TYPE_CHECKING:
    from sqlite_utils import Database as Utils


_FROM = "SELECT path, person_id FROM links WHERE path >= ? ORDER BY path LIMIT 1"


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

    def folders(self) -> dict[PersonId, bytes]:
        """The folder, relative to the people folder, in which each person's links stand: the first where there are two.

        From one folder to the next by the order of paths: a person may have thousands of links.
        """
        found: dict[PersonId, bytes] = {}
        with self._db.reading() as reader:
            after = b""
            while (row := reader.execute(_FROM, (after,)).fetchone()) is not None:
                path, person = row
                folder, slash, _ = path.rpartition(b"/")
                if slash:  # else a link being replaced when the last run died: it is about to be put right
                    found.setdefault(PersonId(person), folder)
                after = folder + b"0" if slash else path + b"\0"
        return found

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
