"""How much there is, told at once however much it is: what would take a look at every file is kept, not counted.

A photo is there where a file that is not missing holds it, in a root that the config names. Of a million photos that
takes a look at a million files, several times for one `status`. Mostly very few are away; triggers keep the list of
those, how many files each root has, and how many photos there are, whatever writes. Everything else follows from plain
counts, which SQLite makes in milliseconds.
"""

from __future__ import annotations

ABSENT = """
CREATE TABLE absent (
    photo_id INTEGER PRIMARY KEY REFERENCES photos (id) ON DELETE CASCADE
) STRICT;
INSERT INTO absent SELECT id FROM photos
    WHERE NOT EXISTS (SELECT 1 FROM present_files WHERE present_files.photo_id = photos.id);
CREATE TRIGGER absent_by_new_photo AFTER INSERT ON photos
BEGIN
    INSERT INTO absent VALUES (NEW.id);
END;
CREATE TRIGGER absent_by_new_file AFTER INSERT ON files WHEN NEW.photo_id IS NOT NULL AND NEW.missing_since IS NULL
BEGIN
    DELETE FROM absent WHERE photo_id = NEW.photo_id
        AND EXISTS (SELECT 1 FROM roots WHERE id = NEW.root_id AND configured);
END;
CREATE TRIGGER absent_by_file AFTER UPDATE OF missing_since, photo_id, root_id ON files
WHEN OLD.missing_since IS NOT NEW.missing_since OR OLD.photo_id IS NOT NEW.photo_id OR OLD.root_id <> NEW.root_id
BEGIN
    DELETE FROM absent WHERE photo_id = NEW.photo_id AND NEW.missing_since IS NULL
        AND EXISTS (SELECT 1 FROM roots WHERE id = NEW.root_id AND configured);
    INSERT INTO absent SELECT id FROM photos WHERE id = OLD.photo_id
        AND NOT EXISTS (SELECT 1 FROM present_files WHERE present_files.photo_id = OLD.photo_id)
        AND NOT EXISTS (SELECT 1 FROM absent WHERE absent.photo_id = OLD.photo_id);
END;
CREATE TRIGGER absent_by_lost_file AFTER DELETE ON files WHEN OLD.photo_id IS NOT NULL AND OLD.missing_since IS NULL
BEGIN
    INSERT INTO absent SELECT id FROM photos WHERE id = OLD.photo_id
        AND NOT EXISTS (SELECT 1 FROM present_files WHERE present_files.photo_id = OLD.photo_id)
        AND NOT EXISTS (SELECT 1 FROM absent WHERE absent.photo_id = OLD.photo_id);
END;
CREATE TRIGGER absent_by_root AFTER UPDATE OF configured ON roots WHEN OLD.configured <> NEW.configured
BEGIN
    DELETE FROM absent WHERE NEW.configured AND photo_id IN
        (SELECT photo_id FROM files WHERE root_id = NEW.id AND missing_since IS NULL AND photo_id IS NOT NULL);
    INSERT INTO absent SELECT DISTINCT photo_id FROM files AS held WHERE NOT NEW.configured AND root_id = NEW.id
        AND photo_id IS NOT NULL AND missing_since IS NULL
        AND NOT EXISTS (SELECT 1 FROM present_files WHERE present_files.photo_id = held.photo_id)
        AND NOT EXISTS (SELECT 1 FROM absent WHERE absent.photo_id = held.photo_id);
END;

CREATE TABLE tallies (
    root_id INTEGER PRIMARY KEY REFERENCES roots (id) ON DELETE CASCADE,
    files INTEGER NOT NULL DEFAULT 0,
    pending INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO tallies
    SELECT roots.id, count(files.id), coalesce(sum(files.state = 'pending'), 0)
    FROM roots LEFT JOIN files ON files.root_id = roots.id AND missing_since IS NULL GROUP BY roots.id;
CREATE TRIGGER tally_of_new_root AFTER INSERT ON roots
BEGIN
    INSERT INTO tallies (root_id) VALUES (NEW.id);
END;
CREATE TRIGGER tally_new_file AFTER INSERT ON files WHEN NEW.missing_since IS NULL
BEGIN
    UPDATE tallies SET files = files + 1, pending = pending + (NEW.state = 'pending') WHERE root_id = NEW.root_id;
END;
CREATE TRIGGER tally_lost_file AFTER DELETE ON files WHEN OLD.missing_since IS NULL
BEGIN
    UPDATE tallies SET files = files - 1, pending = pending - (OLD.state = 'pending') WHERE root_id = OLD.root_id;
END;
CREATE TRIGGER tally_file AFTER UPDATE OF missing_since, state, root_id ON files
WHEN OLD.missing_since IS NOT NEW.missing_since OR OLD.state <> NEW.state OR OLD.root_id <> NEW.root_id
BEGIN
    UPDATE tallies SET files = files - 1, pending = pending - (OLD.state = 'pending')
        WHERE root_id = OLD.root_id AND OLD.missing_since IS NULL;
    UPDATE tallies SET files = files + 1, pending = pending + (NEW.state = 'pending')
        WHERE root_id = NEW.root_id AND NEW.missing_since IS NULL;
END;

CREATE TABLE photo_tallies (
    state TEXT PRIMARY KEY,
    photos INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO photo_tallies
    SELECT states.state, count(photos.id)
    FROM (SELECT 'pending' AS state UNION SELECT 'done' UNION SELECT 'failed' UNION SELECT 'quarantined') AS states
    LEFT JOIN photos ON photos.state = states.state GROUP BY states.state;
CREATE TRIGGER tally_new_photo AFTER INSERT ON photos
BEGIN
    UPDATE photo_tallies SET photos = photos + 1 WHERE state = NEW.state;
END;
CREATE TRIGGER tally_lost_photo AFTER DELETE ON photos
BEGIN
    UPDATE photo_tallies SET photos = photos - 1 WHERE state = OLD.state;
END;
CREATE TRIGGER tally_photo AFTER UPDATE OF state ON photos WHEN OLD.state <> NEW.state
BEGIN
    UPDATE photo_tallies SET photos = photos - 1 WHERE state = OLD.state;
    UPDATE photo_tallies SET photos = photos + 1 WHERE state = NEW.state;
END;

CREATE INDEX photos_to_group ON photos (id) WHERE grouped_at IS NULL AND state = 'done';
"""
"""What it takes to tell quickly how much there is."""

