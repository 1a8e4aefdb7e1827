"""What was read in the people folder and is not settled yet: photos put there, merges that were meant, what is odd."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guyverd.catalogue.database import Database, Row
from guyverd.catalogue.files import slices
from guyverd.model import DecisionId, FileId, PersonId, PhotoId, PhotoState

if TYPE_CHECKING:
    from sqlite_utils import Database as Utils

_PAUSE = "people_folder_paused"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """Somebody put a photo, or a link to one, into a person's folder: that person is in it."""

    path: bytes
    """Where it stands, relative to the people folder."""
    file: FileId
    person: PersonId
    state: str
    """ "waiting" until its faces are known, "asked" where several may be meant."""
    source: str
    photo: PhotoId | None
    photo_state: PhotoState | None
    """None until the file is identified."""
    grouped: bool
    """Whether its faces were compared with everybody's."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """Two people whom somebody put into one folder, and who cannot be one."""

    person: PersonId
    other: PersonId
    source: str
    reason: str


class Heard:
    """Queries and writes about it."""

    def __init__(self, database: Database) -> None:
        self._db = database

    # ---- photos put into folders -------------------------------------------------------------------------------------

    def enrol(self, path: bytes, file: FileId, person: PersonId, source: str, at: str) -> None:
        """Note that a person is said to be in a file, by what stands at a path of the people folder.

        What was taken up already, and only got another path, says nothing again.
        """
        self._db.write(
            lambda db: db.execute(
                "INSERT OR REPLACE INTO enrolments (path, file_id, person_id, state, source, at) VALUES (?,?,?,"
                " coalesce((SELECT state FROM enrolments WHERE path <> ? AND file_id = ? AND person_id = ?"
                " AND state IN ('done', 'vain') LIMIT 1), 'waiting'),?,?)",
                (path, file, person, path, file, person, source, at),
            )
        )

    def enrolled(self) -> dict[bytes, tuple[FileId, PersonId]]:
        """Everything that was noted and still stands there, whatever became of it, by its path."""
        rows = self._db.rows("SELECT path, file_id, person_id FROM enrolments")
        return {row["path"]: (FileId(row["file_id"]), PersonId(row["person_id"])) for row in rows}

    def open(self) -> list[Enrolment]:
        """Those that wait and those that were asked about, in the order they were noted."""
        rows = self._db.rows(
            "SELECT enrolments.path, file_id, person_id, enrolments.state, source, photo_id,"
            " photos.state AS photo_state, grouped_at IS NOT NULL AS grouped"
            " FROM enrolments JOIN files ON files.id = file_id LEFT JOIN photos ON photos.id = photo_id"
            " WHERE enrolments.state IN ('waiting', 'asked') ORDER BY at, enrolments.path"
        )
        return [_enrolment(row) for row in rows]

    def settled(self, photos: Collection[PhotoId]) -> dict[bytes, PersonId]:
        """Those that were noted of files with these photos and are settled: who was said to be there, by its path."""
        found: dict[bytes, PersonId] = {}
        for some in slices(sorted(photos)):
            rows = self._db.rows(
                "SELECT enrolments.path, person_id FROM enrolments JOIN files ON files.id = file_id"
                f" WHERE photo_id IN ({','.join('?' * len(some))}) AND enrolments.state IN ('done', 'vain')",
                tuple(some),
            )
            found |= {row["path"]: PersonId(row["person_id"]) for row in rows}
        return found

    def settle(self, path: bytes, state: str) -> None:
        """Note what became of one: "asked", "done", or "vain" where there is nothing in it."""
        self._db.write(settling(path, state))

    def vanished(self, paths: Iterable[bytes], at: str) -> None:
        """What stood there does not any more; files that only such things told of are missing then.

        Who is in those photos is published anew: a link of ours stands in for one's own.
        """

        def job(db: Utils) -> None:
            noted = [(path,) for path in paths]
            db.conn.executemany(
                "INSERT OR IGNORE INTO stale SELECT DISTINCT faces.person_id, faces.photo_id"
                " FROM enrolments JOIN files ON files.id = file_id JOIN faces ON faces.photo_id = files.photo_id"
                " WHERE enrolments.path = ? AND faces.person_id IS NOT NULL",
                noted,
            )
            db.conn.executemany("DELETE FROM enrolments WHERE path = ?", noted)
            db.execute(
                "UPDATE files SET missing_since = ? WHERE missing_since IS NULL"
                " AND root_id IN (SELECT id FROM roots WHERE own) AND id NOT IN (SELECT file_id FROM enrolments)",
                (at,),
            )

        self._db.write(job)

    # ---- merges that cannot be ---------------------------------------------------------------------------------------

    def propose(self, proposal: Proposal, at: str) -> None:
        """Note a merge that was meant and is left to the user, even if it was answered when it was meant before."""
        self._db.write(
            lambda db: db.execute(
                "INSERT OR REPLACE INTO proposals (person_id, other_id, source, reason, at) VALUES (?,?,?,?,?)",
                (proposal.person, proposal.other, proposal.source, proposal.reason, at),
            )
        )

    def proposals(self) -> list[Proposal]:
        """Those of people who both still stand, and of whom nobody said since that they are two."""
        rows = self._db.rows(
            "SELECT person_id, other_id, source, reason FROM proposals"
            " JOIN people AS one ON one.id = person_id JOIN people AS two ON two.id = other_id"
            " WHERE answered IS NULL AND one.merged_into IS NULL AND two.merged_into IS NULL"
            " ORDER BY at, person_id, other_id"
        )
        return [Proposal(PersonId(row[0]), PersonId(row[1]), row[2], row[3]) for row in rows]

    # ---- what stands outside of everybody's folder -------------------------------------------------------------------

    def strays(self) -> frozenset[bytes]:
        """Links and files outside of everybody's folder, as of the last look."""
        return frozenset(row[0] for row in self._db.rows("SELECT path FROM strays"))

    def set_strays(self, gone: Iterable[bytes], new: Iterable[bytes]) -> None:
        """Note what was found since."""

        def job(db: Utils) -> None:
            db.conn.executemany("DELETE FROM strays WHERE path = ?", ((path,) for path in gone))
            db.conn.executemany("INSERT OR IGNORE INTO strays VALUES (?)", ((path,) for path in new))

        self._db.write(job)

    # ---- too much at once --------------------------------------------------------------------------------------------

    def paused(self) -> str | None:
        """Why publishing waits for a word; None where it does not."""
        row = self._db.row("SELECT value FROM meta WHERE key = ?", (_PAUSE,))
        if row is None:
            return None
        reason: str = json.loads(row["value"])["reason"]
        return reason

    def pause(self, reason: str | None, at: str) -> None:
        """Note that publishing waits, and why; or that it goes on."""

        def job(db: Utils) -> None:
            db.execute("DELETE FROM meta WHERE key = ?", (_PAUSE,))
            if reason is not None:
                value = json.dumps({"reason": reason, "since": at})
                db.execute("INSERT INTO meta (key, value) VALUES (?, ?)", (_PAUSE, value))

        self._db.write(job)


