"""Tables that came later and that one module alone reads, as SQL; how each is applied is told by `migrations`."""

from __future__ import annotations

MOUNTS = """
CREATE TABLE mounts (
    root_id INTEGER NOT NULL REFERENCES roots (id) ON DELETE CASCADE,
    path BLOB NOT NULL,
    device INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    PRIMARY KEY (root_id, path)
) STRICT, WITHOUT ROWID;
"""
"""What it takes to tell a disk that is away from a folder that was emptied."""

FOLLOWS = """
CREATE TABLE follows (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE CHECK (name <> ''),
    folder BLOB NOT NULL,
    display TEXT NOT NULL,
    mounted INTEGER NOT NULL DEFAULT 0,
    form TEXT NOT NULL CHECK (form IN ('link', 'copy')),
    clips INTEGER NOT NULL DEFAULT 0,
    shows TEXT NOT NULL,
    person_id INTEGER REFERENCES people (id),
    embedding BLOB CHECK (length(embedding) = 512),
    network TEXT,
    through_id INTEGER REFERENCES people (id),
    first_face INTEGER NOT NULL,
    photos TEXT NOT NULL,
    compared INTEGER NOT NULL,
    at TEXT NOT NULL
) STRICT;

CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    follow_id INTEGER NOT NULL REFERENCES follows (id) ON DELETE CASCADE,
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    starts REAL,
    ends REAL CHECK (ends > starts),
    state TEXT NOT NULL DEFAULT 'wanted' CHECK (state IN ('wanted', 'begun', 'made')),
    name BLOB,
    display TEXT,
    target BLOB,
    inode INTEGER,
    at TEXT NOT NULL
) STRICT;
CREATE INDEX deliveries_photo ON deliveries (follow_id, hash);
CREATE INDEX deliveries_open ON deliveries (follow_id, id) WHERE state <> 'made';

CREATE TABLE delivered_faces (
    follow_id INTEGER NOT NULL REFERENCES follows (id) ON DELETE CASCADE,
    face_id INTEGER NOT NULL,
    PRIMARY KEY (follow_id, face_id)
) STRICT, WITHOUT ROWID;
"""
"""What it takes to keep saved searches. A face and a photo may be forgotten; that they were delivered is not."""
