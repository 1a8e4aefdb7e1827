"""Words said of real photos: the folders follow, and follow back."""

from __future__ import annotations

from guyverd.config import Config
from guyverd.service.access import open_library
from tests.service.conftest import groups, scan, tree


def test_the_folders_follow_every_word_and_its_undo(config: Config) -> None:
    scan(config)
    before, shown = tree(config.people), groups(config.people)
    with open_library(config) as library:
        (one, other) = [row for row in library.people() if row["folder"]]
        name = str(library.name(str(one["id"]), "Ada")["name"])
        ada = tree(config.people)[name]

        link = sorted((config.people / name).iterdir())[0]
        photo = link.resolve().name
        assert library.reject(name, [str(link)])["moved"] == 1
        assert tree(config.people)[name] == ada - {photo}
        library.undo()
        assert tree(config.people)[name] == ada

        library.hide(name)
        assert name not in tree(config.people)
        assert [row["name"] for row in library.people(hidden=True)] == ["Ada"]
        library.scan()
        assert name not in tree(config.people)
        library.undo()
        assert tree(config.people)[name] == ada

        faces = [str(row["face"]) for row in library.faces(name)]
        library.split(name, faces[:2])
        assert len(tree(config.people)[name]) == len(ada) - 2
        library.merge(name, str(other["id"]))
        # Who was split off has a folder, however few photos: somebody spoke of them.
        assert len(tree(config.people)) == 2
        assert {row["kind"] for row in library.log(name)} >= {"name", "reject", "hide", "split", "merge", "undo"}
        for _ in range(3):
            library.undo()
        assert groups(config.people) == shown
        assert tree(config.people) == before
        assert all(row["ok"] for row in library.check()["checks"])
