"""The catalogue's tables and views, as SQL.

`docs/catalogue.md` describes them for people, and a test compares the two. How a file came to have them is told by
`migrations`, which is loaded only where some are to be applied: sqlite-utils takes longer to load than most questions
to answer.
"""

from __future__ import annotations

MIGRATIONS = "guyverd"
"""The name of the set that our migrations are recorded under."""

TABLES = """
CREATE TABLE roots (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    path BLOB NOT NULL UNIQUE,
    display TEXT NOT NULL,
    configured INTEGER NOT NULL DEFAULT 1,
    device INTEGER,
    inode INTEGER,
    state TEXT NOT NULL DEFAULT 'online' CHECK (state IN ('online', 'offline')),
    detail TEXT NOT NULL DEFAULT '',
    scanned_at TEXT
) STRICT;

CREATE TABLE photos (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    size INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done', 'failed', 'quarantined')),
    reason TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    width INTEGER,
    height INTEGER,
    format TEXT,
    taken_at TEXT,
    engine TEXT,
    read_at TEXT,
    grouped_at TEXT
) STRICT;
CREATE INDEX photos_pending ON photos (id) WHERE state = 'pending';
CREATE INDEX photos_ungrouped ON photos (id) WHERE grouped_at IS NULL;
CREATE INDEX photos_failed ON photos (id) WHERE state IN ('failed', 'quarantined');

CREATE TABLE files (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    root_id INTEGER NOT NULL REFERENCES roots (id),
    path BLOB NOT NULL,
    display TEXT NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'identified', 'failed')),
    photo_id INTEGER REFERENCES photos (id) ON DELETE SET NULL,
    reason TEXT,
    seen_at TEXT NOT NULL,
    missing_since TEXT,
    UNIQUE (root_id, path)
) STRICT;
-- Whether a photo is there is asked of every photo and face: these two tell it without a look at the table.
CREATE INDEX files_photo ON files (photo_id, missing_since, root_id, state);
CREATE INDEX files_root ON files (root_id, missing_since);
CREATE INDEX files_pending ON files (id) WHERE state = 'pending' AND missing_since IS NULL;
CREATE INDEX files_failed ON files (id) WHERE state = 'failed';
CREATE INDEX files_missing ON files (missing_since) WHERE missing_since IS NOT NULL;

CREATE TABLE people (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT CHECK (name <> ''),
    created_at TEXT NOT NULL,
    merged_into INTEGER REFERENCES people (id)
) STRICT;
CREATE INDEX people_name ON people (name) WHERE name IS NOT NULL;

CREATE TABLE faces (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    photo_id INTEGER NOT NULL REFERENCES photos (id) ON DELETE CASCADE,
    ordinal INTEGER NOT NULL,
    "left" INTEGER NOT NULL,
    top INTEGER NOT NULL,
    "right" INTEGER NOT NULL,
    bottom INTEGER NOT NULL,
    landmarks TEXT NOT NULL,
    confidence REAL NOT NULL,
    quality REAL NOT NULL,
    quality_size REAL NOT NULL,
    quality_sharpness REAL NOT NULL,
    quality_confidence REAL NOT NULL,
    quality_pose REAL NOT NULL,
    embedding BLOB NOT NULL CHECK (length(embedding) = 512),
    person_id INTEGER REFERENCES people (id),
    score REAL,
    UNIQUE (photo_id, ordinal)
) STRICT;
CREATE INDEX faces_person ON faces (person_id, photo_id, ordinal) WHERE person_id IS NOT NULL;

CREATE TABLE decisions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    kind TEXT NOT NULL,
    author TEXT NOT NULL CHECK (author IN ('user', 'guyverd')),
    person_id INTEGER NOT NULL REFERENCES people (id),
    other_id INTEGER REFERENCES people (id),
    name TEXT,
    faces TEXT NOT NULL DEFAULT '[]'
) STRICT;
CREATE TRIGGER decisions_are_not_changed BEFORE UPDATE ON decisions
BEGIN SELECT RAISE(ABORT, 'a decision is never changed'); END;
CREATE TRIGGER decisions_are_not_deleted BEFORE DELETE ON decisions
BEGIN SELECT RAISE(ABORT, 'a decision is never deleted'); END;

CREATE TABLE links (
    path BLOB PRIMARY KEY,
    display TEXT NOT NULL,
    target BLOB NOT NULL,
    person_id INTEGER NOT NULL REFERENCES people (id),
    made_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""

VIEWS = """
CREATE VIEW present_files AS
    SELECT files.id AS file_id, files.photo_id, roots.id AS root_id,
           roots.path AS root_path, files.path AS path, roots.display || '/' || files.display AS file
    FROM files JOIN roots ON roots.id = files.root_id
    WHERE files.missing_since IS NULL AND roots.configured;