_OF_CONFIGURED = "FROM tallies WHERE root_id IN (SELECT id FROM roots WHERE configured)"

_THERE = "WHERE kind = 'video' AND NOT EXISTS (SELECT 1 FROM absent WHERE absent.photo_id = photos.id)"
_VIDEOS = f"FROM photos INDEXED BY photos_videos {_THERE}"
_PENDING_VIDEOS = f"FROM photos INDEXED BY photos_pending_kind {_THERE} AND state = 'pending'"

COUNTS = f"""
SELECT
    (SELECT coalesce(sum(files), 0) {_OF_CONFIGURED}) AS files,
    (SELECT sum(photos) FROM photo_tallies) - (SELECT count(*) FROM absent)
        - (SELECT count(*) {_VIDEOS}) AS photos,
    (SELECT count(*) {_VIDEOS}) AS videos,
    (SELECT count(*) FROM faces)
        - (SELECT count(*) FROM absent CROSS JOIN faces ON faces.photo_id = absent.photo_id) AS faces,
    (SELECT count(*) FROM people WHERE EXISTS (SELECT 1 FROM faces WHERE person_id = people.id
        AND NOT EXISTS (SELECT 1 FROM absent WHERE absent.photo_id = faces.photo_id))) AS people,
    (SELECT count(*) FROM people WHERE name IS NOT NULL AND merged_into IS NULL) AS named,
    (SELECT count(*) FROM files JOIN roots ON roots.id = root_id
        WHERE files.state = 'failed' AND missing_since IS NULL AND configured)
        + (SELECT count(*) FROM photos CROSS JOIN files ON files.photo_id = photos.id
            WHERE photos.state IN ('failed', 'quarantined') AND missing_since IS NULL AND files.state <> 'failed'
            AND root_id IN (SELECT id FROM roots WHERE configured))
        + (SELECT count(*) FROM photos CROSS JOIN files ON files.photo_id = photos.id
            WHERE photos.state = 'done' AND photos.reason IS NOT NULL AND missing_since IS NULL
            AND files.state <> 'failed' AND root_id IN (SELECT id FROM roots WHERE configured)) AS failures,
    (SELECT coalesce(sum(pending), 0) {_OF_CONFIGURED}) AS pending_files,
    (SELECT photos FROM photo_tallies WHERE state = 'pending')
        - (SELECT count(*) FROM absent CROSS JOIN photos ON photos.id = absent.photo_id WHERE state = 'pending')
        - (SELECT count(*) {_PENDING_VIDEOS}) AS pending_photos,
    (SELECT count(*) {_PENDING_VIDEOS}) AS pending_videos,
    (SELECT count(*) FROM photos CROSS JOIN faces ON faces.photo_id = photos.id
        WHERE grouped_at IS NULL AND photos.state = 'done') AS ungrouped_faces,
    (SELECT count(*) FROM files WHERE missing_since IS NOT NULL) AS missing_files
"""
"""The fields of `rows.Counts`: milliseconds for a million files and photos. To ask of each whether it is
there took 1 s."""

OVERDUE = """
    SELECT photo_id AS id FROM absent WHERE NOT EXISTS (
        SELECT 1 FROM files AS other JOIN roots ON roots.id = other.root_id WHERE other.photo_id = absent.photo_id
        AND (other.missing_since IS NULL OR other.missing_since >= ?1 OR NOT configured OR roots.state <> 'online'))
    AND photo_id NOT IN (SELECT photo_id FROM remembered)
    AND NOT EXISTS (
        SELECT 1 FROM formers JOIN photos ON photos.id = formers.photo_id
        WHERE former_id = absent.photo_id AND NOT taken AND state <> 'done'
        AND EXISTS (SELECT 1 FROM faces WHERE faces.photo_id = absent.photo_id)
        AND EXISTS (SELECT 1 FROM files WHERE files.photo_id = formers.photo_id))
"""
"""Photos all of whose files have been missing long enough, and contents that no path holds any more.

Not those that are remembered, nor those whose faces an edited photo is to take over that was not read yet."""
