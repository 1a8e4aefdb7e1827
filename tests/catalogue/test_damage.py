"""Files that are broken, cut short, foreign or of tomorrow: an error of ours with advice, and the file as it was."""

from __future__ import annotations

import os
import random
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from guyverd.catalogue.migrations import migrations
from guyverd.catalogue.schema import KNOWN
from guyverd.catalogue.store import Catalogue
from guyverd.errors import CatalogueDamaged, CatalogueError, CatalogueNewer, GuyverError, StateError
from guyverd.model import Assignment, FaceId
from guyverd.published import OwnerId, PublishedLink
from tests.catalogue.conftest import NOW, OTHER, ROOT, call, library

PAGE = 4096


def use_everything(catalogue: Catalogue) -> None:
    catalogue.counts()
    catalogue.integrity()
    catalogue.contradictions()
    catalogue.index_stamp()
    for root in catalogue.files.roots():
        catalogue.files.known(root.id)
    catalogue.files.pending(10)
    catalogue.files.overdue(NOW)
    catalogue.photos.pending(10)
    catalogue.photos.table(np.arange(1, 100))
    catalogue.photos.ungrouped(100)
    list(catalogue.photos.failures())
    list(catalogue.photos.faces())
    catalogue.people.all()
    catalogue.people.names()
    catalogue.decisions.log()
    catalogue.shelves.of_people(1)
    catalogue.links.published()
    catalogue.files.configure([ROOT])
    catalogue.files.forget("2000")
    catalogue.beat()


@pytest.fixture
def good(path: bytes) -> bytes:
    """The bytes of a catalogue with something in every table."""
    with Catalogue(path, clock=lambda: NOW) as catalogue:
        catalogue.files.configure([ROOT, OTHER])
        faces = library(catalogue, catalogue.files.roots()[0], [2] * 12)
        catalogue.people.assign([Assignment(FaceId(one), None, one % 2, 0.9) for one in faces], [], 6, NOW)
        call(catalogue, 1, "Al")
        catalogue.links.intend([PublishedLink(b"Al/1", b"../x", OwnerId(1))])
        use_everything(catalogue)
    return Path(os.fsdecode(path)).read_bytes()


def place(path: bytes, data: bytes) -> None:
    """Put a file there, without what an earlier one left beside it."""
    folder = Path(os.fsdecode(path)).parent
    for one in folder.iterdir():
        one.unlink()
    Path(os.fsdecode(path)).write_bytes(data)