CREATE VIEW photos_of_person AS
    SELECT DISTINCT faces.person_id, people.name, photos.id AS photo_id, photos.taken_at,
           photos.width, photos.height, present_files.file
    FROM faces
    JOIN people ON people.id = faces.person_id
    JOIN photos ON photos.id = faces.photo_id
    JOIN present_files ON present_files.photo_id = photos.id;

CREATE VIEW faces_with_people AS
    SELECT faces.id AS face_id, faces.person_id, people.name, faces.photo_id,
           faces."left", faces.top, faces."right", faces.bottom,
           faces.confidence, faces.quality, faces.score, photos.taken_at,
           (SELECT min(present_files.file) FROM present_files WHERE present_files.photo_id = photos.id) AS file
    FROM faces
    JOIN photos ON photos.id = faces.photo_id
    LEFT JOIN people ON people.id = faces.person_id;
"""


def present(photo: str) -> str:
    """SQL that tells whether the photo whose number is in that column is there.

    EXISTS takes microseconds for each photo. `IN (SELECT photo_id FROM present_files)` makes a list of all of them
    first, and SQLite may then go through that list for every person: minutes in a library of 100,000 photos.
    """
    return f"EXISTS (SELECT 1 FROM present_files WHERE present_files.photo_id = {photo})"


def seen_together(one: str, other: str) -> str:
    """SQL that tells whether the faces in two rows of `faces`, of one photo or video, are seen at one moment.

    Faces of photos are seen always: their times are NULL, and so is what they are compared with.
    """
    return f"(({one}.starts < {other}.ends) IS NOT 0 AND ({other}.starts < {one}.ends) IS NOT 0)"


FAILED_FILES = (
    "SELECT id FROM files WHERE state = 'failed' UNION SELECT files.id FROM photos"
    " JOIN files ON files.photo_id = photos.id WHERE photos.state IN ('failed', 'quarantined')"
    " UNION SELECT files.id FROM photos JOIN files ON files.photo_id = photos.id"
    " WHERE photos.state = 'done' AND photos.reason IS NOT NULL"
)
"""The numbers of the files that gave nothing, or not all, there or not."""

DECISIONS = """
ALTER TABLE people ADD COLUMN hidden INTEGER NOT NULL DEFAULT 0;

CREATE TABLE decisions_anew (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    kind TEXT NOT NULL,
    author TEXT NOT NULL CHECK (author IN ('user', 'guyverd')),
    person_id INTEGER REFERENCES people (id),
    other_id INTEGER REFERENCES people (id),
    name TEXT,
    faces TEXT NOT NULL DEFAULT '[]',
    undoes INTEGER REFERENCES decisions_anew (id)
) STRICT;
INSERT INTO decisions_anew (id, at, kind, author, person_id, other_id, name, faces)
    SELECT id, at, kind, author, person_id, other_id, name, faces FROM decisions ORDER BY id;
DROP TABLE decisions;
ALTER TABLE decisions_anew RENAME TO decisions;
CREATE TRIGGER decisions_are_not_changed BEFORE UPDATE ON decisions
BEGIN SELECT RAISE(ABORT, 'a decision is never changed'); END;
CREATE TRIGGER decisions_are_not_deleted BEFORE DELETE ON decisions
BEGIN SELECT RAISE(ABORT, 'a decision is never deleted'); END;

