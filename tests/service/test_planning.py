"""Whoever may have to be shown otherwise is planned by themselves, and that leaves nothing for a plan of everything."""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guyverd import config_file
from guyverd.catalogue.store import Catalogue
from guyverd.media.kinds import is_video
from guyverd.model import Assignment, Changes, FaceId, PersonId, PhotoId
from guyverd.published import OwnerId
from guyverd.service.pipeline.keeping.planning import Planning
from guyverd.service.pipeline.keeping.publishing import Publishing
from guyverd.service.pipeline.words.albums import Albums
from guyverd.service.pipeline.words.deciding import Deciding
from guyverd.service.pipeline.words.undoing import undo
from tests.catalogue.conftest import NOW, ids, library
from tests.service.test_deciding import found

if TYPE_CHECKING:
    from sqlite_utils import Database as Utils

PEOPLE = st.sampled_from([PersonId(1), PersonId(2), PersonId(3)])
FACES = st.integers(1, 14).map(FaceId)
ACTS = st.one_of(
    st.tuples(st.just("confirm"), PEOPLE, FACES),
    st.tuples(st.just("reject"), PEOPLE, FACES),
    st.tuples(st.just("name"), PEOPLE, st.sampled_from(["Ada", "Bob", "Zoe"])),
    st.tuples(st.just("hide"), PEOPLE, st.booleans()),
    st.tuples(st.just("gone"), st.integers(0, 9), st.booleans()),
    st.tuples(st.just("album"), PEOPLE, PEOPLE),
    st.tuples(st.just("undo"), st.none(), st.none()),
    st.tuples(st.just("arrive"), PEOPLE, FACES),
    st.tuples(st.just("place"), st.integers(0, 99), st.integers(0, 9)),
    st.tuples(st.just("put"), st.integers(0, 99), st.integers(0, 9)),
)


FILES = [b"%03d.jpg" % number for number in range(10)]
OF_ONE_NAME = [*FILES[:5], b"b/000.jpg", b"b/001.JPG", b"c/000.jpg", b"b/003.jpg", b"b/004.jpg"]
LIVE = [b"0.jpg", b"0.mov", b"1.jpg", b"1.MOV", b"2.mov", b"b/2.jpg", b"3.jpg", b"3.mov", b"4.jpg", b"4.mov"]
"""Live photos and their videos, but for the third, which lies elsewhere."""


def household(folder: Path, catalogue: Catalogue, layout: str = "person", files: Sequence[bytes] = FILES) -> Publishing:
    """Ten photos, the last four of two faces; three people with some of them, the first with a name."""
    for file in files:
        (folder / "photos" / os.fsdecode(file)).parent.mkdir(parents=True, exist_ok=True)
        (folder / "photos" / os.fsdecode(file)).touch()
    made = config_file.make([folder / "photos"], folder / "People", folder / "state", folder / "config.yaml")
    config = dataclasses.replace(made, folders=dataclasses.replace(made.folders, min_photos=2, layout=layout))
    catalogue.files.configure([os.fsencode(folder / "photos")], [os.fsencode(config.people), b"/"])
    library(catalogue, catalogue.files.roots()[0], [1] * 6 + [2] * 4)
    catalogue._db.write(lambda db: db.conn.executemany("UPDATE files SET path = ? WHERE id = ?", _numbered(files)))
    catalogue._db.write(lambda db: db.execute("UPDATE photos SET taken_at = '2020-01-02T00:00:00'"))
    for number in (number for number, file in enumerate(files, 1) if is_video(file)):
        as_video(catalogue, number)
    found(catalogue, {1: [1, 2, 3, 7, 9], 2: [4, 5, 6, 8], 3: [11, 13]})
    Deciding(catalogue).name(PersonId(1), "Ada")
    publishing = Publishing(config, catalogue)
    assert publishing.publish()
    return publishing


def as_video(catalogue: Catalogue, photo: int) -> None:
    """Make a photo a video: its faces are seen one after the other."""

    def job(db: Utils) -> None:
        db.execute("UPDATE photos SET kind = 'video', duration = 3 WHERE id = ?", (photo,))
        db.execute("UPDATE faces SET starts = ordinal, ends = ordinal + 0.5 WHERE photo_id = ?", (photo,))

    catalogue._db.write(job)


def by_hand(publishing: Publishing, act: tuple[object, ...], files: Sequence[bytes]) -> None:
    """A link gets another name, or a link of one's own comes beside it."""
    kind, which, number = act
    assert isinstance(which, int)
    assert isinstance(number, int)
    folder = publishing._config.people
    if links := sorted(path for path in folder.rglob("*") if path.is_symlink()):
        chosen = links[which % len(links)]
        if kind == "place":
            chosen.rename(chosen.with_name(f"{number}.jpg"))
        else:
            mine = chosen.with_name(f"mine {number}.jpg")
            mine.unlink(missing_ok=True)
            mine.symlink_to(publishing._config.photos[0] / os.fsdecode(files[number]))
        publishing.heeding.touch(b"", 0.0)


