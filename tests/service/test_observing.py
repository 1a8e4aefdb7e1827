"""Surveys against a disk that changes under them."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guyverd import config_file
from guyverd.catalogue.store import Catalogue
from guyverd.errors import StateError
from guyverd.model import Assignment, Changes, FaceId, KnownFile, RootId, RootState, SeenFile, Stamp
from guyverd.service.pipeline.observing import Observing
from guyverd.service.pipeline.surveying import STEP
from guyverd.watch.debounce import Settled
from guyverd.watch.reconcile import piecewise
from tests.catalogue.conftest import NOW, read
from tests.promises import scaled

LATE = 4_000_000_000.0


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "a" / "b").mkdir(parents=True)
    for name in ("1.jpg", "a/2.jpg", "a/b/3.jpg"):
        (folder / name).write_text(name)
    return folder


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    with Catalogue(os.fsencode(tmp_path / "catalogue.db")) as opened:
        yield opened


def place(path: Path) -> None:
    """A file that is not young."""
    path.touch()
    os.utime(path, (1, 1))


class Watcher:
    """An `Observing` with what it held back, and a clock to set."""

    def __init__(self, config: Path, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.unsettled: list[bytes] = []
        self.now = LATE
        self.observing = Observing(
            config_file.load(config), catalogue, lambda _, path: self.unsettled.append(path), lambda: self.now
        )

    def survey(self, scope: bytes = b"") -> bool:
        (root,) = self.catalogue.files.roots()
        self.observing.survey(root, scope)
        changed = False
        while self.observing.surveying:
            changed |= self.observing.advance()
        return changed

    def present(self) -> set[bytes]:
        (root,) = self.catalogue.files.roots()
        return {known.path for known in self.catalogue.files.known(root.id) if not known.missing}


@pytest.fixture
def watcher(photos: Path, catalogue: Catalogue, write_config: Callable[..., Path]) -> Watcher:
    made = Watcher(write_config(photos), catalogue)
    made.observing.inspect_roots()
    made.survey()
    return made


def test_a_survey_finds_what_is_there_and_then_nothing_new(watcher: Watcher) -> None:
    assert watcher.present() == {b"1.jpg", b"a/2.jpg", b"a/b/3.jpg"}
    assert watcher.observing.found == 3
    assert not watcher.survey()


def test_a_survey_of_a_folder_says_nothing_of_others(watcher: Watcher, photos: Path) -> None:
    for name in ("1.jpg", "a/2.jpg", "a/b/3.jpg"):
        (photos / name).unlink()
    assert watcher.survey(b"a/b")
    assert watcher.present() == {b"1.jpg", b"a/2.jpg"}


@pytest.mark.parametrize("replaced", [True, False])
@pytest.mark.promise("offline")
def test_a_root_lost_since_it_was_inspected_loses_nothing(watcher: Watcher, photos: Path, replaced: bool) -> None:
    photos.rename(photos.with_name("unplugged"))
    if replaced:
        photos.mkdir()
    root = os.fsencode(photos)
    watcher.survey()
    watcher.observing.settled([Settled(root, b"1.jpg", False), Settled(root, b"a", True)])
    watcher.survey(b"a")
    assert len(watcher.present()) == 3
    (found,) = watcher.observing.inspect_roots()
    assert found.went
    assert watcher.catalogue.files.roots()[0].state is RootState.OFFLINE
    if replaced:
        photos.rmdir()
    photos.with_name("unplugged").rename(photos)
    (found,) = watcher.observing.inspect_roots()
    assert found.came
    assert not watcher.survey()


@pytest.mark.promise("offline")
def test_a_root_in_whose_place_stands_another_with_pictures_is_offline_until_what_is_known_is_there(
    watcher: Watcher, photos: Path
) -> None:
    old = photos.with_name("old")
    photos.rename(old)
    photos.mkdir()
    (photos / "new.jpg").write_text("new")
    (photos / "1.jpg").write_text("another picture of this name")
    for _ in range(2):
        (found,) = watcher.observing.inspect_roots()
        assert not found.came
        (root,) = watcher.catalogue.files.roots()
        assert root.state is RootState.OFFLINE
        assert "another disk" in root.detail
        watcher.observing.survey_all()
        watcher.observing.settled([Settled(os.fsencode(photos), b"1.jpg", False)])
        assert not watcher.observing.surveying
        assert watcher.present() == {b"1.jpg", b"a/2.jpg", b"a/b/3.jpg"}
    shutil.copytree(old / "a", photos / "moved")  # under another name, but with sizes and times as known
    (found,) = watcher.observing.inspect_roots()
    assert (found.came, found.went) == (True, False)
    assert watcher.survey()
    assert watcher.present() == {b"1.jpg", b"new.jpg", b"moved/2.jpg", b"moved/b/3.jpg"}


@pytest.mark.promise("offline")
def test_a_comparison_on_whose_way_the_disk_is_changed_takes_nothing_over(watcher: Watcher, photos: Path) -> None:
    (root,) = watcher.catalogue.files.roots()
    before = watcher.catalogue.files.known(root.id)
    photos.rename(photos.with_name("old"))
    photos.mkdir()
    for name in ("1.jpg", "new.jpg"):
        (photos / name).write_text("another picture of this name")
    watcher.observing.settled([Settled(root.path, b"1.jpg", False), Settled(root.path, b"new.jpg", False)])
    assert not watcher.survey()
    assert watcher.catalogue.files.known(root.id) == before
    assert watcher.observing.displaced()
    assert watcher.observing.inspect_roots()[0].went
    assert not watcher.observing.displaced()
    # It may be back before anybody saw that it was away: then the comparison was only put off.
    shutil.rmtree(photos)
    photos.with_name("old").rename(photos)
    watcher.observing.inspect_roots()
    (photos / "a" / "2.jpg").unlink()
    photos.rename(photos.with_name("old"))
    assert not watcher.survey(b"a")
    photos.with_name("old").rename(photos)
    assert not watcher.observing.displaced()
    (found,) = watcher.observing.inspect_roots()
    assert (found.came, found.went) == (False, False)
    assert watcher.observing.surveying
    assert watcher.observing.advance() | watcher.observing.advance()
    assert watcher.present() == {b"1.jpg", b"a/b/3.jpg"}


@pytest.mark.promise("offline")
def test_a_backup_put_back_is_the_root(watcher: Watcher, photos: Path) -> None:
    old = photos.with_name("old")
    photos.rename(old)
    shutil.copytree(old, photos, copy_function=shutil.copyfile)  # times are not kept
    (found,) = watcher.observing.inspect_roots()
    assert found.came
    assert "has taken its place" in watcher.catalogue.files.roots()[0].detail
    assert watcher.survey()
    assert len(watcher.present()) == 3


@pytest.mark.promise("offline")
def test_what_somebody_says_is_the_root_is_taken_as_it_is(watcher: Watcher, photos: Path) -> None:
    photos.rename(photos.with_name("old"))
    photos.mkdir()
    (photos / "new.jpg").write_text("new")
    watcher.observing.inspect_roots()
    (root,) = watcher.catalogue.files.roots()
    assert watcher.catalogue.places.begin_anew(root.id, watcher.catalogue.now()) == 3
    (found,) = watcher.observing.inspect_roots()
    assert found.came
    assert watcher.survey()
    assert watcher.present() == {b"new.jpg"}
    assert not watcher.observing.inspect_roots()[0].came


def test_a_folder_that_cannot_be_read_loses_nothing(
    watcher: Watcher, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.scandir

    def refusing(path: bytes) -> object:
        if os.fspath(path).endswith(b"/a"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    (photos / "1.jpg").unlink()
    monkeypatch.setattr(os, "scandir", refusing)
    watcher.survey()
    assert watcher.present() == {b"a/2.jpg", b"a/b/3.jpg"}


def test_what_may_still_be_written_is_held_back(watcher: Watcher, photos: Path) -> None:
    (photos / "young.jpg").write_text("half")
    os.utime(photos / "young.jpg", (1000, 1000))
    watcher.now = 1000.1
    assert not watcher.survey()
    assert watcher.unsettled == [b"young.jpg"]
    watcher.now = 1000.5
    assert watcher.survey()
    assert b"young.jpg" in watcher.present()


def test_what_came_after_its_folder_was_listed_is_not_gone(watcher: Watcher, photos: Path) -> None:
    """A comparison takes a step at a time, and between two steps the paths that settled are looked at."""
    root = os.fsencode(photos)
    (row,) = watcher.catalogue.files.roots()
    for number in range(STEP + 10):
        place(photos / f"{number:05}.jpg")
    for _ in range(2):
        watcher.survey()
    (photos / "a" / "2.jpg").unlink()
    watcher.observing.settled([Settled(root, b"a/2.jpg", False)])
    watcher.observing.survey(row)
    watcher.observing.advance()
    # The root was listed as a whole; "a" and what is in it come at the end.
    place(photos / "zz.jpg")
    place(photos / "a" / "2.jpg")
    (photos / "02005.jpg").unlink()
    watcher.observing.settled(Settled(root, path, False) for path in (b"zz.jpg", b"a/2.jpg", b"02005.jpg"))
    while watcher.observing.surveying:
        watcher.observing.advance()
    assert {b"zz.jpg", b"a/2.jpg"} <= watcher.present()
    assert b"02005.jpg" not in watcher.present()


def test_what_returned_and_went_again_while_it_was_compared_is_gone(
    watcher: Watcher, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = photos / "a" / "2.jpg"
    photo.rename(photos / "aside")
    watcher.survey()
    assert b"a/2.jpg" not in watcher.present()
    (photos / "aside").rename(photo)
    known_between = watcher.catalogue.files.known_between

    def late(*given: object, **named: object) -> object:
        photo.unlink(missing_ok=True)
        return known_between(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(watcher.catalogue.files, "known_between", late)
    watcher.survey()
    assert b"a/2.jpg" not in watcher.present()


@pytest.mark.promise("names")
def test_what_cannot_be_looked_at_is_not_gone(watcher: Watcher, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, broken = os.lstat, os.fsencode(photos / "a" / "2.jpg")

    def failing(path: bytes) -> os.stat_result:
        if path == broken:
            raise OSError(errno.EIO, "Input/output error")
        return real(path)

    for name in ("1.jpg", "a/2.jpg"):
        (photos / name).unlink()
    monkeypatch.setattr(os, "lstat", failing)
    watcher.survey()
    assert watcher.present() == {b"a/2.jpg", b"a/b/3.jpg"}
    monkeypatch.undo()
    watcher.survey()
    assert watcher.present() == {b"a/b/3.jpg"}


@pytest.mark.promise("scale")
def test_a_large_folder_that_went_is_taken_out_a_step_at_a_time(watcher: Watcher, photos: Path) -> None:
    (photos / "large").mkdir()
    for number in range(2 * STEP + 10):
        place(photos / "large" / f"{number:05}.jpg")
    watcher.survey()
    asked: list[int] = []
    known_between, known_of = watcher.catalogue.files.known_between, watcher.catalogue.files.known_of

    def counted(found: list[KnownFile]) -> list[KnownFile]:
        asked.append(len(found))
        return found

    watcher.catalogue.files.known_between = lambda *given, **named: counted(known_between(*given, **named))  # type: ignore[method-assign]
    watcher.catalogue.files.known_of = lambda files: counted(known_of(files))  # type: ignore[method-assign]
    (photos / "large").rename(photos / "still here.txt")
    watcher.observing.settled([Settled(os.fsencode(photos), b"large", False)])
    while watcher.observing.surveying:
        watcher.observing.advance()
    assert max(asked) == STEP
    assert sum(asked) >= 2 * (2 * STEP + 10)
    assert watcher.present() == {b"1.jpg", b"a/2.jpg", b"a/b/3.jpg"}


some_names = st.sampled_from([b"a", b"b", b"a.jpg", b"b.jpg", b"a0.jpg", b"a b.jpg", b"\xff.jpg", b"a\n.jpg"])
some_paths = st.lists(some_names, min_size=1, max_size=3).map(b"/".join)


@pytest.mark.promise("scale", "names")
@settings(max_examples=scaled(40, 1500), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(some_paths), st.sets(some_paths), st.sampled_from([b"", b"a", b"a.jpg", b"b/a"]), st.integers(1, 5))
def test_the_catalogue_gives_in_pieces_what_it_gives_as_a_whole(
    catalogue: Catalogue, before: set[bytes], seen: set[bytes], scope: bytes, most: int
) -> None:
    def within(paths: set[bytes]) -> list[bytes]:
        return sorted(path for path in paths if not scope or path == scope or path.startswith(scope + b"/"))

    files = catalogue.files
    files.configure([b"/photos"])
    root = files.roots()[0].id
    old = [one.id for one in files.known(root)]
    catalogue._db.write(lambda db: db.conn.executemany("DELETE FROM files WHERE id = ?", [(one,) for one in old]))
    stamp = Stamp(1, 1, 1)
    files.apply(root, Changes(new=tuple(SeenFile(path, stamp) for path in sorted(before))), catalogue.now())
    assert [one.path for one in files.known(root, scope)] == within(before)
    changes = list(
        piecewise(
            lambda after, through, limit: files.known_between(root, scope, after, through, limit),
            [SeenFile(path, stamp) for path in within(seen)],
            most,
        )
    )
    assert [one.path for piece in changes for one in piece.new] == within(seen - before)
    gone = files.known_of([one for piece in changes for one in piece.gone])
    assert sorted(one.path for one in gone) == within(before - seen)
    assert not any(piece.changed or piece.returned for piece in changes)


def test_settled_paths_are_looked_at_one_by_one(watcher: Watcher, photos: Path) -> None:
    root = os.fsencode(photos)
    (photos / "new.jpg").write_text("x")
    (photos / "notes.txt").write_text("x")
    (photos / ".hidden.jpg").write_text("x")
    (photos / "1.jpg").unlink()
    (photos / "a" / "b").rename(photos / "c")
    watcher.observing.settled(
        Settled(root, path, False) for path in (b"new.jpg", b"notes.txt", b".hidden.jpg", b"1.jpg", b"a/b", b"c")
    )
    while watcher.observing.surveying:
        watcher.observing.advance()
    assert watcher.present() == {b"new.jpg", b"a/2.jpg", b"c/3.jpg"}


def test_many_files_take_several_steps(watcher: Watcher, photos: Path) -> None:
    for number in range(STEP + 10):
        (photos / f"{number:05}.jpg").touch()
        os.utime(photos / f"{number:05}.jpg", (1, 1))
    (root,) = watcher.catalogue.files.roots()
    watcher.observing.survey(root)
    watcher.observing.survey(root, b"a")
    assert watcher.observing.advance()
    assert STEP - 10 < len(watcher.present()) < STEP + 10
    assert watcher.observing.advance()
    assert len(watcher.observing._surveys) == 1, "a waiting survey of the whole covers one of a part"
    assert not watcher.observing.advance()
    assert watcher.observing._surveys == []
    assert len(watcher.present()) == STEP + 13


@pytest.mark.promise("disk", "any-order")
def test_roots_of_an_inspection_that_was_broken_off_come_again(
    photos: Path,
    tmp_path: Path,
    catalogue: Catalogue,
    write_config: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else nobody would watch the first."""
    (tmp_path / "archive").mkdir()
    watcher = Watcher(write_config(Path(f"{photos}, {tmp_path / 'archive'}")), catalogue)
    first, second = catalogue.files.roots()
    noting = catalogue.files.set_root

    def failing(root: RootId, *how: Any) -> None:
        if root == second.id:
            raise StateError(path="catalogue.db", detail="disk I/O error")
        noting(root, *how)

    with monkeypatch.context() as patched:
        patched.setattr(catalogue.files, "set_root", failing)
        with pytest.raises(StateError):
            watcher.observing.inspect_roots()
    found = watcher.observing.inspect_roots()
    assert [(one.root.id, one.came) for one in found] == [(first.id, True), (second.id, True)]


