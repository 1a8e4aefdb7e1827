"""Models the tests check against: a ledger in memory, the tree as a dict, albums made by Hypothesis."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from guyverd.folders.plan import FolderRename, Plan
from guyverd.model import Album, AlbumPhoto, PersonId, PublishedLink

# On a busy machine the first text Hypothesis draws takes seconds, for it reads all of Unicode; that says nothing of us.
CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


class MemoryLedger:
    """Rows by path; what a crash leaves is what was written before it."""

    def __init__(self, links: Iterable[PublishedLink] = ()) -> None:
        self.rows = {link.path: link for link in links}
        self.calls = 0

    def published(self) -> list[PublishedLink]:
        return sorted(self.rows.values(), key=lambda link: link.path)

    def intend(self, links: Sequence[PublishedLink]) -> None:
        self.calls += 1
        self.rows.update({link.path: link for link in links})

    def forget(self, paths: Sequence[bytes]) -> None:
        self.calls += 1
        for path in paths:
            self.rows.pop(path, None)

    def renamed(self, renames: Sequence[FolderRename]) -> None:
        self.calls += 1
        for rename in renames:
            for path in [path for path in self.rows if path.startswith(rename.old + b"/")]:
                row = self.rows.pop(path)
                new = rename.new + path[len(rename.old) :]
                self.rows[new] = PublishedLink(new, row.target, row.person)


def carry_out(published: Sequence[PublishedLink], plan: Plan) -> list[PublishedLink]:
    """The links after a plan, by its definition; asserts that each step finds what it relies on."""
    tree = {link.path: link for link in published}
    for link in plan.remove:
        assert tree.pop(link.path) == link
    for rename in plan.renames:
        inside = [path for path in tree if path.startswith(rename.old + b"/")]
        assert {tree[path].person for path in inside} <= {rename.person}
        assert {tree[path] for path in inside} <= set(rename.links)
        assert not any((path + b"/").startswith(rename.new + b"/") for path in tree), "the new path is free"
        assert not any(rename.new.startswith(path + b"/") for path in tree)
        for path in inside:
            link = tree.pop(path)
            new = rename.new + path[len(rename.old) :]
            tree[new] = PublishedLink(new, link.target, link.person)
    for link in plan.make:
        assert link.path not in tree
        tree[link.path] = link
    assert len(tree) == plan.keep + len(plan.make)
    return sorted(tree.values(), key=lambda link: link.path)


def photo(target: bytes, taken_at: str | None = None) -> AlbumPhoto:
    return AlbumPhoto(target, taken_at)


def album(person: int, name: str | None, *photos: AlbumPhoto) -> Album:
    return Album(PersonId(person), name, photos)


# Few and alike, so that people clash, swap and share.
NAMES = st.sampled_from(
    [None, "Alice", "alice", "Bob", "Unnamed", "Faceless", "Alice (2)", "Alice~2", "Unnamed~2", "...", "Bob (moving)"]
)
TARGETS = st.sampled_from(
    [b"/p/a.jpg", b"/p/b.jpg", b"/p/x/a.jpg", b"/p/x/A.JPG", b"/q/\xff.png", b"/home/u/People2/c"]
)
PHOTOS = st.builds(AlbumPhoto, TARGETS, st.sampled_from([None, "2024-05-17T10:00:00", "2023-01-01"]))


@st.composite
def albums(draw: st.DrawFn) -> list[Album]:
    people = draw(st.lists(st.integers(1, 9), unique=True, max_size=5))
    return [
        Album(PersonId(person), draw(NAMES), tuple(draw(st.lists(PHOTOS, min_size=1, max_size=4)))) for person in people
    ]


def tree_of(root: bytes) -> dict[bytes, bytes]:
    """Everything below a folder: links with what they say, files with their content, folders with b""."""
    found: dict[bytes, bytes] = {}
    for here, folders, files in os.walk(root):
        for name in folders + files:
            path = os.path.join(here, name)
            relative = os.path.relpath(path, root)
            if os.path.islink(path):
                found[relative] = b"-> " + os.readlink(path)
            elif os.path.isdir(path):
                found[relative] = b""
            else:
                with open(path, "rb") as file:
                    found[relative] = b"file " + file.read()
    return found
