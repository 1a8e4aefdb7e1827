"""Surveys against a disk that changes under them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from guyverd import config_file
from guyverd.catalogue.store import Catalogue
from guyverd.model import RootState
from guyverd.service.pipeline.observing import STEP, Observing
from guyverd.watch.debounce import Settled

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


def test_a_root_made_anew_with_pictures_is_taken_as_it_is(watcher: Watcher, photos: Path) -> None:
    photos.rename(photos.with_name("old"))
    photos.mkdir()
    (photos / "new.jpg").write_text("new")
    (found,) = watcher.observing.inspect_roots()
    assert (found.came, found.went) == (True, False)
    assert watcher.survey()
    assert watcher.present() == {b"new.jpg"}


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
    assert watcher.observing.surveying
    assert STEP - 10 < len(watcher.present()) < STEP + 10
    assert watcher.observing.advance()
    assert watcher.observing._surveys == [], "a waiting survey of the whole covers one of a part"
    assert len(watcher.present()) == STEP + 13