def test_videos_are_read_unless_that_is_switched_off(
    photos: Path, catalogue: Catalogue, write_config: Callable[..., Path]
) -> None:
    for name in ("clip.MP4", "a/2.mov", "a/film.mkv", "notes.txt"):
        place(photos / name)
    watcher = Watcher(write_config(photos), catalogue)
    watcher.observing.inspect_roots()
    watcher.survey()
    videos = {b"clip.MP4", b"a/2.mov", b"a/film.mkv"}
    assert watcher.present() == {b"1.jpg", b"a/2.jpg", b"a/b/3.jpg", *videos}
    root = os.fsencode(photos)
    (photos / "clip.MP4").rename(photos / "moved.mp4")
    assert watcher.observing.settled([Settled(root, b"clip.MP4", False), Settled(root, b"moved.mp4", False)])
    assert watcher.present() >= {b"moved.mp4"}
    assert b"clip.MP4" not in watcher.present()
    off = Watcher(write_config(photos, videos="{read: no}"), catalogue)
    off.observing.inspect_roots()
    assert not off.observing.settled([Settled(root, b"a/2.mov", False)]), "it belongs to a photo, and nobody knows it"
    off.survey()
    assert off.present() == {b"1.jpg", b"a/2.jpg", b"a/b/3.jpg"}


def test_a_video_of_a_live_photo_is_read_and_shown_beside_it(
    watcher: Watcher, photos: Path, catalogue: Catalogue
) -> None:
    pending = catalogue.files.pending(9)
    catalogue.files.identified([(file.id, file.stamp, file.relative.ljust(32, b".")) for file in pending])
    (root,) = catalogue.files.roots()
    photo = catalogue.files.photo_of(root.id, b"1.jpg")
    assert photo is not None
    read(catalogue, photo)
    catalogue.people.assign([Assignment(FaceId(1), None, 0, 0.9)], [], photo, NOW)
    catalogue._db.write(lambda db: db.execute("DELETE FROM stale"))
    place(photos / "1.mov")
    assert watcher.observing.settled([Settled(os.fsencode(photos), b"1.mov", False)])
    assert b"1.mov" in watcher.present()
    assert [tuple(row) for row in catalogue._db.rows("SELECT person_id, photo_id FROM stale")] == [(1, photo)]
