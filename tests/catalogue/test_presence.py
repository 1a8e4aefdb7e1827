"""Which photos are away is kept by triggers: after anything that may happen it is what a look at every file tells."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guyverd.catalogue.rows import PendingFile, RootRow
from guyverd.catalogue.schema import FAILED_FILES, present
from guyverd.catalogue.store import Catalogue
from guyverd.model import Assignment, Changes, FaceId, FileId, PhotoId, PhotoReading, PhotoState, RootState
from tests.catalogue.conftest import NOW, OTHER, ROOT, add, content, face, ids, library, read, seen
from tests.promises import scaled

NEVER = "9999"
LOOKED_AT = f"""
    SELECT
        (SELECT count(*) FROM present_files),
        (SELECT count(*) FROM photos WHERE kind = 'photo' AND {present("photos.id")}),
        (SELECT count(*) FROM photos WHERE kind = 'video' AND {present("photos.id")}),
        (SELECT count(*) FROM faces WHERE {present("faces.photo_id")}),
        (SELECT count(*) FROM people WHERE EXISTS
            (SELECT 1 FROM faces WHERE person_id = people.id AND {present("faces.photo_id")})),
        (SELECT count(*) FROM people WHERE name IS NOT NULL AND merged_into IS NULL),
        (SELECT count(*) FROM present_files WHERE file_id IN ({FAILED_FILES})),
        (SELECT count(*) FROM files JOIN roots ON roots.id = root_id
            WHERE files.state = 'pending' AND missing_since IS NULL AND configured),
        (SELECT count(*) FROM photos WHERE kind = 'photo' AND state = 'pending' AND {present("photos.id")}),
        (SELECT count(*) FROM photos WHERE kind = 'video' AND state = 'pending' AND {present("photos.id")}),
        (SELECT count(*) FROM photos JOIN faces ON faces.photo_id = photos.id
            WHERE grouped_at IS NULL AND photos.state = 'done'),
        (SELECT count(*) FROM files WHERE missing_since IS NOT NULL)