-- A face may be forgotten with its photo; what was done with it is not.
CREATE TABLE moves (
    decision_id INTEGER NOT NULL REFERENCES decisions (id),
    face_id INTEGER NOT NULL,
    was INTEGER REFERENCES people (id),
    now INTEGER REFERENCES people (id),
    PRIMARY KEY (decision_id, face_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX moves_face ON moves (face_id);
INSERT INTO moves (decision_id, face_id, was, now)
    SELECT DISTINCT decisions.id, json_each.value, other_id, person_id FROM decisions, json_each(decisions.faces)
    WHERE kind = 'merge' ORDER BY decisions.id, json_each.value;
CREATE TRIGGER moves_are_not_changed BEFORE UPDATE ON moves
BEGIN SELECT RAISE(ABORT, 'a move is never changed'); END;
CREATE TRIGGER moves_are_not_deleted BEFORE DELETE ON moves
BEGIN SELECT RAISE(ABORT, 'a move is never deleted'); END;
"""
"""What decisions that can be undone take: those of two faces are about nobody yet, and each tells what it moved."""

AGAIN = """
ALTER TABLE faces ADD COLUMN manual INTEGER NOT NULL DEFAULT 0;

CREATE TABLE removed_faces (
    face_id INTEGER PRIMARY KEY,
    photo_id INTEGER NOT NULL REFERENCES photos (id) ON DELETE CASCADE,
    face TEXT NOT NULL
) STRICT;
CREATE INDEX removed_faces_photo ON removed_faces (photo_id);

CREATE TABLE revised (
    face_id INTEGER PRIMARY KEY
) STRICT;

CREATE INDEX photos_engine ON photos (engine, state, grouped_at IS NULL) WHERE engine IS NOT NULL;
CREATE INDEX photos_new ON photos (id) WHERE state = 'pending' AND engine IS NULL;
CREATE INDEX photos_apart ON photos (id) WHERE engine IS NOT NULL
    AND (state IN ('failed', 'quarantined') OR (state = 'pending' AND grouped_at IS NULL));
"""
"""What it takes to read photos again, and for faces drawn by hand."""

SKIPPED = """
CREATE TABLE skipped (
    key TEXT PRIMARY KEY,
    question TEXT NOT NULL,
    at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""
"""What it takes not to ask again what was left unanswered."""

FOLDERS = """
ALTER TABLE decisions ADD COLUMN source TEXT;
ALTER TABLE decisions ADD COLUMN album_id INTEGER;
ALTER TABLE decisions ADD COLUMN saved TEXT;

-- The people folder, for what people put there themselves.
ALTER TABLE roots ADD COLUMN own INTEGER NOT NULL DEFAULT 0;

CREATE TABLE homes (
    owner INTEGER PRIMARY KEY,
    path BLOB NOT NULL UNIQUE,
    display TEXT NOT NULL,
    name TEXT,
    inode INTEGER
) STRICT;

CREATE TABLE links_anew (
    path BLOB PRIMARY KEY,
    display TEXT NOT NULL,
    target BLOB NOT NULL,
    owner INTEGER NOT NULL,
    photo_id INTEGER,
    kind TEXT NOT NULL DEFAULT 'symbolic' CHECK (kind IN ('symbolic', 'hard', 'copy', 'page', 'cover')),
    companion INTEGER NOT NULL DEFAULT 0,
    placed INTEGER NOT NULL DEFAULT 0,
    made INTEGER NOT NULL DEFAULT 1,
    size INTEGER,
    mtime_ns INTEGER,
    inode INTEGER,
    made_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO links_anew (path, display, target, owner, made_at)
    SELECT path, display, target, person_id, made_at FROM links;
DROP TABLE links;
ALTER TABLE links_anew RENAME TO links;
CREATE INDEX links_owner ON links (owner, photo_id);

CREATE TABLE enrolments (
    path BLOB PRIMARY KEY,
    file_id INTEGER NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    person_id INTEGER NOT NULL REFERENCES people (id),
    state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'asked', 'done', 'vain')),
    source TEXT NOT NULL,
    at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX enrolments_file ON enrolments (file_id);
CREATE INDEX enrolments_open ON enrolments (state) WHERE state IN ('waiting', 'asked');

CREATE TABLE proposals (
    person_id INTEGER NOT NULL REFERENCES people (id),
    other_id INTEGER NOT NULL REFERENCES people (id),
    source TEXT NOT NULL,
    reason TEXT NOT NULL,
    at TEXT NOT NULL,
    answered INTEGER,
    PRIMARY KEY (person_id, other_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE strays (
    path BLOB PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- Which photos of whom may have to be shown otherwise, 0 for all of theirs: whatever writes, nothing is forgotten.
-- There is no OR IGNORE, for within a trigger that of the statement counts that set it off.
CREATE TABLE stale (
    person_id INTEGER NOT NULL,
    photo_id INTEGER NOT NULL,
    PRIMARY KEY (person_id, photo_id)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER stale_by_face AFTER UPDATE OF person_id, photo_id ON faces
WHEN OLD.person_id IS NOT NEW.person_id OR OLD.photo_id <> NEW.photo_id
BEGIN
    INSERT INTO stale SELECT OLD.person_id, OLD.photo_id WHERE OLD.person_id IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM stale WHERE person_id = OLD.person_id AND photo_id = OLD.photo_id);
    INSERT INTO stale SELECT NEW.person_id, NEW.photo_id WHERE NEW.person_id IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM stale WHERE person_id = NEW.person_id AND photo_id = NEW.photo_id);
END;
CREATE TRIGGER stale_by_new_face AFTER INSERT ON faces
BEGIN
    INSERT INTO stale SELECT NEW.person_id, NEW.photo_id WHERE NEW.person_id IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM stale WHERE person_id = NEW.person_id AND photo_id = NEW.photo_id);
END;
CREATE TRIGGER stale_by_lost_face AFTER DELETE ON faces
BEGIN
    INSERT INTO stale SELECT OLD.person_id, OLD.photo_id WHERE OLD.person_id IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM stale WHERE person_id = OLD.person_id AND photo_id = OLD.photo_id);
END;
CREATE TRIGGER stale_by_person AFTER UPDATE OF name, hidden, merged_into ON people
BEGIN
    INSERT INTO stale SELECT NEW.id, 0 WHERE NEW.id IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM stale WHERE person_id = NEW.id AND photo_id = 0);
END;
CREATE TRIGGER stale_by_date AFTER UPDATE OF taken_at ON photos WHEN OLD.taken_at IS NOT NEW.taken_at
BEGIN
    INSERT INTO stale SELECT DISTINCT person_id, photo_id FROM faces AS shown
        WHERE photo_id = NEW.id AND person_id IS NOT NULL AND NOT EXISTS
        (SELECT 1 FROM stale WHERE stale.person_id = shown.person_id AND stale.photo_id = shown.photo_id);
END;
CREATE TRIGGER stale_by_file AFTER UPDATE OF missing_since, photo_id, root_id, path ON files
WHEN OLD.missing_since IS NOT NEW.missing_since OR OLD.photo_id IS NOT NEW.photo_id OR OLD.path <> NEW.path
    OR OLD.root_id <> NEW.root_id
BEGIN
    INSERT INTO stale SELECT DISTINCT person_id, photo_id FROM faces AS shown
        WHERE photo_id IN (OLD.photo_id, NEW.photo_id) AND person_id IS NOT NULL AND NOT EXISTS
        (SELECT 1 FROM stale WHERE stale.person_id = shown.person_id AND stale.photo_id = shown.photo_id);
END;
CREATE TRIGGER stale_by_new_file AFTER INSERT ON files WHEN NEW.photo_id IS NOT NULL
BEGIN
    INSERT INTO stale SELECT DISTINCT person_id, photo_id FROM faces AS shown
        WHERE photo_id = NEW.photo_id AND person_id IS NOT NULL AND NOT EXISTS
        (SELECT 1 FROM stale WHERE stale.person_id = shown.person_id AND stale.photo_id = shown.photo_id);
END;
CREATE TRIGGER stale_by_lost_file AFTER DELETE ON files WHEN OLD.photo_id IS NOT NULL
BEGIN
    INSERT INTO stale SELECT DISTINCT person_id, photo_id FROM faces AS shown
        WHERE photo_id = OLD.photo_id AND person_id IS NOT NULL AND NOT EXISTS
        (SELECT 1 FROM stale WHERE stale.person_id = shown.person_id AND stale.photo_id = shown.photo_id);
END;
CREATE TRIGGER stale_by_root AFTER UPDATE OF path, configured, own ON roots
WHEN OLD.path <> NEW.path OR OLD.configured <> NEW.configured OR OLD.own <> NEW.own
BEGIN
    INSERT INTO stale SELECT id, 0 FROM people WHERE merged_into IS NULL
        AND NOT EXISTS (SELECT 1 FROM stale WHERE person_id = people.id AND photo_id = 0);
END;
"""
"""What it takes to read back what people did to the people folder, and for folders of other kinds."""

FORMER = """
CREATE TABLE former_homes (
    owner INTEGER NOT NULL,
    name TEXT NOT NULL,
    path BLOB NOT NULL,
    PRIMARY KEY (owner, name)
) STRICT, WITHOUT ROWID;
INSERT INTO former_homes SELECT owner, coalesce(name, ''), path FROM homes;
"""
"""What it takes to give people back the folder they had, wherever somebody had put it."""

CUSTODY = """
CREATE TABLE custody (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO custody VALUES ('library', lower(hex(randomblob(8))));
"""
"""What it takes to tell a copy from the file that was copied, and backups of one library from those of another."""

APART = (
    "SELECT id FROM photos INDEXED BY photos_apart WHERE engine IS NOT NULL"
    " AND (state IN ('failed', 'quarantined') OR (state = 'pending' AND grouped_at IS NULL))"
)
"""The numbers of photos that were read once and whose faces are compared with none: those to be read again because
another network made their vectors, and those that could not be read again. Their faces stay whose they are. Mostly
there are none, and the index knows it; SQLite, left to itself, would go through all photos."""

VIDEOS = """
-- A video is a photo whose faces are tracks: seen from one time to another, and not everywhere at once.
ALTER TABLE photos ADD COLUMN kind TEXT NOT NULL DEFAULT 'photo' CHECK (kind IN ('photo', 'video'));
ALTER TABLE photos ADD COLUMN duration REAL;
ALTER TABLE photos ADD COLUMN look INTEGER;
ALTER TABLE faces ADD COLUMN starts REAL;
ALTER TABLE faces ADD COLUMN ends REAL CHECK (ends > starts);
ALTER TABLE faces ADD COLUMN frames TEXT;
ALTER TABLE faces ADD COLUMN look INTEGER;

CREATE TABLE video_parts (
    photo_id INTEGER NOT NULL REFERENCES photos (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    engine TEXT NOT NULL,
    found BLOB NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (photo_id, number)
) STRICT, WITHOUT ROWID;
"""
"""What it takes to keep videos, and what pictures and faces look like."""

VIDEOS_TO_READ = """
-- Photos come before videos, in reading as in grouping: each kind is asked for by itself.
CREATE INDEX photos_new_kind ON photos (kind, id) WHERE state = 'pending' AND engine IS NULL;
CREATE INDEX photos_to_group_kind ON photos (kind, id) WHERE grouped_at IS NULL AND state = 'done';
CREATE INDEX photos_videos ON photos (id) WHERE kind = 'video';
CREATE INDEX photos_partly ON photos (id) WHERE state = 'done' AND reason IS NOT NULL;
"""
"""What it takes to find the videos among many photos, and those that could be read in part only."""

VIDEOS_WAITING = """
-- However many videos were read, those that wait are found at once, and the last one with a track.
CREATE INDEX photos_pending_kind ON photos (kind, id) WHERE state = 'pending';
CREATE INDEX faces_tracks ON faces (photo_id) WHERE starts IS NOT NULL;
"""
"""What it takes to ask often of videos."""

KNOWN = frozenset(
    (
        "first_tables",
        "first_views",
        "decisions_with_moves",
        "read_again",
        "questions_skipped",
        "people_folder_read",
        "homes_remembered",
        "custody_kept",
        "absent_photos",
        "photos_succeeded",
        "mounts_below",
        "videos_and_looks",
        "videos_to_read",
        "saved_searches",
        "videos_waiting",
    )
)
"""Every migration this program knows, by name; a catalogue that has others was written by a newer one."""
