"""The people folder as it was published: every link guyverd made there, and whose each folder is.

The ledger says which links are ours to change, and what the user did is told from it by comparison.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from guyverd.catalogue.database import Database, Row
from guyverd.catalogue.files import move_own
from guyverd.catalogue.heard import move_enrolled
from guyverd.catalogue.rows import display
from guyverd.model import PersonId, PhotoId, Stamp
from guyverd.published import Home, LinkKind, OwnerId, PublishedLink, person_of

if TYPE_CHECKING:
    from sqlite_utils import Database as Utils

_COLUMNS = "path, target, owner, photo_id, kind, companion, placed, made, size, mtime_ns, inode"
_LINK = f"SELECT {_COLUMNS} FROM links"
_HOME = "SELECT owner, path, name, inode FROM homes"
_MOST_OWNERS = 200
"""Owners asked for in one statement; where there are more, all rows are gone through."""
_MOST_VALUES = 500
"""Values compared with in one statement."""


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

    # ---- links -------------------------------------------------------------------------------------------------------

    def published(self, owners: Collection[OwnerId] | None = None) -> list[PublishedLink]:
        """All links, or those of some owners, by path."""
        if owners is None:
            return [_link(row) for row in self._db.rows(f"{_LINK} ORDER BY path")]
        if len(owners) > _MOST_OWNERS:
            return [_link(row) for row in self._db.rows(f"{_LINK} ORDER BY path") if row["owner"] in owners]
        marks = ",".join(str(int(owner)) for owner in owners)
        return [_link(row) for row in self._db.rows(f"{_LINK} WHERE owner IN ({marks}) ORDER BY path")]

    def texts(self) -> dict[bytes, bytes] | None:
        """What each link says, by its path; None where some are files, or are not known to be made."""
        if self._db.row("SELECT 1 FROM links WHERE kind <> 'symbolic' OR NOT made LIMIT 1") is not None:
            return None
        return dict(map(tuple, self._db.stream("SELECT path, target FROM links")))

    def of_photos(self, owner: OwnerId, photos: Collection[PhotoId]) -> list[PublishedLink]:
        """An owner's links to those photos, by path."""
        among = ",".join(str(int(photo)) for photo in photos)
        rows = self._db.rows(f"{_LINK} WHERE owner = ? AND photo_id IN ({among}) ORDER BY path", (owner,))
        return [_link(row) for row in rows]

    def of_like_names(self, owner: OwnerId, path: bytes) -> dict[bytes, PhotoId | None]:
        """An owner's links whose names may depend on what has that path: but for case the same, or longer by a "~…"."""
        shown = display(path)
        longer = os.path.splitext(shown)[0] + "~"
        rows = self._db.rows(
            "SELECT path, photo_id FROM links WHERE owner = ?"
            " AND (lower(display) = lower(?) OR lower(substr(display, 1, ?)) = lower(?))",
            (owner, shown, len(longer), longer),
        )
        return {row["path"]: row["photo_id"] for row in rows}

    def count_of(self, owner: OwnerId) -> int:
        """How many photos an owner's links show."""
        row = self._db.row("SELECT count(DISTINCT photo_id) FROM links WHERE owner = ?", (owner,))
        assert row is not None
        found: int = row[0]
        return found

    def below(self, folder: bytes) -> list[PublishedLink]:
        """The links at or below a folder, by path."""
        rows = self._db.rows(f"{_LINK} WHERE path > ? AND path < ? ORDER BY path", (folder + b"/", folder + b"0"))
        return [_link(row) for row in rows]

    def like(self, seen: Collection[bytes | Stamp]) -> set[OwnerId]:
        """Who has a link that says the same, or is the same file."""
        texts = [one for one in seen if isinstance(one, bytes)]
        inodes = [one.inode for one in seen if isinstance(one, Stamp)]
        found: set[OwnerId] = set()
        columns: tuple[tuple[str, Sequence[bytes | int]], ...] = (("target", texts), ("inode", inodes))
        for column, values in columns:
            for start in range(0, len(values), _MOST_VALUES):
                part = values[start : start + _MOST_VALUES]
                marks = ",".join("?" * len(part))
                rows = self._db.rows(f"SELECT DISTINCT owner FROM links WHERE {column} IN ({marks})", part)
                found |= {OwnerId(row["owner"]) for row in rows}
        return found

    def count(self) -> int:
        """How many links there are."""
        row = self._db.row("SELECT count(*) FROM links")
        assert row is not None
        found: int = row[0]
        return found

    def intend(self, links: Sequence[PublishedLink]) -> None:
        """Note links that are about to be made, or what became of them."""
        at = self._now()
        self._db.write(lambda db: put(db, links, at))

    def forget(self, paths: Sequence[bytes]) -> None:
        """Note links that were taken away."""
        self._db.write(lambda db: forget(db, paths))

    def renamed(self, renames: Sequence[Renamed]) -> None:
        """Note, in this order, folders that got another path: every link and home below moves with them."""
        at = self._now()

        def job(db: Utils) -> None:
            for rename in renames:
                move(db, rename.old, rename.new, at)

        self._db.write(job)

    def write(self, job: Callable[[Utils], object]) -> None:
        """Do what `changing` gives by itself, where no decision goes with it."""
        self._db.write(job)

    # ---- whose each folder is ----------------------------------------------------------------------------------------

    def homes(self) -> dict[OwnerId, Home]:
        """The folder of each person and album that has one, relative to the people folder."""
        return {home.owner: home for home in map(_home, self._db.rows(_HOME))}

    def former(self, names: Mapping[OwnerId, str | None]) -> dict[OwnerId, bytes]:
        """The folder that each had last when they were called so, of those who had one."""
        rows = self._db.rows("SELECT owner, name, path FROM former_homes")
        return {OwnerId(owner): path for owner, name, path in rows if owner in names and name == (names[owner] or "")}

    def folders(self) -> dict[PersonId, bytes]:
        """The folder of each person who has one."""
        found = {}
        for owner, home in self.homes().items():
            person = person_of(owner)
            if person is not None:
                found[person] = home.path
        return found

    def settle(self, homes: Sequence[Home], gone: Collection[OwnerId] = ()) -> None:
        """Note where folders are now, and whose are no more."""
        self._db.write(lambda db: settle(db, homes, gone))


