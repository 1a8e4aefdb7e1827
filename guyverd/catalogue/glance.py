"""A look at the catalogue's file from outside: for who wants one list, at once, and has no library open."""

from __future__ import annotations

import contextlib
import os
import sqlite3

from guyverd.catalogue.database import uri_path
from guyverd.errors import CatalogueError

_PATIENCE = 0.1
"""Seconds to wait for whoever holds the file."""


def names_in(path: bytes, *, hidden: bool | None = None) -> list[str]:
    """The names of all who stand in the catalogue at `path`, or of those who are hidden, or of those who are not.

    The file is only read. Raises CatalogueError where that cannot be done.
    """
    wanted = "" if hidden is None else f" AND hidden = {int(hidden)}"
    return _column(path, f"SELECT name FROM people WHERE name IS NOT NULL AND merged_into IS NULL{wanted}")


def follows_in(path: bytes) -> list[str]:
    """The names of all saved searches in the catalogue at `path`, likewise."""
    return _column(path, "SELECT name FROM follows")


def _column(path: bytes, sql: str) -> list[str]:
    try:
        connection = sqlite3.connect(f"file:{uri_path(path)}?mode=ro", uri=True, timeout=_PATIENCE)
        with contextlib.closing(connection):
            found = connection.execute(sql).fetchall()
    except (sqlite3.Error, UnicodeDecodeError) as problem:
        raise CatalogueError(path=os.fsdecode(path), detail=str(problem)) from problem
    return [row[0] for row in found]
