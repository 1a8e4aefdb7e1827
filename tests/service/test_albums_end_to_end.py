"""An album of real photos with a daemon at work: saved, followed by its folder, renamed, taken back, removed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from guyverd import config_file
from guyverd.errors import NoDay, UnknownAlbum, UnknownPerson
from guyverd.service.access import open_library
from tests.service.conftest import Daemon, copy, eventually, place, tree


@pytest.fixture
def another(negatives: Path, tmp_path: Path) -> Path:
    """One more photo that shows both, mirrored and a little darker."""
    path = tmp_path / "another.jpg"
    with Image.open(negatives / "both.jpg") as both:
        mirrored = both.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        mirrored.point([round(0.9 * value) for value in range(256)] * 3).save(path, quality=95)
    os.utime(path, (1_600_000_000, 1_600_000_000))
    return path


def test_an_album_and_its_folder(
    negatives: Path, another: Path, tmp_path: Path, write_config: Callable[..., Path], start: Callable[..., Daemon]
) -> None:
    photos = copy(negatives, tmp_path / "photos")
    path = write_config(photos)
    config = config_file.load(path)
    start(path).told("READY=1")
    eventually(lambda: sorted(map(len, tree(config.people).values())) == [5, 5], 90)
    with open_library(config) as library:
        first, second = [str(row["id"]) for row in library.people() if row["folder"]]
        library.name(first, "Tom & Jerry")
        library.name(second, "Ada")

        row = library.album(["Tom & Jerry & Ada"])
        folder = config.people / "Tom & Jerry & Ada"
        assert (row["photos"], row["folder"]) == (1, str(folder))
        assert tree(config.people)[folder.name] == {"both.jpg"}
        again = library.album(["Ada", "Tom & Jerry"], "tom & jerry & ADA")
        assert (again["decision"], again["photos"], again["folder"]) == (None, 1, str(folder))
        later = library.album(["Ada", first], since="2999-05")
        assert (later["photos"], later["folder"]) == (0, None)

        place(another, photos / "another.jpg")
        eventually(lambda: tree(config.people)[folder.name] == {"both.jpg", "another.jpg"}, 60)
        both = {"both.jpg", "another.jpg"}

        before, log = tree(config.people), list(library.log())
        tried = library.album_rename("tom & jerry & ada", "Us", dry=True)
        assert (tried["dry_run"], tried["photos"], tried["album"]["now"]["title"]) == (True, 2, "Us")
        assert library.album(["Ada"], "Alone", dry=True)["photos"] == 6
        assert (tree(config.people), list(library.log())) == (before, log)

        assert library.album_rename("tom & jerry & ada", "Us")["folder"] == str(config.people / "Us")
        assert tree(config.people)["Us"] == both
        assert not folder.exists()
        library.hide("Ada")
        assert set(tree(config.people)) == {"Us", "Tom & Jerry"}
        assert tree(config.people)["Us"] == both, "the user asked for it"
        library.undo()
        assert library.album_remove("us")["folder"] is None
        assert not (config.people / "Us").exists()
        told = library.undo()["subject"]["album"]
        assert (told["before"]["title"], told["now"]) == ("Us", None)
        assert tree(config.people)["Us"] == both

        rows = list(library.albums())
        assert [(row["title"], row["photos"], row["left_out"], row["folder"]) for row in rows] == [
            ("Ada & Tom & Jerry since 2999-05", 0, 0, None),
            ("Us", 2, 0, str(config.people / "Us")),
        ]
        assert {row["folder"] for row in library.people() if row["name"]} == {
            str(config.people / name) for name in ("Ada", "Tom & Jerry")
        }
        with pytest.raises(UnknownAlbum):
            library.album_remove("Them")
        with pytest.raises(UnknownPerson, match="'Zoe'"):
            library.album(["Ada & Zoe"])
        with pytest.raises(NoDay, match="2023-13"):
            library.album(["Ada"], since="2023-13")
        assert all(row["ok"] for row in library.check()["checks"])
