"""What a search asks about: what the library knows of a picture, as long as the file is what it was."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from guyverd.catalogue.store import Catalogue
from guyverd.errors import PictureMissing
from guyverd.model import Changes, PhotoId, PhotoReading, SeenFile, Stamp
from guyverd.service.pipeline.searching.asking import Picture, picture
from tests.catalogue.conftest import NOW, content, face


@pytest.fixture
def root_folder(tmp_path: Path, catalogue: Catalogue) -> Path:
    """A photo folder with a photo of two faces, and one that waits."""
    folder = tmp_path / "photos"
    folder.mkdir()
    catalogue.files.configure([os.fsencode(folder)])
    for number, name in enumerate(("read.jpg", "waiting.jpg"), 1):
        (folder / name).write_bytes(b"picture" * number)
        status = (folder / name).stat()
        stamp = Stamp(status.st_size, status.st_mtime_ns, status.st_ino)
        catalogue.files.apply(catalogue.files.roots()[0].id, Changes(new=(SeenFile(name.encode(), stamp),)), NOW)
        [file] = catalogue.files.pending(9)
        catalogue.files.identified([(file.id, stamp, content(name))])
    reading = PhotoReading(b"h" * 32, 640, 480, "JPEG", None, (face(1), face(2, 100)))
    catalogue.photos.read([(PhotoId(1), reading)], "engine 1", NOW)
    return folder


@pytest.fixture
def ask(catalogue: Catalogue) -> Callable[..., Picture | str]:
    """What is known of a picture, or "read" where it is read anew."""

    def asked(path: Path, opened: int | None = None, at: float | None = None) -> Picture | str:
        def read() -> PhotoReading:
            raise PictureMissing(path=path)

        try:
            return picture(catalogue, str(path), opened, at, read)
        except PictureMissing:
            return "read"

    return asked


def test_what_is_known_is_not_read_again(root_folder: Path, ask: Callable[..., Picture | str], tmp_path: Path) -> None:
    known = ask(root_folder / "read.jpg")
    assert isinstance(known, Picture)
    assert (known.width, known.height, [one.number for one in known.faces]) == (640, 480, [1, 2])
    assert [one.box.left for one in known.faces] == [0, 100]
    assert known.vectors.shape == (2, 128)
    (tmp_path / "link.jpg").symlink_to(root_folder / "read.jpg")
    assert isinstance(ask(tmp_path / "link.jpg"), Picture), "a link stands for what it leads to"


def test_the_file_that_was_handed_over_counts_and_not_its_name(
    root_folder: Path, ask: Callable[..., Picture | str], tmp_path: Path
) -> None:
    (tmp_path / "outside.jpg").write_bytes(b"picture")
    with open(root_folder / "read.jpg", "rb") as inside, open(tmp_path / "outside.jpg", "rb") as outside:
        assert isinstance(ask(tmp_path / "any name", inside.fileno()), Picture)
        assert ask(root_folder / "read.jpg", outside.fileno()) == "read"


def test_whatever_is_not_as_it_was_is_read(root_folder: Path, ask: Callable[..., Picture | str]) -> None:
    assert ask(root_folder / "waiting.jpg") == "read"
    assert ask(root_folder / "nothing.jpg") == "read"
    assert ask(root_folder / "read.jpg", at=1.0) == "read", "a moment is looked at"
    (root_folder / "read.jpg").write_bytes(b"another")
    assert ask(root_folder / "read.jpg") == "read"