def changing(
    *,
    forgotten: Collection[PublishedLink] = (),
    links: Collection[PublishedLink] = (),
    homes: Collection[Home] = (),
    gone: Collection[OwnerId] = (),
    moved: tuple[bytes, bytes] | None = None,
    at: str,
) -> Callable[[Utils], None]:
    """What makes the ledger say what somebody did to the people folder, within the transaction of what it means.

    Rows are forgotten, as far as they are still those of these links and not of others that took their place; then
    rows are written, then where folders are, and whose are no more. What people put there themselves goes with a folder
    that `moved` from one path to another. Everybody concerned is published anew: a link says something else in another
    place, and what is not meant is put back.
    """
    concerned = {*(link.owner for link in (*forgotten, *links)), *(home.owner for home in homes), *gone}

    def job(db: Utils) -> None:
        db.conn.executemany("INSERT OR IGNORE INTO stale VALUES (?, 0)", ((owner,) for owner in concerned))
        db.conn.executemany(
            "DELETE FROM links WHERE path = ? AND owner = ? AND target = ?",
            ((link.path, link.owner, link.target) for link in forgotten),
        )
        put(db, links, at)
        if moved is not None:
            move_enrolled(db, *moved)
            move_own(db, *moved)
        settle(db, homes, gone)

    return job


# ---- for use within a transaction ------------------------------------------------------------------------------------