def test_a_file_of_any_length_but_its_own_is_damaged_or_loses_nothing(path: bytes, good: bytes) -> None:
    sizes = [2, 15, 16, 99, 100, 101, 512, PAGE - 1, PAGE, PAGE + 1, len(good) // 2, len(good) - PAGE]
    for size in sizes:
        place(path, good[:size])
        with pytest.raises(CatalogueDamaged) as caught, Catalogue(path) as catalogue:
            use_everything(catalogue)
        assert caught.value.exit_code == 7
        assert "backup" in caught.value.advice
        assert Path(os.fsdecode(path)).read_bytes() == good[:size], size


def test_a_flipped_bit_anywhere_gives_an_error_of_ours_or_none(path: bytes, good: bytes) -> None:
    """Never what sqlite3 raises; and where nothing is raised, what is asked is answered."""
    chance = random.Random(20)
    schema = good.index(b"CREATE TABLE roots"), good.rindex(b"CREATE TRIGGER")
    spots = [*range(100), *(chance.randrange(*schema) for _ in range(80))]
    spots += [chance.randrange(len(good)) for _ in range(120)]
    damaged = others = 0
    for spot in spots:
        data = bytearray(good)
        data[spot] ^= 1 << chance.randrange(8)
        place(path, bytes(data))
        try:
            with Catalogue(path) as catalogue, np.errstate(over="ignore"):
                use_everything(catalogue)
        except CatalogueDamaged:
            damaged += 1
        except UnicodeDecodeError:
            raise  # is a ValueError, and sqlite3's
        except (CatalogueError, StateError, TypeError, ValueError):
            # Bits that have a meaning of their own: "read-only", a migration of another name, a number that is a text.
            others += 1
    assert damaged > 30
    assert others < 15


@pytest.mark.parametrize(
    ("text", "replacement"),
    [
        (b"CREATE TABLE faces", b"CREATE TABLE f\xe0ces"),  # a name that is no text
        (b"missing_since TEXT", b"missing\xffsince TEXT"),
        (b"detail TEXT", b"dutail TEXT"),
        (b'CREATE TABLE "links"', b'CREATE TABLE "lynks"'),
        (b"merged_into INTEGER REF", b"merged_intq INTEGER REF"),
    ],
    ids=repr,
)
def test_a_schema_that_is_not_ours_any_more_is_damage(
    path: bytes, good: bytes, text: bytes, replacement: bytes
) -> None:
    assert good.count(text) == 1
    place(path, good.replace(text, replacement))
    with pytest.raises(CatalogueDamaged), Catalogue(path) as catalogue:
        use_everything(catalogue)


def test_pages_of_noise_in_the_middle_are_found_by_integrity(path: bytes, good: bytes) -> None:
    noise = random.Random(3).randbytes(PAGE)
    found = 0
    for page in range(1, len(good) // PAGE):
        place(path, good[: page * PAGE] + noise + good[(page + 1) * PAGE :])
        try:
            with Catalogue(path) as catalogue:
                found += bool(catalogue.integrity())
        except GuyverError:
            found += 1
    assert found == len(good) // PAGE - 1


def test_an_empty_file_is_a_catalogue_not_begun(path: bytes) -> None:
    """A first start that was killed leaves one."""
    place(path, b"")
    with Catalogue(path) as catalogue:
        use_everything(catalogue)
        assert catalogue.integrity() == []


def test_another_programs_database_is_refused_and_kept(path: bytes) -> None:
    raw = sqlite3.connect(path)
    raw.execute("CREATE TABLE roots (this_is INTEGER, something_else TEXT)")
    raw.execute("INSERT INTO roots VALUES (1, 'dear to somebody')")
    raw.commit()
    raw.close()
    with pytest.raises(CatalogueError, match="already exists"):
        Catalogue(path)
    raw = sqlite3.connect(path)
    assert raw.execute("SELECT * FROM roots").fetchall() == [(1, "dear to somebody")]
    assert raw.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'photos'").fetchone() == (0,)
    raw.close()


def test_a_folder_in_its_place_is_said(path: bytes) -> None:
    os.mkdir(path)
    with pytest.raises(StateError):
        Catalogue(path)


# ---- migrations ------------------------------------------------------------------------------------------------------


def tomorrow(path: bytes) -> sqlite3.Connection:
    """As a newer program left it; its record is still in the WAL, for as long as the result stays open."""
    Catalogue(path).close()
    raw = sqlite3.connect(path)
    raw.execute("CREATE TABLE of_tomorrow (x)")
    raw.execute("INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('guyverd', 'tomorrow', '')")
    raw.commit()
    return raw


def test_a_newer_catalogue_keeps_every_byte_of_its_wal_too(path: bytes) -> None:
    raw = tomorrow(path)
    files = [Path(os.fsdecode(path)), Path(os.fsdecode(path) + "-wal")]
    before = [file.read_bytes() for file in files]
    assert before[1], "the record is in the WAL"
    for _ in range(2):
        with pytest.raises(CatalogueNewer, match="tomorrow") as caught:
            Catalogue(path)
        assert "later" in caught.value.advice
    assert [file.read_bytes() for file in files] == before
    raw.close()
    with pytest.raises(CatalogueNewer, match="tomorrow"):
        Catalogue(path)


def test_a_newer_catalogue_in_another_journal_mode_keeps_it(path: bytes) -> None:
    raw = tomorrow(path)
    raw.execute("PRAGMA journal_mode = DELETE")
    raw.close()
    before = Path(os.fsdecode(path)).read_bytes()
    with pytest.raises(CatalogueNewer):
        Catalogue(path)
    assert Path(os.fsdecode(path)).read_bytes() == before


def test_another_programs_migrations_in_the_same_file_are_not_ours_to_judge(path: bytes) -> None:
    Catalogue(path).close()
    raw = sqlite3.connect(path)
    raw.execute("INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('another', 'tomorrow', '')")
    raw.commit()
    raw.close()
    Catalogue(path).close()


def test_a_migration_that_fails_leaves_the_ones_before_it(path: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    from guyverd.catalogue import schema

    monkeypatch.setattr(schema, "VIEWS", "CREATE VIEW present_files AS SELECT 1;\nCREATE VIEW broken AS SELEKT 1;\n")
    with pytest.raises(CatalogueError, match="SELEKT"):
        Catalogue(path)
    raw = sqlite3.connect(path)
    assert raw.execute("SELECT name FROM _sqlite_migrations").fetchall() == [("first_tables",)]
    assert raw.execute("SELECT count(*) FROM sqlite_schema WHERE type = 'view'").fetchone() == (0,), "all or nothing"
    raw.close()
    monkeypatch.undo()
    with Catalogue(path) as catalogue:
        use_everything(catalogue)
        assert {row["name"] for row in catalogue._db.rows("SELECT name FROM _sqlite_migrations")} == KNOWN


def test_opening_again_applies_and_changes_nothing(path: bytes, good: bytes) -> None:
    for _ in range(2):
        Catalogue(path).close()
    assert Path(os.fsdecode(path)).read_bytes() == good
    raw = sqlite3.connect(path)
    assert raw.execute("SELECT count(*) FROM _sqlite_migrations").fetchone() == (len(KNOWN),)
    raw.close()
    assert migrations.name == "guyverd"