def _numbered(files: Sequence[bytes]) -> list[tuple[bytes, int]]:
    return [(file, number) for number, file in enumerate(files, 1)]


def do(catalogue: Catalogue, act: tuple[object, ...], files: Sequence[bytes], publishing: Publishing) -> None:
    kind, one, other = act
    if kind in ("place", "put"):
        by_hand(publishing, act, files)
        return
    deciding = Deciding(catalogue)
    root = catalogue.files.roots()[0]
    if kind == "confirm":
        deciding.confirm(one, [other])  # type: ignore[arg-type, list-item]
    elif kind == "reject":
        deciding.reject(one, [other])  # type: ignore[arg-type, list-item]
    elif kind == "name":
        deciding.name(one, other)  # type: ignore[arg-type]
    elif kind == "hide":
        deciding.hide(one, hidden=other)  # type: ignore[arg-type]
    elif kind == "album":
        Albums(catalogue).save([one, other])  # type: ignore[list-item]
    elif kind == "undo":
        undo(catalogue)
    elif kind == "arrive":
        catalogue.people.assign([Assignment(other, one, None, 4.0)], [], 99, NOW)  # type: ignore[arg-type]
    else:
        assert isinstance(one, int)
        file = ids(catalogue, root)[files[one]]
        catalogue.files.apply(root.id, Changes(gone=(file,)) if other else Changes(returned=(file,)), NOW)


@given(
    st.lists(st.lists(ACTS, min_size=1, max_size=3), min_size=1, max_size=8),
    st.booleans(),
    st.sampled_from([FILES, OF_ONE_NAME, LIVE]),
)
@settings(max_examples=40, deadline=None)
def test_what_is_published_of_some_is_what_everything_asks_for(
    rounds: list[list[tuple[object, ...]]], years: bool, files: list[bytes]
) -> None:
    with tempfile.TemporaryDirectory() as name, Catalogue(os.fsencode(name) + b"/c.db", lambda: NOW) as catalogue:
        publishing = household(Path(name), catalogue, layout="year" if years else "person", files=files)
        for acts in rounds:
            for act in acts:
                try:
                    do(catalogue, act, files, publishing)
                except Exception as problem:  # what cannot be said is not said
                    if not hasattr(problem, "advice"):
                        raise
            assert publishing.publish()
            while publishing.heeding.advance():
                assert publishing.publish()
            assert not publishing.planned(), "nothing is left"
            assert not publishing.planned().note
            links = catalogue.links.published()
            assert all(
                count == 1 or any(link.placed for link in links if link.target == target)
                for (_, target), count in Counter((link.owner, link.target) for link in links).items()
            ), "a live photo's video is not linked twice"


@pytest.fixture
def publishing(tmp_path: Path, catalogue: Catalogue) -> Publishing:
    return household(tmp_path, catalogue)


def planning(publishing: Publishing) -> Planning:
    return publishing._planning


def test_of_somebody_with_a_folder_only_the_photo_that_came_is_looked_at(
    publishing: Publishing, catalogue: Catalogue
) -> None:
    catalogue.people.assign([Assignment(FaceId(10), PersonId(2), None, 4.0)], [], 99, NOW)
    stale = planning(publishing).take_stale()
    assert stale == {2: frozenset({PhotoId(8)})}
    shelves, made = planning(publishing).some(stale)
    assert [len(shelf.photos) for shelf in shelves] == [1]
    assert ([link.photo for link in made.make], made.remove, made.keep) == ([PhotoId(8)], (), 0)


def test_all_is_looked_at_where_the_folder_itself_may_go(publishing: Publishing, catalogue: Catalogue) -> None:
    # The third person has two photos, and needs two for a folder.
    Deciding(catalogue).confirm(PersonId(1), [FaceId(11)])
    stale = planning(publishing).take_stale()
    assert stale is not None
    shelves, _ = planning(publishing).some(stale)
    assert {shelf.owner: len(shelf.photos) for shelf in shelves}[OwnerId(3)] == 1, "what is left to them"