"""
"""The counts as anybody would make them, by a look at everything."""


def agrees(catalogue: Catalogue) -> None:
    """What is counted is what is there."""
    counts = catalogue.counts()
    row = catalogue._db.row(LOOKED_AT)
    assert row is not None
    assert [getattr(counts, name) for name in counts.__slots__] == list(row)
    for root in catalogue._db.rows("SELECT id FROM roots"):
        told = catalogue._db.row("SELECT files, pending FROM tallies WHERE root_id = ?", (root["id"],))
        count = "SELECT count(*), coalesce(sum(state = 'pending'), 0) FROM files WHERE missing_since IS NULL"
        real = catalogue._db.row(f"{count} AND root_id = ?", (root["id"],))
        assert tuple(told or ()) == tuple(real or ())
    states = catalogue._db.rows("SELECT state, count(*) FROM photos GROUP BY state ORDER BY state")
    tallies = catalogue._db.rows("SELECT state, photos FROM photo_tallies WHERE photos <> 0 ORDER BY state")
    assert [tuple(row) for row in tallies] == [tuple(row) for row in states]
    away = [row[0] for row in catalogue._db.rows("SELECT photo_id FROM absent ORDER BY photo_id")]
    assert away == [
        row[0] for row in catalogue._db.rows(f"SELECT id FROM photos WHERE NOT {present('photos.id')} ORDER BY id")
    ]


names = st.sampled_from([b"1.jpg", b"2.jpg", b"3.mp4", b"4.mp4"])
contents = st.sampled_from(["one", "two", "three"])
number = st.integers(1, 4)
steps = st.one_of(
    st.tuples(st.just("add"), st.booleans(), names, contents),
    st.tuples(st.just("change"), st.booleans(), names),
    st.tuples(st.just("identify"), contents),
    st.tuples(st.just("gone"), st.booleans(), names),
    st.tuples(st.just("return"), st.booleans(), names),
    st.tuples(st.just("read"), number, st.integers(0, 2)),
    st.tuples(st.just("read in part"), number),
    st.tuples(st.just("fail"), number),
    st.tuples(st.just("unreadable"), number),
    st.tuples(st.just("again"), number),
    st.tuples(st.just("photo gone"), number),
    st.tuples(st.just("configure"), st.sampled_from([(ROOT,), (OTHER,), (ROOT, OTHER), ()])),
    st.tuples(st.just("offline"), st.booleans()),
    st.tuples(st.just("group"), number),
    st.tuples(st.just("forget")),
)


def tell(catalogue: Catalogue, pending: list[PendingFile], name: str) -> None:
    videos = {file.id for file in pending if file.relative.endswith(b".mp4")}
    catalogue.files.identified(((file.id, file.stamp, content(name)) for file in pending), videos=videos)


def act(catalogue: Catalogue, roots: dict[bytes, RootRow], step: tuple[object, ...]) -> None:
    """One thing that happens to a library."""
    files = catalogue.files
    what, *given_ = step

    def one() -> tuple[RootRow, bytes]:
        return roots[OTHER if given_[0] else ROOT], given_[1]  # type: ignore[return-value]

    if what in ("add", "change", "gone", "return"):
        root, name = one()
        known = ids(catalogue, root).get(name)
        if what == "add" and known is None:
            files.apply(root.id, Changes(new=(seen(name),)), NOW)
            pending = [file for file in files.pending(100) if file.relative == name]
            tell(catalogue, pending, str(given_[2]))
        elif known is not None:
            changes: dict[str, Callable[[FileId], Changes]] = {
                "change": lambda file: Changes(changed=((file, seen(name, 2)),)),
                "gone": lambda file: Changes(gone=(file,)),
                "return": lambda file: Changes(returned=(file,)),
            }
            if what in changes:
                files.apply(root.id, changes[str(what)](known), NOW)
    elif what == "identify":
        tell(catalogue, files.pending(100), str(given_[0]))
    elif what == "configure":
        files.configure(list(given_[0]))  # type: ignore[call-overload]
    elif what == "offline":
        state = RootState.OFFLINE if given_[0] else RootState.ONLINE
        files.set_root(roots[OTHER].id, None, state, "")
    elif what == "forget":
        files.forget(NEVER)
    else:
        photo = PhotoId(given_[0])  # type: ignore[arg-type]
        if what == "read":
            read(catalogue, photo, given_[1])  # type: ignore[arg-type]
        elif what == "read in part":
            reading = PhotoReading(b"h" * 32, 640, 480, "MP4", None, (face(1),), duration=9.0, cut_off="it ends")
            catalogue.photos.read([(photo, reading)], "engine 1", NOW)
        elif what == "fail":
            catalogue.photos.failed(photo, PhotoState.FAILED, "broken", 0, NOW)
        elif what == "unreadable":
            files.failed([(FileId(photo), "no")])
        elif what == "again":
            files.again(photo)
        elif what == "photo gone":
            files.gone(photo, NOW)
        elif what == "group" and (faces := catalogue.photos.ungrouped(int(photo)).tolist()):
            catalogue.people.assign([Assignment(FaceId(face), None, face, 0.9) for face in faces], [], photo, NOW)


@pytest.mark.promise("scale", "removal")
@settings(max_examples=scaled(20, 400))
@given(st.lists(steps, min_size=1, max_size=25))
def test_what_is_counted_is_what_is_there_whatever_happens(done: list[tuple[object, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder, Catalogue(os.fsencode(Path(folder) / "c.db")) as catalogue:
        catalogue.files.configure([ROOT, OTHER])
        roots = {root.path: root for root in catalogue.files.roots()}
        for step in done:
            act(catalogue, roots, step)
        agrees(catalogue)
        assert catalogue.integrity() == []


def test_a_catalogue_of_before_gets_its_list(catalogue: Catalogue, root: RootRow) -> None:
    """The migration fills it: what it makes is what the triggers had kept."""
    library(catalogue, root, [1, 2, 1])
    add(catalogue, catalogue.files.roots()[1], {b"x.jpg": "elsewhere"})
    catalogue.files.configure([ROOT])
    known = ids(catalogue, root)
    catalogue.files.apply(root.id, Changes(gone=(known[b"001.jpg"],)), NOW)
    agrees(catalogue)
    before = [tuple(row) for row in catalogue._db.rows("SELECT * FROM absent")]
    assert len(before) == 2
    ours = "name LIKE 'absent%' OR name LIKE 'tally%'"
    undo = [
        f"DROP TRIGGER {row[0]}"
        for row in catalogue._db.rows(f"SELECT name FROM sqlite_schema WHERE type = 'trigger' AND ({ours})")
    ]
    undo += ["DROP TABLE absent", "DROP TABLE tallies", "DROP TABLE photo_tallies", "DROP INDEX photos_to_group"]
    undo += ["DELETE FROM _sqlite_migrations WHERE name = 'absent_photos'"]
    catalogue._db.write(lambda db: [db.execute(statement) for statement in undo])
    catalogue.close()
    with closing(Catalogue(catalogue.path)) as again:
        assert [tuple(row) for row in again._db.rows("SELECT * FROM absent")] == before
        agrees(again)


@pytest.mark.promise("scale")
def test_counts_come_from_indexes_and_not_from_a_look_at_each_file(catalogue: Catalogue) -> None:
    """However many there are: nothing is asked of each photo, and no table of files or faces is gone through."""
    from guyverd.catalogue.presence import COUNTS

    plan = [row["detail"] for row in catalogue._db.rows(f"EXPLAIN QUERY PLAN {COUNTS}")]
    whole = [line for line in plan if line.startswith("SCAN") and "COVERING INDEX" not in line and "INDEX" not in line]
    assert {line.split()[1] for line in whole} <= {
        "CONSTANT",
        "absent",
        "people",
        "roots",
        "tallies",
        "photo_tallies",
    }, plan
