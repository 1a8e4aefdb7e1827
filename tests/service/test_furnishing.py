"""Contact sheets and covers in the people folder of a library, where the settings ask for them."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from guyverd.catalogue.store import Catalogue
from guyverd.config import Config, Folders
from guyverd.model import Assignment, Changes, FaceId, PersonId, PhotoId, PhotoReading, SeenFile, Stamp
from guyverd.published import LinkKind
from guyverd.service.access import open_library
from guyverd.service.pipeline.keeping.covering import Covering, Cut
from guyverd.service.pipeline.keeping.publishing import Publishing
from guyverd.service.pipeline.words.deciding import Deciding
from tests.catalogue.conftest import NOW, face
from tests.service.conftest import scan


class Library:
    """Photos of Alice (1 to 3) and of somebody without a name (4), and what publishes them."""

    def __init__(self, base: Path) -> None:
        self.photos, self.people = base / "photos", base / "People"
        self.photos.mkdir()
        self.config = Config((self.photos,), self.people, base / "state", folders=Folders(min_photos=1))
        self.catalogue = Catalogue(os.fsencode(base / "catalogue.db"), clock=lambda: NOW)
        self.catalogue.files.configure([os.fsencode(self.photos)], own=[os.fsencode(self.people)])
        for number in range(1, 5):
            self.photo(number)
        people = [(1, 0), (2, 0), (3, 0), (4, 1)]
        found = [Assignment(FaceId(one), None, group, 0.9) for one, group in people]
        self.catalogue.people.assign(found, [], 4, NOW)
        Deciding(self.catalogue).name(PersonId(1), "Alice <1>")

    def photo(self, number: int, colour: int = 60) -> None:
        """A picture of one colour, in which a face was found."""
        path = self.photos / f"{number}.jpg"
        Image.new("RGB", (200, 160), (colour * number % 256, 90, 120)).save(path)
        seen = SeenFile(os.fsencode(path.name), Stamp(1, 1, number))
        (root,) = self.catalogue.files.roots()
        self.catalogue.files.apply(root.id, Changes(new=(seen,)), NOW)
        (pending,) = self.catalogue.files.pending(10)
        self.catalogue.files.identified([(pending.id, pending.stamp, b"%032d" % number)])
        found = replace(face(number), quality=replace(face(number).quality, score=number / 10))
        reading = PhotoReading(b"%032d" % number, 200, 160, "JPEG", f"20{number:02d}-01-01", (found,))
        self.catalogue.photos.read([(PhotoId(number), reading)], "engine", NOW)

    def begin(self, **settings: object) -> Publishing:
        folders = replace(self.config.folders, **settings)  # type: ignore[arg-type]
        return Publishing(replace(self.config, folders=folders), self.catalogue)

    def kinds(self) -> dict[bytes, LinkKind]:
        rows = self.catalogue.links.published()
        assert all(row.made for row in rows)
        return {row.path: row.kind for row in rows if row.kind in (LinkKind.PAGE, LinkKind.COVER)}


def at_rest(publishing: Publishing) -> None:
    assert publishing.publish()
    while publishing.furnishing.busy:
        publishing.cover()


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    made = Library(tmp_path)
    yield made
    made.catalogue.close()


ALICE = "Alice _1_"


def test_nothing_is_made_where_nothing_was_asked_for(library: Library) -> None:
    at_rest(library.begin())
    assert library.kinds() == {}


def test_sheets_come_with_the_links_follow_them_and_go(library: Library) -> None:
    publishing = library.begin(contact_sheet=True)
    at_rest(publishing)
    assert publishing.wrong() == []
    assert library.kinds() == {
        b"Alice _1_/index.html": LinkKind.PAGE,
        b"Unnamed/0002/index.html": LinkKind.PAGE,
    }
    page = (library.people / ALICE / "index.html").read_text(encoding="utf-8")
    assert "<title>Alice &lt;1&gt;</title>" in page
    assert page.count("<img ") == 3
    other = (library.people / "Unnamed/0002/index.html").stat()

    Deciding(library.catalogue).reject(PersonId(1), [FaceId(2)])
    at_rest(publishing)
    assert (library.people / ALICE / "index.html").read_text(encoding="utf-8").count("<img ") == 2
    assert (library.people / "Unnamed/0002/index.html").stat() == other, "only what changed is looked at"

    Deciding(library.catalogue).name(PersonId(1), "Ann")
    at_rest(publishing)
    assert "<h1>Ann</h1>" in (library.people / "Ann/index.html").read_text(encoding="utf-8")
    Deciding(library.catalogue).hide(PersonId(1))
    at_rest(publishing)
    assert sorted(os.listdir(library.people)) == [".guyverd-people", "Unnamed"]

    at_rest(library.begin())
    assert library.kinds() == {}
    assert os.listdir(library.people / "Unnamed/0002") == ["2004-01-01_4.jpg"]


def test_by_year_a_sheet_leads_into_the_years(library: Library) -> None:
    at_rest(library.begin(contact_sheet=True, layout="year"))
    page = (library.people / ALICE / "index.html").read_text(encoding="utf-8")
    assert 'src="2001/2001-01-01_1.jpg"' in page


def test_a_cover_is_the_best_face_and_is_made_anew_when_another_is_better(library: Library) -> None:
    publishing = library.begin(cover=True)
    at_rest(publishing)
    assert publishing.wrong() == []
    cover = library.people / ALICE / "cover.jpg"
    with Image.open(cover) as image:
        assert image.format == "JPEG"
        assert image.size == (55, 66), "the box and a tenth of it where the photo reaches"
        assert abs(image.convert("RGB").getpixel((20, 20))[0] - 180) < 6  # type: ignore[index]
    before = cover.stat()
    publishing.all_anew()
    at_rest(publishing)
    assert cover.stat() == before
    Deciding(library.catalogue).reject(PersonId(1), [FaceId(3)])
    at_rest(publishing)
    with Image.open(cover) as image:
        assert abs(image.convert("RGB").getpixel((20, 20))[0] - 120) < 6  # type: ignore[index]
    at_rest(library.begin())
    assert not cover.exists()


def test_a_users_cover_stays_and_a_deleted_one_comes_back(library: Library) -> None:
    publishing = library.begin(cover=True, contact_sheet=True)
    at_rest(publishing)
    cover = library.people / "Unnamed/0002/cover.jpg"
    os.unlink(cover)
    publishing.all_anew()
    at_rest(publishing)
    assert cover.exists()
    mine = io.BytesIO()
    Image.new("RGB", (9, 9)).save(mine, "PNG")
    cover.write_bytes(mine.getvalue())
    publishing = library.begin()
    publishing.all_anew()
    publishing.publish()
    assert cover.read_bytes() == mine.getvalue()


@pytest.mark.parametrize("harm", [b"no picture at all", None])
def test_what_cannot_be_cut_hinders_nothing(
    library: Library, caplog: pytest.LogCaptureFixture, harm: bytes | None
) -> None:
    caplog.set_level("INFO")
    broken = library.photos / "3.jpg"
    broken.unlink()
    if harm is not None:
        broken.write_bytes(harm)
    publishing = library.begin(cover=True)
    at_rest(publishing)
    assert list(library.kinds()) == [b"Unnamed/0002/cover.jpg"]
    assert publishing.problem is None
    assert len([line for line in caplog.messages if line.startswith("No cover")]) == 1
    publishing.all_anew()
    at_rest(publishing)
    assert len([line for line in caplog.messages if line.startswith("No cover")]) == 1, "it is tried once"


def test_a_lost_people_folder_ends_the_covers_and_is_told(library: Library) -> None:
    publishing = library.begin(cover=True)
    assert publishing.publish()
    assert publishing.furnishing.busy
    (library.people / ".guyverd-people").unlink()
    publishing.cover()
    assert publishing.problem is not None
    assert not publishing.furnishing.busy


def test_who_stops_waits_for_no_cover(library: Library) -> None:
    publishing = library.begin(cover=True)
    assert publishing.publish()
    publishing.furnishing.stop()
    assert not publishing.furnishing.busy
    publishing.cover()
    assert library.kinds() == {}


def test_a_cover_takes_at_most_so_many_pixels(library: Library, tmp_path: Path) -> None:
    large = tmp_path / "large.jpg"
    Image.new("RGB", (3000, 2000)).save(large)
    covering = Covering(library.config.workers)
    try:
        made = covering.cover(Cut(os.fsencode(large), replace(face(1).box, left=100, right=2100, top=0, bottom=1000)))
    finally:
        covering.stop()
    assert made is not None
    with Image.open(io.BytesIO(made)) as image:
        assert max(image.size) == 512


def test_a_pass_over_real_photos_ends_with_sheets_and_covers(config: Config) -> None:
    real = replace(config, folders=replace(config.folders, contact_sheet=True, cover=True))
    scan(real)
    folders = sorted((real.people / "Unnamed").iterdir())
    assert len(folders) == 2
    for folder in folders:
        assert (folder / "index.html").read_text(encoding="utf-8").count("<img ") == 5
        with Image.open(folder / "cover.jpg") as image:
            assert min(image.size) > 60
    with open_library(real) as library:
        person = next(iter(library.people()))["id"]
        library.name(str(person), "Ada")
        assert "<title>Ada</title>" in (real.people / "Ada/index.html").read_text(encoding="utf-8")
        assert (real.people / "Ada/cover.jpg").exists()
    before = {path: path.stat().st_mtime_ns for path in real.people.rglob("*") if path.is_file()}
    scan(real)
    assert {path: path.stat().st_mtime_ns for path in real.people.rglob("*") if path.is_file()} == before
    scan(replace(real, folders=replace(real.folders, contact_sheet=False, cover=False)))
    assert not [path for path in real.people.rglob("*") if path.name in ("index.html", "cover.jpg")]