def test_who_yields_a_name_is_told_by_all_of_them(publishing: Publishing, catalogue: Catalogue, tmp_path: Path) -> None:
    """A photo of the same name and day from a folder that comes first takes the plain name."""
    first = tmp_path / "photos" / "000.jpg"
    (tmp_path / "photos" / "0").mkdir()
    first.rename(tmp_path / "photos" / "0" / "001.jpg")
    root = catalogue.files.roots()[0]
    catalogue._db.write(
        lambda db: db.execute("UPDATE files SET path = ?, display = ? WHERE path = ?", (b"0/001.jpg", "", b"000.jpg"))
    )
    catalogue._db.write(lambda db: db.execute("UPDATE photos SET taken_at = '2020-01-02T00:00:00' WHERE id = 1"))
    assert b"0/001.jpg" in ids(catalogue, root)
    assert publishing.publish()
    assert not publishing.planned()


@pytest.mark.promise("any-order")
def test_who_has_a_name_for_themselves_may_change_where_a_photo_only_moves(tmp_path: Path) -> None:
    """Of links that would be called alike the first by the place of its photo has the plain name."""
    with Catalogue(os.fsencode(tmp_path / "catalogue.db")) as catalogue:
        files = [b"00/001.JPG" if file == b"b/001.JPG" else file for file in OF_ONE_NAME]
        publishing = household(tmp_path, catalogue, files=files)
        (tmp_path / "photos" / "00" / "001.JPG").rename(tmp_path / "photos" / "b" / "001.JPG")
        catalogue._db.write(
            lambda db: db.execute("UPDATE files SET path = ? WHERE path = ?", (b"b/001.JPG", b"00/001.JPG"))
        )
        assert publishing.publish()
        assert not publishing.planned()
        assert publishing.wrong() == []


def home(publishing: Publishing, person: str) -> dict[str, str]:
    """What stands in somebody's folder, and where it leads."""
    folder = publishing._config.people / person
    return {path.name: os.path.basename(os.readlink(path)) for path in sorted(folder.iterdir())}


@pytest.fixture
def lively(tmp_path: Path, catalogue: Catalogue) -> Publishing:
    # Ada is in 0.jpg, 0.mov, 1.jpg, 3.jpg and 3.mov.
    return household(tmp_path, catalogue, files=LIVE)


def test_a_live_photo_s_video_is_linked_beside_it_and_not_once_more(lively: Publishing, catalogue: Catalogue) -> None:
    deciding = Deciding(catalogue)
    links = {"2020-01-02_0.jpg": "0.jpg", "2020-01-02_0.mov": "0.mov"}
    both = home(lively, "Ada")
    assert links.items() <= both.items()
    assert list(both.values()).count("0.mov") == 1
    assert list(both.values()).count("1.MOV") == 1, "beside its photo, though she is not seen in it"

    # Who is only in the video gets the video.
    deciding.reject(PersonId(1), [FaceId(1)])
    assert lively.publish()
    assert "0.jpg" not in home(lively, "Ada").values()
    assert list(home(lively, "Ada").values()).count("0.mov") == 1
    undo(catalogue)
    assert lively.publish()
    assert home(lively, "Ada") == both


def test_a_video_that_somebody_gave_a_name_keeps_it_beside_its_photo(lively: Publishing, catalogue: Catalogue) -> None:
    deciding = Deciding(catalogue)
    deciding.reject(PersonId(1), [FaceId(1)])
    assert lively.publish()
    folder = lively._config.people / "Ada"
    (folder / "2020-01-02_0.mov").rename(folder / "birthday.mov")
    lively.heeding.touch(b"", 0.0)
    assert lively.publish()
    undo(catalogue)
    assert lively.publish()
    there = home(lively, "Ada")
    assert there["birthday.mov"] == there["2020-01-02_0.mov"] == "0.mov"


def test_who_is_taken_out_of_a_live_photo_is_not_in_its_video(lively: Publishing, catalogue: Catalogue) -> None:
    (lively._config.people / "Ada" / "2020-01-02_0.jpg").unlink()
    lively.heeding.touch(b"", 0.0)
    assert lively.publish()
    assert not {"0.jpg", "0.mov"} & {*home(lively, "Ada").values()}
    assert {face.person for face in catalogue.people.holdings([FaceId(1), FaceId(2)]).values()} == {None}


def test_an_album_shows_videos_in_which_all_are_seen_at_one_moment(catalogue: Catalogue, tmp_path: Path) -> None:
    publishing = household(tmp_path, catalogue, files=LIVE)
    two = [PersonId(1), PersonId(2)]  # together in 3.jpg, of faces 7 and 8
    Deciding(catalogue).confirm(PersonId(2), [FaceId(10)])  # after Ada in 3.mov, who is face 9
    assert [photo.photo for photo in catalogue.shelves.together(two, None, None)] == [PhotoId(7)]
    catalogue._db.write(lambda db: db.execute("UPDATE faces SET ends = 3 WHERE photo_id = 8"))
    assert [photo.photo for photo in catalogue.shelves.together(two, None, None)] == [PhotoId(7), PhotoId(8)]
    assert publishing.publish()