def put(db: Utils, links: Iterable[PublishedLink], at: str) -> None:
    """Write rows of links, over those that their paths may have."""
    db.conn.executemany(
        "INSERT INTO links (path, display, target, owner, photo_id, kind, companion, placed, made, size, mtime_ns,"
        " inode, made_at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (path) DO UPDATE SET"
        " target = excluded.target,"
        " owner = excluded.owner, photo_id = excluded.photo_id, kind = excluded.kind, companion = excluded.companion,"
        " placed = excluded.placed, made = excluded.made, size = excluded.size, mtime_ns = excluded.mtime_ns,"
        " inode = excluded.inode, made_at = excluded.made_at",
        (_row(link, at) for link in links),
    )


def forget(db: Utils, paths: Iterable[bytes]) -> None:
    """Delete the rows of these paths."""
    db.conn.executemany("DELETE FROM links WHERE path = ?", ((path,) for path in paths))


def move(db: Utils, old: bytes, new: bytes, at: str) -> None:
    """All that is at or below the folder `old` gets its path at or below `new`, over what is there; it was moved."""
    below = (old + b"/", old + b"0")
    rows = db.execute(f"{_LINK} WHERE path > ? AND path < ?", below).fetchall()
    db.execute("DELETE FROM links WHERE path > ? AND path < ?", below)
    put(db, (replace(_link(row), path=new + row["path"][len(old) :], made=True) for row in rows), at)
    move_enrolled(db, old, new)
    move_own(db, old, new)
    homes = db.execute(f"{_HOME} WHERE path = ? OR (path > ? AND path < ?)", (old, *below)).fetchall()
    moved = [replace(_home(row), path=new + row["path"][len(old) :]) for row in homes]
    # The folder itself may move because its owner is called otherwise by now, which its row does not say yet.
    settle(db, moved, (), remembered=[home for home in moved if home.path != new])


def settle(
    db: Utils, homes: Iterable[Home], gone: Iterable[OwnerId], *, remembered: Iterable[Home] | None = None
) -> None:
    """Write where folders are now; a path that another owner had is theirs no more.

    It is `remembered` which folder everybody had under their name: of these where they are given, else of all.
    """
    homes = list(homes)
    db.conn.executemany("DELETE FROM homes WHERE owner = ?", ((owner,) for owner in gone))
    db.conn.executemany("DELETE FROM homes WHERE owner = ? OR path = ?", ((home.owner, home.path) for home in homes))
    db.conn.executemany(
        "INSERT OR REPLACE INTO homes (owner, path, display, name, inode) VALUES (?,?,?,?,?)",
        ((home.owner, home.path, display(home.path), home.name, home.inode) for home in homes),
    )
    db.conn.executemany(
        "INSERT OR REPLACE INTO former_homes (owner, name, path) VALUES (?,?,?)",
        ((home.owner, home.name or "", home.path) for home in (homes if remembered is None else remembered)),
    )


def _row(link: PublishedLink, at: str) -> tuple[object, ...]:
    stamp = (None, None, None) if link.stamp is None else (link.stamp.size, link.stamp.mtime_ns, link.stamp.inode)
    kind = link.kind.value
    flags = int(link.companion), int(link.placed), int(link.made)
    return link.path, display(link.path), link.target, link.owner, link.photo, kind, *flags, *stamp, at


def _link(row: Row) -> PublishedLink:
    path, target, owner, photo, kind, companion, placed, made, size, mtime_ns, inode = row
    return PublishedLink(
        path,
        target,
        OwnerId(owner),
        None if photo is None else PhotoId(photo),
        _KINDS[kind],
        bool(companion),
        bool(placed),
        None if inode is None else Stamp(size, mtime_ns, inode),
        bool(made),
    )


def _home(row: Row) -> Home:
    return Home(OwnerId(row["owner"]), row["path"], row["name"], row["inode"])


_KINDS = {kind.value: kind for kind in LinkKind}
