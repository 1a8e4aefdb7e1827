"""How a catalogue file gets its tables: each step once, in this order.

Each migration runs in one transaction together with the record that it was applied. A released migration is never
edited: a change is a new one, and its name is added to `schema.KNOWN`.
"""

from __future__ import annotations

from sqlite_utils import Database, Migrations

from guyverd.catalogue import later, presence, schema, succession

migrations = Migrations(schema.MIGRATIONS)


@migrations()
def first_tables(db: Database) -> None:
    """Roots, files, photos, faces, people, decisions, links."""
    for statement in _statements(schema.TABLES):
        db.execute(statement)


@migrations()
def first_views(db: Database) -> None:
    """What people may query: present_files, photos_of_person, faces_with_people."""
    for statement in _statements(schema.VIEWS):
        db.execute(statement)


@migrations()
def decisions_with_moves(db: Database) -> None:
    """Decisions of more kinds, what each moved, and people without a folder."""
    for statement in _statements(schema.DECISIONS):
        db.execute(statement)


@migrations()
def read_again(db: Database) -> None:
    """Faces drawn by hand, and those taken away again; which vectors are new; photos by what read them."""
    for statement in _statements(schema.AGAIN):
        db.execute(statement)


@migrations()
def questions_skipped(db: Database) -> None:
    """Questions that were left unanswered, and when."""
    for statement in _statements(schema.SKIPPED):
        db.execute(statement)


@migrations()
def people_folder_read(db: Database) -> None:
    """Where everybody's folder is, what each link shows, albums, and what people put into the people folder."""
    for statement in _statements(schema.FOLDERS):
        db.execute(statement)
    count: dict[tuple[int, bytes], int] = {}
    for row in db.execute("SELECT path, owner FROM links").fetchall():
        folder, slash, _ = row["path"].rpartition(b"/")
        if slash:
            count[row["owner"], folder] = count.get((row["owner"], folder), 0) + 1
    taken: set[object] = set()
    for (owner, folder), _ in sorted(count.items(), key=lambda item: (-item[1], item[0])):
        if not taken & {owner, folder}:
            taken |= {owner, folder}
            shown = folder.decode("utf-8", "replace")
            # A name that was given since, and not published yet, must not pass for the one they got the folder by.
            called = None if b"/" in folder else shown
            db.execute("INSERT INTO homes VALUES (?, ?, ?, ?, NULL)", (owner, folder, shown, called))


@migrations()
def homes_remembered(db: Database) -> None:
    """The folder that everybody had last under each name."""
    for statement in _statements(schema.FORMER):
        db.execute(statement)


@migrations()
def custody_kept(db: Database) -> None:
    """By what the file is known for the very one that was open last, and the library by its backups."""
    for statement in _statements(schema.CUSTODY):
        db.execute(statement)


@migrations()
def absent_photos(db: Database) -> None:
    """Which photos are away, kept by triggers, and indexes that counts are made from."""
    for statement in _statements(presence.ABSENT):
        db.execute(statement)


@migrations()
def photos_succeeded(db: Database) -> None:
    """Which photos others are edits of, and which are remembered though they were forgotten."""
    for statement in _statements(succession.SUCCESSION):
        db.execute(statement)


@migrations()
def mounts_below(db: Database) -> None:
    """Which disks are mounted in photo folders."""
    for statement in _statements(later.MOUNTS):
        db.execute(statement)


@migrations()
def videos_and_looks(db: Database) -> None:
    """Videos, what was found in parts of them, and perceptual hashes."""
    for statement in _statements(schema.VIDEOS):
        db.execute(statement)


@migrations()
def videos_to_read(db: Database) -> None:
    """Indexes of videos that are to be read or grouped, and of those of which a part could not be read."""
    for statement in _statements(schema.VIDEOS_TO_READ):
        db.execute(statement)


@migrations()
def saved_searches(db: Database) -> None:
    """Whom to follow, and what was delivered where."""
    for statement in _statements(later.FOLLOWS):
        db.execute(statement)


@migrations()
def videos_waiting(db: Database) -> None:
    """Indexes of what waits, by kind, and of tracks."""
    for statement in _statements(schema.VIDEOS_WAITING):
        db.execute(statement)


def _statements(script: str) -> list[str]:
    """Split at the semicolons that end a statement; a trigger's inner ones are kept."""
    found, current = [], ""
    for line in script.splitlines(keepends=True):
        current += line
        inside_trigger = "CREATE TRIGGER" in current and "END;" not in current
        if line.rstrip().endswith(";") and not inside_trigger:
            found.append(current.strip())
            current = ""
    assert not current.strip(), current
    return found
