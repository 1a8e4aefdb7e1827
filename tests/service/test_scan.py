"""One pass over real photos, without a daemon."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from guyverd import config_file
from guyverd.config import Config
from guyverd.errors import (
    FaceChoice,
    LibraryEmpty,
    NameTaken,
    NoFaceFound,
    NotOurFolder,
    PictureMissing,
    PictureUnreadable,
    UnknownPerson,
)
from guyverd.service.access import open_library
from guyverd.service.api import Row
from tests.service.conftest import ASTRONAUT, HOPPER, copy, groups, place, scan, tree


def _surest(found: Row) -> int:
    number: int = max(found["faces"], key=lambda row: row["confidence"])["number"]
    return number


EVERYBODY = {
    frozenset({"both.jpg", *(f"{ASTRONAUT}{n}.jpg" for n in range(4))}),
    frozenset({"both.jpg", *(f"{HOPPER}{n}.jpg" for n in range(4))}),
}


def test_two_people_get_a_folder_each_and_can_be_asked_about(config: Config, photos: Path, tmp_path: Path) -> None:
    progress = scan(config)
    # The detector also takes a badge for a face now and then; what matters is what becomes of it: nothing.
    assert (progress["photos_done"], progress["photos_total"]) == (9, 9)
    assert progress["faces"] >= 10
    assert groups(config.people) == EVERYBODY
    assert all(name.startswith("Unnamed/") for name in tree(config.people))

    with open_library(config) as library:
        people = list(library.people())
        assert [(row["faces"], row["photos"], row["name"]) for row in people] == [(5, 5, None)] * 2
        first = library.person(str(people[0]["id"]))
        stem = ASTRONAUT if any(ASTRONAUT in row["files"][0] for row in first["pictures"]) else HOPPER
        named = library.name(str(people[0]["id"]), "  Ada   Lovelace ")
        assert (named["name"], named["folder"]) == ("Ada Lovelace", str(config.people / "Ada Lovelace"))
        assert f"{stem}0.jpg" in tree(config.people)["Ada Lovelace"]
        with pytest.raises(NameTaken):
            library.name(str(people[1]["id"]), "ada lovelace")

        # A link in her folder, and a picture from outside the library.
        link = next((config.people / "Ada Lovelace").iterdir())
        stranger = tmp_path / "outside.png"
        shutil.copy(photos / f"{stem}2.jpg", stranger)
        for path in (link, stranger):
            face = max(library.who(str(path))["faces"], key=lambda row: row["confidence"])
            if path == stranger:
                assert face["person"]["name"] == "Ada Lovelace"
                assert face["distance"] == pytest.approx(0.0, abs=1e-3)
                assert face["runner_up"]["id"] == people[1]["id"]
                assert face["runner_up"]["distance"] > 0.4

        both = library.who(str(photos / "both.jpg"))
        assert {row["person"]["id"] for row in both["faces"] if row["person"]} == {row["id"] for row in people}
        count = len(both["faces"])
        assert [row["number"] for row in both["faces"]] == list(range(1, count + 1))

        found = library.search(str(stranger), k=5, duplicates=True)
        if len(found["faces"]) > 1:
            found = library.search(str(stranger), k=5, face=_surest(found), duplicates=True)
        assert [row["person"] for row in found["results"]] == [people[0]["id"]] * 5
        assert found["through"]["name"] == "Ada Lovelace"
        sure = [row["confidence"] for row in found["results"]]
        assert sure == sorted(sure, reverse=True)
        assert found["results"][0]["file"] == str(photos / f"{stem}2.jpg")
        # All are made of one portrait, and most are hardly to be told from one another.
        every = library.search(str(stranger), every=True, face=_surest(found))["results"]
        assert sum(1 + len(row["duplicates"]) for row in every) == 5
        assert len(every) < 5
        asked = library.search(str(photos / "both.jpg"))
        assert (asked["face"], asked["results"], len(asked["faces"])) == (None, [], count)
        assert library.search(str(photos / "both.jpg"), face=2, k=3)["results"]
        with pytest.raises(FaceChoice):
            library.search(str(photos / "both.jpg"), face=count + 1)

        faces = list(library.faces("Ada Lovelace"))
        assert len(faces) == 5
        assert all(os.path.isfile(path) for row in faces for path in row["files"])
        assert all(row["ok"] for row in library.check()["checks"])
        status = library.status()
        assert (status["counts"]["photos"], status["counts"]["people"], status["counts"]["named"]) == (9, 2, 1)


def test_boxes_are_pixels_of_the_upright_original(config: Config, photos: Path, negatives: Path) -> None:
    from PIL import Image

    with Image.open(negatives / f"{ASTRONAUT}0.jpg") as upright:
        size = upright.size
        turned = upright.transpose(Image.Transpose.ROTATE_90)
        exif = Image.Exif()
        exif[0x0112] = 6  # shown turned by 90 degrees clockwise
        turned.save(photos / "turned.jpg", exif=exif, quality=95)
        upright.resize((size[0] * 3, size[1] * 3)).save(photos / "large.jpg", quality=95)
    with open_library(config) as library:
        boxes = {}
        for name in (f"{ASTRONAUT}0.jpg", "turned.jpg", "large.jpg"):
            found = library.who(str(photos / name))
            boxes[name] = max(found["faces"], key=lambda row: row["confidence"])["box"]
            assert (found["width"] > size[0]) == (name == "large.jpg")
    plain = boxes[f"{ASTRONAUT}0.jpg"]
    assert boxes["turned.jpg"] == pytest.approx(plain, abs=12)
    assert [side / 3 for side in boxes["large.jpg"]] == pytest.approx(plain, abs=25)


def test_a_second_pass_reads_nothing(config: Config) -> None:
    scan(config)
    before = sorted(config.people.rglob("*"))
    assert scan(config)["photos_done"] == 0
    assert sorted(config.people.rglob("*")) == before


def test_copies_moves_and_renames_are_known_by_their_bytes(config: Config, photos: Path) -> None:
    scan(config)
    with open_library(config) as library:
        before = {row["face"]: row["person"] for row in library.faces()}
    place(photos / f"{HOPPER}0.jpg", photos / "a copy.jpg")
    deeper = photos / "one" / "level down"
    deeper.mkdir(parents=True)
    for photo in photos.glob("*.jpg"):
        photo.rename(deeper / f"renamed {photo.name}")
    progress = scan(config)
    assert progress["photos_done"] == 0
    with open_library(config) as library:
        assert {row["face"]: row["person"] for row in library.faces()} == before
        assert max(len(row["files"]) for row in library.faces()) == 2
    assert {name for names in tree(config.people).values() for name in names} >= {f"renamed {HOPPER}3.jpg"}


def test_a_photo_that_is_deleted_leaves_its_folders_and_comes_back_for_nothing(
    config: Config, photos: Path, negatives: Path
) -> None:
    scan(config)
    for number in range(4):
        (photos / f"{HOPPER}{number}.jpg").unlink()
    scan(config)
    assert groups(config.people) == {photos for photos in EVERYBODY if f"{ASTRONAUT}0.jpg" in photos}
    copy(negatives, photos, f"{HOPPER}*.jpg")
    assert scan(config)["photos_done"] == 0
    assert groups(config.people) == EVERYBODY


def test_broken_files_are_listed_and_stop_nothing(config: Config, photos: Path) -> None:
    (photos / "empty.jpg").write_bytes(b"")
    (photos / "text.png").write_text("this is no picture")
    (photos / "cut.jpg").write_bytes((photos / "both.jpg").read_bytes()[:3000])
    os.mkfifo(photos / "pipe.jpg")
    (photos / "link.jpg").symlink_to(photos / "both.jpg")
    for path in photos.glob("*"):
        if path.is_file() and not path.is_symlink():
            os.utime(path, (1_600_000_000, 1_600_000_000))
    scan(config)
    assert groups(config.people) == EVERYBODY
    with open_library(config) as library:
        failures = {Path(row["file"]).name: row["reason"] for row in library.failures()}
        assert set(failures) == {"empty.jpg", "text.png", "cut.jpg"}
        assert all(failures.values())
        assert library.status()["counts"]["failures"] == 3
    place(photos / "both.jpg", photos / "cut.jpg")
    scan(config)
    with open_library(config) as library:
        assert {Path(row["file"]).name for row in library.failures()} == {"empty.jpg", "text.png"}


@pytest.mark.promise("names")
def test_names_of_any_bytes_are_followed(config: Config, photos: Path) -> None:
    odd = os.fsencode(photos) + b"/\xff\xfe caf\xe9\n\x1b[31m.jpg"
    os.rename(photos / f"{HOPPER}1.jpg", os.fsdecode(odd))
    scan(config)
    assert os.path.basename(os.fsdecode(odd)) in {name for names in tree(config.people).values() for name in names}
    with open_library(config) as library:
        assert os.fsdecode(odd) in {path for row in library.faces() for path in row["files"]}


def test_the_people_folder_may_lie_inside_and_is_never_read(photos: Path, write_config: Callable[..., Path]) -> None:
    config = config_file.load(write_config(photos, people=photos / "sorted" / "People"))
    scan(config)
    place(photos / "both.jpg", config.people / "mine.jpg")
    assert scan(config)["photos_done"] == 0
    with open_library(config) as library:
        assert library.status()["counts"]["files"] == 9
    assert groups(config.people) == EVERYBODY
    assert (config.people / "mine.jpg").is_file()


def test_a_folder_with_other_things_in_it_is_not_taken_for_the_people_folder(config: Config) -> None:
    config.people.mkdir()
    (config.people / "diary.txt").write_text("mine")
    scan(config)
    assert [path.name for path in config.people.iterdir()] == ["diary.txt"]
    with open_library(config) as library:
        library.name("1", "Ada")
        (notice,) = library.status()["notices"]
        assert NotOurFolder(path=config.people, detail="").message in notice


def test_nothing_is_wrong_before_the_first_pass(config: Config) -> None:
    with open_library(config) as library:
        assert all(row["ok"] for row in library.check()["checks"])


def test_links_somebody_took_away_are_made_again_by_check(config: Config) -> None:
    scan(config)
    shutil.rmtree(config.people)
    with open_library(config) as library:
        checks = {row["name"]: row["ok"] for row in library.check()["checks"]}
        assert not checks.pop("people folder")
        assert all(checks.values())
        assert all(row["ok"] for row in library.check(repair=True)["checks"])
    assert groups(config.people) == EVERYBODY


@pytest.mark.parametrize("damage", ["flip", "cut", "delete"])
def test_a_damaged_index_is_noticed_and_rebuilt(config: Config, damage: str) -> None:
    scan(config)
    (saved,) = (config.state / "index").iterdir()
    data = bytearray(saved.read_bytes())
    data[len(data) // 2] ^= 4
    if damage == "delete":
        saved.unlink()
    else:
        saved.write_bytes(data if damage == "flip" else data[: len(data) // 2])
    with open_library(config) as library:
        assert not {row["name"]: row["ok"] for row in library.check()["checks"]}["index"]
        assert all(row["ok"] for row in library.check(repair=True)["checks"])


def test_merging_keeps_the_first_and_answers_to_both_numbers(config: Config) -> None:
    scan(config)
    with open_library(config) as library:
        one, other = (row["id"] for row in library.people())
        library.name(str(other), "Grace")
        merged = library.merge(str(one), "grace")
        # Both are in one photo, and two faces of one photo are never one person.
        assert (merged["id"], merged["name"], merged["left_out"], merged["photos"]) == (one, "Grace", 1, 9)
        assert library.person(str(other))["id"] == one
        assert all(row["ok"] for row in library.check()["checks"])
    assert list(tree(config.people)) == ["Grace"]


def test_wrong_questions_get_clear_answers(config: Config, photos: Path, tmp_path: Path) -> None:
    from PIL import Image

    scan(config)
    Image.new("RGB", (300, 300), "green").save(tmp_path / "meadow.png")
    (tmp_path / "notes.txt").write_text("no picture")
    with open_library(config) as library:
        for path, problem in [
            (tmp_path / "nothing.jpg", PictureMissing),
            (tmp_path, PictureUnreadable),
            (tmp_path / "notes.txt", PictureUnreadable),
            (tmp_path / "meadow.png", NoFaceFound),
        ]:
            with pytest.raises(problem):
                library.who(str(path))
            with pytest.raises(problem):
                library.search(str(path))
        for person in ("99", "Nobody", "", "-1", "9" * 30, "٣"):
            with pytest.raises(UnknownPerson):
                library.person(person)


def test_an_empty_library_answers_too(tmp_path: Path, write_config: Callable[..., Path], negatives: Path) -> None:
    (tmp_path / "bare").mkdir()
    config = config_file.load(write_config(tmp_path / "bare"))
    scan(config)
    with open_library(config) as library:
        assert list(library.people()) == list(library.faces()) == list(library.failures()) == []
        with pytest.raises(LibraryEmpty):
            library.search(str(negatives / "both.jpg"), face=1)
        assert [row["person"] for row in library.who(str(negatives / "both.jpg"))["faces"]] == [None, None]
        assert all(row["ok"] for row in library.check()["checks"])


def test_several_roots_are_one_library(tmp_path: Path, negatives: Path, write_config: Callable[..., Path]) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    copy(negatives, one, f"{ASTRONAUT}*.jpg")
    copy(negatives, other, f"{HOPPER}*.jpg")
    place(negatives / "both.jpg", other / "both.jpg")
    path = write_config(one)
    path.write_text(path.read_text().replace(f"photos: [{one}]", f"photos: [{one}, {other}]"))
    config = config_file.load(path)
    assert scan(config)["files_found"] == 9
    assert groups(config.people) == EVERYBODY
    (other / "both.jpg").rename(one / "both.jpg")
    assert scan(config)["photos_done"] == 0
    assert groups(config.people) == EVERYBODY
    # A root that is taken out of the config takes its photos along, and brings them back for nothing.
    path.write_text(path.read_text().replace(f"photos: [{one}, {other}]", f"photos: [{one}]"))
    scan(config_file.load(path))
    assert {name for photos in groups(config.people) for name in photos} == {
        *(f"{ASTRONAUT}{n}.jpg" for n in range(4)),
        "both.jpg",
    }
    path.write_text(path.read_text().replace(f"photos: [{one}]", f"photos: [{one}, {other}]"))
    assert scan(config_file.load(path))["photos_done"] == 0
    assert groups(config.people) == EVERYBODY


@pytest.mark.promise("removal")
def test_what_has_been_gone_for_the_time_of_grace_is_forgotten(
    photos: Path, negatives: Path, write_config: Callable[..., Path]
) -> None:
    config = config_file.load(write_config(photos, watch="{quiet: 300 ms, removal_grace: 1 s}"))
    scan(config)
    (photos / f"{HOPPER}3.jpg").unlink()
    scan(config)
    time.sleep(2.1)
    scan(config)
    with open_library(config) as library:
        assert all(row["ok"] for row in library.check()["checks"])
        assert library.search(str(negatives / f"{HOPPER}3.jpg"), k=20, face=1)["results"][0]["distance"] > 0
    copy(negatives, photos, f"{HOPPER}3.jpg")
    assert scan(config)["photos_done"] == 1
    assert groups(config.people) == EVERYBODY