def settling(path: bytes, state: str) -> Callable[[Utils], object]:
    """What does the same within a transaction, such as that of the decision it led to."""
    return lambda db: db.execute("UPDATE enrolments SET state = ? WHERE path = ?", (state, path))


def answering(one: PersonId, other: PersonId, decision: DecisionId) -> Callable[[Utils], object]:
    """The decision answers the proposal to make these two one, if there is any: for use within its transaction."""
    return lambda db: db.execute(
        "UPDATE proposals SET answered = ? WHERE (person_id, other_id) IN (VALUES (?, ?), (?, ?))",
        (decision, one, other, other, one),
    )


def asking_again(decision: DecisionId) -> Callable[[Utils], object]:
    """What the decision answered is open again: for use within the transaction that takes it back."""
    return lambda db: db.execute("UPDATE proposals SET answered = NULL WHERE answered = ?", (decision,))


def move_enrolled(db: Utils, old: bytes, new: bytes) -> None:
    """What stood below the folder `old` stands below `new` now: for use within a transaction."""
    below = (old + b"/", old + b"0")
    for row in db.execute("SELECT path FROM enrolments WHERE path > ? AND path < ?", below).fetchall():
        path = new + row["path"][len(old) :]
        db.execute("UPDATE OR REPLACE enrolments SET path = ? WHERE path = ?", (path, row["path"]))
    for row in db.execute("SELECT path FROM strays WHERE path > ? AND path < ?", below).fetchall():
        path = new + row["path"][len(old) :]
        db.execute("UPDATE OR REPLACE strays SET path = ? WHERE path = ?", (path, row["path"]))


def _enrolment(row: Row) -> Enrolment:
    return Enrolment(
        row["path"],
        FileId(row["file_id"]),
        PersonId(row["person_id"]),
        row["state"],
        row["source"],
        None if row["photo_id"] is None else PhotoId(row["photo_id"]),
        None if row["photo_state"] is None else PhotoState(row["photo_state"]),
        bool(row["grouped"]),
    )
